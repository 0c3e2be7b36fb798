//! Expander of VICReg: carries prediction and target into a wider space, where variance and covariance are judged
//! (docs/spec/mapper.md §6.2; Bardes, Ponce, LeCun 2022, <https://arxiv.org/abs/2105.04906>, section 4).

use burn::module::{Module, Param};
use burn::tensor::activation::relu;
use burn::tensor::{Tensor, TensorData, backend::Backend};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::models::batch_norm::{BatchNorm, BatchObserver};
use crate::tensor_ops::random::keyed_rng;

/// PyTorch's default.
const EPSILON: f64 = 1e-5;

/// Sizes of the expander.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExpanderConfig {
    /// Width of an embedding (512).
    pub embed_dim: usize,
    /// Width of the three layers (2048).
    pub width: usize,
}

impl Default for ExpanderConfig {
    fn default() -> Self {
        Self { embed_dim: 512, width: 2048 }
    }
}

impl ExpanderConfig {
    /// Weights and biases from U(−b, b), `b = 1/√inputs` (PyTorch's default), keyed by `seed`.
    pub fn init<B: Backend>(&self, seed: u64, device: &B::Device) -> Expander<B> {
        let draw = |name: &str, inputs: usize, shape: Vec<usize>| {
            let bound = 1.0 / (inputs.max(1) as f32).sqrt();
            let mut rng = keyed_rng(seed, &format!("expander.{name}"), 0);
            let count = shape.iter().product();
            let values: Vec<f32> = (0..count).map(|_| bound * (2.0 * rng.random::<f32>() - 1.0)).collect();
            TensorData::new(values, shape)
        };
        let weight = |name: &str, inputs: usize| {
            let data = draw(&format!("{name}.weight"), inputs, vec![self.width, inputs]);
            Param::from_tensor(Tensor::from_data(data, device))
        };
        // 0, 3 and 6 are the places of the linear layers in the published sequence (docs/spec/mapper.md §6.2); 1 and
        // 4 are the norms, 2 and 5 the activations.
        let layer = |name: &str, inputs: usize| ExpanderLayer {
            weight: weight(name, inputs),
            bias: Param::from_tensor(Tensor::from_data(
                draw(&format!("{name}.bias"), inputs, vec![self.width]),
                device,
            )),
            norm: BatchNorm::new(self.width, EPSILON, device),
        };
        Expander {
            layers: vec![layer("0", self.embed_dim), layer("3", self.width)],
            last: weight("6", self.width),
        }
    }
}

/// Linear layer with its batch norm.
#[derive(Module, Debug)]
pub struct ExpanderLayer<B: Backend> {
    /// `[width, inputs]`
    pub weight: Param<Tensor<B, 2>>,
    /// `[width]`
    pub bias: Param<Tensor<B, 1>>,
    /// Over the batch.
    pub norm: BatchNorm<B>,
}

/// Two layers with batch norms and ReLUs, and a last one without bias.
#[derive(Module, Debug)]
pub struct Expander<B: Backend> {
    /// The first two.
    pub layers: Vec<ExpanderLayer<B>>,
    /// `[width, width]`
    pub last: Param<Tensor<B, 2>>,
}

impl<B: Backend> Expander<B> {
    /// With the stored statistics of the batch norms.
    ///
    /// # Shapes
    /// - embeddings: `[batch, embed_dim]`, output: `[batch, width]`
    pub fn forward(&self, embeddings: Tensor<B, 2>) -> Tensor<B, 2> {
        self.pass(embeddings, |norm, x| norm.forward(x))
    }

    /// With the statistics of the batch, which `observer` notes.
    ///
    /// # Shapes
    /// As [`Self::forward`].
    pub fn forward_training(
        &self,
        embeddings: Tensor<B, 2>,
        observer: &mut BatchObserver<B>,
    ) -> Tensor<B, 2> {
        self.pass(embeddings, |norm, x| observer.normalize(norm, x))
    }

    fn pass(
        &self,
        embeddings: Tensor<B, 2>,
        mut normalise: impl FnMut(&BatchNorm<B>, Tensor<B, 4>) -> Tensor<B, 4>,
    ) -> Tensor<B, 2> {
        let hidden = self.layers.iter().fold(embeddings, |x, layer| {
            let x = x.matmul(layer.weight.val().transpose()) + layer.bias.val().unsqueeze();
            let [batch, width] = x.dims();
            // The norm knows images: a vector is one of a single pixel.
            let x = normalise(&layer.norm, x.reshape([batch, width, 1, 1]));
            relu(x.reshape([batch, width]))
        });
        hidden.matmul(self.last.val().transpose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::random::normal;

    #[test]
    fn the_default_has_the_papers_parameters() {
        let expander: Expander<Base> = ExpanderConfig::default().init(1, &cpu());
        // Two batch norms of the width store a mean and a variance, which the published count leaves out.
        assert_eq!(expander.num_params(), 9_449_472 + 4 * 2048);
    }

    #[test]
    fn training_normalises_by_the_batch_and_inference_by_what_was_stored() {
        let device = cpu();
        let config = ExpanderConfig { embed_dim: 3, width: 5 };
        let mut expander: Expander<Base> = config.init(1, &device);
        let x = || normal::<Base, 2>([64, 3], &mut keyed_rng(2, "x", 0), &device).mul_scalar(3.0);
        let values = |tensor: Tensor<Base, 2>| -> Vec<f32> { tensor.into_data().to_vec().unwrap() };
        let far = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let trained = values(expander.forward_training(x(), &mut BatchObserver::default()));
        assert!(far(&trained, &values(expander.forward(x()))) > 0.1);
        // Seen often enough, the stored statistics are the batch's (but for the unbiased variance).
        for _ in 0..100 {
            let mut observer = BatchObserver::default();
            expander.forward_training(x(), &mut observer);
            expander = observer.apply(expander);
        }
        let remembered = values(expander.forward(x()));
        assert!(far(&trained, &remembered) < 0.05, "{}", far(&trained, &remembered));
    }
}
