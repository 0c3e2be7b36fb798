//! What stands around a modulated convolution: scales of its channels before, noise, bias and activation behind.

use rayon::prelude::*;

use crate::kernels::simd::vectorised;
use crate::kernels::sum::sum;

/// Added to the squared norm of a modulated kernel (docs/spec/generator.md §1.5).
const DEMODULATION_EPSILON: f32 = 1e-8;

/// Pixels that are worth a task of their own.
const PIXELS_PER_TASK: usize = 16 * 1024;

/// `1 / ‖w_o · s_n‖` for every sample and output channel: `[batch, out]`.
///
/// # Shapes
/// - weight: `[out, in, taps]`, styles: `[batch, in]`
pub fn demodulation(weight: &[f32], styles: &[f32], channels: usize, taps: usize) -> Vec<f32> {
    // Σ (w · s)² is Σ s² times the energy of each kernel, which no sample changes.
    let kernel_len = (channels * taps).max(1);
    let per_output: Vec<Vec<f32>> = weight
        .par_chunks_exact(kernel_len)
        .map(|kernels| {
            let energy: Vec<f32> = kernels.chunks_exact(taps).map(|kernel| sum(kernel, |w| w * w)).collect();
            let norm = |styles: &[f32]| -> f32 {
                styles.iter().zip(&energy).map(|(style, energy)| style * style * energy).sum()
            };
            let samples = styles.chunks_exact(channels);
            samples.map(|styles| 1.0 / (norm(styles) + DEMODULATION_EPSILON).sqrt()).collect()
        })
        .collect();
    // From `[out][batch]` (a kernel's energy is made once and serves all samples) to `[batch, out]`.
    let batch = styles.len() / channels.max(1);
    (0..batch).flat_map(|sample| per_output.iter().map(move |scales| scales[sample])).collect()
}

/// Noise maps `[1 or batch, height, width]` and the factor they are added with.
#[derive(Clone, Copy, Debug)]
pub struct NoiseValues<'a> {
    /// The maps.
    pub maps: &'a [f32],
    /// Factor.
    pub strength: f32,
}

/// `clamp(slope · (x · scale + noise + bias))`, the slope by the sign of the bracket.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    /// `[batch, out]`
    pub scale: &'a [f32],
    /// `[out]`
    pub bias: &'a [f32],
    /// Added before the bias.
    pub noise: Option<NoiseValues<'a>>,
    /// Slopes of the activation at negative and other values, gain included.
    pub slopes: [f32; 2],
    /// Bound on the magnitude; infinite for none.
    pub clamp: f32,
}

impl Finish<'_> {
    /// Finishes whole images `[batch, out, pixels]`.
    pub fn apply_all(&self, x: &mut [f32], pixels: usize) {
        let channels = self.bias.len().max(1);
        let planes = x.par_chunks_exact_mut(pixels.max(1)).enumerate();
        planes.with_min_len(PIXELS_PER_TASK.div_ceil(pixels.max(1))).for_each(|(plane, x)| {
            self.apply(plane / channels, plane % channels, 0, pixels, x);
        });
    }

    /// Finishes the pixels of one channel from `first` on; `pixels` is the size of a whole channel.
    #[inline]
    pub fn apply(&self, sample: usize, channel: usize, first: usize, pixels: usize, x: &mut [f32]) {
        let (scale, bias) = (self.scale[sample * self.bias.len() + channel], self.bias[channel]);
        vectorised(|| {
            let [negative, other] = self.slopes;
            // Comparisons instead of `f32::min` and `f32::max`, which would turn what is not a number into a bound
            // and hide it.
            let activate = |x: f32| {
                let x = x * if x < 0.0 { negative } else { other };
                let x = if x > self.clamp { self.clamp } else { x };
                if x < -self.clamp { -self.clamp } else { x }
            };
            match self.noise {
                Some(NoiseValues { maps, strength }) => {
                    // Stored maps serve all samples, drawn ones are each sample's own.
                    let start = if maps.len() > pixels { sample * pixels } else { 0 } + first;
                    for (x, noise) in x.iter_mut().zip(&maps[start..]) {
                        *x = activate(*x * scale + noise * strength + bias);
                    }
                }
                None => x.iter_mut().for_each(|x| *x = activate(*x * scale + bias)),
            }
        });
    }
}

/// The chunks of every channel of `[batch, channels, tasks · chunk_len]`, gathered by sample and task.
///
/// What one thread writes is scattered over the channels; this hands it out without sharing.
pub fn chunks_by_task(
    out: &mut [f32],
    channels: usize,
    tasks: usize,
    chunk_len: usize,
) -> Vec<Vec<&mut [f32]>> {
    let batch = out.len() / (channels * tasks * chunk_len).max(1);
    let mut by_task: Vec<Vec<&mut [f32]>> =
        (0..batch * tasks).map(|_| Vec::with_capacity(channels)).collect();
    for (index, chunk) in out.chunks_exact_mut(chunk_len.max(1)).enumerate() {
        let (sample, task) = (index / (channels * tasks), index % tasks);
        by_task[sample * tasks + task].push(chunk);
    }
    by_task
}
