//! Auxiliary discriminator of stage one: tells embeddings of CLIP from those of a mapper (docs/spec/mapper.md §6.1;
//! Goodfellow et al. 2014, <https://arxiv.org/abs/1406.2661>).

use burn::module::{Module, Param};
use burn::tensor::activation::leaky_relu;
use burn::tensor::{Tensor, TensorData, backend::Backend};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::tensor_ops::random::keyed_rng;

/// Slope below zero.
const SLOPE: f64 = 0.25;

/// Sizes of the critic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddingCriticConfig {
    /// Width of an embedding (512).
    pub embed_dim: usize,
    /// Widths of the two hidden layers (256, 128).
    pub hidden: [usize; 2],
}

impl Default for EmbeddingCriticConfig {
    fn default() -> Self {
        Self { embed_dim: 512, hidden: [256, 128] }
    }
}

impl EmbeddingCriticConfig {
    /// Weights and biases from U(−b, b), `b = 1/√inputs` (PyTorch's default), keyed by `seed`.
    pub fn init<B: Backend>(&self, seed: u64, device: &B::Device) -> EmbeddingCritic<B> {
        let [first, second] = self.hidden;
        let layer = |index: usize, inputs: usize, outputs: usize| {
            let bound = 1.0 / (inputs.max(1) as f32).sqrt();
            let draw = |part: &str, count: usize| -> Vec<f32> {
                let mut rng = keyed_rng(seed, &format!("critic.{index}.{part}"), 0);
                (0..count).map(|_| bound * (2.0 * rng.random::<f32>() - 1.0)).collect()
            };
            let weight = TensorData::new(draw("weight", inputs * outputs), [outputs, inputs]);
            let bias = TensorData::new(draw("bias", outputs), [outputs]);
            CriticLayer {
                weight: Param::from_tensor(Tensor::from_data(weight, device)),
                bias: Param::from_tensor(Tensor::from_data(bias, device)),
            }
        };
        EmbeddingCritic {
            layers: vec![layer(0, self.embed_dim, first), layer(1, first, second), layer(2, second, 1)],
        }
    }
}

/// Linear layer with weights as PyTorch stores them.
#[derive(Module, Debug)]
pub struct CriticLayer<B: Backend> {
    /// `[outputs, inputs]`
    pub weight: Param<Tensor<B, 2>>,
    /// `[outputs]`
    pub bias: Param<Tensor<B, 1>>,
}

/// Perceptron with two hidden layers and leaky ReLUs; its output is a logit.
#[derive(Module, Debug)]
pub struct EmbeddingCritic<B: Backend> {
    /// Three layers.
    pub layers: Vec<CriticLayer<B>>,
}

impl<B: Backend> EmbeddingCritic<B> {
    /// # Shapes
    /// - embeddings: `[batch, embed_dim]`, output: `[batch, 1]`, above 0 for "of CLIP"
    pub fn forward(&self, embeddings: Tensor<B, 2>) -> Tensor<B, 2> {
        let last = self.layers.len().saturating_sub(1);
        self.layers.iter().enumerate().fold(embeddings, |x, (index, layer)| {
            let x = x.matmul(layer.weight.val().transpose()) + layer.bias.val().unsqueeze();
            // A logit: the sigmoid belongs to the loss, which takes it inside a logarithm.
            if index < last { leaky_relu(x, SLOPE) } else { x }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn the_default_has_the_papers_parameters() {
        let critic: EmbeddingCritic<Base> = EmbeddingCriticConfig::default().init(1, &cpu());
        assert_eq!(critic.num_params(), 164_353);
        assert_eq!(critic.forward(Tensor::zeros([3, 512], &cpu())).dims(), [3, 1]);
    }
}
