//! Mapping and synthesis, with truncation towards the mean style (docs/spec/generator.md; Karras et al. 2020,
//! <https://arxiv.org/abs/1912.04958>).

use burn::module::Module;
use burn::tensor::{Tensor, backend::Backend};
use rand::Rng;

use super::condition::Condition;
use super::config::{ConditionHeads, GeneratorConfig};
use super::mapping::MappingNetwork;
use super::noise::Noise;
use super::synthesis::SynthesisNetwork;
use super::weight_init::WeightInit;
use crate::error::SettingError;
use crate::tensor_ops::random::normal;

/// Pull of w towards its running mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Truncation {
    /// 1 keeps w, 0 replaces it by the mean.
    pub psi: f64,
    /// How many leading layers are pulled; all when absent.
    pub cutoff: Option<usize>,
}

impl Truncation {
    /// No pull: the default everywhere (docs/spec/generator.md §2).
    pub const NONE: Self = Self { psi: 1.0, cutoff: None };
}

/// Latent, condition and noise to image.
#[derive(Module, Debug)]
pub struct Generator<B: Backend> {
    /// z → w.
    pub mapping: MappingNetwork<B>,
    /// ws → image.
    pub synthesis: SynthesisNetwork<B>,
    #[module(skip)]
    num_ws: usize,
    #[module(skip)]
    resolution: usize,
}

impl GeneratorConfig {
    /// A network with weights drawn from `seed`.
    pub fn init<B: Backend>(&self, seed: u64, device: &B::Device) -> Result<Generator<B>, SettingError> {
        self.validate()?;
        let init = WeightInit::new(seed, "generator", device);
        Ok(Generator {
            mapping: MappingNetwork::init(self, &init.child("mapping")),
            synthesis: SynthesisNetwork::init(self, &init.child("synthesis")),
            num_ws: self.num_ws(),
            resolution: self.resolution,
        })
    }

    /// The configuration of a network whose single head has been duplicated.
    pub fn with_duplicated_head(&self) -> Self {
        match self.heads {
            ConditionHeads::One => Self {
                heads: ConditionHeads::TwoByMaximum,
                second_condition_dim: self.condition_dim,
                ..self.clone()
            },
            ConditionHeads::None | ConditionHeads::TwoByMaximum => self.clone(),
        }
    }
}

impl<B: Backend> Generator<B> {
    /// Images of a batch of latents.
    ///
    /// # Shapes
    /// - z: `[batch, z_dim]`
    /// - output: `[batch, image_channels, resolution, resolution]`, −1..1 when trained, not clipped
    pub fn forward(
        &self,
        z: Tensor<B, 2>,
        condition: &Condition<B>,
        noise: &Noise<B>,
        truncation: Truncation,
    ) -> Tensor<B, 4> {
        self.synthesis.forward(self.ws_from_z(z, truncation), condition, noise)
    }

    /// z to one w per layer.
    ///
    /// # Shapes
    /// - z: `[batch, z_dim]`, output: `[batch, num_ws, w_dim]`
    pub fn ws_from_z(&self, z: Tensor<B, 2>, truncation: Truncation) -> Tensor<B, 3> {
        // Style mixing replaces some of these copies later, so every layer has its own.
        let ws = self.broadcast(self.mapping.forward(z));
        if truncation.psi == 1.0 {
            return ws;
        }
        let pulled = |ws: Tensor<B, 3>| {
            let mean = self.mapping.w_avg().unsqueeze::<3>();
            mean.clone() + (ws - mean).mul_scalar(truncation.psi)
        };
        // A cutoff past the last layer pulls all.
        match truncation.cutoff.filter(|&cutoff| cutoff < self.num_ws) {
            None => pulled(ws),
            Some(0) => ws,
            Some(cutoff) => {
                let kept = ws.clone().narrow(1, cutoff, self.num_ws - cutoff);
                Tensor::cat(vec![pulled(ws.narrow(1, 0, cutoff)), kept], 1)
            }
        }
    }

    /// The same w for every layer.
    ///
    /// # Shapes
    /// - w: `[batch, w_dim]`, output: `[batch, num_ws, w_dim]`
    pub fn broadcast(&self, w: Tensor<B, 2>) -> Tensor<B, 3> {
        w.unsqueeze_dim::<3>(1).repeat_dim(1, self.num_ws)
    }

    /// Number of style codes per image.
    pub fn num_ws(&self) -> usize {
        self.num_ws
    }

    /// Height and width of the images.
    pub fn resolution(&self) -> usize {
        self.resolution
    }

    /// Standard normal noise maps for a batch.
    pub fn random_noise(&self, batch: usize, rng: &mut impl Rng, device: &B::Device) -> Noise<B> {
        // One map for conv1 at 4 × 4, two at every resolution from 8 on, in the order in which the layers run.
        let layers = std::iter::once(4).chain((3..=self.resolution.ilog2()).flat_map(|log| [1 << log; 2]));
        Noise::Maps(layers.map(|r| normal([batch, 1, r, r], rng, device)).collect())
    }

    /// The same network with its `count` highest resolutions in half precision, 0 for none ([`super::HALF_RESOLUTIONS`] as published,
    /// docs/spec/generator.md §6); weights, styles and the image stay in single precision.
    pub fn with_half_resolutions(self, count: usize) -> Self {
        Self { synthesis: self.synthesis.with_half_resolutions(count), ..self }
    }

    /// The same network with a second condition head that starts as a copy of the first; a network with
    /// no head or two is returned as it is (docs/spec/gan-training.md §9, docs/spec/open-questions.md OQ-31).
    pub fn with_duplicated_head(self) -> Self {
        Self { synthesis: self.synthesis.with_duplicated_head(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::stylegan2::HALF_RESOLUTIONS;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::random::keyed_rng;
    use crate::tensor_ops::similarity::unit_norm;

    fn small(heads: ConditionHeads) -> GeneratorConfig {
        GeneratorConfig {
            z_dim: 8,
            w_dim: 8,
            heads,
            condition_dim: 6,
            second_condition_dim: 6,
            code_dim: 10,
            mapping_layers: 2,
            resolution: 16,
            channel_base: 64,
            channel_max: 8,
            ..Default::default()
        }
    }

    #[test]
    fn parameter_counts_of_the_paper() {
        // The counts of docs/spec/generator.md §7, checked by shape alone: 45 million values need not be drawn.
        let count = |config: &GeneratorConfig| {
            let heads: usize = config
                .condition_dims()
                .iter()
                .map(|dim| {
                    let hidden = (dim + config.code_dim) / 2;
                    (dim + 1) * hidden + (hidden + 1) * config.code_dim
                })
                .sum();
            let style = |channels: usize| heads + (config.code_dim + config.w_dim + 1) * channels;
            let mut total = config.mapping_layers * 513 * 512 + 512 * 16;
            for log in 2..=8 {
                let resolution = 1 << log;
                let channels = config.channels(resolution);
                if log > 2 {
                    let inputs = config.channels(resolution / 2);
                    total += style(inputs) + inputs * channels * 9 + channels + 1;
                }
                total += style(channels) + channels * channels * 9 + channels + 1;
                total += style(channels) + 3 * channels + 3;
            }
            total
        };
        let two = GeneratorConfig::default();
        let one = GeneratorConfig { heads: ConditionHeads::One, ..two.clone() };
        assert_eq!(count(&one), 44_997_026);
        assert_eq!(count(&two), 55_503_266);
    }

    #[test]
    fn a_seed_decides_every_weight() {
        let device = cpu();
        let config = small(ConditionHeads::One);
        let image = |seed| -> Vec<f32> {
            let generator = config.init::<Base>(seed, &device).unwrap();
            let z = normal([1, 8], &mut keyed_rng(0, "z", 0), &device);
            let condition = Condition::one(Tensor::ones([1, 6], &device));
            let image = generator.forward(z, &condition, &Noise::Constant, Truncation::NONE);
            image.into_data().to_vec().unwrap()
        };
        assert_eq!(image(1), image(1));
        assert_ne!(image(1), image(2));
    }

    #[test]
    fn a_duplicated_head_changes_nothing_for_equal_conditions() {
        let device = cpu();
        let config = small(ConditionHeads::One);
        let one = config.init::<Base>(7, &device).unwrap();
        let two = one.clone().with_duplicated_head();
        assert_eq!(config.with_duplicated_head().condition_dims(), [6, 6]);
        let mut rng = keyed_rng(3, "inputs", 0);
        let z = normal([3, 8], &mut rng, &device);
        let t = unit_norm(normal([3, 6], &mut rng, &device));
        let other = unit_norm(normal([3, 6], &mut rng, &device));
        let noise = one.random_noise(3, &mut rng, &device);
        let run = |generator: &Generator<Base>, condition: Condition<Base>| -> Vec<f32> {
            let image = generator.forward(z.clone(), &condition, &noise, Truncation::NONE);
            image.into_data().to_vec().unwrap()
        };
        let expected = run(&one, Condition::one(t.clone()));
        assert_eq!(run(&two, Condition::two(t.clone(), t.clone())), expected);
        assert_ne!(run(&two, Condition::two(t, other)), expected);
    }

    #[test]
    fn half_precision_draws_the_same_picture() {
        let device = cpu();
        let generator = small(ConditionHeads::One).init::<Base>(5, &device).unwrap();
        let mut rng = keyed_rng(6, "inputs", 0);
        let z = normal([2, 8], &mut rng, &device);
        let condition = Condition::one(unit_norm(normal([2, 6], &mut rng, &device)));
        let noise = generator.random_noise(2, &mut rng, &device);
        let draw =
            |generator: &Generator<Base>| generator.forward(z.clone(), &condition, &noise, Truncation::NONE);
        let expected = draw(&generator);
        let half = draw(&generator.with_half_resolutions(HALF_RESOLUTIONS));
        assert_eq!(half.dtype(), expected.dtype());
        let scale = expected.clone().abs().max().into_scalar();
        let worst = (half - expected).abs().max().into_scalar();
        assert!(worst > 0.0 && worst < 1e-2 * scale, "{worst} of {scale}");
    }

    #[test]
    fn without_heads_it_is_plain_stylegan2() {
        let device = cpu();
        let generator = small(ConditionHeads::None).init::<Base>(7, &device).unwrap();
        let z = Tensor::zeros([2, 8], &device);
        let image = generator.forward(z, &Condition::none(), &Noise::Off, Truncation::NONE);
        assert_eq!(image.dims(), [2, 3, 16, 16]);
    }
}
