//! One-dimensional convolutions of 64 channels with kernels of 1 or 3, and their gradients.
//!
//! A signal lies position by position, its channels side by side: then the window of a kernel is one run of memory, every
//! activation is a column panel as it stands, and no product lays anything out anew.

use crate::kernels::tile::{COLUMNS, ROWS, Rows, Tile, add_product};

/// Channels of every signal here.
pub const CHANNELS: usize = COLUMNS;
/// Lines of zeros behind a signal: the reach of the last tile and of a kernel.
const LINES_BEHIND: usize = ROWS + 1;
/// Positions whose lines stay in the first cache while all kernel gradients pass over them.
const POSITIONS_PER_PASS: usize = 48;

/// A signal `[positions, 64]` between lines of zeros.
#[derive(Clone, Debug)]
pub struct Signal {
    values: Vec<f32>,
    positions: usize,
}

impl Signal {
    /// All zeros.
    pub fn zeros(positions: usize) -> Self {
        Self { values: vec![0.0; (1 + positions + LINES_BEHIND) * CHANNELS], positions }
    }

    /// Length.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// The channels of every position.
    pub fn lines(&self) -> &[[f32; CHANNELS]] {
        &self.values.as_chunks::<CHANNELS>().0[1..=self.positions]
    }

    /// The same, to be changed.
    pub fn lines_mut(&mut self) -> &mut [[f32; CHANNELS]] {
        &mut self.values.as_chunks_mut::<CHANNELS>().0[1..=self.positions]
    }

    /// Everything from a position on, zeros included; −1 is the line before the first.
    pub fn from_position(&self, position: isize) -> &[f32] {
        &self.values[(position + 1) as usize * CHANNELS..]
    }
}

/// Calls `finish(position, sums)` with the convolution of every position in order, zeros beyond the ends.
///
/// # Shapes
/// - kernel: `[taps, 64 in, 64 out]`, one or three taps
pub fn convolve(x: &Signal, kernel: &[f32], mut finish: impl FnMut(usize, &[f32; CHANNELS])) {
    // Three taps of 64 channels are one run of 192 values in memory: the convolution is a product of depth 192 whose
    // rows begin 64 apart.
    let reach = (kernel.len() / (CHANNELS * CHANNELS) / 2) as isize;
    for first in (0..x.positions).step_by(ROWS) {
        let window = x.from_position(first as isize - reach);
        let mut tile = [0.0; ROWS * COLUMNS];
        add_product(Rows { values: window, row_stride: CHANNELS, depth_stride: 1 }, kernel, &mut tile);
        let count = ROWS.min(x.positions - first);
        for (r, sums) in tile.as_chunks::<CHANNELS>().0.iter().enumerate().take(count) {
            finish(first + r, sums);
        }
    }
}

/// The gradient of a kernel from the gradient behind the convolution: `[taps, 64 in, 64 out]` is added to.
pub fn add_kernel_gradient(x: &Signal, gradient: &Signal, kernel_gradient: &mut [f32]) {
    let taps = kernel_gradient.len() / (CHANNELS * CHANNELS);
    // `xᵀ · gradient` for each tap, `[64 in, 64 out]` as eleven tiles below one another. 48 lines of gradient (12 kB)
    // stay in the first cache while 33 tiles pass over them.
    let mut tiles = vec![[0.0; ROWS * COLUMNS]; taps * CHANNELS.div_ceil(ROWS)];
    for first in (0..x.positions).step_by(POSITIONS_PER_PASS) {
        let count = POSITIONS_PER_PASS.min(x.positions - first);
        let lines = &gradient.from_position(first as isize)[..count * CHANNELS];
        for (tap, tiles) in tiles.chunks_exact_mut(CHANNELS.div_ceil(ROWS)).enumerate() {
            let window = x.from_position(first as isize + tap as isize - (taps / 2) as isize);
            for (panel, tile) in tiles.iter_mut().enumerate() {
                // The last panel reaches into the next position; those rows are dropped below.
                let rows = Rows { values: &window[panel * ROWS..], row_stride: 1, depth_stride: CHANNELS };
                add_product(rows, lines, tile);
            }
        }
    }
    let per_tap = kernel_gradient.chunks_exact_mut(CHANNELS * CHANNELS);
    for (tiles, out) in tiles.chunks_exact(CHANNELS.div_ceil(ROWS)).zip(per_tap) {
        add_rows(tiles, out);
    }
}

/// Adds the rows of tiles that stand one below the other to `out`, as many as it has.
pub fn add_rows(tiles: &[Tile], out: &mut [f32]) {
    for (out, sum) in out.iter_mut().zip(tiles.as_flattened()) {
        *out += sum;
    }
}

/// The kernel that carries gradients back: taps reversed, inputs and outputs exchanged.
pub fn transposed_kernel(kernel: &[f32]) -> Vec<f32> {
    let taps = kernel.chunks_exact(CHANNELS * CHANNELS).rev();
    taps.flat_map(|tap| (0..CHANNELS * CHANNELS).map(|at| tap[at % CHANNELS * CHANNELS + at / CHANNELS]))
        .collect()
}
