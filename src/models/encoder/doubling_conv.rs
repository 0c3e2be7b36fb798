//! The mapper's halving convolution the other way round: a transposed convolution that doubles the length.

use burn::module::{Module, Param};
use burn::tensor::module::conv_transpose1d;
use burn::tensor::ops::ConvTransposeOptions;
use burn::tensor::{Tensor, TensorData, backend::Backend};
use rand::RngExt;

use crate::tensor_ops::random::keyed_rng;

/// Taps of the kernel.
pub(super) const KERNEL_SIZE: usize = 4;
const STRIDE: usize = 2;
const PADDING: usize = 1;

/// Transposed convolution of size 4, stride 2 and padding 1 over the last axis, with bias.
///
/// `y[2i] = w₁ x[i] + w₃ x[i−1] + b` and `y[2i+1] = w₂ x[i] + w₀ x[i+1] + b`, zero beyond the ends.
#[derive(Module, Debug)]
pub struct DoublingConv<B: Backend> {
    /// `[channels_in, channels_out, 4]`
    pub weight: Param<Tensor<B, 3>>,
    /// `[channels_out]`
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> DoublingConv<B> {
    /// Weight and bias from U(−b, b), `b = 1/√(channels · 4)` (PyTorch's default), keyed by `name`.
    pub(super) fn init(channels: usize, seed: u64, name: &str, device: &B::Device) -> Self {
        let bound = 1.0 / ((channels * KERNEL_SIZE) as f32).sqrt();
        let draw = |part: &str, count: usize| -> Vec<f32> {
            let mut rng = keyed_rng(seed, &format!("{name}.{part}"), 0);
            (0..count).map(|_| bound * (2.0 * rng.random::<f32>() - 1.0)).collect()
        };
        let shape = [channels, channels, KERNEL_SIZE];
        let weight = TensorData::new(draw("weight", shape.iter().product()), shape);
        let bias = TensorData::new(draw("bias", channels), [channels]);
        Self {
            weight: Param::from_tensor(Tensor::from_data(weight, device)),
            bias: Param::from_tensor(Tensor::from_data(bias, device)),
        }
    }

    /// # Shapes
    /// - x: `[batch, channels_in, positions]`, output: `[batch, channels_out, 2 · positions]`
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let options = ConvTransposeOptions::new([STRIDE], [PADDING], [0], [1], 1);
        conv_transpose1d(x, self.weight.val(), Some(self.bias.val()), options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, Diff, cpu};
    use crate::tensor_ops::host_values::{scalar, tensor, values};
    use crate::tensor_ops::random::normal;

    #[test]
    fn two_outputs_per_position_by_hand() {
        let device = cpu();
        let conv = DoublingConv::<Base> {
            // w₀ to w₃ of one channel.
            weight: Param::from_tensor(tensor(vec![1.0, 10.0, 100.0, 1000.0], [1, 1, 4], &device)),
            bias: Param::from_tensor(tensor(vec![0.5], [1], &device)),
        };
        let y = conv.forward(tensor(vec![1.0, 2.0, 3.0], [1, 1, 3], &device));
        assert_eq!(y.dims(), [1, 1, 6]);
        assert_eq!(values(y), [10.5, 102.5, 1020.5, 203.5, 2030.5, 300.5]);
    }

    /// The output is linear in input and parameters alike: a difference over any step is the derivative.
    #[test]
    fn gradients_are_differences() {
        let device = cpu();
        let conv = DoublingConv::<Diff>::init(3, 1, "test", &device);
        let x: Tensor<Diff, 3> = normal([2, 3, 5], &mut keyed_rng(2, "x", 0), &device).require_grad();
        let weights: Tensor<Diff, 3> = normal([2, 3, 10], &mut keyed_rng(2, "loss", 0), &device);
        let loss = |conv: &DoublingConv<Diff>, x: Tensor<Diff, 3>| (conv.forward(x) * weights.clone()).sum();
        let gradients = loss(&conv, x.clone()).backward();
        let compare = |exact: f32, moved: &dyn Fn(f32) -> f32| {
            let numeric = (moved(0.5) - moved(-0.5)) / 1.0;
            assert!((exact - numeric).abs() < 1e-4 * (1.0 + numeric.abs()), "{exact} and {numeric}");
        };
        let of_input: Tensor<Diff, 3> = normal([2, 3, 5], &mut keyed_rng(3, "x", 0), &device);
        let exact = scalar((x.grad(&gradients).unwrap() * of_input.clone().inner()).sum());
        compare(exact, &|step| scalar(loss(&conv, x.clone() + of_input.clone() * step).inner()));
        let of_weight: Tensor<Diff, 3> = normal([3, 3, 4], &mut keyed_rng(3, "w", 0), &device);
        let exact = conv.weight.val().grad(&gradients).unwrap() * of_weight.clone().inner();
        compare(scalar(exact.sum()), &|step| {
            let mut conv = conv.clone();
            conv.weight = conv.weight.map(|weight| weight + of_weight.clone() * step);
            scalar(loss(&conv, x.clone()).inner())
        });
        let of_bias = scalar(conv.bias.val().grad(&gradients).unwrap().sum());
        compare(of_bias, &|step| {
            let mut conv = conv.clone();
            conv.bias = conv.bias.map(|bias| bias + step);
            scalar(loss(&conv, x.clone()).inner())
        });
    }

    #[test]
    fn weights_stay_within_the_bound_of_their_outputs() {
        let conv = DoublingConv::<Base>::init(8, 1, "test", &cpu());
        let bound = 1.0 / 32.0_f32.sqrt();
        let weight = values(conv.weight.val());
        assert!(weight.iter().all(|value| value.abs() <= bound));
        assert!(weight.iter().any(|value| *value > 0.8 * bound));
    }
}
