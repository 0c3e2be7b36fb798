//! Gradients of a phase: summed over rounds, measured, and made finite before the optimiser sees them.

use burn::module::{AutodiffModule, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::tensor_ops::backend::{Base, Diff};

/// Stands in for an infinite gradient (docs/spec/gan-training.md §6).
const LARGEST_GRADIENT: f64 = 1e5;

/// A gradient from here on counts as infinite. Its square still fits single precision, also summed over all parameters; without a
/// bound, Adam's second moment would overflow and its parameter stand still from then on.
const AS_GOOD_AS_INFINITE: f64 = 1e15;

/// Adds `other` to `sum`, parameter by parameter.
pub fn add_gradients<M: AutodiffModule<Diff>>(
    sum: Option<GradientsParams>,
    mut other: GradientsParams,
    module: &M,
) -> GradientsParams {
    // Rounds are added, not averaged (docs/spec/gan-training.md §6).
    let Some(mut sum) = sum else { return other };
    module.visit(&mut Add { from: &mut other, to: &mut sum });
    sum
}

struct Add<'a> {
    from: &'a mut GradientsParams,
    to: &'a mut GradientsParams,
}

impl ModuleVisitor<Diff> for Add<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Diff, D>>) {
        let Some(gradient) = self.from.remove::<Base, D>(param.id) else { return };
        let total = match self.to.remove::<Base, D>(param.id) {
            Some(sum) => sum + gradient,
            None => gradient,
        };
        self.to.register(param.id, total);
    }
}

/// Multiplies every gradient.
pub fn scale_gradients<M: AutodiffModule<Diff>>(gradients: &mut GradientsParams, module: &M, factor: f64) {
    module.visit(&mut Scale { gradients, factor });
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: f64,
}

impl ModuleVisitor<Diff> for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Diff, D>>) {
        let Some(gradient) = self.gradients.remove::<Base, D>(param.id) else { return };
        self.gradients.register(param.id, gradient.mul_scalar(self.factor));
    }
}

/// What was found in the gradients of a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradientCheck {
    /// L2 norm over all parameters, after the repair.
    pub norm: f64,
    /// Values that were NaN, infinite, or so large that their squares would not fit.
    pub non_finite: u64,
}

/// Measures the gradients; NaN becomes 0 and ±∞ becomes ±1e5, and every such value is counted. Finite values stay, up to 1e15.
pub fn make_finite<M: AutodiffModule<Diff>>(gradients: &mut GradientsParams, module: &M) -> GradientCheck {
    let mut measure = Measure { gradients, squares: vec![] };
    module.visit(&mut measure);
    let norm = measure.norm();
    // One number read back in the usual case; the repair runs only when it is needed.
    if norm.is_finite() {
        return GradientCheck { norm, non_finite: 0 };
    }
    let mut repair = Repair { gradients, non_finite: 0 };
    module.visit(&mut repair);
    let non_finite = repair.non_finite;
    let mut measure = Measure { gradients, squares: vec![] };
    module.visit(&mut measure);
    GradientCheck { norm: measure.norm(), non_finite }
}

struct Measure<'a> {
    gradients: &'a GradientsParams,
    squares: Vec<Tensor<Base, 1>>,
}

impl Measure<'_> {
    fn norm(self) -> f64 {
        if self.squares.is_empty() {
            return 0.0;
        }
        f64::from(Tensor::cat(self.squares, 0).sum().into_scalar()).sqrt()
    }
}

impl ModuleVisitor<Diff> for Measure<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Diff, D>>) {
        if let Some(gradient) = self.gradients.get::<Base, D>(param.id) {
            self.squares.push((gradient.clone() * gradient).sum());
        }
    }
}

struct Repair<'a> {
    gradients: &'a mut GradientsParams,
    non_finite: u64,
}

impl ModuleVisitor<Diff> for Repair<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Diff, D>>) {
        let Some(gradient) = self.gradients.remove::<Base, D>(param.id) else { return };
        let is_nan = gradient.clone().is_nan();
        let gradient = gradient.mask_fill(is_nan.clone(), 0.0);
        let is_infinite = gradient.clone().abs().greater_elem(AS_GOOD_AS_INFINITE);
        let count = is_nan.int().sum() + is_infinite.clone().int().sum();
        self.non_finite += count.into_data().iter::<i64>().next().unwrap_or(0).unsigned_abs();
        // Only where it is needed: a finite gradient beyond the stand-in is right as it is.
        let stand_in = gradient.clone().clamp(-LARGEST_GRADIENT, LARGEST_GRADIENT);
        self.gradients.register(param.id, gradient.mask_where(is_infinite, stand_in));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::cpu;
    use burn::nn::{Linear, LinearConfig};

    fn with_gradient(values: [f32; 2]) -> (Linear<Diff>, GradientsParams) {
        let layer: Linear<Diff> = LinearConfig::new(2, 1).with_bias(false).init(&cpu());
        let mut gradients = GradientsParams::new();
        let gradient = Tensor::<Base, 2>::from_data([[values[0]], [values[1]]], &cpu());
        gradients.register(layer.weight.id, gradient);
        (layer, gradients)
    }

    fn values(layer: &Linear<Diff>, gradients: &GradientsParams) -> Vec<f32> {
        gradients.get::<Base, 2>(layer.weight.id).unwrap().into_data().to_vec().unwrap()
    }

    #[test]
    fn finite_gradients_are_only_measured() {
        let (layer, mut gradients) = with_gradient([3.0, 4.0]);
        let check = make_finite(&mut gradients, &layer);
        assert_eq!(check, GradientCheck { norm: 5.0, non_finite: 0 });
        assert_eq!(values(&layer, &gradients), [3.0, 4.0]);
    }

    #[test]
    fn non_finite_values_are_replaced_and_counted() {
        let (layer, mut gradients) = with_gradient([f32::NAN, f32::NEG_INFINITY]);
        assert_eq!(make_finite(&mut gradients, &layer).non_finite, 2);
        assert_eq!(values(&layer, &gradients), [0.0, -1e5]);
    }

    #[test]
    fn finite_values_beside_infinite_ones_stay() {
        let (layer, mut gradients) = with_gradient([f32::INFINITY, -2e5]);
        assert_eq!(make_finite(&mut gradients, &layer).non_finite, 1);
        assert_eq!(values(&layer, &gradients), [1e5, -2e5]);
    }

    #[test]
    fn values_whose_squares_do_not_fit_are_as_good_as_infinite() {
        let (layer, mut gradients) = with_gradient([-1e20, 3e9]);
        let check = make_finite(&mut gradients, &layer);
        assert_eq!((check.non_finite, values(&layer, &gradients)), (1, vec![-1e5, 3e9]));
        assert!(check.norm.is_finite());
    }

    #[test]
    fn rounds_add_up() {
        let (layer, first) = with_gradient([1.0, 2.0]);
        let mut second = GradientsParams::new();
        second.register(layer.weight.id, Tensor::<Base, 2>::from_data([[10.0], [20.0]], &cpu()));
        let sum = add_gradients(Some(first), second, &layer);
        assert_eq!(values(&layer, &sum), [11.0, 22.0]);
    }
}
