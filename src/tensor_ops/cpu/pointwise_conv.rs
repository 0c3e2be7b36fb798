//! 1×1 convolution with kernels that the batch shares.

use rayon::prelude::*;

use super::panels::{Matrix, pack_columns, pack_rows};
use super::tile::{COLUMNS, ROWS, Rows, add_product};

/// `kernels · x` for every pixel; `kernels` is a matrix `[out, in]`.
///
/// # Shapes
/// - x: `[batch, in, pixels]`, output: `[batch, out, pixels]`
pub fn pointwise_conv(
    x: &[f32],
    kernels: Matrix<'_>,
    [channels_in, channels_out]: [usize; 2],
    pixels: usize,
) -> Vec<f32> {
    let batch = x.len() / (channels_in * pixels).max(1);
    let mut panels = vec![];
    pack_rows(kernels, 0, channels_out, channels_in, &mut panels);
    let mut out = vec![0.0; batch * channels_out * pixels];
    let samples =
        out.par_chunks_mut((channels_out * pixels).max(1)).zip(x.par_chunks((channels_in * pixels).max(1)));
    samples.for_each_init(Vec::new, |columns, (out, x)| {
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
