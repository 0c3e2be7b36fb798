//! The resampling filter `[1, 3, 3, 1]` followed by a 3×3 convolution of stride 2: half the size.
//!
//! The filtered image is kept as its four phases (even and odd rows, even and odd columns), in each of which a tap is a shift.

use rayon::prelude::*;

use super::modulation::Finish;
use super::position_grid::{PositionGrid, zeros_for_layout};
use super::tap_conv::{TapKernels, source_len};
use super::winograd::ConvShape;
use crate::kernels::panels::Matrix;
use crate::kernels::simd::vectorised;
use crate::kernels::tile::Places;

const TAPS: usize = 9;
/// The filter of one axis.
const FILTER: [f32; 4] = [0.125, 0.375, 0.375, 0.125];
/// Pixels of the output that a task has at least.
const PIXELS_PER_TASK: usize = 128;

/// `finish(conv(filter(x), weight))`, read as cross-correlation; `shape` is that of the input, its sides even.
///
/// # Shapes
/// - x: `[batch, in, height, width]`, weight: `[out, in, 3, 3]`
/// - output: `[batch, out, height/2, width/2]`
pub fn downsampling_conv3(x: &[f32], weight: &[f32], finish: Finish<'_>, shape: ConvShape) -> Vec<f32> {
    let ConvShape { channels_in, channels_out, height, width } = shape;
    let (in_pixels, pixels) = (height * width, height * width / 4);
    let batch = x.len() / (channels_in * in_pixels).max(1);
    let depth = channels_in * TAPS;
    let kernels = TapKernels::pack(Matrix::row_major(weight, depth), channels_out, depth);
    let mut out = vec![0.0; batch * channels_out * pixels];
    let group = (PIXELS_PER_TASK / pixels.max(1)).max(1);
    let tasks = out.par_chunks_mut((group * channels_out * pixels).max(1)).enumerate();
    tasks.for_each_init(<(Vec<f32>, Vec<f32>)>::default, |(source, sums), (index, out)| {
        let first = index * group;
        let images = out.len() / (channels_out * pixels);
        let phases = Phases::new(PositionGrid { images, height: height / 2, width: width / 2 });
        zeros_for_layout(source, channels_in * phases.len());
        for (channel, source) in source.chunks_exact_mut(phases.len()).enumerate() {
            phases.fill(
                |image| &x[((first + image) * channels_in + channel) * in_pixels..][..in_pixels],
                source,
            );
        }
        let places = phases.places(channels_in);
        // Only every second row and column of the convolution is wanted. Row 2y + a of the filtered image lies in
        // phase a mod 2, line y + ⌊a/2⌋: within the phases a stride of 2 is one of 1.
        kernels.convolve(source, &places, phases.grid, sums, |channel, image, row, sums| {
            let width = width / 2;
            let out = &mut out[(image * channels_out + channel) * pixels + row * width..][..width];
            out.copy_from_slice(sums);
            finish.apply(first + image, channel, row * width, pixels, out);
        });
    });
    out
}

/// Filtered images of one channel in four phases, each on the grid of the output.
#[derive(Clone, Copy, Debug)]
pub struct Phases {
    /// Grid of the output's positions, zeros around each image.
    pub grid: PositionGrid,
}

impl Phases {
    /// For outputs on `grid`.
    pub fn new(grid: PositionGrid) -> Self {
        Self { grid }
    }

    fn phase_len(&self) -> usize {
        (self.grid.images * (self.grid.height + 1) + 1) * self.grid.line()
    }

    /// Memory of one channel.
    pub fn len(&self) -> usize {
        // The farthest tap begins in the fourth phase; `source_len` adds that phase and what the last tile reads
        // beyond it.
        source_len(self.grid, 3 * self.phase_len())
    }

    /// Whether there is nothing to hold.
    pub fn is_empty(&self) -> bool {
        self.grid.is_empty()
    }

    /// Where the nine taps of position 0 are.
    pub fn taps(&self) -> [usize; TAPS] {
        std::array::from_fn(|tap| {
            let (a, b) = (tap / 3, tap % 3);
            // Phases lie in the order even/even, even/odd, odd/even, odd/odd (rows/columns).
            (2 * (a % 2) + b % 2) * self.phase_len() + a / 2 * self.grid.line() + b / 2
        })
    }

    fn places(&self, channels: usize) -> Places {
        let taps = self.taps();
        let starts = (0..channels).flat_map(|channel| taps.map(|tap| channel * self.len() + tap));
        Places::new(starts.collect())
    }

    /// Filters planes `plane(image)` of twice the grid's size into the four phases.
    pub fn fill<'a>(&self, plane: impl Fn(usize) -> &'a [f32], to: &mut [f32]) {
        // The filtered image has 2·height + 1 rows and 2·width + 1 columns. Its even rows and columns are thus one
        // more than the output's, and fill what are zeros in other grids: the line between images and the place
        // between rows. No tap reads past them, because the convolution has no padding of its own.
        let PositionGrid { images, height, width } = self.grid;
        let line = self.grid.line();
        let mut column = vec![0.0; 2 * width + 4];
        let zeros = vec![0.0; 2 * width];
        for image in 0..images {
            let plane = plane(image);
            // Filtered rows 0..=2·height; row r reads rows r − 2 to r + 1.
            for row in 0..=2 * height {
                let lines: [&[f32]; 4] = std::array::from_fn(|tap| match (row + tap).checked_sub(2) {
                    Some(y) if y < 2 * height => &plane[2 * width * y..][..2 * width],
                    _ => &zeros[..],
                });
                let at = (image * (height + 1) + row / 2) * line + 2 * (row % 2) * self.phase_len();
                let (even, odd) = to[at..].split_at_mut(self.phase_len());
                let (even, odd) = (&mut even[..=width], &mut odd[..width]);
                vectorised(|| {
                    let [a, b, c, d] = lines.map(|line| &line[..2 * width]);
                    for (i, out) in column[2..][..2 * width].iter_mut().enumerate() {
                        *out = FILTER[0] * a[i] + FILTER[1] * b[i] + FILTER[2] * c[i] + FILTER[3] * d[i];
                    }
                    // Two zeros stand on either side of `column`, so filtered column r reads `column[r..r + 4]`:
                    // pairs j and j + 1 for r = 2j.
                    let pairs = column.as_chunks::<2>().0;
                    for (even, pairs) in even.iter_mut().zip(pairs.windows(2)) {
                        let [a, b] = [pairs[0], pairs[1]];
                        *even = FILTER[0] * a[0] + FILTER[1] * a[1] + FILTER[2] * b[0] + FILTER[3] * b[1];
                    }
                    // The same for r = 2j + 1, from one place further.
                    let later = column[1..].as_chunks::<2>().0;
                    for (odd, pairs) in odd.iter_mut().zip(later.windows(2)) {
                        let [a, b] = [pairs[0], pairs[1]];
                        *odd = FILTER[0] * a[0] + FILTER[1] * a[1] + FILTER[2] * b[0] + FILTER[3] * b[1];
                    }
                });
            }
        }
    }
}
