//! 3×3 convolution with padding 1 by Winograd's F(2×2, 3×3): 16 products where the definition has 36.
//!
//! Four by four input values around every 2×2 block of outputs are transformed, channels are mixed by one matrix
//! product per transformed value, and the sums are transformed back (Lavin and Gray 2016, section 4.1). The transforms
//! add and halve only, so rounding stays that of a direct sum.

use rayon::prelude::*;

use super::modulation::{Finish, chunks_by_task};
use crate::kernels::simd::vectorised;
use crate::kernels::tile::{COLUMNS, ROWS, Rows, add_product};

/// Values of a transformed block.
const POINTS: usize = 16;

/// Size of a convolution.
#[derive(Clone, Copy, Debug)]
pub struct ConvShape {
    /// Channels of the input.
    pub channels_in: usize,
    /// Channels of the output.
    pub channels_out: usize,
    /// Rows of the input.
    pub height: usize,
    /// Columns of the input.
    pub width: usize,
}

/// Whether this file can convolve images of this size.
pub fn is_supported(shape: ConvShape) -> bool {
    // A panel of 64 holds whole rows of blocks, or a row fills whole panels: a row that began in one panel and ended
    // in the next could not be written as one run.
    let per_row = shape.width / 2;
    let fits_panels = COLUMNS.is_multiple_of(per_row.max(1)) || per_row.is_multiple_of(COLUMNS);
    shape.height.is_multiple_of(2) && shape.width.is_multiple_of(2) && per_row > 0 && fits_panels
}

/// `finish(conv(x · styles, weight))`, read as cross-correlation.
///
/// # Shapes
/// - x: `[batch, in, height, width]`, weight: `[out, in, 3, 3]`, styles: `[batch, in]`
/// - output: `[batch, out, height, width]`
pub fn modulated_conv3(
    x: &[f32],
    weight: &[f32],
    styles: &[f32],
    finish: Finish<'_>,
    shape: ConvShape,
) -> Vec<f32> {
    let ConvShape { channels_in, channels_out, height, width } = shape;
    let pixels = height * width;
    let batch = styles.len() / channels_in;
    let kernels = transformed_kernels(weight, shape);
    // Tasks are cut by the sizes alone, never by the number of threads.
    // A task is one panel of 64 blocks, or as many as a whole row of blocks asks for, or several small images.
    let blocks_per_image = pixels / 4;
    let images = (COLUMNS / blocks_per_image).clamp(1, batch.max(1));
    let rows = (COLUMNS / (width / 2)).clamp(1, height / 2);
    // All tasks of an image are of one size, as `chunks_by_task` hands them out.
    let rows = if (height / 2).is_multiple_of(rows) { rows } else { 1 };
    let tasks = height / 2 / rows;
    let mut out = vec![0.0; batch * channels_out * pixels];
    let mut by_task = chunks_by_task(&mut out, channels_out, tasks, 2 * rows * width);
    // Several images only where one is a single task.
    let by_group = by_task.par_chunks_mut(images).enumerate();
    by_group.for_each_init(Buffers::default, |buffers, (index, group)| {
        let blocks_per_task = rows * width / 2;
        let panels = (group.len() * blocks_per_task).div_ceil(COLUMNS);
        buffers.blocks.resize(POINTS * point_stride(panels, channels_in), 0.0);
        for image in 0..group.len() {
            let (sample, task) = ((index * images + image) / tasks, (index * images + image) % tasks);
            let x = &x[sample * channels_in * pixels..][..channels_in * pixels];
            let styles = &styles[sample * channels_in..][..channels_in];
            for (channel, (x, style)) in x.chunks_exact(pixels).zip(styles).enumerate() {
                for row in 0..rows {
                    let first = image * blocks_per_task + row * (width / 2);
                    let place = BlockRow { row: task * rows + row, first, channel };
                    transform_input(x, *style, place, shape, panels, &mut buffers.blocks);
                }
            }
        }
        // The only step whose cost grows with in × out: 16 products `[out, in] · [in, 64 blocks]`, where the direct
        // sum has 36.
        mix_channels(&kernels, &buffers.blocks, shape, panels, &mut buffers.mixed);
        for (image, chunks) in group.iter_mut().enumerate() {
            let (sample, task) = ((index * images + image) / tasks, (index * images + image) % tasks);
            for (channel, chunk) in chunks.iter_mut().enumerate() {
                for (row, chunk) in chunk.chunks_exact_mut(2 * width).enumerate() {
                    let mixed = &buffers.mixed[channel * panels * POINTS * COLUMNS..];
                    transform_output(mixed, image * blocks_per_task + row * (width / 2), chunk);
                }
                finish.apply(sample, channel, task * 2 * rows * width, pixels, chunk);
            }
        }
    });
    out
}

#[derive(Default)]
struct Buffers {
    /// `[16, panels, in, 64]`, the first axis [`point_stride`] apart.
    blocks: Vec<f32>,
    /// `[out, panels, 16, 64]`
    mixed: Vec<f32>,
}

/// One panel line more than the values need: without it all 16 places of a block would fall into one set of the cache.
fn point_stride(panels: usize, channels_in: usize) -> usize {
    (panels * channels_in + 1) * COLUMNS
}

/// `G g Gᵀ` of every kernel, as row panels `[16, ⌈out/6⌉, in, 6]`.
fn transformed_kernels(weight: &[f32], shape: ConvShape) -> Vec<Vec<f32>> {
    let ConvShape { channels_in, channels_out, .. } = shape;
    let (kernels, _) = weight.as_chunks::<9>();
    // By panel first: [⌈out/6⌉][16, in, 6].
    (0..channels_out.div_ceil(ROWS))
        .into_par_iter()
        .map(|panel| {
            let mut out = vec![0.0; POINTS * channels_in * ROWS];
            for r in 0..ROWS.min(channels_out - panel * ROWS) {
                let kernels = &kernels[(panel * ROWS + r) * channels_in..][..channels_in];
                for (channel, kernel) in kernels.iter().enumerate() {
                    for (point, value) in transform_kernel(kernel).into_iter().enumerate() {
                        out[(point * channels_in + channel) * ROWS + r] = value;
                    }
                }
            }
            out
        })
        .collect()
}

#[inline(always)]
fn transform_kernel(g: &[f32; 9]) -> [f32; POINTS] {
    // G = [1 0 0; ½ ½ ½; ½ −½ ½; 0 0 1], along columns and then along rows.
    let line = |a: f32, b: f32, c: f32| [a, 0.5 * (a + b + c), 0.5 * (a - b + c), c];
    let columns = [line(g[0], g[3], g[6]), line(g[1], g[4], g[7]), line(g[2], g[5], g[8])];
    let mut out = [0.0; POINTS];
    for (row, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        *out = line(columns[0][row], columns[1][row], columns[2][row]);
    }
    out
}

/// Where a row of blocks is read and written.
#[derive(Clone, Copy)]
struct BlockRow {
    /// Row of blocks in the image.
    row: usize,
    /// Its first block within the task.
    first: usize,
    channel: usize,
}

/// `Bᵀ d B` of a row of blocks of one channel, times its style, into `[16, panels, in, 64]`.
fn transform_input(
    x: &[f32],
    style: f32,
    place: BlockRow,
    shape: ConvShape,
    panels: usize,
    blocks: &mut [f32],
) {
    let ConvShape { channels_in, height, width, .. } = shape;
    // Rows above and below the image are read from zeros, so that the loops below have no branches.
    let zeros = [0.0; COLUMNS * 2];
    // Panel by panel: 64 blocks need 130 columns of four rows, the outermost perhaps beyond the image.
    for start in (0..width / 2).step_by(COLUMNS) {
        let count = COLUMNS.min(width / 2 - start);
        let lines: [&[f32]; 4] =
            std::array::from_fn(|line| match (2 * place.row + line).checked_sub(1).filter(|y| *y < height) {
                Some(y) => &x[y * width + 2 * start..][..2 * count],
                None => &zeros[..2 * count],
            });
        // The columns left and right of these.
        let beside = |line: usize, column: Option<usize>| {
            let y = (2 * place.row + line).checked_sub(1).filter(|y| *y < height);
            y.zip(column.filter(|column| *column < width)).map_or(0.0, |(y, column)| x[y * width + column])
        };
        let left: [f32; 4] = std::array::from_fn(|line| beside(line, (2 * start).checked_sub(1)));
        let right: [f32; 4] = std::array::from_fn(|line| beside(line, Some(2 * (start + count))));
        let block = place.first + start;
        let (panel, lane) = (block / COLUMNS, block % COLUMNS);
        vectorised(|| {
            // Bᵀ = [1 0 −1 0; 0 1 1 0; 0 −1 1 0; 0 1 0 −1], along columns first.
            let vertical = |line: &dyn Fn(usize) -> f32| {
                [line(0) - line(2), line(1) + line(2), line(2) - line(1), line(1) - line(3)]
            };
            let (left, right) = (vertical(&|line| left[line]), vertical(&|line| right[line]));
            for (point_row, (left, right)) in left.into_iter().zip(right).enumerate() {
                // Columns of the blocks: first and third stand at odd places, second and fourth at even ones.
                let mut odd = [0.0; COLUMNS + 1];
                let mut even = [0.0; COLUMNS + 1];
                // Every row of Bᵀ has two entries that are not zero: two lines, added or subtracted.
                let (a, b, sign): (usize, usize, f32) =
                    [(0, 2, -1.0), (1, 2, 1.0), (2, 1, -1.0), (1, 3, -1.0)][point_row];
                let (a, b) = (lines[a].as_chunks::<2>().0, lines[b].as_chunks::<2>().0);
                for i in 0..count {
                    even[i] = style * (a[i][0] + sign * b[i][0]);
                    odd[i + 1] = style * (a[i][1] + sign * b[i][1]);
                }
                odd[0] = style * left;
                even[count] = style * right;
                for point_column in 0..4 {
                    let point = 4 * point_row + point_column;
                    // The style is constant over a channel, and the transform is linear: scaling its values is
                    // scaling the image.
                    let line = panel * channels_in + place.channel;
                    let at = point * point_stride(panels, channels_in) + line * COLUMNS + lane;
                    let out = &mut blocks[at..at + count];
                    match point_column {
                        0 => (0..count).for_each(|i| out[i] = odd[i] - odd[i + 1]),
                        1 => (0..count).for_each(|i| out[i] = even[i] + odd[i + 1]),
                        2 => (0..count).for_each(|i| out[i] = odd[i + 1] - even[i]),
                        _ => (0..count).for_each(|i| out[i] = even[i] - even[i + 1]),
                    }
                }
            }
        });
    }
}

/// One product per transformed value: `[out, in] · [in, blocks]`, into `[out, panels, 16, 64]`.
fn mix_channels(kernels: &[Vec<f32>], blocks: &[f32], shape: ConvShape, panels: usize, mixed: &mut Vec<f32>) {
    let ConvShape { channels_in, channels_out, .. } = shape;
    mixed.resize(POINTS * channels_out * panels * COLUMNS, 0.0);
    for index in 0..POINTS * panels {
        let (point, panel) = (index / panels, index % panels);
        let start = point * point_stride(panels, channels_in) + panel * channels_in * COLUMNS;
        let column_panel = &blocks[start..][..channels_in * COLUMNS];
        for (row_panel, kernels) in kernels.iter().enumerate() {
            let rows = &kernels[point * channels_in * ROWS..][..channels_in * ROWS];
            let mut tile = [0.0; ROWS * COLUMNS];
            add_product(Rows::packed(rows), column_panel, &mut tile);
            vectorised(|| {
                for (r, sums) in tile.as_chunks::<COLUMNS>().0.iter().enumerate() {
                    let channel = row_panel * ROWS + r;
                    if channel < channels_out {
                        let at = ((channel * panels + panel) * POINTS + point) * COLUMNS;
                        mixed[at..at + COLUMNS].copy_from_slice(sums);
                    }
                }
            });
        }
    }
}

/// `Aᵀ m A` of a row of blocks of one channel, from block `first` on: two rows of the output.
fn transform_output(mixed: &[f32], first: usize, out: &mut [f32]) {
    let width = out.len() / 2;
    let (upper, lower) = out.split_at_mut(width);
    for start in (0..width / 2).step_by(COLUMNS) {
        let count = COLUMNS.min(width / 2 - start);
        let (panel, lane) = ((first + start) / COLUMNS, (first + start) % COLUMNS);
        let m: [&[f32]; POINTS] =
            std::array::from_fn(|point| &mixed[(panel * POINTS + point) * COLUMNS + lane..][..count]);
        let upper = &mut upper[2 * start..2 * (start + count)];
        let lower = &mut lower[2 * start..2 * (start + count)];
        vectorised(|| {
            // Aᵀ = [1 1 1 0; 0 1 −1 −1].
            let (upper, lower) = (upper.as_chunks_mut::<2>().0, lower.as_chunks_mut::<2>().0);
            for i in 0..count {
                let column = |c: usize| {
                    let [a, b, c, d] = [m[c][i], m[4 + c][i], m[8 + c][i], m[12 + c][i]];
                    (a + b + c, b - c - d)
                };
                let [a, b, c, d] = [column(0), column(1), column(2), column(3)];
                upper[i] = [a.0 + b.0 + c.0, b.0 - c.0 - d.0];
                lower[i] = [a.1 + b.1 + c.1, b.1 - c.1 - d.1];
            }
        });
    }
}
