//! Golden weights into generator and discriminator, and gradients back out by name.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::store::{ModuleSnapshot, TensorSnapshot};
use burn::tensor::Tensor;
use mindreader::models::stylegan2::{
    ConditionHeads, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, HeadNormalisation,
    ProjectionTerm,
};
use mindreader::tensor_ops::backend::{Base, Diff, cpu};
use mindreader::weights::door::fill;
use mindreader::weights::key_map::KeyTable;
use mindreader::weights::report::Strictness;
use mindreader::weights::stylegan2::{
    DiscriminatorNames, GanHints, GeneratorNames, SecondHead, discriminator_sizes, read_generator,
};

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

/// The golden generator through the importer, or nothing where its file is missing.
pub fn golden_generator(heads: ConditionHeads) -> Option<Generator<Diff>> {
    let golden = Golden::open("generator_s4")?;
    let foreign = golden.foreign("weights.", |name| {
        let is_second_head = name.contains(".pre_01.") || name.contains(".pre_11.");
        heads == ConditionHeads::TwoByMaximum || !is_second_head
    });
    let hints = GanHints { conv_clamp: Some(0.0), ..Default::default() };
    let filled = read_generator(&foreign, &hints, SecondHead::AsStored, &cpu()).unwrap();
    assert_eq!(filled.report.refusal(Strictness::Strict), None);
    let second_condition_dim = filled.config.second_condition_dim;
    assert_eq!(filled.config, GeneratorConfig { second_condition_dim, ..generator_config(heads) });
    Some(filled.network)
}

/// A golden discriminator through the importer's table, or nothing where its file is missing.
pub fn golden_discriminator(set: &str, config: &DiscriminatorConfig) -> Option<Discriminator<Diff>> {
    let golden = Golden::open(set)?;
    let foreign = golden.foreign("weights.", |_| true);
    let hints = GanHints {
        conv_clamp: Some(0.0),
        head_normalisation: Some(config.head_normalisation),
        ..Default::default()
    };
    let (read, sizes) = discriminator_sizes(&foreign, &hints, SecondHead::AsStored).unwrap();
    // How the heads enter the score is no part of a file.
    let second_condition_dim = read.second_condition_dim;
    let expected =
        DiscriminatorConfig { projection: read.projection, second_condition_dim, ..config.clone() };
    assert_eq!(read, expected);
    let names = DiscriminatorNames { resolution: config.resolution, second_head: SecondHead::AsStored };
    let filled = fill((), config.init::<Diff>(0, &cpu()).unwrap(), &names, &foreign, sizes);
    assert_eq!(filled.report.refusal(Strictness::Strict), None);
    Some(filled.network)
}

/// Our path of a published generator weight, by the importer's table.
pub fn generator_path(name: &str) -> String {
    let heads = ConditionHeads::TwoByMaximum;
    let generator = generator_config(heads).init::<Base>(0, &cpu()).unwrap();
    path_of(name, &generator, &GeneratorNames { heads, second_head: SecondHead::AsStored })
}

/// Our path of a published discriminator weight, by the importer's table.
pub fn discriminator_path(name: &str) -> String {
    let heads = ConditionHeads::TwoByMaximum;
    let config = discriminator_config(heads, HeadNormalisation::Off, ProjectionTerm::Off);
    let names = DiscriminatorNames { resolution: config.resolution, second_head: SecondHead::AsStored };
    path_of(name, &config.init::<Base>(0, &cpu()).unwrap(), &names)
}

fn path_of<M: Module<Base>>(name: &str, module: &M, table: &dyn KeyTable) -> String {
    let paths: Vec<String> =
        module.collect(None, None, false).iter().map(TensorSnapshot::full_path).collect();
    let is_it = |path: &&String| table.foreign_tensors(path).is_some_and(|foreign| foreign.names == [name]);
    paths.iter().find(is_it).unwrap_or_else(|| panic!("no parameter for {name}")).clone()
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
