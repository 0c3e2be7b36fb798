//! Clipping of the norm of all gradients together. (Burn's own clipping takes each parameter alone.)

use burn::module::{AutodiffModule, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, backend::AutodiffBackend};

/// Scales the gradients of `module` so that the norm over all of them is at most `max_norm`.
pub fn clip_global_norm<B: AutodiffBackend, M: AutodiffModule<B>>(
    gradients: &mut GradientsParams,
    module: &M,
    max_norm: f64,
) {
    let mut sum = SumOfSquares::<B> { gradients, total: None };
    module.visit(&mut sum);
    let Some(total) = sum.total else { return };
    // The factor stays on the device: no waiting for it.
    // At most 1: small gradients are never enlarged.
    let factor = total.sqrt().clamp_min(1e-12).recip().mul_scalar(max_norm).clamp_max(1.0);
    module.visit(&mut Scale::<B> { gradients, factor });
}

struct SumOfSquares<'a, B: AutodiffBackend> {
    gradients: &'a GradientsParams,
    total: Option<Tensor<B::InnerBackend, 1>>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for SumOfSquares<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.get::<B::InnerBackend, D>(param.id) {
            let squares = gradient.powi_scalar(2).sum();
            self.total = Some(match self.total.take() {
                Some(total) => total + squares,
                None => squares,
            });
        }
    }
}

struct Scale<'a, B: AutodiffBackend> {
    gradients: &'a mut GradientsParams,
    factor: Tensor<B::InnerBackend, 1>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Scale<'_, B> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(gradient) = self.gradients.remove::<B::InnerBackend, D>(param.id) {
            self.gradients.register(param.id, gradient * self.factor.clone().unsqueeze());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, Diff, cpu};
    use burn::nn::{Linear, LinearConfig};

    #[test]
    fn the_joint_norm_is_bounded_and_small_gradients_stay() {
        let layer: Linear<Diff> = LinearConfig::new(1, 1).init(&cpu());
        let bias = layer.bias.clone().unwrap();
        let gradients = || {
            let mut gradients = GradientsParams::new();
            gradients.register(layer.weight.id, Tensor::<Base, 2>::from_data([[3.0]], &cpu()));
            gradients.register(bias.id, Tensor::<Base, 1>::from_data([4.0], &cpu()));
            gradients
        };
        for (max_norm, expected) in [(1.0, [0.6, 0.8]), (10.0, [3.0, 4.0])] {
            let mut clipped = gradients();
            clip_global_norm(&mut clipped, &layer, max_norm);
            let weight = clipped.get::<Base, 2>(layer.weight.id).unwrap().into_scalar();
            let bias = clipped.get::<Base, 1>(bias.id).unwrap().into_scalar();
            assert!((weight - expected[0]).abs() < 1e-6 && (bias - expected[1]).abs() < 1e-6);
        }
    }
}
