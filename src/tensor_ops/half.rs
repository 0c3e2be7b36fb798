//! Half precision for inference: networks cast as a whole, modulated kernels scaled so that products cannot overflow.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, FloatDType, Tensor, backend::Backend};

/// The same network with every float parameter in half precision.
pub fn in_half<B: Backend, M: Module<B>>(module: M) -> M {
    module.map(&mut ToHalf)
}

struct ToHalf;

impl<B: Backend> ModuleMapper<B> for ToHalf {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        param.map(|tensor| tensor.cast(FloatDType::F16))
    }
}

/// Whether a tensor is in half precision.
pub fn is_half<B: Backend, const D: usize>(tensor: &Tensor<B, D>) -> bool {
    tensor.dtype() == DType::F16
}

/// `tensor` in half precision if `like` is, else as it is.
pub fn half_like<B: Backend, const D: usize, const E: usize>(
    tensor: Tensor<B, D>,
    like: &Tensor<B, E>,
) -> Tensor<B, D> {
    if is_half(like) { tensor.cast(FloatDType::F16) } else { tensor }
}

/// `tensor` in single precision if it was in half, else as it is.
pub fn single<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Tensor<B, D> {
    if is_half(&tensor) { tensor.cast(FloatDType::F32) } else { tensor }
}

/// Kernels scaled to `1/√(inputs · k²)` of their largest value and styles to 1 (docs/spec/generator.md §1.5, step 1):
/// demodulation undoes both, and neither a product nor its sum leaves the range of half precision.
///
/// # Shapes
/// - weight: `[out, in, k, k]`, styles: `[batch, in]`; the same come back
pub fn scaled_for_half<B: Backend>(
    weight: Tensor<B, 4>,
    styles: Tensor<B, 2>,
) -> (Tensor<B, 4>, Tensor<B, 2>) {
    let [out, inputs, kernel_h, kernel_w] = weight.dims();
    let fan_in = inputs * kernel_h * kernel_w;
    // The bound keeps a row of zeros from being divided by zero.
    let largest = |rows: Tensor<B, 2>| rows.abs().max_dim(1).clamp_min(f64::from(f32::MIN_POSITIVE));
    let of_kernels = largest(weight.clone().reshape([out, fan_in])).reshape([out, 1, 1, 1]);
    let weight = (weight / of_kernels).div_scalar((fan_in as f64).sqrt());
    // The widest sum has 512 · 9 terms: a kernel of at most 1/√4608, a style of at most 1, an activation of at most
    // 256. It stays below 17,400; half precision ends at 65,504.
    let of_styles = largest(styles.clone());
    (weight, styles / of_styles)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::modulated_conv::modulated_conv;
    use crate::tensor_ops::random::{keyed_rng, normal};
    use crate::tensor_ops::resample_conv::Resampling;
    use crate::tensor_ops::upfirdn::FirFilter;

    #[test]
    fn large_kernels_and_styles_do_not_overflow() {
        let mut rng = keyed_rng(1, "half", 0);
        let x: Tensor<Base, 4> = normal([2, 32, 8, 8], &mut rng, &cpu());
        // Products of the plain values would be up to 1e7, far above the largest half of 65,504.
        let weight: Tensor<Base, 4> = normal([16, 32, 3, 3], &mut rng, &cpu()).mul_scalar(1e3);
        let styles: Tensor<Base, 2> = normal([2, 32], &mut rng, &cpu()).mul_scalar(1e3);
        for resampling in [Resampling::Keep, Resampling::Up2] {
            let run =
                |x| modulated_conv(x, weight.clone(), styles.clone(), &FirFilter::resampling(), resampling);
            let expected = run(x.clone());
            let actual = run(x.clone().cast(FloatDType::F16));
            assert!(is_half(&actual));
            let scale = expected.clone().abs().max().into_scalar();
            let worst = (single(actual) - expected).abs().max().into_scalar();
            assert!(worst < 4e-3 * scale, "{resampling:?}: {worst} of {scale}");
        }
    }
}
