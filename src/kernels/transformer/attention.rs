//! Scaled dot-product attention of one sequence at a time.

use rayon::prelude::*;

use crate::kernels::exponential::exp;
use crate::kernels::panels::{Matrix, pack_columns, pack_rows};
use crate::kernels::simd::vectorised;
use crate::kernels::sum::sum;
use crate::kernels::tile::{COLUMNS, ROWS, Rows, add_product};

/// Sizes of an attention layer.
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape {
    /// Tokens of a sequence.
    pub tokens: usize,
    /// Heads times width of a head.
    pub width: usize,
    /// Heads.
    pub heads: usize,
}

/// `softmax(queries · keysᵀ + mask) · values` for every head, heads side by side. Queries come scaled.
///
/// # Shapes
/// - query_key_value: `[batch, tokens, 3·width]`
/// - mask: `[tokens, tokens]`
/// - out: `[batch, tokens, width]`
pub fn attention(query_key_value: &[f32], mask: Option<&[f32]>, shape: AttentionShape, out: &mut [f32]) {
    let AttentionShape { tokens, width, heads } = shape;
    let head_width = width / heads;
    let sequences = query_key_value.par_chunks_exact(tokens * 3 * width);
    sequences.zip(out.par_chunks_exact_mut(tokens * width)).for_each(|(sequence, out)| {
        let mut scores = vec![0.0; tokens * tokens];
        let mut scratch = Scratch::default();
        for head in 0..heads {
            // A token's row is queries, keys, values, each `heads · head_width` wide; a head is a column range of it,
            // read at stride 3·width.
            let part = |index: usize| &sequence[index * width + head * head_width..];
            let queries = Matrix::row_major(part(0), 3 * width);
            let keys = Matrix::transposed(part(1), 3 * width);
            let values = Matrix::row_major(part(2), 3 * width);
            scratch.product(queries, keys, [tokens, head_width, tokens], &mut scores, tokens);
            for (row, scores) in scores.chunks_exact_mut(tokens).enumerate() {
                softmax(scores, mask.map(|mask| &mask[row * tokens..][..tokens]));
            }
            let weights = Matrix::row_major(&scores, tokens);
            let out = &mut out[head * head_width..];
            scratch.product(weights, values, [tokens, tokens, head_width], out, width);
        }
    });
}

fn softmax(scores: &mut [f32], mask: Option<&[f32]>) {
    vectorised(|| {
        if let Some(mask) = mask {
            for (score, mask) in scores.iter_mut().zip(mask) {
                *score += mask;
            }
        }
        // Less the largest score: the exponents are at most 0, so nothing overflows and the largest weight is exactly
        // 1 before scaling.
        let largest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for score in scores.iter_mut() {
            *score = exp(*score - largest);
        }
        let scale = 1.0 / sum(scores, |score| score);
        for score in scores.iter_mut() {
            *score *= scale;
        }
    });
}

/// Panels of a small product, kept between heads.
#[derive(Default)]
struct Scratch {
    rows: Vec<f32>,
    columns: Vec<f32>,
}

impl Scratch {
    /// A product on one thread; the result has `stride` elements from row to row.
    fn product(
        &mut self,
        a: Matrix<'_>,
        b: Matrix<'_>,
        [m, depth, n]: [usize; 3],
        out: &mut [f32],
        stride: usize,
    ) {
        pack_rows(a, 0, m, depth, &mut self.rows);
        self.columns.resize(depth * COLUMNS, 0.0);
        for column in (0..n).step_by(COLUMNS) {
            let count = COLUMNS.min(n - column);
            pack_columns(b, column, count, &mut self.columns);
            for (index, panel) in self.rows.chunks_exact(depth * ROWS).enumerate() {
                let mut tile = [0.0; ROWS * COLUMNS];
                add_product(Rows::packed(panel), &self.columns, &mut tile);
                for (r, sums) in tile.as_chunks::<COLUMNS>().0.iter().enumerate().take(m - index * ROWS) {
                    let start = (index * ROWS + r) * stride + column;
                    out[start..start + count].copy_from_slice(&sums[..count]);
                }
            }
        }
    }
}
