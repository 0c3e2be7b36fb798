//! The head of the mapper: channels lifted to the coordinates of the embedding, then one perceptron over positions for
//! every coordinate.
//!
//! The lifted signal is eight times as large as what it comes from, so it never leaves the second cache: it is made, used
//! and dropped a few positions at a time, and made once more for the gradients.

use super::signal_conv::{CHANNELS, Signal, add_rows};
use crate::kernels::panels::{Matrix, pack_rows};
use crate::kernels::simd::vectorised;
use crate::kernels::sum::sum;
use crate::kernels::tile::{COLUMNS, ROWS, Rows, add_product};

/// Positions of the lifted signal at a time.
const POSITIONS_PER_PASS: usize = 96;
/// Tiles that stand below one another in 64 rows.
const TILES_PER_BLOCK: usize = COLUMNS.div_ceil(ROWS);

/// Weights of the head, laid out for both directions.
#[derive(Debug)]
pub struct HeadWeights {
    /// `[embed/64, 64 in, 64]`
    lift: Vec<f32>,
    /// `[embed, 64 in]`, as stored.
    lift_rows: Vec<f32>,
    lift_bias: Vec<f32>,
    /// `[fc, positions]` and rows of zeros up to a whole tile.
    hidden: Vec<f32>,
    /// The same by position: `[⌈positions/6⌉, fc, 6]`.
    hidden_by_position: Vec<f32>,
    hidden_bias: Vec<f32>,
    output: Vec<f32>,
    output_bias: f32,
    positions: usize,
}

/// Gradients of the head, in the layout of the weights as stored, but `hidden` by position: `[positions, fc]`.
#[derive(Clone, Debug)]
pub struct HeadGradients {
    /// `[embed, 64 in]`
    pub lift: Vec<f32>,
    /// `[embed]`
    pub lift_bias: Vec<f32>,
    /// `[positions, fc]`
    pub hidden: Vec<f32>,
    /// `[fc]`
    pub hidden_bias: Vec<f32>,
    /// `[fc]`
    pub output: Vec<f32>,
    /// Of the one bias behind all positions.
    pub output_bias: f32,
}

impl HeadWeights {
    /// Lays out stored weights.
    ///
    /// # Shapes
    /// - lift: `[embed, 64]`, hidden: `[fc, positions]`, output: `[fc]`; embed and fc multiples of 64
    pub fn new(
        [lift, lift_bias]: [&[f32]; 2],
        [hidden, hidden_bias]: [&[f32]; 2],
        [output, output_bias]: [&[f32]; 2],
    ) -> Self {
        let (embed, fc) = (lift_bias.len(), hidden_bias.len());
        let positions = hidden.len() / fc;
        // The lift's rows become columns: `[embed, 64]` to blocks of `[64 in, 64 out]`, which the tile reads as
        // column panels.
        let lift_by_input = (0..embed / COLUMNS).flat_map(|block| {
            (0..CHANNELS * COLUMNS)
                .map(move |at| lift[(block * COLUMNS + at % COLUMNS) * CHANNELS + at / COLUMNS])
        });
        let mut padded = hidden.to_vec();
        // The last tile reads six rows even where `fc` is no multiple of six (128 is not).
        padded.resize(fc.next_multiple_of(ROWS) * positions, 0.0);
        let mut hidden_by_position = vec![];
        pack_rows(Matrix::transposed(hidden, positions), 0, positions, fc, &mut hidden_by_position);
        Self {
            lift: lift_by_input.collect(),
            lift_rows: lift.to_vec(),
            lift_bias: lift_bias.to_vec(),
            hidden: padded,
            hidden_by_position,
            hidden_bias: hidden_bias.to_vec(),
            output: output.to_vec(),
            output_bias: output_bias[0],
            positions,
        }
    }

    fn blocks(&self) -> usize {
        self.lift_bias.len() / COLUMNS
    }

    fn fc(&self) -> usize {
        self.hidden_bias.len()
    }

    /// Gradients of zero.
    pub fn zero_gradients(&self) -> HeadGradients {
        let (embed, fc) = (self.lift_bias.len(), self.fc());
        HeadGradients {
            lift: vec![0.0; embed * CHANNELS],
            lift_bias: vec![0.0; embed],
            hidden: vec![0.0; self.positions * fc],
            hidden_bias: vec![0.0; fc],
            output: vec![0.0; fc],
            output_bias: 0.0,
        }
    }

    /// `relu(lift · x + bias)` of the positions `first..first + count`: `[embed/64, count, 64]`, blocks [`lifted_stride`]
    /// apart.
    fn lifted(&self, x: &Signal, first: usize, count: usize, out: &mut [f32]) {
        for (block, out) in out.chunks_exact_mut(lifted_stride()).enumerate() {
            let kernel = &self.lift[block * CHANNELS * COLUMNS..][..CHANNELS * COLUMNS];
            let bias = &self.lift_bias[block * COLUMNS..][..COLUMNS];
            // The last tile may reach past `count`: it reads zeros behind the signal, and its surplus rows are not
            // stored.
            for r in (0..count).step_by(ROWS) {
                let rows = Rows {
                    values: x.from_position((first + r) as isize),
                    row_stride: CHANNELS,
                    depth_stride: 1,
                };
                let mut tile = [0.0; ROWS * COLUMNS];
                add_product(rows, kernel, &mut tile);
                let out = &mut out[r * COLUMNS..(r + ROWS).min(count) * COLUMNS];
                vectorised(|| {
                    for (out, sums) in
                        out.as_chunks_mut::<COLUMNS>().0.iter_mut().zip(tile.as_chunks::<COLUMNS>().0)
                    {
                        for ((out, sum), bias) in out.iter_mut().zip(sums).zip(bias) {
                            *out = relu(sum + bias);
                        }
                    }
                });
            }
        }
    }

    /// The embedding of a signal, and the hidden units `[embed/64, fc, 64]` that the gradients need.
    pub fn forward(&self, x: &Signal) -> (Vec<f32>, Vec<f32>) {
        let fc = self.fc();
        let panels = fc.div_ceil(ROWS);
        // `[embed/64, ⌈fc/6⌉]` tiles of sums: 176 tiles, 270 kB for the paper's mapper, while the lifted signal
        // itself would be 16 MB.
        let mut tiles = vec![[0.0; ROWS * COLUMNS]; self.blocks() * panels];
        let mut lifted = vec![0.0; self.blocks() * lifted_stride()];
        for first in (0..self.positions).step_by(POSITIONS_PER_PASS) {
            let count = POSITIONS_PER_PASS.min(self.positions - first);
            self.lifted(x, first, count, &mut lifted);
            // The tiles go on adding from pass to pass: the sum over all positions, in their order.
            for (lifted, tiles) in lifted.chunks_exact(lifted_stride()).zip(tiles.chunks_exact_mut(panels)) {
                for (panel, tile) in tiles.iter_mut().enumerate() {
                    let rows = Rows {
                        values: &self.hidden[panel * ROWS * self.positions + first..],
                        row_stride: self.positions,
                        depth_stride: 1,
                    };
                    add_product(rows, &lifted[..count * COLUMNS], tile);
                }
            }
        }
        let mut hidden = Vec::with_capacity(self.blocks() * fc * COLUMNS);
        let mut embedding = Vec::with_capacity(self.lift_bias.len());
        for tiles in tiles.chunks_exact(panels) {
            let mut coordinates = [self.output_bias; COLUMNS];
            let lines = tiles.as_flattened().as_chunks::<COLUMNS>().0;
            for ((sums, bias), weight) in lines.iter().zip(&self.hidden_bias).zip(&self.output) {
                let line = sums.map(|sum| relu(sum + bias));
                for (coordinate, unit) in coordinates.iter_mut().zip(&line) {
                    *coordinate += weight * unit;
                }
                hidden.extend_from_slice(&line);
            }
            embedding.extend_from_slice(&coordinates);
        }
        (embedding, hidden)
    }

    /// Gradients of one signal: those of the weights are added to `sums`, that of the signal is returned.
    ///
    /// # Shapes
    /// - hidden: as [`HeadWeights::forward`] returns it, gradient: `[embed]`
    pub fn backward(&self, x: &Signal, hidden: &[f32], gradient: &[f32], sums: &mut HeadGradients) -> Signal {
        // What does not depend on the position comes first, the rest position by position with the lifted signal made
        // anew.
        let units = self.unit_gradients(hidden, gradient, sums);
        let by_coordinate = coordinate_panels(&units, self.fc());
        let mut lift_tiles = vec![[0.0; ROWS * COLUMNS]; self.blocks() * TILES_PER_BLOCK];
        let mut lifted = vec![0.0; self.blocks() * lifted_stride()];
        let mut lifted_gradient = vec![0.0; self.blocks() * lifted_stride()];
        let mut x_gradient = Signal::zeros(self.positions);
        for first in (0..self.positions).step_by(POSITIONS_PER_PASS) {
            let count = POSITIONS_PER_PASS.min(self.positions - first);
            self.lifted(x, first, count, &mut lifted);
            self.add_hidden_gradient(&lifted, &by_coordinate, first, count, &mut sums.hidden);
            self.lifted_gradient(&lifted, &units, first, count, &mut lifted_gradient);
            let lines = &x.from_position(first as isize)[..count * CHANNELS];
            for (block, gradients) in lifted_gradient.chunks_exact(lifted_stride()).enumerate() {
                let bias = &mut sums.lift_bias[block * COLUMNS..][..COLUMNS];
                add_lines(&gradients[..count * COLUMNS], bias);
                // `gradientᵀ · x`: reading columns of the lifted gradient as rows (`row_stride` 1) spares a
                // transposition.
                let tiles = &mut lift_tiles[block * TILES_PER_BLOCK..][..TILES_PER_BLOCK];
                for (panel, tile) in tiles.iter_mut().enumerate() {
                    let values = &gradients[panel * ROWS..];
                    add_product(Rows { values, row_stride: 1, depth_stride: COLUMNS }, lines, tile);
                }
            }
            self.signal_gradient(&lifted_gradient, first, count, &mut x_gradient);
        }
        let per_block = sums.lift.chunks_exact_mut(COLUMNS * CHANNELS);
        for (tiles, out) in lift_tiles.chunks_exact(TILES_PER_BLOCK).zip(per_block) {
            add_rows(tiles, out);
        }
        x_gradient
    }

    /// Gradient before the hidden units: `[embed/64, fc, 64]`; those of their bias and of the output layer are added.
    fn unit_gradients(&self, hidden: &[f32], gradient: &[f32], sums: &mut HeadGradients) -> Vec<f32> {
        let fc = self.fc();
        sums.output_bias += sum(gradient, |g| g);
        let mut units = vec![0.0; hidden.len()];
        let blocks = hidden.chunks_exact(fc * COLUMNS).zip(units.chunks_exact_mut(fc * COLUMNS));
        for ((hidden, units), gradient) in blocks.zip(gradient.chunks_exact(COLUMNS)) {
            let lines = hidden.chunks_exact(COLUMNS).zip(units.chunks_exact_mut(COLUMNS));
            for (unit, (hidden, out)) in lines.enumerate() {
                let weight = self.output[unit];
                let (mut of_output, mut of_bias) = (0.0, 0.0);
                for ((hidden, out), gradient) in hidden.iter().zip(out).zip(gradient) {
                    *out = if *hidden > 0.0 { gradient * weight } else { 0.0 };
                    of_output += gradient * hidden;
                    of_bias += *out;
                }
                sums.output[unit] += of_output;
                sums.hidden_bias[unit] += of_bias;
            }
        }
        units
    }

    fn add_hidden_gradient(
        &self,
        lifted: &[f32],
        by_coordinate: &[f32],
        first: usize,
        count: usize,
        sums: &mut [f32],
    ) {
        let (fc, embed) = (self.fc(), self.lift_bias.len());
        for (block, panel) in by_coordinate.chunks_exact(embed * COLUMNS).enumerate() {
            for r in (0..count).step_by(ROWS) {
                let mut tile = [0.0; ROWS * COLUMNS];
                let lifted = lifted.chunks_exact(lifted_stride());
                for (lifted, panel) in lifted.zip(panel.chunks_exact(COLUMNS * COLUMNS)) {
                    let values = &lifted[r * COLUMNS..];
                    add_product(Rows { values, row_stride: COLUMNS, depth_stride: 1 }, panel, &mut tile);
                }
                for (r, line) in (r..count).zip(tile.as_chunks::<COLUMNS>().0) {
                    let out = &mut sums[(first + r) * fc + block * COLUMNS..][..COLUMNS];
                    out.iter_mut().zip(line).for_each(|(out, sum)| *out += sum);
                }
            }
        }
    }

    fn lifted_gradient(&self, lifted: &[f32], units: &[f32], first: usize, count: usize, out: &mut [f32]) {
        let fc = self.fc();
        for r in (0..count).step_by(ROWS) {
            let rows = &self.hidden_by_position[(first + r) / ROWS * fc * ROWS..][..fc * ROWS];
            for (block, units) in units.chunks_exact(fc * COLUMNS).enumerate() {
                let mut tile = [0.0; ROWS * COLUMNS];
                add_product(Rows::packed(rows), units, &mut tile);
                let at = block * lifted_stride() + r * COLUMNS;
                let len = (ROWS * COLUMNS).min((count - r) * COLUMNS);
                let (out, lifted) = (&mut out[at..at + len], &lifted[at..at + len]);
                vectorised(|| {
                    for ((out, lifted), sum) in out.iter_mut().zip(lifted).zip(&tile) {
                        *out = if *lifted > 0.0 { *sum } else { 0.0 };
                    }
                });
            }
        }
    }

    fn signal_gradient(&self, lifted_gradient: &[f32], first: usize, count: usize, out: &mut Signal) {
        let lines = &mut out.lines_mut()[first..first + count];
        for (index, lines) in lines.chunks_mut(ROWS).enumerate() {
            let mut tile = [0.0; ROWS * COLUMNS];
            let kernels = self.lift_rows.chunks_exact(COLUMNS * CHANNELS);
            for (gradients, kernel) in lifted_gradient.chunks_exact(lifted_stride()).zip(kernels) {
                let values = &gradients[index * ROWS * COLUMNS..];
                add_product(Rows { values, row_stride: COLUMNS, depth_stride: 1 }, kernel, &mut tile);
            }
            lines.iter_mut().zip(tile.as_chunks::<CHANNELS>().0).for_each(|(line, sums)| *line = *sums);
        }
    }
}

/// Values from block to block of the lifted signal; the last tile may reach over the end.
const fn lifted_stride() -> usize {
    (POSITIONS_PER_PASS + 1) * COLUMNS
}

/// `[embed/64, fc, 64]` to `[fc/64, embed, 64]`.
fn coordinate_panels(units: &[f32], fc: usize) -> Vec<f32> {
    let mut out = vec![0.0; units.len()];
    let embed = units.len() / fc;
    for (block, units) in units.chunks_exact(fc * COLUMNS).enumerate() {
        for (unit, line) in units.chunks_exact(COLUMNS).enumerate() {
            let start = (unit / COLUMNS * embed + block * COLUMNS) * COLUMNS + unit % COLUMNS;
            for (coordinate, value) in line.iter().enumerate() {
                out[start + coordinate * COLUMNS] = *value;
            }
        }
    }
    out
}

/// Adds every line of 64 to `sums`.
pub fn add_lines(lines: &[f32], sums: &mut [f32]) {
    for line in lines.as_chunks::<COLUMNS>().0 {
        sums.iter_mut().zip(line).for_each(|(sum, value)| *sum += value);
    }
}

/// `max(x, 0)`; what is not a number stays so.
#[inline(always)]
pub fn relu(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}
