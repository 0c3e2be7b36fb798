//! Gradients of convolutions with respect to their kernels: scalar products of images and shifted images.
//!
//! Samples are taken in groups whose size depends on the image alone, and the groups are added in order.

use rayon::prelude::*;

use super::downsampling_conv::Phases;
use super::position_grid::PositionGrid;
use super::tap_conv::source_len;
use super::winograd::ConvShape;
use crate::kernels::dots::{LANES, LEFT, RIGHT, Vectors, add_dots};

const TAPS: usize = 9;
/// Positions of a group of samples, if one sample has fewer.
const POSITIONS_PER_GROUP: usize = 1024;
/// Places of a vector worked on at a time: the six left ones of a tile stay in the first cache.
const PLACES_AT_A_TIME: usize = 768;

/// Of a 3×3 convolution with padding 1: `Σ slope[o, y] · x[i, y + tap]`.
///
/// # Shapes
/// - x: `[batch, in, height, width]`, slope: `[batch, out, height, width]`, output: `[out, in, 3, 3]`
pub fn same_kernel_slope(x: &[f32], slope: &[f32], shape: ConvShape) -> Vec<f32> {
    let ConvShape { channels_in, channels_out, height, width } = shape;
    let pixels = height * width;
    let batch = x.len() / (channels_in * pixels).max(1);
    in_groups(batch, pixels, channels_out * channels_in * TAPS, |first, images| {
        let grid = PositionGrid { images, height, width };
        // One line and one zero before the first pixel: the taps above and left of it.
        let lead = grid.line() + 1;
        let x_len = source_len(grid, 2 * lead);
        let mut of_x = vec![0.0; channels_in * x_len];
        for (channel, to) in of_x.chunks_exact_mut(x_len).enumerate() {
            grid.fill(plane(x, first, channel, channels_in, pixels), &mut to[lead..]);
        }
        // Both lie on the same grid. Where the slope has a zero between rows, pixels of a neighbouring row drop out;
        // where the image has one, it is the padding. So one long scalar product per tap serves all rows of all
        // images.
        let of_slope = LaidOut::new(slope, first, channels_out, grid);
        let taps: [usize; TAPS] = std::array::from_fn(|tap| tap / 3 * grid.line() + tap % 3);
        products(&of_slope, [channels_out, grid.len()], &of_x, [channels_in, x_len], &taps)
    })
}

/// Of the resampling filter followed by a 3×3 convolution of stride 2; `shape` is that of its input.
///
/// # Shapes
/// - x: `[batch, in, height, width]`, slope: `[batch, out, height/2, width/2]`, output: `[out, in, 3, 3]`
pub fn downsampling_kernel_slope(x: &[f32], slope: &[f32], shape: ConvShape) -> Vec<f32> {
    let ConvShape { channels_in, channels_out, height, width } = shape;
    let (in_pixels, pixels) = (height * width, height * width / 4);
    let batch = x.len() / (channels_in * in_pixels).max(1);
    in_groups(batch, pixels, channels_out * channels_in * TAPS, |first, images| {
        let phases = Phases::new(PositionGrid { images, height: height / 2, width: width / 2 });
        let mut of_x = vec![0.0; channels_in * phases.len()];
        for (channel, to) in of_x.chunks_exact_mut(phases.len()).enumerate() {
            phases.fill(plane(x, first, channel, channels_in, in_pixels), to);
        }
        let of_slope = LaidOut::new(slope, first, channels_out, phases.grid);
        // As above, with the filtered image's phases on the right: a tap of stride 2 is a shift there.
        let left = [channels_out, phases.grid.len()];
        products(&of_slope, left, &of_x, [channels_in, phases.len()], &phases.taps())
    })
}

/// Of a 1×1 convolution.
///
/// # Shapes
/// - x: `[batch, in, height, width]`, slope: `[batch, out, height, width]`, output: `[out, in]`
pub fn pointwise_kernel_slope(x: &[f32], slope: &[f32], shape: ConvShape) -> Vec<f32> {
    let ConvShape { channels_in, channels_out, height, width } = shape;
    let pixels = height * width;
    let batch = x.len() / (channels_in * pixels).max(1);
    in_groups(batch, pixels, channels_out * channels_in, |first, images| {
        // Nothing is shifted: an image is one line, and the only tap is 0.
        let grid = PositionGrid { images, height: 1, width: pixels };
        let of_x = LaidOut::new(x, first, channels_in, grid);
        let of_slope = LaidOut::new(slope, first, channels_out, grid);
        products(&of_slope, [channels_out, grid.len()], of_x.vectors(), [channels_in, grid.len()], &[0])
    })
}

/// Of a 1×1 convolution with kernels of every sample's own.
///
/// # Shapes
/// - as [`pointwise_kernel_slope`]; output: `[batch, out, in]`
pub fn sample_kernel_slope(x: &[f32], slope: &[f32], shape: ConvShape) -> Vec<f32> {
    let ConvShape { channels_in, channels_out, height, width } = shape;
    let grid = PositionGrid { images: 1, height: 1, width: height * width };
    let batch = x.len() / (channels_in * grid.width).max(1);
    let of_sample = |sample| {
        let of_x = LaidOut::new(x, sample, channels_in, grid);
        let of_slope = LaidOut::new(slope, sample, channels_out, grid);
        products(&of_slope, [channels_out, grid.len()], of_x.vectors(), [channels_in, grid.len()], &[0])
    };
    let slopes: Vec<Vec<f32>> = (0..batch).into_par_iter().map(of_sample).collect();
    slopes.concat()
}

fn plane<'a>(
    x: &'a [f32],
    first: usize,
    channel: usize,
    channels: usize,
    pixels: usize,
) -> impl Fn(usize) -> &'a [f32] {
    move |image| &x[((first + image) * channels + channel) * pixels..][..pixels]
}

/// `[channels, grid]` from `start` on, which is where a line of the cache begins: whole vectors then lie in one line each.
struct LaidOut {
    values: Vec<f32>,
    start: usize,
}

impl LaidOut {
    /// Images from `first` on.
    fn new(x: &[f32], first: usize, channels: usize, grid: PositionGrid) -> Self {
        let mut values = vec![0.0; channels * grid.len() + LANES];
        // `align_offset` may decline by answering `usize::MAX`; unaligned is slower and not wrong.
        let start = values.as_ptr().align_offset(LANES * size_of::<f32>()).min(LANES);
        for (channel, to) in values[start..].chunks_exact_mut(grid.len()).take(channels).enumerate() {
            grid.fill(plane(x, first, channel, channels, grid.height * grid.width), to);
        }
        Self { values, start }
    }

    fn vectors(&self) -> &[f32] {
        &self.values[self.start..]
    }
}

/// Sum over groups of samples of `group(first, count)`, in order.
fn in_groups(
    batch: usize,
    pixels: usize,
    len: usize,
    group: impl Fn(usize, usize) -> Vec<f32> + Sync,
) -> Vec<f32> {
    // Not by the number of threads: the order of additions, and with it the last digit, must not depend on the machine.
    let size = (POSITIONS_PER_GROUP / pixels.max(1)).max(1);
    let firsts: Vec<usize> = (0..batch).step_by(size).collect();
    let mut total = vec![0.0; len];
    // As many at a time as can run: no more parts than that exist together.
    for firsts in firsts.chunks(rayon::current_num_threads().max(1)) {
        let parts: Vec<Vec<f32>> =
            firsts.par_iter().map(|first| group(*first, size.min(batch - first))).collect();
        for part in parts {
            for (total, part) in total.iter_mut().zip(part) {
                *total += part;
            }
        }
    }
    total
}

/// `Σ left[l, p] · right[r, taps[t] + p]`: `[left, right, taps]`. Left vectors are whole vectors long, zeros at their end.
fn products(
    left: &LaidOut,
    [rows, left_len]: [usize; 2],
    right: &[f32],
    [channels, right_len]: [usize; 2],
    taps: &[usize],
) -> Vec<f32> {
    let left = left.vectors();
    // Right vectors overlap: the nine taps of a channel are nine starts within the same memory.
    let columns: Vec<usize> =
        (0..channels).flat_map(|channel| taps.iter().map(move |tap| channel * right_len + tap)).collect();
    let mut out = vec![0.0; rows * columns.len()];
    out.par_chunks_mut((LEFT * columns.len()).max(1)).enumerate().for_each(|(panel, out)| {
        let count = out.len() / columns.len();
        // Six left stretches of 768 places (18 kB) are read again for every four columns; four right ones beside them
        // make 30 kB.
        for first in (0..left_len).step_by(PLACES_AT_A_TIME) {
            let len = PLACES_AT_A_TIME.min(left_len - first);
            // Beyond the edge the last vector stands in; what comes of it is not read.
            let starts = std::array::from_fn(|r| (panel * LEFT + r.min(count - 1)) * left_len + first);
            let rows = Vectors { values: left, starts };
            for (index, places) in columns.chunks(RIGHT).enumerate() {
                let starts = std::array::from_fn(|c| places[c.min(places.len() - 1)] + first);
                let mut dots = [[0.0; RIGHT]; LEFT];
                add_dots(rows, Vectors { values: right, starts }, len, &mut dots);
                for (dots, out) in dots.iter().zip(out.chunks_exact_mut(columns.len())) {
                    for (dot, out) in dots.iter().zip(&mut out[index * RIGHT..]) {
                        // Added stretch by stretch, in the order of the positions: the sum depends on the sizes
                        // alone.
                        *out += dot;
                    }
                }
            }
        }
    });
    out
}
