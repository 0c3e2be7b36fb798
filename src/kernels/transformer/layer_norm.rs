//! Layer normalisation of rows.

use rayon::prelude::*;

use crate::kernels::simd::vectorised;
use crate::kernels::sum::sum;

/// `γ · (x − mean) / √(var + ε) + β` for every row of `x` into `out`.
///
/// # Shapes
/// - x, out: `[rows, width]`; gamma, beta: `[width]`
pub fn layer_norm(x: &[f32], gamma: &[f32], beta: &[f32], epsilon: f32, out: &mut [f32]) {
    let width = gamma.len().max(1);
    x.par_chunks_exact(width).zip(out.par_chunks_exact_mut(width)).with_min_len(16).for_each(|(x, out)| {
        vectorised(|| {
            let mean = sum(x, |value| value) / width as f32;
            // Two passes: the mean of squares less the square of the mean would cancel where the mean is large.
            let variance = sum(x, |value| (value - mean) * (value - mean)) / width as f32;
            let scale = 1.0 / (variance + epsilon).sqrt();
            for (((out, x), gamma), beta) in out.iter_mut().zip(x).zip(gamma).zip(beta) {
                *out = (x - mean) * scale * gamma + beta;
            }
        });
    });
}
