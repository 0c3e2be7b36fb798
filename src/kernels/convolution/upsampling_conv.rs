//! Transposed 3×3 convolution of stride 2 followed by the resampling filter `[1, 3, 3, 1]`: twice the size.
//!
//! One matrix product gives every tap of every position. The filter then works on the four phases of the stuffed image
//! (even and odd rows, even and odd columns), which is never put together.

use rayon::prelude::*;

use super::modulation::Finish;
use super::winograd::ConvShape;
use crate::kernels::panels::{Matrix, pack_columns};
use crate::kernels::simd::vectorised;
use crate::kernels::tile::{COLUMNS, ROWS, Rows, add_product};

const TAPS: usize = 9;
/// Output channels of a task: 36 rows, whole tiles.
const CHANNELS_PER_TASK: usize = 4;
/// The filter of one axis with the gain 2 that stuffing asks for.
const FILTER: [f32; 4] = [0.25, 0.75, 0.75, 0.25];

/// `finish(upsampled conv(x · styles, weight))`, read as convolution.
///
/// # Shapes
/// - x: `[batch, in, height, width]`, weight: `[out, in, 3, 3]`, styles: `[batch, in]`
/// - output: `[batch, out, 2·height, 2·width]`
pub fn modulated_upsampling_conv3(
    x: &[f32],
    weight: &[f32],
    styles: &[f32],
    finish: Finish<'_>,
    shape: ConvShape,
) -> Vec<f32> {
    let ConvShape { channels_in, channels_out, height, width } = shape;
    let (pixels, batch) = (height * width, styles.len() / channels_in);
    let kernels = tap_rows(weight, channels_in, channels_out);
    // A smaller image would leave most columns of its panel empty.
    if 2 * pixels <= COLUMNS {
        return small_images(x, &kernels, styles, finish, shape);
    }
    // Convolving the image stuffed with zeros would multiply by zero three times out of four. Each pixel is
    // multiplied by all nine taps once instead, and the products are added up where they fall.
    let mut out = vec![0.0; batch * channels_out * 4 * pixels];
    let mut panels = vec![0.0; pixels.div_ceil(COLUMNS) * channels_in * COLUMNS];
    let images = x.chunks_exact(channels_in * pixels).zip(out.chunks_exact_mut(channels_out * 4 * pixels));
    for (sample, (x, out)) in images.enumerate() {
        let styles = &styles[sample * channels_in..][..channels_in];
        pack_scaled(x, styles, pixels, &mut panels);
        let tasks = out.par_chunks_mut(CHANNELS_PER_TASK * 4 * pixels).enumerate();
        tasks.for_each_init(Vec::new, |taps, (task, out)| {
            taps.resize(CHANNELS_PER_TASK * TAPS * pixels, 0.0);
            multiply_taps(&kernels[task], &panels, channels_in, pixels, taps);
            let planes = taps.chunks_exact(TAPS * pixels).zip(out.chunks_exact_mut(4 * pixels));
            for (index, (taps, out)) in planes.enumerate() {
                let phases = Phases::gather(taps, pixels, height, width);
                phases.filter(out);
                finish.apply(sample, task * CHANNELS_PER_TASK + index, 0, 4 * pixels, out);
            }
        });
    }
    out
}

/// The same with as many images as fill one column panel.
fn small_images(
    x: &[f32],
    kernels: &[Vec<f32>],
    styles: &[f32],
    finish: Finish<'_>,
    shape: ConvShape,
) -> Vec<f32> {
    let ConvShape { channels_in, channels_out, height, width } = shape;
    let (pixels, batch) = (height * width, styles.len() / channels_in);
    // 16 images of 2 × 2, or 4 of 4 × 4, side by side in one panel.
    let group = COLUMNS / pixels;
    let mut out = vec![0.0; batch * channels_out * 4 * pixels];
    let groups = out.par_chunks_mut(group * channels_out * 4 * pixels).enumerate();
    groups.for_each(|(index, out)| {
        let (first, images) = (index * group, out.len() / (channels_out * 4 * pixels));
        // The last group may be smaller; its columns beyond are zeros in the panel and not read back.
        let columns = images * pixels;
        let mut panel = vec![0.0; channels_in * COLUMNS];
        for (channel, panel) in panel.as_chunks_mut::<COLUMNS>().0.iter_mut().enumerate() {
            for (image, panel) in panel.chunks_exact_mut(pixels).take(images).enumerate() {
                let at = (first + image) * channels_in + channel;
                for (to, from) in panel.iter_mut().zip(&x[at * pixels..][..pixels]) {
                    *to = from * styles[at];
                }
            }
        }
        let mut taps = vec![0.0; CHANNELS_PER_TASK * TAPS * columns];
        for (task, kernels) in kernels.iter().enumerate() {
            multiply_taps(kernels, &panel, channels_in, columns, &mut taps);
            let first_channel = task * CHANNELS_PER_TASK;
            let channels = CHANNELS_PER_TASK.min(channels_out - first_channel);
            for (taps, channel) in taps.chunks_exact(TAPS * columns).zip(first_channel..).take(channels) {
                for image in 0..images {
                    let phases = Phases::gather(&taps[image * pixels..], columns, height, width);
                    let out = &mut out[(image * channels_out + channel) * 4 * pixels..][..4 * pixels];
                    phases.filter(out);
                    finish.apply(first + image, channel, 0, 4 * pixels, out);
                }
            }
        }
    });
    out
}

/// Kernels as row panels, one set per task; rows are (channel, tap).
fn tap_rows(weight: &[f32], channels_in: usize, channels_out: usize) -> Vec<Vec<f32>> {
    let kernel_len = channels_in * TAPS;
    (0..channels_out.div_ceil(CHANNELS_PER_TASK))
        .into_par_iter()
        .map(|task| {
            let mut panels = vec![0.0; CHANNELS_PER_TASK * kernel_len];
            let first = task * CHANNELS_PER_TASK;
            let count = CHANNELS_PER_TASK.min(channels_out - first);
            let kernels = weight[first * kernel_len..][..count * kernel_len].chunks_exact(kernel_len);
            for (index, kernels) in kernels.enumerate() {
                for (channel, kernel) in kernels.chunks_exact(TAPS).enumerate() {
                    for (tap, value) in kernel.iter().enumerate() {
                        let row = index * TAPS + tap;
                        // Row panels `[rows/6, in, 6]` as `Rows::packed` reads them. A last task with fewer than four
                        // channels keeps zero rows.
                        panels[(row / ROWS * channels_in + channel) * ROWS + row % ROWS] = *value;
                    }
                }
            }
            panels
        })
        .collect()
}

/// `[in, pixels]` times a style per row, as column panels.
fn pack_scaled(x: &[f32], styles: &[f32], pixels: usize, panels: &mut [f32]) {
    let channels = styles.len();
    panels.par_chunks_exact_mut(channels * COLUMNS).enumerate().for_each(|(index, panel)| {
        let first = index * COLUMNS;
        pack_columns(Matrix::row_major(x, pixels), first, COLUMNS.min(pixels - first), panel);
        vectorised(|| {
            for (values, style) in panel.as_chunks_mut::<COLUMNS>().0.iter_mut().zip(styles) {
                values.iter_mut().for_each(|value| *value *= style);
            }
        });
    });
}

/// `[channels·9, in] · [in, pixels]`, row by row.
fn multiply_taps(kernels: &[f32], panels: &[f32], channels_in: usize, pixels: usize, taps: &mut [f32]) {
    for (index, column_panel) in panels.chunks_exact(channels_in * COLUMNS).enumerate() {
        let first = index * COLUMNS;
        let count = COLUMNS.min(pixels - first);
        for (row_panel, rows) in kernels.chunks_exact(channels_in * ROWS).enumerate() {
            let mut tile = [0.0; ROWS * COLUMNS];
            add_product(Rows::packed(rows), column_panel, &mut tile);
            vectorised(|| {
                for (r, sums) in tile.as_chunks::<COLUMNS>().0.iter().enumerate() {
                    taps[(row_panel * ROWS + r) * pixels + first..][..count].copy_from_slice(&sums[..count]);
                }
            });
        }
    }
}

/// The stuffed image by parity of row and column, in lines of `width + 2`, zeros around it.
struct Phases {
    /// Even rows 0..=height: even columns 0..=width, then odd columns −1..=width.
    even_rows: [Vec<f32>; 2],
    /// Odd rows −1..=height, likewise.
    odd_rows: [Vec<f32>; 2],
    height: usize,
    width: usize,
}

impl Phases {
    /// Adds up what the taps `[9, height, width]`, `stride` apart, give to each place.
    fn gather(taps: &[f32], stride: usize, height: usize, width: usize) -> Self {
        let line = width + 2;
        // The transposed convolution makes 2·height + 1 rows: height + 1 even ones and height odd ones, the latter
        // with a zero line on either side for the filter. Columns alike.
        let plane = |lines: usize| vec![0.0; lines * line];
        let mut even_rows = [plane(height + 1), plane(height + 1)];
        let mut odd_rows = [plane(height + 2), plane(height + 2)];
        let add = |tap: usize, to: &mut [f32], first_line: usize, first_column: usize| {
            let taps = &taps[tap * stride..][..height * width];
            let lines = to.chunks_exact_mut(line).skip(first_line);
            vectorised(|| {
                for (to, from) in lines.zip(taps.chunks_exact(width)) {
                    for (to, from) in to[first_column..][..width].iter_mut().zip(from) {
                        *to += from;
                    }
                }
            });
        };
        // Input row y meets tap a at row 2y + a of the stuffed image.
        // Row tap 0 and 2 fall on even rows, the latter one further; columns likewise.
        // How many taps meet at a place: four at even row and even column, two at mixed parity, one at odd and odd.
        let [even, odd] = &mut even_rows;
        for (tap, line, column) in [(0, 0, 0), (2, 0, 1), (6, 1, 0), (8, 1, 1)] {
            add(tap, even, line, column);
        }
        add(1, odd, 0, 1);
        add(7, odd, 1, 1);
        let [even, odd] = &mut odd_rows;
        add(3, even, 1, 0);
        add(5, even, 1, 1);
        add(4, odd, 1, 1);
        Self { even_rows, odd_rows, height, width }
    }

    /// The filter along both axes: `[2·height, 2·width]`.
    fn filter(&self, out: &mut [f32]) {
        let (width, line) = (self.width, self.width + 2);
        let mut filtered = [vec![0.0; line], vec![0.0; line]];
        for (y, out) in out.chunks_exact_mut(2 * width).enumerate().take(2 * self.height) {
            // Stuffed rows y−1 to y+2, which alternate in parity.
            for (parity, filtered) in filtered.iter_mut().enumerate() {
                let stuffed = |row: usize| {
                    // `row` counts from stuffed row −1: odd rows come first.
                    let plane = if row.is_multiple_of(2) { &self.odd_rows } else { &self.even_rows };
                    &plane[parity][row / 2 * line..][..line]
                };
                let rows = [stuffed(y), stuffed(y + 1), stuffed(y + 2), stuffed(y + 3)];
                vectorised(|| {
                    for (i, out) in filtered.iter_mut().enumerate() {
                        *out = FILTER[0] * rows[0][i]
                            + FILTER[1] * rows[1][i]
                            + FILTER[2] * rows[2][i]
                            + FILTER[3] * rows[3][i];
                    }
                });
            }
            // Even column x stands at `even[x]`, odd column 2x + 1 at `odd[x + 1]`.
            let (even, odd) = (&filtered[0][..line], &filtered[1][..line]);
            vectorised(|| {
                for (x, out) in out.as_chunks_mut::<2>().0.iter_mut().enumerate().take(width) {
                    out[0] = FILTER[0] * odd[x]
                        + FILTER[1] * even[x]
                        + FILTER[2] * odd[x + 1]
                        + FILTER[3] * even[x + 1];
                    out[1] = FILTER[0] * even[x]
                        + FILTER[1] * odd[x + 1]
                        + FILTER[2] * even[x + 1]
                        + FILTER[3] * odd[x + 2];
                }
            });
        }
    }
}
