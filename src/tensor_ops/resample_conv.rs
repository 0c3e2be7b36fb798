//! Convolution with resampling (docs/spec/generator.md §1.4), "same" padding, kernels of size 1 or 3.
//!
//! Upsampling layers of the published networks read their kernels as convolution, all others as
//! cross-correlation; trained weights depend on it.

use burn::tensor::{
    Tensor,
    backend::Backend,
    module::{conv_transpose2d, conv2d},
    ops::{ConvOptions, ConvTransposeOptions},
};

use super::bias_act::BiasAct;
use super::image_kernels::layers::conv_layer;
use super::image_kernels::trilinear_form::ConvKind;
use super::upfirdn::{AxisPlan, FirFilter, downsample2, upfirdn};

/// Change of size by a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resampling {
    /// Stride 1, padding that keeps the size.
    Keep,
    /// Twice the size.
    Up2,
    /// Half the size.
    Down2,
}

/// How a stored kernel is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelOrientation {
    /// As stored: `out[y] += w[a] · x[y + a]`.
    Correlation,
    /// Reversed along both axes: `out[y + a] += w[a] · x[y]`.
    Convolution,
}

/// Cross-correlation with the resampling filter of all networks, bias and activation.
///
/// # Shapes
/// - as [`resample_conv`]; bias: `[out]`
pub fn resampled_layer<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    bias: Option<Tensor<B, 1>>,
    resampling: Resampling,
    bias_act: BiasAct,
) -> Tensor<B, 4> {
    let filter = FirFilter::resampling();
    let (x, resampling) = match (weight.dims()[2], resampling) {
        // A 1×1 kernel sees nothing but its pixel: filter and decimate first.
        (1, Resampling::Down2) => (downsample2(x, &filter), Resampling::Keep),
        _ => (x, resampling),
    };
    let kind = match (weight.dims()[2], resampling) {
        (1, Resampling::Keep) => Some(ConvKind::Pointwise),
        (3, Resampling::Keep) => Some(ConvKind::Same),
        (3, Resampling::Down2) => Some(ConvKind::Down),
        _ => None,
    };
    let by_kernels = kind.and_then(|kind| conv_layer(kind, &x, &weight, bias.as_ref(), &bias_act));
    by_kernels.unwrap_or_else(|| {
        let y = resample_conv(x, weight, &filter, resampling, KernelOrientation::Correlation);
        bias_act.apply(y, bias)
    })
}

/// Convolves and resamples.
///
/// # Shapes
/// - x: `[batch, in, height, width]`
/// - weight: `[out, in, k, k]`, k odd
/// - output: `[batch, out, height', width']`, the size changed as `resampling` says
pub fn resample_conv<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    filter: &FirFilter,
    resampling: Resampling,
    orientation: KernelOrientation,
) -> Tensor<B, 4> {
    let kernel = weight.dims()[2];
    let taps = filter.len();
    match resampling {
        Resampling::Keep => convolve(x, oriented(weight, orientation), 1, kernel / 2),
        Resampling::Down2 => {
            let centred = AxisPlan::downsample2(taps);
            if kernel == 1 {
                return convolve(upfirdn(x, filter, centred, centred, 1.0), weight, 1, 0);
            }
            // The kernel's own padding moves in front of the filter; the convolution then decimates.
            let padding = (kernel / 2) as isize;
            // With four taps and k = 3: paddings of 2, size H + 1 behind the filter, H/2 behind the convolution of
            // stride 2 (docs/spec/generator.md §1.4).
            let plan = AxisPlan::filter(centred.pad_before + padding, centred.pad_after + padding);
            let filtered = upfirdn(x, filter, plan, plan, 1.0);
            convolve(filtered, oriented(weight, orientation), 2, 0)
        }
        Resampling::Up2 => {
            let centred = AxisPlan::upsample2(taps);
            if kernel == 1 {
                return upfirdn(convolve(x, weight, 1, 0), filter, centred, centred, 4.0);
            }
            // A transposed convolution is a convolution of the zero-stuffed image.
            let weight = match orientation {
                KernelOrientation::Convolution => weight,
                KernelOrientation::Correlation => weight.flip([2, 3]),
            };
            let options = ConvTransposeOptions::new([2, 2], [0, 0], [0, 0], [1, 1], 1);
            let stuffed = conv_transpose2d(x, weight.swap_dims(0, 1), None, options);
            // [B, O, 2H + k − 2, 2W + k − 2]: what the stuffing and the kernel have added is taken off the pads.
            let padding = (kernel / 2) as isize;
            let plan = AxisPlan::filter(
                centred.pad_before + padding - (kernel as isize - 1),
                centred.pad_after + padding - (kernel as isize - 2),
            );
            upfirdn(stuffed, filter, plan, plan, 4.0)
        }
    }
}

fn oriented<B: Backend>(weight: Tensor<B, 4>, orientation: KernelOrientation) -> Tensor<B, 4> {
    match orientation {
        KernelOrientation::Correlation => weight,
        KernelOrientation::Convolution => weight.flip([2, 3]),
    }
}

fn convolve<B: Backend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 4>,
    stride: usize,
    padding: usize,
) -> Tensor<B, 4> {
    let kernel = weight.dims()[2];
    if kernel == 1 && stride == 1 {
        return pointwise_conv(x, weight);
    }
    if kernel == 3 && stride == 1 && padding == 1 && prefers_products(&x) {
        return conv3_by_products(x, weight);
    }
    let options = ConvOptions::new([stride, stride], [padding, padding], [1, 1], 1);
    conv2d(x, weight, None, options)
}

/// A 1×1 convolution as a matrix product, whose backward passes are products again.
fn pointwise_conv<B: Backend>(x: Tensor<B, 4>, weight: Tensor<B, 4>) -> Tensor<B, 4> {
    let [batch, channels, height, width] = x.dims();
    let out = weight.dims()[0];
    weight
        .reshape([1, out, channels])
        .matmul(x.reshape([batch, channels, height * width]))
        .reshape([batch, out, height, width])
}

/// Largest image, in pixels, for which the CPU convolves by products: beyond, three copies of it cost too much memory.
const MOST_PIXELS_FOR_PRODUCTS: usize = 64 * 64;

/// Burn's CPU convolution lays its input out anew on one thread and takes its weight gradient as a convolution with
/// an image-sized kernel; products were 1.1 to 1.7 times as fast forward and backward (32 × 32, 64 channels, 2 busy cores).
fn prefers_products<B: Backend>(x: &Tensor<B, 4>) -> bool {
    let [_, _, height, width] = x.dims();
    height * width <= MOST_PIXELS_FOR_PRODUCTS && B::name(&x.device()).contains("flex")
}

/// 3×3 cross-correlation with padding 1: three column-shifted copies as channels, one product per kernel row.
fn conv3_by_products<B: Backend>(x: Tensor<B, 4>, weight: Tensor<B, 4>) -> Tensor<B, 4> {
    let [batch, channels, height, width] = x.dims();
    let out = weight.dims()[0];
    // `Tensor::pad` knows the default precision only.
    let border = Tensor::<B, 4>::zeros([batch, channels, height + 2, width + 2], &x.device()).cast(x.dtype());
    let x = border.slice_assign([0..batch, 0..channels, 1..height + 1, 1..width + 1], x); // [B, C, H + 2, W + 2]
    let shifted = (0..3)
        .map(|column| x.clone().narrow(3, column, width).reshape([batch, channels, (height + 2) * width]))
        .collect();
    // In a plane flattened to `(H + 2)·W` values one row further is W values further: the three rows of the kernel
    // are three windows of the same memory, without another copy.
    let columns: Tensor<B, 3> = Tensor::cat(shifted, 1); // [B, 3·C, (H + 2)·W]
    let kernels = weight.permute([2, 0, 3, 1]).reshape([3, out, 3 * channels]);
    let row = |index: usize| {
        let window = columns.clone().narrow(2, index * width, height * width);
        kernels.clone().narrow(0, index, 1).matmul(window) // [B, O, H·W]
    };
    (row(0) + row(1) + row(2)).reshape([batch, out, height, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::random::{keyed_rng, normal};
    use burn::tensor::TensorData;

    #[test]
    fn products_are_the_convolution() {
        let mut rng = keyed_rng(0, "conv", 0);
        let x: Tensor<Base, 4> = normal([2, 5, 6, 9], &mut rng, &cpu());
        let weight: Tensor<Base, 4> = normal([4, 5, 3, 3], &mut rng, &cpu());
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        let expected = conv2d(x.clone(), weight.clone(), None, options);
        let difference = (conv3_by_products(x.clone(), weight) - expected).abs().max().into_scalar();
        assert!(difference < 1e-5, "{difference}");
        assert!(prefers_products(&x), "the CPU is recognised by {}", Base::name(&cpu()));
    }

    fn ramp(side: usize) -> Tensor<Base, 4> {
        let values: Vec<f32> = (0..side * side).map(|i| i as f32).collect();
        Tensor::from_data(TensorData::new(values, [1, 1, side, side]), &cpu())
    }

    fn run(x: Tensor<Base, 4>, w: Tensor<Base, 4>, r: Resampling, o: KernelOrientation) -> Vec<f32> {
        resample_conv(x, w, &FirFilter::resampling(), r, o).into_data().to_vec().unwrap()
    }

    fn assert_values(actual: &[f32], expected: &[f32]) {
        assert_eq!(actual.len(), expected.len());
        for (a, e) in actual.iter().zip(expected) {
            assert!((a - e).abs() < 1e-4, "{actual:?}");
        }
    }

    #[test]
    fn worked_examples_of_the_reference() {
        let up = run(ramp(2) + 1.0, ramp(3), Resampling::Up2, KernelOrientation::Convolution);
        assert_values(
            &up,
            &[
                11.5625, 20.8125, 26.875, 25.4375, 25.8125, 44.8125, 55.5625, 50.375, 43.0625, 70.6875,
                83.3125, 72.125, 52.4375, 82.3125, 93.25, 77.5625,
            ],
        );
        let down = run(ramp(4), ramp(3), Resampling::Down2, KernelOrientation::Correlation);
        assert_values(&down, &[157.203125, 173.515625, 212.703125, 210.640625]);
        let weight = Tensor::full([1, 1, 1, 1], 2.0, &cpu());
        let skip = run(ramp(4), weight, Resampling::Down2, KernelOrientation::Correlation);
        assert_values(&skip, &[5.46875, 7.875, 15.09375, 17.5]);
    }
}
