//! Convolutions as one product whose right factor is read from where the images lie.

use super::position_grid::PositionGrid;
use crate::kernels::panels::{Matrix, pack_rows};
use crate::kernels::simd::vectorised;
use crate::kernels::tile::{COLUMNS, Places, ROWS, add_scattered_product};

/// Positions worked on at a time: their sums of all channels stay in the second cache.
const POSITIONS_AT_A_TIME: usize = 448;

/// Kernels `[out, depth]` as row panels.
#[derive(Debug)]
pub struct TapKernels {
    panels: Vec<f32>,
    channels_out: usize,
}

impl TapKernels {
    /// Lays out kernels `[out, depth]`, given row by row or column by column.
    pub fn pack(kernels: Matrix<'_>, channels_out: usize, depth: usize) -> Self {
        let mut panels = vec![];
        pack_rows(kernels, 0, channels_out, depth, &mut panels);
        Self { panels, channels_out }
    }

    /// `Σₖ kernels[o, k] · source[places[k] + position]` for every line of the grid: `emit(channel, image, row, sums)`.
    ///
    /// The source holds 64 values beyond the last position of every place.
    pub fn convolve(
        &self,
        source: &[f32],
        places: &Places,
        grid: PositionGrid,
        sums: &mut Vec<f32>,
        mut emit: impl FnMut(usize, usize, usize, &[f32]),
    ) {
        let line = grid.line();
        // Whole lines, so that none is finished in two parts. With 512 channels the sums take 0.9 MB.
        let lines_at_a_time = (POSITIONS_AT_A_TIME / line).max(1);
        let stride = (lines_at_a_time * line).next_multiple_of(COLUMNS);
        sums.resize(self.channels_out.next_multiple_of(ROWS) * stride, 0.0);
        let num_lines = grid.images * (grid.height + 1);
        for first_line in (0..num_lines).step_by(lines_at_a_time) {
            let lines = lines_at_a_time.min(num_lines - first_line);
            for (index, panel) in self.panels.chunks_exact(places.depth() * ROWS).enumerate() {
                for column in (0..lines * line).step_by(COLUMNS) {
                    // Positions between rows and between images are computed like all others and never emitted:
                    // skipping them would cut the tiles, and they are one in `width + 1`.
                    let mut tile = [0.0; ROWS * COLUMNS];
                    add_scattered_product(panel, source, first_line * line + column, places, &mut tile);
                    vectorised(|| {
                        for (r, tile) in tile.as_chunks::<COLUMNS>().0.iter().enumerate() {
                            sums[(index * ROWS + r) * stride + column..][..COLUMNS].copy_from_slice(tile);
                        }
                    });
                }
            }
            for (channel, sums) in sums.chunks_exact(stride).take(self.channels_out).enumerate() {
                for index in first_line..first_line + lines {
                    let (image, row) = (index / (grid.height + 1), index % (grid.height + 1));
                    if row < grid.height {
                        emit(channel, image, row, &sums[(index - first_line) * line..][..grid.width]);
                    }
                }
            }
        }
    }
}

/// Memory that a source needs for a grid and its farthest place.
pub fn source_len(grid: PositionGrid, farthest: usize) -> usize {
    farthest + (grid.images * (grid.height + 1) + 1) * grid.line() + COLUMNS
}
