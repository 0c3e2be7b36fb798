//! A step of AdamW: by the kernel on the CPU, by tensor operations elsewhere.

use burn::tensor::{Tensor, backend::Backend};

use crate::kernels::adamw;
use crate::tensor_ops::host_values::{tensor, values};
use crate::tensor_ops::kernel_choice::kernels_apply;

pub use crate::kernels::adamw::AdamWConstants;

/// Weights and moments after a step: `m ← β₁ m + (1 − β₁) g`, `v ← β₂ v + (1 − β₂) g²`,
/// `w ← (1 − η λ) w − η m̂ / (√v̂ + ε)`, with `m̂`, `v̂` free of their start at 0.
///
/// # Shapes
/// - all three of the output, weights and gradient: the same; `moments`: first and second
pub fn adamw_step<B: Backend, const D: usize>(
    constants: &AdamWConstants,
    weights: Tensor<B, D>,
    gradient: Tensor<B, D>,
    moments: [Tensor<B, D>; 2],
) -> (Tensor<B, D>, [Tensor<B, D>; 2]) {
    if !(kernels_apply(&weights) && kernels_apply(&gradient)) {
        return portable_step(constants, weights, gradient, moments);
    }
    let (shape, device) = (weights.dims(), weights.device());
    let (mut weights, [mut first, mut second]) = (values(weights), moments.map(values));
    adamw::adamw_step(constants, &mut weights, &values(gradient), &mut first, &mut second);
    let back = |values| tensor(values, shape, &device);
    (back(weights), [first, second].map(back))
}

fn portable_step<B: Backend, const D: usize>(
    constants: &AdamWConstants,
    weights: Tensor<B, D>,
    gradient: Tensor<B, D>,
    [first, second]: [Tensor<B, D>; 2],
) -> (Tensor<B, D>, [Tensor<B, D>; 2]) {
    let [keep, size, root] = constants.factors();
    let AdamWConstants { beta_1, beta_2, epsilon, .. } = *constants;
    let first = first.mul_scalar(beta_1) + gradient.clone().mul_scalar(1.0 - beta_1);
    let second = second.mul_scalar(beta_2) + gradient.square().mul_scalar(1.0 - beta_2);
    let below = second.clone().sqrt().mul_scalar(root).add_scalar(epsilon);
    (weights.mul_scalar(keep) - first.clone().mul_scalar(size) / below, [first, second])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::random::{keyed_rng, normal};

    #[test]
    fn two_steps_of_pytorch() {
        // torch.optim.AdamW([0.5, −1], lr=0.1, betas=(0.9, 0.999), eps=1e−8, weight_decay=0.2) with gradients (0.3, −2), (−0.1, 4).
        let device = cpu();
        let at = |values: [f32; 2]| Tensor::<Base, 1>::from_floats(values, &device);
        let constants = AdamWConstants {
            rate: 0.1,
            weight_decay: 0.2,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            time: 1,
        };
        for step in [adamw_step, portable_step] {
            let zeros = [at([0.0; 2]), at([0.0; 2])];
            let (weights, moments) = step(&constants, at([0.5, -1.0]), at([0.3, -2.0]), zeros);
            assert_near(&weights, [0.39, -0.88]);
            let constants = AdamWConstants { time: 2, ..constants };
            let (weights, _) = step(&constants, weights, at([-0.1, 4.0]), moments);
            assert_near(&weights, TWO_STEPS);
        }
    }

    const TWO_STEPS: [f32; 2] = [0.342_178_15, -0.899_010_35];

    fn assert_near(tensor: &Tensor<Base, 1>, expected: [f32; 2]) {
        let found = values(tensor.clone());
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?} {expected:?}");
    }

    #[test]
    fn the_kernel_is_the_tensor_operations_over_many_tasks() {
        let device = cpu();
        let mut rng = keyed_rng(1, "adamw", 0);
        let mut draw = || -> Tensor<Base, 2> { normal([130, 257], &mut rng, &device) };
        let (weights, gradient, first, second) = (draw(), draw(), draw(), draw().abs());
        let constants = AdamWConstants {
            rate: 1e-2,
            weight_decay: 0.1,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            time: 7,
        };
        let run = |step: fn(&AdamWConstants, _, _, [Tensor<Base, 2>; 2]) -> _| {
            let (weights, [first, second]): (Tensor<Base, 2>, [Tensor<Base, 2>; 2]) =
                step(&constants, weights.clone(), gradient.clone(), [first.clone(), second.clone()]);
            [weights, first, second]
        };
        for (ours, expected) in run(adamw_step).into_iter().zip(run(portable_step)) {
            assert!((ours - expected).abs().max().into_scalar() < 1e-5);
        }
    }
}
