//! What early vision measures in an image: oriented contrast energy at three scales, brightness, two colours.
//!
//! The image (8.4° wide) is averaged down to 128 × 128 pixels; `L` is its luma, `R − G` and `B − (R + G)/2` its
//! opponent colours. With the complex Gabor `g(p) = exp(−|p|²/2σ² + i k·p)`, wavelength 4 pixels, `σ` 2 pixels,
//! the energy is `|L * g|`, at 3.8, 1.9 and 0.95 cycles per degree (levels of 128, 64 and 32 pixels) and the
//! directions 0°, 45°, 90°, 135°. Every map is averaged to 32 × 32 cells of 0.2625°, and again to 16 and 8.

use image::RgbImage;

/// Width of the stimulus in degrees of visual angle (Allen et al. 2022).
pub const STIMULUS_DEGREES: f64 = 8.4;
/// Channels of a cell: 12 energies (scale by scale, four directions each), luma, red-green, blue-yellow.
pub const CHANNELS: usize = 15;
/// First of the three brightness and colour channels.
pub const FIRST_COLOUR_CHANNEL: usize = 12;
/// Cells along a side at the three levels of the map pyramid.
pub const LEVEL_SIDES: [usize; 3] = [32, 16, 8];
/// Cells of the whole pyramid.
pub const NUM_CELLS: usize = 32 * 32 + 16 * 16 + 8 * 8;

const FINE_SIDE: usize = 128;
const ORIENTATIONS: usize = 4;
const SCALES: usize = 3;
const WAVELENGTH: f32 = 4.0;
const SIGMA: f32 = 2.0;
const RADIUS: i32 = 5;

/// Maps of one image: `[cell, channel]`, cells of the pyramid level by level, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct VisualMaps(pub Vec<f32>);

impl VisualMaps {
    /// Measures an image of any square size of 128 pixels or more.
    pub fn measure(picture: &RgbImage) -> Self {
        let planes = opponent_planes(picture);
        let mut cells = vec![0.0; NUM_CELLS * CHANNELS];
        let mut luma = planes[0].clone();
        let mut side = FINE_SIDE;
        for scale in 0..SCALES {
            for direction in 0..ORIENTATIONS {
                let energy = gabor_energy(&luma, side, direction);
                put_channel(
                    &mut cells,
                    scale * ORIENTATIONS + direction,
                    &shrunk(&energy, side, LEVEL_SIDES[0]),
                );
            }
            if scale + 1 < SCALES {
                // The same filter on half the picture: an octave lower.
                luma = shrunk(&luma, side, side / 2);
                side /= 2;
            }
        }
        for (index, plane) in planes.iter().enumerate() {
            put_channel(&mut cells, FIRST_COLOUR_CHANNEL + index, &shrunk(plane, FINE_SIDE, LEVEL_SIDES[0]));
        }
        Self(cells)
    }

    /// Mean of each channel over the image.
    pub fn means(&self) -> [f32; CHANNELS] {
        let mut means = [0.0; CHANNELS];
        // The last 64 cells are the 8 × 8 level, whose mean is that of the image.
        let coarse = (NUM_CELLS - 64) * CHANNELS;
        for cell in self.0[coarse..].chunks(CHANNELS) {
            for (mean, value) in means.iter_mut().zip(cell) {
                *mean += value / 64.0;
            }
        }
        means
    }
}

/// Writes a 32 × 32 map and its two coarser averages into one channel of the pyramid.
fn put_channel(cells: &mut [f32], channel: usize, finest: &[f32]) {
    let mut map = finest.to_vec();
    let mut first = 0;
    for (level, &side) in LEVEL_SIDES.iter().enumerate() {
        if level > 0 {
            map = shrunk(&map, LEVEL_SIDES[level - 1], side);
        }
        for (cell, value) in map.iter().enumerate() {
            cells[(first + cell) * CHANNELS + channel] = *value;
        }
        first += side * side;
    }
}

/// Luma and two opponent colours at 128 × 128, centred on 0.
fn opponent_planes(picture: &RgbImage) -> [Vec<f32>; 3] {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut planes = [(); 3].map(|()| vec![0.0; FINE_SIDE * FINE_SIDE]);
    let raw = picture.as_raw();
    for row in 0..FINE_SIDE {
        let (top, bottom) = (row * height / FINE_SIDE, ((row + 1) * height).div_ceil(FINE_SIDE));
        for column in 0..FINE_SIDE {
            let (left, right) = (column * width / FINE_SIDE, ((column + 1) * width).div_ceil(FINE_SIDE));
            let mut sum = [0_u32; 3];
            for y in top..bottom {
                for pixel in raw[(y * width + left) * 3..(y * width + right) * 3].chunks_exact(3) {
                    sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += u32::from(*value));
                }
            }
            let count = ((bottom - top) * (right - left)) as f32 * 255.0;
            let [r, g, b] = sum.map(|channel| channel as f32 / count);
            let at = row * FINE_SIDE + column;
            planes[0][at] = 0.299 * r + 0.587 * g + 0.114 * b - 0.5;
            planes[1][at] = r - g;
            planes[2][at] = b - (r + g) / 2.0;
        }
    }
    planes
}

/// Average over square blocks; `from` is a multiple of `to`.
fn shrunk(plane: &[f32], from: usize, to: usize) -> Vec<f32> {
    let block = from / to;
    let mut small = vec![0.0; to * to];
    for (index, value) in plane.iter().enumerate() {
        small[index / from / block * to + index % from / block] += value;
    }
    let share = 1.0 / (block * block) as f32;
    small.iter_mut().for_each(|value| *value *= share);
    small
}

/// Modulus of the complex Gabor response; the filter separates into a row and a column factor.
fn gabor_energy(plane: &[f32], side: usize, direction: usize) -> Vec<f32> {
    let angle = std::f32::consts::PI * direction as f32 / ORIENTATIONS as f32;
    let frequency = std::f32::consts::TAU / WAVELENGTH;
    let taps = |k: f32| -> Vec<(f32, f32)> {
        (-RADIUS..=RADIUS)
            .map(|offset| {
                let x = offset as f32;
                // 2.507 is √(2π).
                let weight = (-x * x / (2.0 * SIGMA * SIGMA)).exp() / (SIGMA * 2.507);
                (weight * (k * x).cos(), weight * (k * x).sin())
            })
            .collect()
    };
    let (across, down) = (taps(frequency * angle.cos()), taps(frequency * angle.sin()));
    let reach = RADIUS as usize;
    let clamp = |i: usize, offset: usize| (i + offset).saturating_sub(reach).min(side - 1);
    let mut rows = vec![(0.0_f32, 0.0_f32); side * side];
    for y in 0..side {
        let line = &plane[y * side..(y + 1) * side];
        for x in 0..side {
            let (mut re, mut im) = (0.0, 0.0);
            for (offset, (c, s)) in across.iter().enumerate() {
                let value = line[clamp(x, offset)];
                re += value * c;
                im += value * s;
            }
            rows[y * side + x] = (re, im);
        }
    }
    let mut energy = vec![0.0; side * side];
    let mut sums = vec![(0.0_f32, 0.0_f32); side];
    for y in 0..side {
        sums.fill((0.0, 0.0));
        for (offset, (c, s)) in down.iter().enumerate() {
            let source = clamp(y, offset) * side;
            for (sum, (re, im)) in sums.iter_mut().zip(&rows[source..source + side]) {
                // Complex products: the filter is `exp(i k_x x) · exp(i k_y y)` times two Gaussians, one pass along
                // each axis.
                sum.0 += re * c - im * s;
                sum.1 += re * s + im * c;
            }
        }
        for (out, (re, im)) in energy[y * side..(y + 1) * side].iter_mut().zip(&sums) {
            *out = re.hypot(*im);
        }
    }
    energy
}

/// Weights of a Gaussian receptive field over the cells of the pyramid level that suits its size: cell index and
/// weight. Weight beyond the image's edge is lost, as the screen there is an even grey.
pub fn receptive_field(x_degrees: f64, y_degrees: f64, size_degrees: f64) -> Vec<(usize, f32)> {
    let mut first = 0;
    let mut chosen = (0, LEVEL_SIDES[0]);
    for (level, &side) in LEVEL_SIDES.iter().enumerate() {
        let cell = STIMULUS_DEGREES / side as f64;
        // The coarsest level whose cells are still finer than the field: fewer cells to sum, and no aliasing.
        if level == 0 || size_degrees >= 1.4 * cell {
            chosen = (first, side);
        }
        first += side * side;
    }
    let (first, side) = chosen;
    let cell = STIMULUS_DEGREES / side as f64;
    let mut weights = Vec::new();
    let spread = size_degrees.max(0.5 * cell);
    let norm = cell * cell / (std::f64::consts::TAU * spread * spread);
    for row in 0..side {
        for column in 0..side {
            let dx = (column as f64 + 0.5) * cell - STIMULUS_DEGREES / 2.0 - x_degrees;
            // Rows count downwards, degrees upwards.
            let dy = STIMULUS_DEGREES / 2.0 - (row as f64 + 0.5) * cell - y_degrees;
            let exponent = (dx * dx + dy * dy) / (2.0 * spread * spread);
            if exponent < 4.5 {
                weights.push((first + row * side + column, ((-exponent).exp() * norm) as f32));
            }
        }
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grating(cycles_x: f32, cycles_y: f32) -> RgbImage {
        RgbImage::from_fn(256, 256, |x, y| {
            let phase = std::f32::consts::TAU * (cycles_x * x as f32 + cycles_y * y as f32) / 256.0;
            image::Rgb([(127.0 + 100.0 * phase.sin()) as u8; 3])
        })
    }

    #[test]
    fn gratings_drive_their_own_channel_most() {
        // 32 cycles an image are 4 pixels a cycle at 128; 16 and 8 belong to the coarser scales.
        for (scale, cycles) in [(0, 32.0), (1, 16.0), (2, 8.0)] {
            let diagonal = cycles / 2_f32.sqrt();
            let directions = [(cycles, 0.0), (diagonal, diagonal), (0.0, cycles), (-diagonal, diagonal)];
            for (direction, (x, y)) in directions.into_iter().enumerate() {
                let means = VisualMaps::measure(&grating(x, y)).means();
                let strongest = (0..12).max_by(|a, b| means[*a].total_cmp(&means[*b])).unwrap();
                assert_eq!(strongest, scale * 4 + direction, "{means:?}");
            }
        }
    }

    #[test]
    fn colours_have_the_sign_of_their_channel() {
        let means = |rgb| VisualMaps::measure(&RgbImage::from_pixel(130, 130, image::Rgb(rgb))).means();
        let red = means([255, 0, 0]);
        assert!((red[13] - 1.0).abs() < 1e-4 && (red[14] + 0.5).abs() < 1e-4, "{red:?}");
        let blue = means([0, 0, 255]);
        assert!((blue[14] - 1.0).abs() < 1e-4, "{blue:?}");
        assert!(means([255; 3])[12] > 0.49 && means([0; 3])[12] < -0.49);
    }

    #[test]
    fn fields_sum_to_one_inside_and_lose_weight_at_the_edge() {
        for size in [0.3, 0.8, 1.5] {
            let sum = |x, y| receptive_field(x, y, size).iter().map(|(_, weight)| weight).sum::<f32>();
            assert!((sum(0.0, 0.0) - 1.0).abs() < 0.06, "{size}: {}", sum(0.0, 0.0));
            assert!(sum(4.2, 0.0) < 0.65);
        }
        let (cell, _) =
            receptive_field(-4.0, 4.0, 0.3).into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        assert_eq!(cell, 0, "upper left of the image is the first cell");
    }
}
