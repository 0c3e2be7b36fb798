//! Gaussian blur with mirrored edges.

use super::planes::Planes;

/// Pixels to each side of the kernel's centre: 23 in all.
const REACH: usize = 11;

/// Blurs with a deviation of `sigma` pixels, cut off at 11 pixels; edges are mirrored without repeating the last pixel.
pub fn blur(planes: &mut Planes, sigma: f64) {
    let weights: Vec<f64> =
        (0..=2 * REACH).map(|tap| (-0.5 * ((tap as f64 - REACH as f64) / sigma).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let weights: Vec<f32> = weights.iter().map(|weight| (weight / sum) as f32).collect();
    let (height, width) = (planes.height, planes.width);
    let mut line = Vec::new();
    for row in planes.values.chunks_exact_mut(width.max(1)) {
        mirror(row, &mut line);
        for (value, taps) in row.iter_mut().zip(line.windows(weights.len())) {
            *value = taps.iter().zip(&weights).map(|(value, weight)| value * weight).sum();
        }
    }
    // Whole rows are added to each other: columns would be read across memory.
    for plane in planes.values.chunks_exact_mut((height * width).max(1)) {
        let source = plane.to_vec();
        plane.fill(0.0);
        for (row, target) in plane.chunks_exact_mut(width).enumerate() {
            for (tap, weight) in weights.iter().enumerate() {
                let from = mirrored(row as isize + tap as isize - REACH as isize, height) * width;
                for (value, other) in target.iter_mut().zip(&source[from..from + width]) {
                    *value += weight * other;
                }
            }
        }
    }
}

/// The row with its mirrored margins.
fn mirror(row: &[f32], line: &mut Vec<f32>) {
    let reach = REACH as isize;
    line.clear();
    line.extend((-reach..row.len() as isize + reach).map(|index| row[mirrored(index, row.len())]));
}

/// An index beyond an edge, mirrored at it as often as it takes.
fn mirrored(index: isize, len: usize) -> usize {
    let last = len as isize - 1;
    if last <= 0 {
        return 0;
    }
    let folded = index.rem_euclid(2 * last);
    folded.min(2 * last - folded) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_mirror_without_repeating() {
        assert_eq!([-2, -1, 0, 3, 4, 5].map(|index| mirrored(index, 4)), [2, 1, 0, 3, 2, 1]);
        assert_eq!(mirrored(-9, 1), 0);
    }

    #[test]
    fn a_point_spreads_as_the_bell_does_in_both_directions() {
        let mut planes = Planes { values: vec![0.0; 3 * 25 * 31], height: 25, width: 31 };
        planes.values[12 * 31 + 15] = 1.0;
        blur(&mut planes, 1.5);
        let at = |row: usize, column: usize| f64::from(planes.values[row * 31 + column]);
        let falls = (-0.5 / 2.25_f64).exp();
        assert!((at(12, 16) / at(12, 15) - falls).abs() < 1e-5);
        assert!((at(13, 15) / at(12, 15) - falls).abs() < 1e-5);
        let sum: f32 = planes.values[..25 * 31].iter().sum();
        assert!((sum - 1.0).abs() < 1e-5);
        assert!(planes.values[25 * 31..].iter().all(|value| *value == 0.0));
    }
}
