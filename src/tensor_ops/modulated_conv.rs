//! Modulated convolution (docs/spec/generator.md §1.5; Karras et al. 2020, section 2.2).
//!
//! Kernels are shared by the batch: the input is scaled per channel and the output is demodulated,
//! which equals a kernel per sample up to rounding and keeps the convolution one large product.

use burn::tensor::{Tensor, backend::Backend};

use super::activation::Activation;
use super::bias_act::BiasAct;
use super::half::{half_like, is_half, scaled_for_half};
use super::host_values::{scalar, tensor, values};
use super::image_kernels::layers;
use super::image_kernels::trilinear_form::{ConvForm, ConvKind};
use super::kernel_choice::kernels_apply;
use super::resample_conv::{KernelOrientation, Resampling, resample_conv};
use super::upfirdn::FirFilter;
use crate::kernels::convolution::few_outputs::pointwise_few;
use crate::kernels::convolution::modulation::{Finish, NoiseValues, demodulation};

/// Added to the squared norm of a modulated kernel (docs/spec/generator.md §1.5).
const DEMODULATION_EPSILON: f64 = 1e-8;

/// Modulated and demodulated convolution; `Up2` reads the kernel as convolution, `Keep` as correlation.
///
/// # Shapes
/// - x: `[batch, in, height, width]`
/// - weight: `[out, in, k, k]`
/// - styles: `[batch, in]`
/// - output: `[batch, out, height', width']`
pub fn modulated_conv<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    styles: Tensor<B, 2>,
    filter: &FirFilter,
    resampling: Resampling,
) -> Tensor<B, 4> {
    let [batch, channels] = styles.dims();
    let out = weight.dims()[0];
    let orientation = match resampling {
        Resampling::Up2 => KernelOrientation::Convolution,
        Resampling::Keep | Resampling::Down2 => KernelOrientation::Correlation,
    };
    let (weight, styles) = if is_half(&x) { scaled_for_half(weight, styles) } else { (weight, styles) };
    // In single precision: squares of half the smallest style would vanish in half.
    let demodulation = half_like(demodulate(weight.clone(), styles.clone()), &x);
    let (weight, styles) = (half_like(weight, &x), half_like(styles, &x));
    let x = x * styles.reshape([batch, channels, 1, 1]);
    let y = resample_conv(x, weight, filter, resampling, orientation);
    y * demodulation.reshape([batch, out, 1, 1])
}

/// Noise, bias, activation and clamp behind a modulated convolution, in this order.
#[derive(Clone, Debug)]
pub struct AfterConv<B: Backend> {
    /// Noise maps `[1 or batch, 1, height', width']` and their strength `[1]`.
    pub noise: Option<(Tensor<B, 4>, Tensor<B, 1>)>,
    /// `[out]`
    pub bias: Tensor<B, 1>,
    /// Activation, gain and clamp.
    pub bias_act: BiasAct,
}

/// [`modulated_conv`], noise, bias and activation.
///
/// # Shapes
/// - as [`modulated_conv`]
pub fn modulated_layer<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    styles: Tensor<B, 2>,
    filter: &FirFilter,
    resampling: Resampling,
    after: AfterConv<B>,
) -> Tensor<B, 4> {
    // In order of speed: kernels without gradients, kernels with them, Burn's operators. Each answers only where it
    // computes the same layer.
    if let Some(plan) = KernelPlan::of(&x, &weight, filter, resampling, &after) {
        return plan.run(x, weight, styles, after);
    }
    if let Some(y) = tracked_layer(&x, &weight, &styles, filter, resampling, &after) {
        return y;
    }
    let y = modulated_conv(x, weight, styles, filter, resampling);
    // Behind demodulation, in front of the bias (docs/spec/generator.md §1.5, step 5). The product is made in single
    // precision, and rounded once.
    let y = match after.noise {
        Some((maps, strength)) => half_like(maps * strength.reshape([1, 1, 1, 1]), &y) + y,
        None => y,
    };
    let bias = half_like(after.bias, &y);
    after.bias_act.apply(y, Some(bias))
}

/// The layer by kernels that record gradients, where they apply.
fn tracked_layer<B: Backend>(
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    styles: &Tensor<B, 2>,
    filter: &FirFilter,
    resampling: Resampling,
    after: &AfterConv<B>,
) -> Option<Tensor<B, 4>> {
    let kind = kernel_kind(weight, filter, resampling)?;
    let demodulation = demodulate(weight.clone(), styles.clone());
    let factors = [styles, &demodulation];
    let AfterConv { noise, bias, bias_act } = after;
    layers::modulated_layer(kind, x, weight, factors, bias, noise.as_ref(), bias_act)
}

/// A layer that the kernels of the CPU can take.
struct KernelPlan {
    form: ConvForm,
    slopes: [f32; 2],
}

impl KernelPlan {
    fn of<B: Backend>(
        x: &Tensor<B, 4>,
        weight: &Tensor<B, 4>,
        filter: &FirFilter,
        resampling: Resampling,
        after: &AfterConv<B>,
    ) -> Option<Self> {
        let kind = kernel_kind(weight, filter, resampling).filter(|_| kernels_apply(x))?;
        let form = ConvForm::new(kind, x.dims(), weight.dims()[0])?;
        Some(Self { form, slopes: after.bias_act.slopes()? })
    }

    fn run<B: Backend>(
        self,
        x: Tensor<B, 4>,
        weight: Tensor<B, 4>,
        styles: Tensor<B, 2>,
        after: AfterConv<B>,
    ) -> Tensor<B, 4> {
        let device = x.device();
        let (x, weight, styles, bias) = (values(x), values(weight), values(styles), values(after.bias));
        let noise = after.noise.map(|(maps, strength)| (values(maps), scalar(strength)));
        let finish = Finish {
            scale: &demodulation(&weight, &styles, self.form.shape.channels_in, 9),
            bias: &bias,
            noise: noise.as_ref().map(|(maps, strength)| NoiseValues { maps, strength: *strength }),
            slopes: self.slopes,
            clamp: after.bias_act.clamp.map_or(f32::INFINITY, |clamp| clamp as f32),
        };
        let y = self.form.modulated(&x, &weight, &styles, finish);
        tensor(y, self.form.output_dims(), &device)
    }
}

/// The convolution among those that there are kernels for.
fn kernel_kind<B: Backend>(
    weight: &Tensor<B, 4>,
    filter: &FirFilter,
    resampling: Resampling,
) -> Option<ConvKind> {
    match (weight.dims()[2], resampling) {
        (3, Resampling::Keep) => Some(ConvKind::Same),
        // The kernels have `[1, 3, 3, 1]` built in.
        (3, Resampling::Up2) if *filter == FirFilter::resampling() => Some(ConvKind::Up),
        _ => None,
    }
}

/// `1 / ‖w_o · s_n‖` for every sample and output channel.
///
/// # Shapes
/// - weight: `[out, in, k, k]`, styles: `[batch, in]`, output: `[batch, out]`
fn demodulate<B: Backend>(weight: Tensor<B, 4>, styles: Tensor<B, 2>) -> Tensor<B, 2> {
    let [out, channels, kernel_h, kernel_w] = weight.dims();
    // `Σ (w · s)²` over inputs and taps is a product of squared styles and per-input energies: no kernel of every
    // sample's own is ever built.
    let energy = weight.clone() * weight;
    let energy = energy.reshape([out, channels, kernel_h * kernel_w]).sum_dim(2).reshape([out, channels]);
    let energy = (styles.clone() * styles).matmul(energy.transpose()); // [B, out]
    energy.add_scalar(DEMODULATION_EPSILON).sqrt().recip()
}

/// 1×1 modulated convolution without demodulation (toRGB): few outputs, so a kernel per sample is cheaper.
///
/// # Shapes
/// - x: `[batch, in, height, width]`, weight: `[out, in, 1, 1]`, styles: `[batch, in]`
/// - output: `[batch, out, height, width]`
pub fn modulated_pointwise_conv<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    styles: Tensor<B, 2>,
) -> Tensor<B, 4> {
    let [batch, channels, height, width] = x.dims();
    let out = weight.dims()[0];
    let kernels = half_like(modulated_kernels(weight, styles), &x);
    kernels.matmul(x.reshape([batch, channels, height * width])).reshape([batch, out, height, width])
}

/// A kernel per sample: `[batch, out, in]`.
fn modulated_kernels<B: Backend>(weight: Tensor<B, 4>, styles: Tensor<B, 2>) -> Tensor<B, 3> {
    let [out, channels, _, _] = weight.dims();
    let batch = styles.dims()[0];
    weight.reshape([1, out, channels]) * styles.reshape([batch, 1, channels])
}

/// [`modulated_pointwise_conv`], bias and clamp. Hands `x` back: the next block goes on with it.
///
/// # Shapes
/// - as [`modulated_pointwise_conv`]; bias: `[out]`
/// - output: x, and `[batch, out, height, width]`
pub fn modulated_pointwise_layer<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    styles: Tensor<B, 2>,
    bias: Tensor<B, 1>,
    clamp: Option<f64>,
) -> (Tensor<B, 4>, Tensor<B, 4>) {
    if !kernels_apply(&x) {
        if let Some(y) = tracked_pointwise_layer(&x, &weight, &styles, &bias, clamp) {
            return (x, y);
        }
        let y = modulated_pointwise_conv(x.clone(), weight, styles);
        let bias = half_like(bias, &y);
        return (x, BiasAct::new(Activation::Linear).with_clamp(clamp).apply(y, Some(bias)));
    }
    let ([batch, channels, height, width], device) = (x.dims(), x.device());
    let out = bias.dims()[0];
    let kernels = values(modulated_kernels(weight, styles));
    let clamp = clamp.map_or(f32::INFINITY, |clamp| clamp as f32);
    let x = values(x);
    let y = pointwise_few(&x, &kernels, &values(bias), clamp, [channels, height * width]);
    let x = tensor(x, [batch, channels, height, width], &device);
    (x, tensor(y, [batch, out, height, width], &device))
}

/// The layer by kernels that record gradients, where they apply.
fn tracked_pointwise_layer<B: Backend>(
    x: &Tensor<B, 4>,
    weight: &Tensor<B, 4>,
    styles: &Tensor<B, 2>,
    bias: &Tensor<B, 1>,
    clamp: Option<f64>,
) -> Option<Tensor<B, 4>> {
    let kernels = modulated_kernels(weight.clone(), styles.clone());
    let y = layers::sample_pointwise_conv(x, &kernels)?;
    layers::finish(&y, bias, None, &BiasAct::new(Activation::Linear).with_clamp(clamp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::activation::LEAKY_RELU;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::random::{keyed_rng, normal};
    use burn::tensor::{FloatDType, TensorData};

    const DOUBLE: FloatDType = FloatDType::F64;

    #[test]
    fn worked_examples_of_the_reference() {
        let device = cpu();
        let x = Tensor::<Base, 4>::from_data(
            TensorData::new(vec![1.0_f32, 2.0, 3.0, 4.0, 0.0, 1.0, 1.0, 0.0], [1, 2, 2, 2]),
            &device,
        );
        let kernel: Vec<f32> = (0..18).map(|i| i as f32 * 0.1).collect();
        let weight = Tensor::from_data(TensorData::new(kernel, [1, 2, 3, 3]), &device);
        let styles = Tensor::from_floats([[1.0, 2.0]], &device);
        let filter = FirFilter::resampling();
        for (resampling, expected) in [
            (Resampling::Keep, vec![1.571859, 1.398583, 1.052032, 0.878756]),
            (
                Resampling::Up2,
                vec![
                    0.368985, 0.862511, 1.298022, 1.274041, 0.912019, 1.600481, 2.001181, 1.768342, 1.520031,
                    2.176004, 2.237888, 1.708005, 1.701043, 2.185287, 1.957088, 1.297248,
                ],
            ),
        ] {
            let y = modulated_conv(x.clone(), weight.clone(), styles.clone(), &filter, resampling);
            let y: Vec<f32> = y.into_data().to_vec().unwrap();
            for (actual, expected) in y.iter().zip(&expected) {
                assert!((actual - expected).abs() < 1e-5, "{y:?}");
            }
        }
    }

    /// In double precision, the same call takes the portable way.
    #[test]
    fn kernels_are_the_portable_layer() {
        let device = cpu();
        let filter = FirFilter::resampling();
        let bias_act = BiasAct::new(LEAKY_RELU).with_clamp(Some(2.0));
        for (resampling, [height, width]) in [
            (Resampling::Keep, [4, 4]),
            (Resampling::Keep, [6, 256]),
            (Resampling::Keep, [64, 64]),
            (Resampling::Up2, [3, 5]),
            (Resampling::Up2, [16, 16]),
        ] {
            let (batch, channels, out) = (2, 5, 7);
            let side = if resampling == Resampling::Up2 { 2 } else { 1 };
            let mut rng = keyed_rng(1, "layer", 0);
            let x = normal::<Base, 4>([batch, channels, height, width], &mut rng, &device);
            let weight = normal::<Base, 4>([out, channels, 3, 3], &mut rng, &device);
            let styles = normal::<Base, 2>([batch, channels], &mut rng, &device);
            let maps = normal::<Base, 4>([batch, 1, side * height, side * width], &mut rng, &device);
            let strength = Tensor::<Base, 1>::from_floats([0.3], &device);
            let bias = normal::<Base, 1>([out], &mut rng, &device);
            let noise = Some((maps.clone(), strength.clone()));
            let after = AfterConv { noise, bias: bias.clone(), bias_act };
            assert!(KernelPlan::of(&x, &weight, &filter, resampling, &after).is_some());
            let actual =
                modulated_layer(x.clone(), weight.clone(), styles.clone(), &filter, resampling, after);
            let noise = Some((maps.cast(DOUBLE), strength.cast(DOUBLE)));
            let after = AfterConv { noise, bias: bias.cast(DOUBLE), bias_act };
            let (x, weight, styles) = (x.cast(DOUBLE), weight.cast(DOUBLE), styles.cast(DOUBLE));
            let expected = modulated_layer(x, weight, styles, &filter, resampling, after);
            let difference = (actual - expected.cast(FloatDType::F32)).abs().max().into_scalar();
            assert!(difference < 2e-6, "{resampling:?} {height}x{width}: {difference}");
        }
    }

    #[test]
    fn rgb_by_kernels_is_the_portable_layer() {
        let device = cpu();
        let mut rng = keyed_rng(2, "rgb", 0);
        let x = normal::<Base, 4>([2, 6, 33, 40], &mut rng, &device);
        let weight = normal::<Base, 4>([3, 6, 1, 1], &mut rng, &device);
        let styles = normal::<Base, 2>([2, 6], &mut rng, &device);
        let bias = normal::<Base, 1>([3], &mut rng, &device);
        let run = |x, weight, styles, bias| modulated_pointwise_layer(x, weight, styles, bias, Some(1.5));
        let (kept, actual) = run(x.clone(), weight.clone(), styles.clone(), bias.clone());
        assert_eq!(kept.into_data(), x.clone().into_data());
        let (_, expected) = run(x.cast(DOUBLE), weight.cast(DOUBLE), styles.cast(DOUBLE), bias.cast(DOUBLE));
        let difference = (actual - expected.cast(FloatDType::F32)).abs().max().into_scalar();
        assert!(difference < 2e-6, "{difference}");
    }
}
