//! The loss of a mapper's phase on small networks: its gradient against differences, and whose parameters it reaches.

use burn::module::{AutodiffModule, ModuleMapper, Param};
use ndarray::Array2;
use rand::RngExt;
use serde_json::{Value, json};

use super::*;
use crate::data::error::DataError;
use crate::models::mapper::{MapperConfig, MapperSnapshot, MapperTarget};
use crate::models::stylegan2::{
    ConditionHeads, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig,
};
use crate::tensor_ops::backend::{Device, cpu};
use crate::tensor_ops::random::keyed_rng;
use crate::tensor_ops::similarity::unit_norm;
use crate::training::gan::config::GanTrainConfig;
use crate::training::gan::gradients::make_finite;
use crate::training::gan::mappers::config::{GanMapperConfig, MapperOutput};
use crate::training::gan::mappers::joint::MapperStart;
use crate::training::gan::state::MapperPair;
use crate::training::mapper::targets::EmbeddingTargets;

const WIDTH: usize = 8;
const BATCH: usize = 4;

/// Everything that a round looks at.
struct Scene {
    generator_config: GeneratorConfig,
    generator: Generator<Diff>,
    discriminator: Discriminator<Diff>,
    train: GanTrainConfig,
    config: GanMapperConfig,
    mappers: [Mapper<Base>; 2],
    snapshot: [MapperSnapshot; 2],
    batch: GanBatch,
    device: Device,
}

fn snapshot(target: MapperTarget) -> MapperSnapshot {
    let network = MapperConfig {
        signal_len: 16,
        num_blocks: 1,
        hidden: 4,
        fc: 4,
        embed_dim: WIDTH,
        ..Default::default()
    };
    MapperSnapshot {
        network,
        target,
        num_voxels: 14,
        padding_left: 1,
        subject: "subj01".into(),
        roi: "nsdgeneral".into(),
        voxels_sha256: None,
        target_network_sha256: String::new(),
    }
}

fn unit(position: u64) -> Tensor<Base, 2> {
    unit_norm(normal([BATCH, WIDTH], &mut keyed_rng(1, "unit", position), &cpu()))
}

fn scene(heads: ConditionHeads) -> Scene {
    let device = cpu();
    let generator_config = GeneratorConfig {
        z_dim: 6,
        w_dim: 6,
        heads,
        condition_dim: WIDTH,
        second_condition_dim: WIDTH,
        code_dim: 6,
        mapping_layers: 1,
        resolution: 8,
        channel_base: 32,
        channel_max: 4,
        ..Default::default()
    };
    let discriminator = DiscriminatorConfig {
        heads,
        condition_dim: WIDTH,
        second_condition_dim: WIDTH,
        resolution: 8,
        channel_base: 32,
        channel_max: 4,
        ..Default::default()
    };
    let snapshot = [snapshot(MapperTarget::Image), snapshot(MapperTarget::Caption)];
    let mapper = |seed| snapshot[0].network.init::<Base>(seed, &device).unwrap();
    Scene {
        generator: generator_config.init(3, &device).unwrap(),
        discriminator: discriminator.init(3, &device).unwrap(),
        generator_config,
        train: GanTrainConfig { seed: 5, batch_size: Some(BATCH), ..Default::default() },
        config: GanMapperConfig::default(),
        mappers: [mapper(1), mapper(2)],
        snapshot,
        batch: GanBatch {
            pixels_pm1: normal([BATCH, 3, 8, 8], &mut keyed_rng(1, "pixels", 0), &device),
            condition: Condition::none(),
            image_embedding: unit(0),
        },
        device,
    }
}

fn betas() -> Array2<f32> {
    let mut rng = keyed_rng(2, "betas", 0);
    Array2::from_shape_fn((BATCH, 14), |_| rng.random_range(-1.0..1.0))
}

impl Scene {
    /// Calls `look` with what a training would hand to a phase.
    fn with<T>(
        &self,
        source: ConditionSource,
        look: impl FnOnce(&JointMappers<'_>, &PhaseContext<'_>, &MapperPair, &DecodedBatch) -> T,
    ) -> T {
        let captions = Array2::from_shape_vec((BATCH, WIDTH), unit(9).into_data().to_vec().unwrap()).unwrap();
        let rows: Vec<_> = (0..BATCH).map(|row| row..row + 1).collect();
        let images: Vec<usize> = (0..BATCH).collect();
        let scale = crate::data::targets::TargetScale {
            clamp: 0.0,
            scaling: crate::data::targets::TargetScaling::UnitNorm,
        };
        let choice = crate::training::mapper::targets::CaptionChoice::First;
        let targets = EmbeddingTargets::new(&captions, &rows, &images, choice, scale);
        let provenance = json!({});
        let start = |index: usize, provenance: &'static Value| MapperStart {
            network: &self.mappers[index],
            snapshot: &self.snapshot[index],
            sha256: "",
            provenance,
        };
        let provenance: &'static Value = Box::leak(Box::new(provenance));
        let read = |samples: &[usize]| -> Result<Array2<f32>, DataError> {
            Ok(betas().select(ndarray::Axis(0), samples))
        };
        let joint = JointMappers {
            config: &self.config,
            source,
            starts: [start(0, provenance), start(1, provenance)],
            second_targets: Some(&targets),
            betas: &read,
        };
        let context = PhaseContext {
            loss_scale: 1.0,
            config: &self.train,
            generator_config: &self.generator_config,
            generator: &self.generator,
            discriminator: &self.discriminator,
            encoder: None,
            resnet: None,
            path_length_mean: 0.0,
            augment_probability: 0.0,
            device: &self.device,
        };
        let pair = joint.init(&self.train, &self.device).unwrap();
        let decoded = joint.decode(&pair, &[0, 1, 2, 3], 5, 0, &self.device).unwrap();
        look(&joint, &context, &pair, &decoded)
    }

    /// The loss of a round as a function of the mapper in training.
    fn loss(&self, source: ConditionSource, branch: MapperBranch, network: Option<&Mapper<Diff>>) -> f64 {
        self.with(source, |joint, context, pair, decoded| {
            let network = network.unwrap_or(&pair.0[branch.index()].network);
            let round = MapperRound { joint, branch, network, batch: &self.batch, decoded };
            f64::from(round.loss(context, 7).loss.into_scalar())
        })
    }
}

/// Adds `factor` times the gradient to every parameter.
struct Moved<'a> {
    gradients: &'a GradientsParams,
    factor: f64,
}

impl ModuleMapper<Diff> for Moved<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<Diff, D>>) -> Param<Tensor<Diff, D>> {
        let Some(gradient) = self.gradients.get::<Base, D>(param.id) else { return param };
        let step = gradient.mul_scalar(self.factor);
        param.map(|value| Tensor::from_inner(value.inner() + step).require_grad())
    }
}

/// The slope along the gradient is its norm: by differences of the whole loss, through mapper, generator and discriminator.
#[test]
fn the_gradient_of_a_mapper_is_that_of_its_loss() {
    let two = ConditionHeads::TwoByMaximum;
    let cases = [
        (two, ConditionSource::Both, MapperOutput::UnitNorm),
        (two, ConditionSource::Both, MapperOutput::Raw),
        (two, ConditionSource::Mean, MapperOutput::UnitNorm),
        (ConditionHeads::One, ConditionSource::Mix, MapperOutput::UnitNorm),
        (ConditionHeads::One, ConditionSource::SignedMax, MapperOutput::UnitNorm),
    ];
    for (heads, source, output) in cases {
        for branch in MapperBranch::ALL {
            // The published weights, and the adversarial part alone.
            for (regression, gan) in [(1.0, 0.1), (0.0, 3.0)] {
                let mut scene = scene(heads);
                scene.config.output = output;
                scene.config.gan_weight = gan;
                for weight in [
                    &mut scene.config.squared_error_weight,
                    &mut scene.config.cosine_weight,
                    &mut scene.config.contrastive_weight,
                ] {
                    *weight *= regression;
                }
                let case = format!("{heads:?} {source:?} {output:?} {branch:?} {regression} {gan}");
                let (network, gradients) = scene.with(source, |joint, context, pair, decoded| {
                    let network = pair.0[branch.index()].network.clone();
                    let batch = &scene.batch;
                    let round = MapperRound { joint, branch, network: &network, batch, decoded };
                    let result = round.run(context, 7);
                    (network, result.gradients)
                });
                let mut measured = gradients;
                let norm = make_finite(&mut measured, &network).norm;
                assert!(norm > 1e-5, "{case}: {norm}");
                // Change of the loss to first order: 2·step·norm, far above rounding and small against the curvature.
                let step = 2e-3 / norm;
                let at = |sign: f64| {
                    let factor = sign * step;
                    let moved = network.clone().map(&mut Moved { gradients: &measured, factor });
                    scene.loss(source, branch, Some(&moved))
                };
                let slope = (at(1.0) - at(-1.0)) / (2.0 * step * norm);
                assert!((slope - norm).abs() < 0.03 * norm, "{case}: slope {slope}, norm {norm}");
            }
        }
    }
}

#[test]
fn gradients_reach_only_the_mapper_of_the_phase() {
    let scene = scene(ConditionHeads::TwoByMaximum);
    for branch in MapperBranch::ALL {
        scene.with(ConditionSource::Both, |joint, context, pair, decoded| {
            let network = &pair.0[branch.index()].network;
            let other = &pair.0[1 - branch.index()].network;
            let round = MapperRound { joint, branch, network, batch: &scene.batch, decoded };
            let mut gradients = round.loss(context, 7).loss.backward();
            assert_eq!(GradientsParams::from_module(&mut gradients, &scene.generator).len(), 0);
            assert_eq!(GradientsParams::from_module(&mut gradients, &scene.discriminator).len(), 0);
            assert_eq!(GradientsParams::from_module(&mut gradients, other).len(), 0);
            // Weights and biases of one strided layer, three convolutions of a block, lift, and two layers of the head.
            assert_eq!(GradientsParams::from_module(&mut gradients, network).len(), 14);
        });
    }
}

/// docs/spec/open-questions.md OQ-38: published, the second mapper's loss compares the first one's vector with the
/// caption.
#[test]
fn the_second_mapper_is_compared_with_its_own_target() {
    let mut scene = scene(ConditionHeads::TwoByMaximum);
    scene.config.gan_weight = 0.0;
    let before = MapperBranch::ALL.map(|branch| scene.loss(ConditionSource::Both, branch, None));
    scene.mappers[0] = scene.snapshot[0].network.init(11, &scene.device).unwrap();
    let after = MapperBranch::ALL.map(|branch| scene.loss(ConditionSource::Both, branch, None));
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1], after[1]);
    scene.batch.image_embedding = unit(3);
    assert_eq!(before[1], scene.loss(ConditionSource::Both, MapperBranch::Second, None));
}

#[test]
fn a_mapper_without_a_part_in_the_condition_is_not_trained_and_a_resnet_vector_is_centred() {
    let mut scene = scene(ConditionHeads::One);
    for (source, expected) in [
        (ConditionSource::Image, vec![MapperBranch::First]),
        (ConditionSource::Caption, vec![MapperBranch::Second]),
    ] {
        scene.with(source, |joint, _, pair, decoded| {
            assert_eq!(joint.branches().collect::<Vec<_>>(), expected);
            let own = joint.current_vector(pair, expected[0], &decoded.signals);
            assert_eq!(decoded.vectors[0].to_data(), own.to_data());
            let condition = joint.condition(decoded.vectors.clone(), || own.clone(), ConditionHeads::One);
            assert_eq!(condition.heads[0].to_data(), own.into_data());
        });
    }
    scene.snapshot[1].target = MapperTarget::Resnet;
    scene.config.output = MapperOutput::Raw;
    scene.with(ConditionSource::ImageResnet, |_, _, pair, decoded| {
        let predicted = pair.0[1].network.valid().forward(decoded.signals[1].clone());
        let expected = unit_norm(predicted.sub_scalar(0.5));
        assert_eq!(decoded.vectors[1].to_data(), expected.into_data());
        // With a ResNet mapper beside it the first vector is normalised even in raw mode.
        let norms = decoded.vectors[0].clone().square().sum_dim(1).sub_scalar(1.0).abs().max().into_scalar();
        assert!(norms < 1e-5, "{norms}");
    });
}
