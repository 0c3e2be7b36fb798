//! Gradient of a gradient, exactly, through `Autodiff<Autodiff<B>>`.
//!
//! A network whose parameters are leaves of the inner level is lifted to the outer level as a constant.
//! The outer backward pass then yields the gradient with respect to an input as a tensor of the inner
//! level, still connected to the parameters, so that a loss on it can be differentiated as any other.
//! Finite differences cannot stand in: leaky ReLUs change side between the two points, and each change
//! enters divided by the step (measured: relative errors above 1 at any step).

use burn::module::{AutodiffModule, Module};
use burn::tensor::Tensor;

use crate::tensor_ops::backend::{Diff, Diff2};

/// A network at the outer level. Its parameters get no outer gradient (only inputs do), but remain the
/// inner level's leaves: an inner backward pass finds them under the ids of `module`.
pub fn lift_module<M>(module: &M::InnerModule) -> M
where
    M: AutodiffModule<Diff2> + Module<Diff2>,
{
    // `from_inner` wraps the inner level's tensors, which are leaves there with their graph; a conversion by values
    // would cut them off from the parameters.
    M::from_inner(module.clone()).no_grad()
}

/// An input with respect to which the outer level differentiates.
pub fn lift_input<const D: usize>(input: Tensor<Diff, D>) -> Tensor<Diff2, D> {
    Tensor::from_inner(input).require_grad()
}

/// A tensor that the outer level treats as constant.
pub fn lift_constant<const D: usize>(constant: Tensor<Diff, D>) -> Tensor<Diff2, D> {
    Tensor::from_inner(constant)
}

/// `∂ Σ output / ∂ input`, differentiable with respect to everything at the inner level.
///
/// Zero where `output` does not depend on `input`.
pub fn gradient<const O: usize, const D: usize>(
    output: Tensor<Diff2, O>,
    input: &Tensor<Diff2, D>,
) -> Tensor<Diff, D> {
    // This backward pass is itself computed with tensors of the inner level, and so recorded by it.
    let gradients = output.sum().backward();
    input.grad(&gradients).unwrap_or_else(|| Tensor::zeros(input.shape(), &input.device()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::cpu;

    #[test]
    fn second_derivative_of_a_cube() {
        // f = Σ x³ w, ∂f/∂x = 3x²w, and its sum differentiates to 3x² in w and 6xw in x.
        let device = cpu();
        let x = Tensor::<Diff, 1>::from_floats([2.0, -1.0], &device).require_grad();
        let w = Tensor::<Diff, 1>::from_floats([0.5, 3.0], &device).require_grad();
        let input = lift_input(x.clone());
        let output = input.clone() * input.clone() * input.clone() * lift_constant(w.clone());
        let first = gradient(output, &input);
        assert_eq!(first.to_data().to_vec::<f32>().unwrap(), [6.0, 9.0]);
        let second = first.sum().backward();
        assert_eq!(w.grad(&second).unwrap().into_data().to_vec::<f32>().unwrap(), [12.0, 3.0]);
        assert_eq!(x.grad(&second).unwrap().into_data().to_vec::<f32>().unwrap(), [6.0, -18.0]);
    }
}
