//! Initial weights: normals with the deviations of the published text transformer, in both towers.
//!
//! Token table 0.02, text positions 0.01, class token, image positions and patches width^-½, attention input
//! width^-½, what is added to the residual stream width^-½·(2·layers)^-½, perceptron input (2·width)^-½,
//! projections width^-½; biases 0, norms 1, logit scale ln(1/0.07) (Radford et al. 2021, section 2.5 and the published code's
//! constants). Each parameter has its own random stream, keyed by its path, so a seed decides everything.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, backend::Backend};

use super::config::ClipConfig;
use crate::tensor_ops::random::{keyed_rng, normal};

/// ln(1/0.07).
const INITIAL_LOGIT_SCALE: f64 = 2.659_260_036_932_778;

/// Replaces every weight of a network that is built of both towers.
pub(super) fn draw_initial_weights<B: Backend, M: Module<B>>(
    network: M,
    config: &ClipConfig,
    seed: u64,
) -> M {
    network.map(&mut Drawer { config, seed, path: Vec::new() })
}

struct Drawer<'a> {
    config: &'a ClipConfig,
    seed: u64,
    path: Vec<String>,
}

enum Draw {
    /// Norms and biases: as built.
    Keep,
    Constant(f64),
    Normal {
        deviation: f64,
    },
}

impl Drawer<'_> {
    fn rule(&self, path: &str) -> Draw {
        let (width, layers) = match path.starts_with("visual") {
            true => (self.config.vision_width as f64, self.config.vision_layers as f64),
            false => (self.config.text_width as f64, self.config.text_layers as f64),
        };
        let deviation = match path {
            "logit_scale" => return Draw::Constant(INITIAL_LOGIT_SCALE),
            "text.token_embedding.weight" => 0.02,
            "text.positional_embedding" => 0.01,
            // As for a convolution: patches are the widest input of the tower.
            "visual.patch_embedding.weight" => (3.0 * (self.config.patch_size as f64).powi(2)).powf(-0.5),
            "visual.class_embedding" | "visual.positional_embedding" => width.powf(-0.5),
            // 2·layers branches are added to the residual stream, two a block: each gets the 2·layers-th part of the
            // variance.
            _ if path.ends_with("attention_out.weight") || path.ends_with("perceptron_out.weight") => {
                (2.0 * width * layers).powf(-0.5)
            }
            _ if path.ends_with("perceptron_in.weight") => (2.0 * width).powf(-0.5),
            _ if path.ends_with("query_key_value.weight") || path.ends_with("projection.weight") => {
                width.powf(-0.5)
            }
            _ => return Draw::Keep,
        };
        Draw::Normal { deviation }
    }
}

impl<B: Backend> ModuleMapper<B> for Drawer<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let path = self.path.join(".");
        param.map(|built| {
            let device = built.device();
            let drawn = match self.rule(&path) {
                Draw::Keep => return built,
                Draw::Constant(value) => built.zeros_like().add_scalar(value),
                Draw::Normal { deviation } => {
                    // The path is part of the key, so no parameter's values depend on how many came before.
                    let mut rng = keyed_rng(self.seed, &format!("clip weights {path}"), 0);
                    normal(built.dims(), &mut rng, &device).mul_scalar(deviation)
                }
            };
            drawn.detach().set_require_grad(built.is_require_grad())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::network::Clip;
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    fn small() -> ClipConfig {
        ClipConfig {
            image_size: 32,
            patch_size: 8,
            vision_width: 64,
            vision_layers: 2,
            vision_heads: 2,
            text_width: 32,
            text_layers: 2,
            text_heads: 2,
            embed_dim: 16,
            ..ClipConfig::default()
        }
    }

    fn deviation<const D: usize>(tensor: Tensor<Base, D>) -> f64 {
        let values: Vec<f32> = tensor.into_data().to_vec().unwrap();
        (values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    }

    #[test]
    fn deviations_are_the_published_ones() {
        let clip = small().init::<Base>(1, &cpu()).unwrap();
        let block = &clip.visual.blocks[1];
        for (label, found, expected) in [
            ("tokens", deviation(clip.text.token_embedding.weight.val()), 0.02),
            ("positions", deviation(clip.text.positional_embedding.val()), 0.01),
            ("qkv", deviation(block.query_key_value.weight.val()), 64_f64.powf(-0.5)),
            ("out", deviation(block.attention_out.weight.val()), 256_f64.powf(-0.5)),
            ("in", deviation(block.perceptron_in.weight.val()), 128_f64.powf(-0.5)),
            ("text projection", deviation(clip.text.projection.weight.val()), 32_f64.powf(-0.5)),
        ] {
            assert!((found / expected - 1.0).abs() < 0.1, "{label}: {found}, expected {expected}");
        }
        assert!((clip.logit_scale.val().exp().into_scalar() - 1.0 / 0.07).abs() < 1e-4);
        assert_eq!(deviation(block.query_key_value.bias.clone().unwrap().val()), 0.0);
    }

    #[test]
    fn a_seed_decides_every_weight_and_paths_differ() {
        let draw = |seed| small().init::<Base>(seed, &cpu()).unwrap();
        let weight = |clip: &Clip<Base>, block: usize| {
            clip.text.blocks[block].attention_out.weight.val().into_data().to_vec::<f32>().unwrap()
        };
        assert_eq!(weight(&draw(1), 0), weight(&draw(1), 0));
        assert_ne!(weight(&draw(1), 0), weight(&draw(2), 0));
        assert_ne!(weight(&draw(1), 0), weight(&draw(1), 1));
    }
}
