//! Tests: layers in single precision, by kernels, beside the same layers in double precision, by Burn's operators.

use burn::tensor::{FloatDType, Tensor, backend::Backend};

use super::layers;
use super::trilinear_form::ConvKind;
use crate::tensor_ops::activation::{Activation, LEAKY_RELU};
use crate::tensor_ops::backend::{Base, Diff, Diff2, cpu};
use crate::tensor_ops::bias_act::BiasAct;
use crate::tensor_ops::modulated_conv::{AfterConv, modulated_layer, modulated_pointwise_layer};
use crate::tensor_ops::random::{keyed_rng, normal};
use crate::tensor_ops::resample_conv::{Resampling, resampled_layer};
use crate::tensor_ops::upfirdn::{FirFilter, downsample2, upsample2};

/// A layer of the networks with all its inputs in one vector.
#[derive(Clone, Copy, Debug)]
enum Layer {
    Plain { resampling: Resampling, kernel: usize, has_bias: bool },
    Modulated { resampling: Resampling },
    ToRgb,
    Upsample,
    Downsample,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    layer: Layer,
    /// `[batch, in, height, width]`
    dims: [usize; 4],
    out: usize,
}

/// Hands out parts of a vector.
struct Parts<B: Backend> {
    values: Tensor<B, 1>,
    used: usize,
}

impl<B: Backend> Parts<B> {
    fn take<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<B, D> {
        let len = shape.iter().product();
        self.used += len;
        self.values.clone().narrow(0, self.used - len, len).reshape(shape)
    }
}

impl Case {
    fn run<B: Backend>(&self, values: Tensor<B, 1>) -> Tensor<B, 4> {
        let (device, dtype) = (values.device(), values.dtype());
        let mut parts = Parts { values, used: 0 };
        let [batch, channels, height, width] = self.dims;
        let out = self.out;
        let x = parts.take(self.dims);
        let filter = FirFilter::resampling();
        // A bound that some values pass.
        let lrelu = BiasAct::new(LEAKY_RELU).with_clamp(Some(2.5));
        match self.layer {
            Layer::Plain { resampling, kernel, has_bias } => {
                // The networks' own gain: sums of unit deviation.
                let gain = 1.0 / ((channels * kernel * kernel) as f64).sqrt();
                let weight = parts.take([out, channels, kernel, kernel]).mul_scalar(gain);
                let linear = BiasAct::new(Activation::Linear).with_extra_gain(0.7);
                let bias = has_bias.then(|| parts.take([out]));
                let bias_act = if has_bias { lrelu } else { linear };
                resampled_layer(x, weight, bias, resampling, bias_act)
            }
            Layer::Modulated { resampling } => {
                let weight = parts.take([out, channels, 3, 3]);
                let (styles, bias) = (parts.take([batch, channels]), parts.take([out]));
                let side = if resampling == Resampling::Up2 { 2 } else { 1 };
                let shape = [batch, 1, side * height, side * width];
                let maps = normal::<Base, 4>(shape, &mut keyed_rng(5, "maps", 0), &cpu());
                let maps = Tensor::<B, 4>::from_data(maps.into_data(), &device).cast(dtype);
                let noise = Some((maps, parts.take([1])));
                let after = AfterConv { noise, bias, bias_act: lrelu };
                modulated_layer(x, weight, styles, &filter, resampling, after)
            }
            Layer::ToRgb => {
                let weight = parts.take([out, channels, 1, 1]);
                let (styles, bias) = (parts.take([batch, channels]), parts.take([out]));
                modulated_pointwise_layer(x, weight, styles, bias, Some(1.5)).1
            }
            Layer::Upsample => upsample2(x, &filter),
            Layer::Downsample => downsample2(x, &filter),
        }
    }

    fn inputs(&self) -> Tensor<Base, 1> {
        let [batch, channels, height, width] = self.dims;
        let most =
            batch * channels * height * width + 9 * self.out * channels + batch * channels + self.out + 1;
        normal([most], &mut keyed_rng(4, "inputs", 0), &cpu())
    }
}

const CASES: [Case; 16] = {
    const fn plain(resampling: Resampling, kernel: usize, has_bias: bool, dims: [usize; 4]) -> Case {
        Case { layer: Layer::Plain { resampling, kernel, has_bias }, dims, out: 7 }
    }
    const fn modulated(resampling: Resampling, dims: [usize; 4]) -> Case {
        Case { layer: Layer::Modulated { resampling }, dims, out: 5 }
    }
    [
        plain(Resampling::Keep, 3, true, [3, 5, 8, 8]),
        plain(Resampling::Keep, 3, true, [2, 2, 4, 128]),
        plain(Resampling::Keep, 3, true, [2, 3, 5, 7]),
        // Enough channels for Winograd.
        plain(Resampling::Keep, 3, true, [2, 50, 8, 8]),
        plain(Resampling::Keep, 1, true, [2, 3, 9, 9]),
        plain(Resampling::Down2, 3, true, [3, 4, 8, 12]),
        plain(Resampling::Down2, 3, true, [2, 4, 7, 6]),
        plain(Resampling::Down2, 1, false, [2, 5, 8, 8]),
        modulated(Resampling::Keep, [5, 4, 4, 4]),
        modulated(Resampling::Keep, [2, 3, 16, 8]),
        modulated(Resampling::Keep, [2, 3, 3, 6]),
        modulated(Resampling::Up2, [3, 6, 4, 4]),
        modulated(Resampling::Up2, [2, 3, 5, 3]),
        Case { layer: Layer::ToRgb, dims: [3, 6, 8, 8], out: 3 },
        Case { layer: Layer::Upsample, dims: [2, 3, 4, 6], out: 1 },
        Case { layer: Layer::Downsample, dims: [2, 3, 6, 8], out: 1 },
    ]
};

fn direction(like: &Tensor<Diff, 4>) -> Tensor<Base, 4> {
    normal::<Base, 4>(like.dims(), &mut keyed_rng(6, "direction", 0), &cpu())
        .cast(FloatDType::from(like.dtype()))
}

/// Output, and gradient of its product with a random direction.
fn first_order(case: &Case, inputs: Tensor<Base, 1>) -> (Tensor<Base, 4>, Tensor<Base, 1>) {
    let leaf = Tensor::<Diff, 1>::from_inner(inputs).require_grad();
    let y = case.run(leaf.clone());
    let product = y.clone() * Tensor::from_inner(direction(&y));
    (y.inner(), leaf.grad(&product.sum().backward()).unwrap())
}

/// Gradient of a function of the gradient.
fn second_order(case: &Case, inputs: Tensor<Base, 1>) -> Tensor<Base, 1> {
    let leaf = Tensor::<Diff, 1>::from_inner(inputs).require_grad();
    let outer = Tensor::<Diff2, 1>::from_inner(leaf.clone()).require_grad();
    let y = case.run(outer.clone());
    let direction = Tensor::<Diff, 4>::from_inner(direction(&y.clone().inner()));
    // Squared, so that the first derivative depends on everything.
    let product = y.clone() * y * Tensor::from_inner(direction);
    let slope = outer.grad(&product.sum().backward()).unwrap();
    let weights = normal::<Base, 1>(slope.dims(), &mut keyed_rng(6, "weights", 0), &cpu());
    let weights = Tensor::<Diff, 1>::from_inner(weights.cast(FloatDType::from(slope.dtype())));
    leaf.grad(&(slope.clone() * slope * weights).sum().backward()).unwrap()
}

fn double<const D: usize>(tensor: Tensor<Base, D>) -> Tensor<Base, D> {
    tensor.cast(FloatDType::F64)
}

fn assert_close<const D: usize>(
    label: &str,
    actual: Tensor<Base, D>,
    expected: Tensor<Base, D>,
    tolerance: f64,
) {
    let scale: f64 = expected.clone().abs().max().into_data().iter::<f64>().next().unwrap();
    let worst = (double(actual) - expected).abs().max().into_data().iter::<f64>().next().unwrap();
    assert!(scale > 0.0 && worst < tolerance * scale, "{label}: {worst:.1e} of {scale:.1e}");
}

#[test]
fn values_and_gradients_are_those_of_the_portable_layers() {
    for case in &CASES {
        let (y, gradient) = first_order(case, case.inputs());
        let (portable_y, portable) = first_order(case, double(case.inputs()));
        assert_close(&format!("{case:?}: values"), y, portable_y, 2e-6);
        assert_close(&format!("{case:?}: gradient"), gradient, portable, 5e-6);
    }
}

#[test]
fn gradients_of_gradients_are_those_of_the_portable_layers() {
    for case in &CASES {
        let actual = second_order(case, case.inputs());
        let expected = second_order(case, double(case.inputs()));
        assert_close(&format!("{case:?}"), actual, expected, 2e-5);
    }
}

/// The portable layers in double precision, moved both ways.
#[test]
fn gradients_are_numeric_ones() {
    const STEP: f64 = 1e-6;
    for case in &CASES {
        let (_, gradient) = first_order(case, case.inputs());
        let along = double(normal::<Base, 1>(gradient.dims(), &mut keyed_rng(8, "along", 0), &cpu()));
        let product = |step: f64| -> f64 {
            let inputs = double(case.inputs()) + along.clone().mul_scalar(step);
            let y = case.run(Tensor::<Diff, 1>::from_inner(inputs));
            let product = y.clone().inner() * direction(&y);
            product.sum().into_data().iter::<f64>().next().unwrap()
        };
        let numeric = (product(STEP) - product(-STEP)) / (2.0 * STEP);
        let terms = double(gradient) * along;
        let scale: f64 = terms.clone().abs().sum().into_data().iter::<f64>().next().unwrap();
        let exact: f64 = terms.sum().into_data().iter::<f64>().next().unwrap();
        assert!((numeric - exact).abs() < 1e-5 * scale, "{case:?}: {numeric} {exact} of {scale}");
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let on = |threads: usize, case: &Case| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (y, gradient) = pool.install(|| first_order(case, case.inputs()));
        (y.into_data().to_vec::<f32>().unwrap(), gradient.into_data().to_vec::<f32>().unwrap())
    };
    for case in &CASES {
        assert_eq!(on(1, case), on(2, case), "{case:?}");
    }
}

#[test]
fn only_what_is_tracked_gets_a_gradient() {
    let draw = |shape, purpose| normal::<Base, 4>(shape, &mut keyed_rng(9, purpose, 0), &cpu());
    let (x, weight) = (draw([2, 3, 8, 8], "x"), draw([4, 3, 3, 3], "weight"));
    let run = |x_is_tracked, weight_is_tracked| {
        let x = Tensor::<Diff, 4>::from_inner(x.clone()).set_require_grad(x_is_tracked);
        let weight = Tensor::<Diff, 4>::from_inner(weight.clone()).set_require_grad(weight_is_tracked);
        let y = layers::conv(ConvKind::Same, &x, &weight).unwrap();
        let gradients = (y.clone() * Tensor::from_inner(direction(&y))).sum().backward();
        [x.grad(&gradients), weight.grad(&gradients)].map(|grad| grad.map(|grad| grad.into_data()))
    };
    let [of_x, of_weight] = run(true, true);
    assert!(of_x.is_some() && of_weight.is_some());
    assert_eq!(run(true, false), [of_x, None]);
    assert_eq!(run(false, true), [None, of_weight]);
}

#[test]
fn kernels_take_single_precision_alone_and_halve_even_sizes_alone() {
    let draw = |shape| Tensor::<Diff, 4>::from_inner(normal(shape, &mut keyed_rng(9, "x", 0), &cpu()));
    let weight = draw([4, 3, 3, 3]);
    for kind in [ConvKind::Same, ConvKind::Down] {
        assert!(layers::conv(kind, &draw([2, 3, 8, 8]), &weight).is_some());
        assert_eq!(layers::conv(kind, &draw([2, 3, 7, 8]), &weight).is_some(), kind == ConvKind::Same);
        let [x, weight] = [draw([2, 3, 8, 8]), weight.clone()].map(|tensor| tensor.cast(FloatDType::F64));
        assert!(layers::conv(kind, &x, &weight).is_none());
    }
}
