//! Modulated convolution (generator.md 1.5; Karras et al. 2020, section 2.2).
//!
//! Kernels are shared by the batch: the input is scaled per channel and the output is demodulated,
//! which equals a kernel per sample up to rounding and keeps the convolution one large product.

use burn::tensor::{Tensor, backend::Backend};

use super::resample_conv::{KernelOrientation, Resampling, resample_conv};
use super::upfirdn::FirFilter;

/// Added to the squared norm of a modulated kernel (generator.md 1.5).
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
    let demodulation = demodulate(weight.clone(), styles.clone());
    let x = x * styles.reshape([batch, channels, 1, 1]);
    let y = resample_conv(x, weight, filter, resampling, orientation);
    y * demodulation.reshape([batch, out, 1, 1])
}

/// `1 / ‖w_o · s_n‖` for every sample and output channel.
///
/// # Shapes
/// - weight: `[out, in, k, k]`, styles: `[batch, in]`, output: `[batch, out]`
fn demodulate<B: Backend>(weight: Tensor<B, 4>, styles: Tensor<B, 2>) -> Tensor<B, 2> {
    let [out, channels, kernel_h, kernel_w] = weight.dims();
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
    let kernels = weight.reshape([1, out, channels]) * styles.reshape([batch, 1, channels]);
    kernels.matmul(x.reshape([batch, channels, height * width])).reshape([batch, out, height, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use burn::tensor::TensorData;

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
}
