//! Golden weights into generator and discriminator, and gradients back out by name.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::store::{ModuleSnapshot, TensorSnapshot};
use burn::tensor::{Tensor, TensorData};
use mindreader::models::stylegan2::{
    ConditionHeads, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, HeadNormalisation,
    ProjectionTerm,
};
use mindreader::tensor_ops::backend::{Base, Diff, cpu};

use crate::golden::{Golden, values};

/// The generator of `generator_s4` and, less its second heads, of `generator_s2`.
pub fn generator_config(heads: ConditionHeads) -> GeneratorConfig {
    GeneratorConfig {
        z_dim: 64,
        w_dim: 48,
        heads,
        condition_dim: 24,
        second_condition_dim: 16,
        mapping_layers: 3,
        resolution: 32,
        channel_base: 512,
        channel_max: 32,
        conv_clamp: 0.0,
        ..Default::default()
    }
}

/// The discriminators of `discriminator_s4` and `discriminator_s2`.
pub fn discriminator_config(
    heads: ConditionHeads,
    head_normalisation: HeadNormalisation,
    projection: ProjectionTerm,
) -> DiscriminatorConfig {
    DiscriminatorConfig {
        heads,
        condition_dim: 24,
        second_condition_dim: 16,
        projection,
        head_normalisation,
        resolution: 32,
        channel_base: 512,
        channel_max: 32,
        conv_clamp: 0.0,
        ..Default::default()
    }
}

/// The golden generator, or nothing where its file is missing.
pub fn golden_generator(heads: ConditionHeads) -> Option<Generator<Diff>> {
    let golden = Golden::open("generator_s4")?;
    let mut generator = generator_config(heads).init::<Diff>(0, &cpu()).unwrap();
    apply(&mut generator, &golden, |name| {
        let is_second_head = name.contains(".pre_01.") || name.contains(".pre_11.");
        (heads == ConditionHeads::TwoByMaximum || !is_second_head).then(|| generator_path(name))
    });
    Some(generator)
}

/// A golden discriminator, or nothing where its file is missing.
pub fn golden_discriminator(set: &str, config: &DiscriminatorConfig) -> Option<Discriminator<Diff>> {
    let golden = Golden::open(set)?;
    let mut discriminator = config.init::<Diff>(0, &cpu()).unwrap();
    apply(&mut discriminator, &golden, |name| Some(discriminator_path(name)));
    Some(discriminator)
}

/// Our path of a published generator weight.
pub fn generator_path(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("mapping.fc") {
        return format!("mapping.layers.{rest}");
    }
    let Some(rest) = name.strip_prefix("synthesis.b") else { return name.to_string() };
    let (resolution, rest) = rest.split_once('.').unwrap();
    if rest == "const" {
        return "synthesis.constant".to_string();
    }
    let block = resolution.parse::<usize>().unwrap().ilog2() - 2;
    let rest = rest
        .replace(".pre_01.", ".style.heads.1.hidden.")
        .replace(".pre_11.", ".style.heads.1.code.")
        .replace(".pre_0.", ".style.heads.0.hidden.")
        .replace(".pre_1.", ".style.heads.0.code.")
        .replace(".affine_0.", ".style.affine.");
    format!("synthesis.blocks.{block}.{rest}")
}

/// Our path of a published discriminator weight, for a 32 × 32 network.
pub fn discriminator_path(name: &str) -> String {
    let (resolution, rest) = name.strip_prefix('b').unwrap().split_once('.').unwrap();
    let resolution: usize = resolution.parse().unwrap();
    if resolution == 4 {
        return format!("epilogue.{rest}")
            .replace(".fts.", ".semantic_heads.0.")
            .replace(".fts2.", ".semantic_heads.1.");
    }
    if rest.starts_with("fromrgb") {
        return rest.to_string();
    }
    format!("blocks.{}.{rest}", 5 - resolution.ilog2())
}

/// Sets every weight of `module`; a missing, unused or misshapen one fails the test.
fn apply<M: Module<Diff>>(module: &mut M, golden: &Golden, path: impl Fn(&str) -> Option<String>) {
    let snapshots = golden
        .names()
        .iter()
        .filter_map(|name| name.strip_prefix("weights.").map(str::to_string))
        .filter(|name| !name.ends_with("resample_filter"))
        .filter_map(|name| {
            let (values, shape) = golden.f32(&format!("weights.{name}"));
            // Scalars are vectors of one here.
            let shape = if shape.is_empty() { vec![1] } else { shape };
            let path = path(&name)?.split('.').map(str::to_string).collect();
            Some(TensorSnapshot::from_data(TensorData::new(values, shape), path, vec![], ParamId::new()))
        })
        .collect();
    let result = module.apply(snapshots, None, None, false);
    assert!(result.errors.is_empty(), "{:?}", result.errors);
    assert!(result.missing.is_empty(), "{:?}", result.missing);
    assert!(result.unused.is_empty(), "{:?}", result.unused);
}

/// Gradients of every parameter by its path.
pub fn gradients_by_path<M: Module<Diff>>(
    module: &M,
    gradients: &GradientsParams,
) -> BTreeMap<String, Vec<f32>> {
    let mut visitor = Collect { gradients, path: vec![], found: BTreeMap::new() };
    module.visit(&mut visitor);
    visitor.found
}

struct Collect<'a> {
    gradients: &'a GradientsParams,
    path: Vec<String>,
    found: BTreeMap<String, Vec<f32>>,
}

impl ModuleVisitor<Diff> for Collect<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Diff, D>>) {
        if let Some(gradient) = self.gradients.get::<Base, D>(param.id) {
            self.found.insert(self.path.join("."), values(gradient));
        }
    }
}

/// L2 norm over all gradients.
pub fn norm(gradients: &BTreeMap<String, Vec<f32>>) -> f32 {
    gradients.values().flatten().map(|&g| f64::from(g) * f64::from(g)).sum::<f64>().sqrt() as f32
}
