//! 1×1 convolution with kernels that the batch shares, or with kernels of every sample's own.

use rayon::prelude::*;

use crate::kernels::panels::{Matrix, pack_columns, pack_rows};
use crate::kernels::tile::{COLUMNS, ROWS, Rows, add_product};

/// Kernels `[1 or batch, rows, columns]`, each read as it lies or as its transpose.
#[derive(Clone, Copy, Debug)]
pub struct PointwiseKernels<'a> {
    /// Their values.
    pub values: &'a [f32],
    /// Whether the output's channels are the columns.
    pub transposed: bool,
}

/// `kernels · x` for every pixel.
///
/// # Shapes
/// - x: `[batch, in, pixels]`, output: `[batch, out, pixels]`
pub fn pointwise_conv(
    x: &[f32],
    kernels: PointwiseKernels<'_>,
    [channels_in, channels_out]: [usize; 2],
    pixels: usize,
) -> Vec<f32> {
    let batch = x.len() / (channels_in * pixels).max(1);
    let kernel_len = channels_in * channels_out;
    let pack = |values, panels: &mut Vec<f32>| {
        let kernels = match kernels.transposed {
            true => Matrix::transposed(values, channels_out),
            false => Matrix::row_major(values, channels_in),
        };
        pack_rows(kernels, 0, channels_out, channels_in, panels);
    };
    let is_shared = kernels.values.len() == kernel_len;
    let mut shared = vec![];
    if is_shared {
        pack(kernels.values, &mut shared);
    }
    let mut out = vec![0.0; batch * channels_out * pixels];
    let samples = out.par_chunks_exact_mut((channels_out * pixels).max(1));
    let samples = samples.zip(x.par_chunks_exact((channels_in * pixels).max(1))).enumerate();
    samples.for_each_init(<(Vec<f32>, Vec<f32>)>::default, |(columns, own), (sample, (out, x))| {
        if !is_shared {
            pack(&kernels.values[sample * kernel_len..][..kernel_len], own);
        }
        let panels = if is_shared { &shared } else { &*own };
        // One column panel at a time: 64 pixels of all channels are packed once and meet every row panel while they
        // are in the cache.
        columns.resize(channels_in * COLUMNS, 0.0);
        for first in (0..pixels).step_by(COLUMNS) {
            let count = COLUMNS.min(pixels - first);
            pack_columns(Matrix::row_major(x, pixels), first, count, columns);
            for (index, panel) in panels.chunks_exact((channels_in * ROWS).max(1)).enumerate() {
                let mut tile = [0.0; ROWS * COLUMNS];
                add_product(Rows::packed(panel), columns, &mut tile);
                for (r, sums) in tile.as_chunks::<COLUMNS>().0.iter().enumerate() {
                    let channel = index * ROWS + r;
                    if channel < channels_out {
                        out[channel * pixels + first..][..count].copy_from_slice(&sums[..count]);
                    }
                }
            }
        }
    });
    out
}
