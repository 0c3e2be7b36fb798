//! Resampling by an affine map: twice the size by a wavelet's low-pass filter, bilinear sampling, half the size again.
//!
//! The filter is orthogonal, so that a map which changes nothing changes nothing.

use burn::tensor::{Tensor, TensorData, backend::Backend};

use super::affine_map::AffineMap;
use super::reflection::reflected;

/// Low-pass filter of the sym6 wavelet.
const SYM6: [f64; 12] = [
    0.015404109327,
    0.003490712084,
    -0.117990111148,
    -0.048311742586,
    0.491055941927,
    0.787641141030,
    0.337929421728,
    -0.072637522786,
    -0.021060292512,
    0.044724901771,
    0.001767711864,
    -0.007800708325,
];
/// Pixels beyond each edge that the last filter needs.
const RIM: usize = SYM6.len() / 4;

/// Samples every image at the places of its map.
///
/// # Shapes
/// - x, output: `[batch, channels, side, side]`
pub(super) fn resample<B: Backend>(x: Tensor<B, 4>, maps: &[AffineMap]) -> Tensor<B, 4> {
    let [batch, channels, side, _] = x.dims();
    let device = x.device();
    let margin = needed_margin(maps, side);
    let dtype = x.dtype();
    let on_device = |values: Vec<f32>, rows: usize, columns: usize| {
        Tensor::<B, 3>::from_data(TensorData::new(values, [1, rows, columns]), &device).cast(dtype)
    };
    let planes = batch * channels;

    // Sampling happens at twice the resolution, because bilinear interpolation of the image itself would blur and
    // alias what the discriminator looks at.
    let large = 2 * (side + 2 * margin);
    let up = on_device(upsampling(side, margin), large, side);
    let x = x.reshape([planes, side, side]);
    let x = up.clone().matmul(x).matmul(up.transpose()); // [P, large, large]

    let sampled = 2 * (side + 2 * RIM);
    let x = sample(x.reshape([batch, channels, large * large]), maps, side, margin); // [B, C, sampled²]

    let down = on_device(downsampling(side), side, sampled);
    let x = x.reshape([planes, sampled, sampled]);
    down.clone().matmul(x).matmul(down.transpose()).reshape([batch, channels, side, side])
}

/// Mirrored pixels on every side, so that no map looks beyond them; at most the side less one.
fn needed_margin(maps: &[AffineMap], side: usize) -> usize {
    let half = side as f64 / 2.0;
    let corner = half + RIM as f64;
    let furthest = maps
        .iter()
        .flat_map(|map| {
            [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)].map(|(x, y)| map.at(x * corner, y * corner))
        })
        .flatten()
        .fold(0.0_f64, |furthest, place| furthest.max(place.abs()));
    // The filter reaches as far again.
    let margin = (furthest - half).ceil().max(0.0) + 2.0 * RIM as f64;
    margin.min(side.saturating_sub(1) as f64) as usize
}

/// Mirrors `margin` pixels on, then doubles the size: `[2·(side + 2·margin), side]`.
fn upsampling(side: usize, margin: usize) -> Vec<f32> {
    let padded = side + 2 * margin;
    let mut matrix = vec![0.0_f64; 2 * padded * side];
    for row in 0..2 * padded {
        for column in 0..padded {
            // Only every second row of the stuffed image holds a pixel; the others meet zeros and are left out.
            let tap = row as isize - 2 * column as isize + SYM6.len() as isize / 2 - 1;
            if let Some(tap) = usize::try_from(tap).ok().and_then(|tap| SYM6.get(tap)) {
                let source = reflected(column as isize - margin as isize, side);
                // Times 2: of the stuffed image only every second value is not zero.
                matrix[row * side + source] += tap * 2.0 / sum();
            }
        }
    }
    matrix.into_iter().map(|value| value as f32).collect()
}

/// Filters with the taps in reverse order and halves the size, dropping the rim: `[side, 2·(side + 2·rim)]`.
fn downsampling(side: usize) -> Vec<f32> {
    let len = 2 * (side + 2 * RIM);
    let mut matrix = vec![0.0_f32; side * len];
    for row in 0..side {
        for column in 0..len {
            let centre = 2 * (row + RIM) as isize;
            let tap = column as isize - centre + SYM6.len() as isize / 2 - 1;
            if let Some(tap) = usize::try_from(tap).ok().and_then(|tap| SYM6.get(tap)) {
                matrix[row * len + column] = (tap / sum()) as f32;
            }
        }
    }
    matrix
}

fn sum() -> f64 {
    SYM6.iter().sum()
}

/// How far the filter's centre of mass lies before its middle, in doubled pixels. Both filters lag alike, so that maps which
/// keep the direction of the axes do not notice; rotated images would be shifted.
fn lag() -> f64 {
    let centre = SYM6.iter().enumerate().map(|(tap, value)| tap as f64 * value).sum::<f64>() / sum();
    (SYM6.len() as f64 - 1.0) / 2.0 - centre
}

/// Bilinear samples of doubled images `[batch, channels, large²]` on the doubled grid of the output; 0 outside.
fn sample<B: Backend>(x: Tensor<B, 3>, maps: &[AffineMap], side: usize, margin: usize) -> Tensor<B, 3> {
    let [batch, channels, _] = x.dims();
    let device = x.device();
    let large = 2 * (side + 2 * margin);
    let count = 2 * (side + 2 * RIM);
    // Centres of doubled pixels, in pixels about the centre of the image.
    let places: Vec<f32> = (0..count)
        .map(|index| ((index as f64 + 0.5 + lag()) / 2.0 - RIM as f64 - side as f64 / 2.0) as f32)
        .collect();
    let places = Tensor::<B, 1>::from_data(TensorData::new(places, [count]), &device);
    let across = places.clone().reshape([1, 1, count]);
    let down = places.reshape([1, count, 1]);
    let coefficient = |row: usize, column: usize| {
        let values: Vec<f32> = maps.iter().map(|map| map.rows[row][column] as f32).collect();
        Tensor::<B, 1>::from_data(TensorData::new(values, [batch]), &device).reshape([batch, 1, 1])
    };
    // Index in the doubled image: [B, count, count].
    let index = |row: usize| {
        let place =
            across.clone() * coefficient(row, 0) + down.clone() * coefficient(row, 1) + coefficient(row, 2);
        place.add_scalar(side as f64 / 2.0 + margin as f64).mul_scalar(2.0).sub_scalar(0.5 + lag())
    };
    // Lower neighbour and the share of the upper one; far away places all count as just outside.
    let neighbours = |index: Tensor<B, 3>| {
        // Bounded before it becomes an integer: a far place must not overflow, and −2 is outside like any other.
        let index = index.clamp(-2.0, large as f64 + 1.0);
        let lower = index.clone().floor();
        (lower.clone(), index - lower)
    };
    let ((x0, x_share), (y0, y_share)) = (neighbours(index(0)), neighbours(index(1)));
    let corner = |first: &Tensor<B, 3>, share: &Tensor<B, 3>, step: f64| {
        let place = first.clone().add_scalar(step);
        // A place that clamping moves is outside: it is read at the edge and weighs nothing.
        let inside = place.clone().clamp(0.0, large as f64 - 1.0);
        let weight = if step > 0.0 { share.clone() } else { share.clone().neg().add_scalar(1.0) };
        let is_inside = place.equal(inside.clone()).float();
        (inside.int(), weight * is_inside.cast(share.dtype()))
    };
    let mut total: Option<Tensor<B, 3>> = None;
    for y_step in [0.0, 1.0] {
        let (row, row_weight) = corner(&y0, &y_share, y_step);
        for x_step in [0.0, 1.0] {
            let (column, column_weight) = corner(&x0, &x_share, x_step);
            // Four gathers, weighted: differentiable in the image any number of times, while places and weights are
            // constants.
            let source = (row.clone() * large as i32 + column).reshape([batch, 1, count * count]);
            let weight = (row_weight.clone() * column_weight).reshape([batch, 1, count * count]);
            let values = x.clone().gather(2, source.repeat_dim(1, channels)) * weight.cast(x.dtype());
            total = Some(match total {
                Some(total) => total + values,
                None => values,
            });
        }
    }
    total.unwrap_or_else(|| Tensor::zeros([batch, channels, count * count], &device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::random::{keyed_rng, normal};

    fn values(x: Tensor<Base, 4>) -> Vec<f32> {
        x.into_data().to_vec().unwrap()
    }

    #[test]
    fn a_map_that_changes_nothing_changes_nothing() {
        let x: Tensor<Base, 4> = normal([2, 3, 16, 16], &mut keyed_rng(0, "x", 0), &cpu());
        let same = values(resample(x.clone(), &[AffineMap::IDENTITY; 2]));
        for (a, b) in same.iter().zip(values(x)) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    #[test]
    fn a_whole_pixel_shift_is_exact() {
        let x: Tensor<Base, 4> = normal([1, 1, 12, 12], &mut keyed_rng(0, "x", 0), &cpu());
        let shifted = values(resample(x.clone(), &[AffineMap::translation(-2.0, 1.0)]));
        let x = values(x);
        for row in 0..12 {
            for column in 0..12 {
                let source = reflected(row + 1, 12) * 12 + reflected(column - 2, 12);
                let found = shifted[(row * 12 + column) as usize];
                assert!((found - x[source]).abs() < 1e-5, "{row} {column}");
            }
        }
    }

    /// A slow wave, so that filters and bilinear sampling lose little.
    fn wave(x: f64, y: f64) -> f64 {
        (0.20 * x + 0.11 * y + 0.3).sin()
    }

    #[test]
    fn a_wave_is_where_the_map_says() {
        const SIDE: usize = 48;
        let centre = (SIDE as f64 - 1.0) / 2.0;
        let about_centre = |index: usize| ((index % SIDE) as f64 - centre, (index / SIDE) as f64 - centre);
        let image: Vec<f32> = (0..SIDE * SIDE)
            .map(|index| {
                let (x, y) = about_centre(index);
                wave(x, y) as f32
            })
            .collect();
        let image = Tensor::<Base, 4>::from_data(TensorData::new(image, [1, 1, SIDE, SIDE]), &cpu());
        for map in [
            AffineMap::translation(0.4, -1.3),
            AffineMap::rotation(0.7),
            AffineMap::quarter_turns(1),
            AffineMap::scale(0.8, 1.1)
                .then(AffineMap::rotation(-0.4))
                .then(AffineMap::translation(2.5, 0.25)),
        ] {
            let found = values(resample(image.clone(), &[map]));
            let mut compared = 0;
            for (index, found) in found.iter().enumerate() {
                let (x, y) = about_centre(index);
                let [x, y] = map.at(x, y);
                // Only what lies well inside: further out the wave is mirrored.
                if x.abs() < 15.0 && y.abs() < 15.0 {
                    compared += 1;
                    assert!((f64::from(*found) - wave(x, y)).abs() < 0.01, "{map:?} {x} {y}: {found}");
                }
            }
            assert!(compared > 400, "{compared}");
        }
    }

    #[test]
    fn what_lies_beyond_the_mirrored_rim_is_black() {
        let white = Tensor::<Base, 4>::ones([1, 1, 16, 16], &cpu());
        let far = values(resample(white, &[AffineMap::translation(1000.0, 0.0)]));
        assert!(far.iter().all(|value| *value == 0.0));
    }
}
