//! Passes over images `[batch, channels, pixels]` that treat every plane alike.

use rayon::prelude::*;

use super::simd::vectorised;
use super::sum::sum;

/// Planes that one thread takes at least: shorter work is not worth handing out.
const VALUES_PER_TASK: usize = 16 * 1024;

fn planes_per_task(pixels: usize) -> usize {
    VALUES_PER_TASK.div_ceil(pixels.max(1))
}

/// Every plane times its own factor.
///
/// # Shapes
/// - x, output: `[planes, pixels]`, factors: `[planes]`
pub fn scaled_planes(x: &[f32], factors: &[f32]) -> Vec<f32> {
    let pixels = x.len() / factors.len().max(1);
    let mut out = vec![0.0; x.len()];
    let planes = out.par_chunks_exact_mut(pixels.max(1)).zip(x.par_chunks_exact(pixels.max(1))).zip(factors);
    planes.with_min_len(planes_per_task(pixels)).for_each(|((out, x), factor)| {
        vectorised(|| {
            for (out, x) in out.iter_mut().zip(x) {
                *out = x * factor;
            }
        });
    });
    out
}

/// Scalar product of each pair of planes: `[planes]`.
///
/// # Shapes
/// - a, b: `[planes, pixels]`
pub fn dot_planes(a: &[f32], b: &[f32], pixels: usize) -> Vec<f32> {
    let pairs = a.par_chunks_exact(pixels.max(1)).zip(b.par_chunks_exact(pixels.max(1)));
    pairs.with_min_len(planes_per_task(pixels)).map(|(a, b)| vectorised(|| dot(a, b))).collect()
}

/// Sum of each channel: `[channels]`.
///
/// # Shapes
/// - x: `[batch, channels, pixels]`
pub fn channel_sums(x: &[f32], [batch, channels]: [usize; 2], pixels: usize) -> Vec<f32> {
    let planes = x.par_chunks_exact(pixels.max(1)).with_min_len(planes_per_task(pixels));
    let sums: Vec<f32> = planes.map(|x| vectorised(|| sum(x, |x| x))).collect();
    over_batch(&sums, [batch, channels])
}

/// Sum over the samples of `[batch, channels]`.
pub fn over_batch(values: &[f32], [batch, channels]: [usize; 2]) -> Vec<f32> {
    let of_channel = |channel| (0..batch).map(|sample| values[sample * channels + channel]).sum();
    (0..channels).map(of_channel).collect()
}

/// Scalar product in 32 partial sums.
#[inline(always)]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<32>(), b.as_chunks::<32>());
    let mut sums = [0.0; 32];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// Twice the size in both axes by the filter `[1, 3, 3, 1]`, centred, times `gain`.
///
/// # Shapes
/// - x: `[planes, height, width]`, output: `[planes, 2·height, 2·width]`
pub fn upsample_planes(x: &[f32], [height, width]: [usize; 2], gain: f32) -> Vec<f32> {
    const NEAR: f32 = 0.75;
    const FAR: f32 = 0.25;
    let mut out = vec![0.0; 4 * x.len()];
    let planes = out
        .par_chunks_exact_mut((4 * height * width).max(1))
        .zip(x.par_chunks_exact((height * width).max(1)));
    planes.with_min_len(planes_per_task(4 * height * width)).for_each(|(out, x)| {
        // A zero on either side.
        let mut column = vec![0.0; width + 2];
        let zeros = vec![0.0; width];
        let row = |y: Option<usize>| match y.filter(|y| *y < height) {
            Some(y) => &x[y * width..][..width],
            None => &zeros[..],
        };
        for (y, out) in out.chunks_exact_mut(2 * width).enumerate() {
            // Of the four taps on the stuffed image two always meet zeros. What remains for an output row is the row
            // it lies in, with weight ¾, and the nearer neighbour, with ¼; beyond the border there are zeros, no
            // repeated edge.
            let far = if y.is_multiple_of(2) { (y / 2).checked_sub(1) } else { Some(y / 2 + 1) };
            let (near, far) = (row(Some(y / 2)), row(far));
            vectorised(|| {
                for (out, (near, far)) in column[1..=width].iter_mut().zip(near.iter().zip(far)) {
                    *out = gain * (NEAR * near + FAR * far);
                }
                for (out, column) in out.as_chunks_mut::<2>().0.iter_mut().zip(column.windows(3)) {
                    *out = [FAR * column[0] + NEAR * column[1], NEAR * column[1] + FAR * column[2]];
                }
            });
        }
    });
    out
}

/// Half the size in both axes by the filter `[1, 3, 3, 1] / 8`, centred, times `gain`; sides are even.
///
/// # Shapes
/// - x: `[planes, height, width]`, output: `[planes, height/2, width/2]`
pub fn downsample_planes(x: &[f32], [height, width]: [usize; 2], gain: f32) -> Vec<f32> {
    const NEAR: f32 = 0.375;
    const FAR: f32 = 0.125;
    let mut out = vec![0.0; x.len() / 4];
    let planes = out
        .par_chunks_exact_mut((height * width / 4).max(1))
        .zip(x.par_chunks_exact((height * width).max(1)));
    planes.with_min_len(planes_per_task(height * width)).for_each(|(out, x)| {
        let mut column = vec![0.0; width + 2];
        let zeros = vec![0.0; width];
        for (y, out) in out.chunks_exact_mut(width / 2).enumerate() {
            // Output row y reads rows 2y − 1 to 2y + 2.
            let lines: [&[f32]; 4] = std::array::from_fn(|tap| match (2 * y + tap).checked_sub(1) {
                Some(row) if row < height => &x[row * width..][..width],
                _ => &zeros[..],
            });
            vectorised(|| {
                let [a, b, c, d] = lines.map(|line| &line[..width]);
                for (i, out) in column[1..=width].iter_mut().enumerate() {
                    *out = gain * (FAR * (a[i] + d[i]) + NEAR * (b[i] + c[i]));
                }
                let pairs = column.as_chunks::<2>().0;
                for (out, pairs) in out.iter_mut().zip(pairs.windows(2)) {
                    let [a, b] = [pairs[0], pairs[1]];
                    *out = FAR * (a[0] + b[1]) + NEAR * (a[1] + b[0]);
                }
            });
        }
    });
    out
}
