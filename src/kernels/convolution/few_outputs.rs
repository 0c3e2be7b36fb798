//! 1×1 convolution to few channels: every input value is read once.

use rayon::prelude::*;

use crate::kernels::simd::vectorised;

/// Pixels of a task: their sums fit the first cache.
const PIXELS_PER_TASK: usize = 1024;

/// `clamp(kernels · x + bias)` with kernels of every sample's own.
///
/// # Shapes
/// - x: `[batch, in, pixels]`, kernels: `[batch, out, in]`, bias: `[out]`
/// - output: `[batch, out, pixels]`
pub fn pointwise_few(
    x: &[f32],
    kernels: &[f32],
    bias: &[f32],
    clamp: f32,
    [channels_in, pixels]: [usize; 2],
) -> Vec<f32> {
    let channels_out = bias.len();
    let tasks = pixels.div_ceil(PIXELS_PER_TASK);
    let batch = x.len() / (channels_in * pixels).max(1);
    // With three outputs a tile of six rows would be half empty, and packing `x` would cost as much as the products.
    // Memory is the limit: `x` is read once, and the sums of 1,024 pixels in three channels (12 kB) stay in the first
    // cache.
    let parts: Vec<Vec<f32>> = (0..batch * tasks)
        .into_par_iter()
        .map(|index| {
            let (sample, first) = (index / tasks, index % tasks * PIXELS_PER_TASK);
            let count = PIXELS_PER_TASK.min(pixels - first);
            let kernels = &kernels[sample * channels_out * channels_in..][..channels_out * channels_in];
            let mut sums: Vec<f32> = bias.iter().flat_map(|bias| std::iter::repeat_n(*bias, count)).collect();
            let x = &x[sample * channels_in * pixels..][..channels_in * pixels];
            vectorised(|| {
                for (channel, x) in x.chunks_exact(pixels).enumerate() {
                    for (kernel, sums) in kernels.chunks_exact(channels_in).zip(sums.chunks_exact_mut(count))
                    {
                        let factor = kernel[channel];
                        for (sum, x) in sums.iter_mut().zip(&x[first..first + count]) {
                            *sum += factor * x;
                        }
                    }
                }
                for sum in &mut sums {
                    *sum = if *sum > clamp { clamp } else { *sum };
                    *sum = if *sum < -clamp { -clamp } else { *sum };
                }
            });
            sums
        })
        .collect();
    // A part is `[out, its pixels]`, the result `[batch, out, pixels]`: channel by channel across the parts of a
    // sample.
    let mut out = Vec::with_capacity(batch * channels_out * pixels);
    for parts in parts.chunks_exact(tasks.max(1)) {
        for channel in 0..channels_out {
            for part in parts {
                let count = part.len() / channels_out;
                out.extend_from_slice(&part[channel * count..][..count]);
            }
        }
    }
    out
}
