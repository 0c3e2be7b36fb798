//! Activations of the StyleGAN2 family (docs/spec/generator.md §1.2), built so that second-order gradients exist.
//!
//! The piecewise linear ones multiply by a slope that carries no gradient: one pass forward, one pass
//! backward, and a second derivative of zero, as the definition asks.

use burn::tensor::{Tensor, activation, backend::Backend};

/// An element-wise non-linearity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// Identity.
    Linear,
    /// `max(x, 0)`.
    Relu,
    /// `x` where positive, `slope · x` elsewhere.
    LeakyRelu {
        /// Slope of the negative side; [`LEAKY_SLOPE`] in every network of the paper.
        slope: f64,
    },
    /// Hyperbolic tangent.
    Tanh,
    /// Logistic function.
    Sigmoid,
    /// Exponential linear unit.
    Elu,
    /// Self-normalising exponential linear unit.
    Selu,
    /// `ln(1 + eˣ)`.
    Softplus,
    /// `x · sigmoid(x)`.
    Swish,
}

/// Slope of the negative side of the leaky ReLU (docs/spec/generator.md §1.2).
pub const LEAKY_SLOPE: f64 = 0.2;

/// The leaky ReLU of every network here.
pub const LEAKY_RELU: Activation = Activation::LeakyRelu { slope: LEAKY_SLOPE };

impl Activation {
    /// Gain that keeps the variance of the output near that of the input (docs/spec/generator.md §1.2).
    pub fn default_gain(self) -> f64 {
        match self {
            Self::Relu | Self::LeakyRelu { .. } | Self::Swish => std::f64::consts::SQRT_2,
            _ => 1.0,
        }
    }

    /// `gain · act(x)`.
    ///
    /// # Shapes
    /// - input and output: any, the same
    pub fn apply<B: Backend, const D: usize>(self, x: Tensor<B, D>, gain: f64) -> Tensor<B, D> {
        let y = match self {
            Self::Linear => x,
            Self::Relu => return piecewise_linear(x, gain, 0.0),
            Self::LeakyRelu { slope } => return piecewise_linear(x, gain, gain * slope),
            Self::Tanh => activation::tanh(x),
            Self::Sigmoid => activation::sigmoid(x),
            Self::Elu => elu(x),
            Self::Selu => selu(x),
            Self::Softplus => softplus(x),
            Self::Swish => x.clone() * activation::sigmoid(x),
        };
        if gain == 1.0 { y } else { y.mul_scalar(gain) }
    }
}

/// `x` times a slope that depends only on its sign.
fn piecewise_linear<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    positive_slope: f64,
    negative_slope: f64,
) -> Tensor<B, D> {
    // The slope is made of a comparison and two constants, so autodiff sees `x · constant`: the gradient is the
    // slope, the gradient of the gradient zero.
    let is_negative = x.clone().lower_elem(0.0);
    // At 0, where the slope is a matter of choice, the positive side's is taken.
    let slope = x.full_like(positive_slope);
    let slope = slope.mask_fill(is_negative, negative_slope);
    x * slope
}

fn elu<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    // The exponential sees only the negative part, so it cannot overflow.
    let negative = piecewise_linear(x.clone(), 0.0, 1.0);
    piecewise_linear(x, 1.0, 0.0) + negative.exp().sub_scalar(1.0)
}

fn selu<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    // Klambauer et al. 2017, equation 14.
    const ALPHA: f64 = 1.673_263_242_354_377_2;
    const SCALE: f64 = 1.050_700_987_355_480_5;
    let negative = piecewise_linear(x.clone(), 0.0, 1.0);
    piecewise_linear(x, SCALE, 0.0) + negative.exp().sub_scalar(1.0).mul_scalar(ALPHA * SCALE)
}

/// `ln(1 + eˣ)`, without overflow at either end.
pub fn softplus<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    // `ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|)`: the exponent is never positive, and `log1p` keeps the digits of
    // small values.
    let magnitude = piecewise_linear(x.clone(), 1.0, -1.0);
    piecewise_linear(x, 1.0, 0.0) + magnitude.neg().exp().log1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, Diff, cpu};

    #[test]
    fn softplus_is_finite_at_both_ends() {
        let x = Tensor::<Base, 1>::from_floats([-200.0, 0.0, 200.0], &cpu());
        let y: Vec<f32> = softplus(x).into_data().to_vec().unwrap();
        assert_eq!(y[0], 0.0);
        assert!((y[1] - std::f32::consts::LN_2).abs() < 1e-6);
        assert_eq!(y[2], 200.0);
    }

    #[test]
    fn gradient_of_softplus_is_the_logistic_function() {
        let x = Tensor::<Diff, 1>::from_floats([-30.0, -1.0, 2.0, 40.0], &cpu()).require_grad();
        let gradients = softplus(x.clone()).sum().backward();
        let slope: Vec<f32> = x.grad(&gradients).unwrap().into_data().to_vec().unwrap();
        for (x, slope) in [-30.0_f32, -1.0, 2.0, 40.0].into_iter().zip(slope) {
            assert!((slope - 1.0 / (1.0 + (-x).exp())).abs() < 1e-6);
        }
    }
}
