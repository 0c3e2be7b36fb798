//! Bias, activation, gain and clamp, in this order (docs/spec/generator.md §1.2).

use burn::tensor::{Tensor, backend::Backend};

use super::activation::Activation;

/// What follows a linear map: activation, gain and clamp.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BiasAct {
    /// Non-linearity.
    pub activation: Activation,
    /// Factor after the activation.
    pub gain: f64,
    /// Bound on the magnitude of the result.
    pub clamp: Option<f64>,
}

impl BiasAct {
    /// The activation with its own gain and no clamp.
    pub fn new(activation: Activation) -> Self {
        Self { activation, gain: activation.default_gain(), clamp: None }
    }

    /// The same with `gain` multiplied onto the activation's own, and onto the clamp where there is one.
    pub fn with_extra_gain(self, gain: f64) -> Self {
        Self { gain: self.gain * gain, clamp: self.clamp.map(|clamp| clamp * gain), ..self }
    }

    /// The same, clamped to `±clamp`.
    pub fn with_clamp(self, clamp: Option<f64>) -> Self {
        Self { clamp, ..self }
    }

    /// Slopes of the activation at negative and other values, gain included, where it has no other shape.
    pub fn slopes(&self) -> Option<[f32; 2]> {
        let negative = match self.activation {
            Activation::Linear => 1.0,
            Activation::Relu => 0.0,
            Activation::LeakyRelu { slope } => slope,
            _ => return None,
        };
        // The gain multiplies both slopes: a positively homogeneous activation commutes with a positive factor.
        Some([(self.gain * negative) as f32, self.gain as f32])
    }

    /// `clamp(gain · act(x + bias))`.
    ///
    /// # Shapes
    /// - x, output: `[batch, channels, …]`
    /// - bias: `[channels]`
    pub fn apply<B: Backend, const D: usize>(
        &self,
        x: Tensor<B, D>,
        bias: Option<Tensor<B, 1>>,
    ) -> Tensor<B, D> {
        let x = match bias {
            Some(bias) => {
                let mut shape = [1; D];
                shape[1] = bias.dims()[0];
                // One copy per sample: the CPU adds a bias along leading axes 40 times as fast as along an inner one.
                x.clone() + bias.reshape(shape).repeat_dim(0, x.dims()[0])
            }
            None => x,
        };
        let y = self.activation.apply(x, self.gain);
        match self.clamp {
            Some(clamp) => clamp_magnitude(y, clamp),
            None => y,
        }
    }
}

/// `clamp(x, ±limit)`; where it bites, every derivative is zero.
fn clamp_magnitude<B: Backend, const D: usize>(x: Tensor<B, D>, limit: f64) -> Tensor<B, D> {
    let above = x.clone().greater_elem(limit);
    let below = x.clone().lower_elem(-limit);
    x.mask_fill(above, limit).mask_fill(below, -limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::activation::LEAKY_RELU;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn worked_example_of_the_reference() {
        let x = Tensor::<Base, 2>::from_floats([[-1.0, 2.0], [300.0, -0.5]], &cpu());
        let bias = Tensor::from_floats([0.5, -0.5], &cpu());
        let y = BiasAct::new(LEAKY_RELU).with_clamp(Some(256.0)).apply(x, Some(bias));
        let y: Vec<f32> = y.into_data().to_vec().unwrap();
        for (actual, expected) in y.iter().zip([-0.141421, 2.121320, 256.0, -0.282843]) {
            assert!((actual - expected).abs() < 1e-5, "{actual} {expected}");
        }
    }
}
