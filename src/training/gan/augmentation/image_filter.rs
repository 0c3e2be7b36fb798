//! Gains of four bands of spatial frequency, by a filter bank of the sym2 wavelet.

use burn::tensor::{Tensor, TensorData, backend::Backend};

use super::reflection::reflected;

/// Bands: the lowest first.
pub(super) const NUM_BANDS: usize = 4;
/// Low-pass filter of the sym2 wavelet.
const SYM2: [f64; 4] = [-0.129409522551, 0.224143868042, 0.836516303737, 0.482962913145];
/// Expected power of natural images per band.
const EXPECTED_POWER: [f64; NUM_BANDS] = [10.0 / 13.0, 1.0 / 13.0, 1.0 / 13.0, 1.0 / 13.0];

/// Gains of all bands from those that change, the expected power of the picture kept at every change.
pub(super) fn band_gains(changes: [Option<f64>; NUM_BANDS]) -> [f64; NUM_BANDS] {
    let mut gains = [1.0; NUM_BANDS];
    for (band, change) in changes.into_iter().enumerate() {
        let Some(change) = change else { continue };
        // One band at a time: the gains of a change are scaled to unit expected power and multiply what was there
        // (docs/spec/gan-training.md §8).
        let mut step = [1.0; NUM_BANDS];
        step[band] = change;
        let power: f64 = step.iter().zip(EXPECTED_POWER).map(|(gain, power)| gain * gain * power).sum();
        for (gain, step) in gains.iter_mut().zip(step) {
            *gain *= step / power.sqrt();
        }
    }
    gains
}

/// Filters of the bands, all of one odd length and centred; together they change nothing.
fn filter_bank() -> [Vec<f64>; NUM_BANDS] {
    let low = half_autocorrelation(SYM2);
    let signs = [1.0, -1.0, 1.0, -1.0];
    let high = half_autocorrelation(std::array::from_fn(|tap| SYM2[tap] * signs[tap]));
    // Row b becomes the filter of band b: a band that has its high-pass is only spread and smoothed in later rounds,
    // which makes it the next lower octave. All four add up to the unit impulse, so that equal gains do nothing.
    let mut bank = [vec![1.0], vec![0.0], vec![0.0], vec![0.0]];
    for band in 1..NUM_BANDS {
        for filter in &mut bank {
            *filter = convolved(&spread(filter), &low);
        }
        // Both lengths are odd, hence both filters are centred on a tap.
        let middle = (bank[band].len() - high.len()) / 2;
        for (tap, value) in high.iter().enumerate() {
            bank[band][middle + tap] += value;
        }
    }
    bank
}

/// `h ⋆ h̃ / 2`.
fn half_autocorrelation(filter: [f64; 4]) -> Vec<f64> {
    let reversed: Vec<f64> = filter.iter().rev().copied().collect();
    convolved(&filter, &reversed).into_iter().map(|value| value / 2.0).collect()
}

/// A zero between every two values.
fn spread(values: &[f64]) -> Vec<f64> {
    let mut spread = vec![0.0; (2 * values.len()).saturating_sub(1)];
    for (place, value) in values.iter().enumerate() {
        spread[2 * place] = *value;
    }
    spread
}

fn convolved(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut result = vec![0.0; a.len() + b.len() - 1];
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            result[i + j] += a * b;
        }
    }
    result
}

/// Filters both axes of every image with its own gains; beyond its edges an image is mirrored.
///
/// # Shapes
/// - x, output: `[batch, channels, side, side]`
pub(super) fn filter<B: Backend>(x: Tensor<B, 4>, gains: &[[f64; NUM_BANDS]]) -> Tensor<B, 4> {
    let [batch, channels, side, _] = x.dims();
    let bank = filter_bank();
    let matrices: Vec<f32> = gains.iter().flat_map(|gains| filter_matrix(&bank, gains, side)).collect();
    let matrices = Tensor::<B, 4>::from_data(TensorData::new(matrices, [batch, 1, side, side]), &x.device())
        .cast(x.dtype())
        // `F · x · Fᵀ`: filtering along rows and along columns by one matrix per image. Squared sides of matrices are
        // small beside the images of a batch, and products differentiate twice.
        .repeat_dim(1, channels);
    matrices.clone().matmul(x).matmul(matrices.swap_dims(2, 3))
}

/// `[side, side]`, row-major.
fn filter_matrix(bank: &[Vec<f64>; NUM_BANDS], gains: &[f64; NUM_BANDS], side: usize) -> Vec<f32> {
    let mut matrix = vec![0.0_f64; side * side];
    if *gains == [1.0; NUM_BANDS] {
        (0..side).for_each(|place| matrix[place * side + place] = 1.0);
    } else {
        let reach = (bank[0].len() / 2) as isize;
        for row in 0..side {
            for (tap, offset) in (-reach..=reach).enumerate() {
                let value: f64 = bank.iter().zip(gains).map(|(filter, gain)| filter[tap] * gain).sum();
                // Several taps may fall on one pixel near the border.
                matrix[row * side + reflected(row as isize + offset, side)] += value;
            }
        }
    }
    matrix.into_iter().map(|value| value as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::random::{keyed_rng, normal};

    #[test]
    fn the_bands_together_are_no_filter_and_only_the_lowest_passes_a_constant() {
        let bank = filter_bank();
        assert!(bank.iter().all(|filter| filter.len() == 43));
        for tap in 0..43 {
            let sum: f64 = bank.iter().map(|filter| filter[tap]).sum();
            assert!((sum - if tap == 21 { 1.0 } else { 0.0 }).abs() < 1e-9, "{tap}: {sum}");
            assert!(bank.iter().all(|filter| (filter[tap] - filter[42 - tap]).abs() < 1e-12), "symmetric");
        }
        let sums = bank.each_ref().map(|filter| filter.iter().sum::<f64>());
        assert!((sums[0] - 1.0).abs() < 1e-9 && sums[1..].iter().all(|sum| sum.abs() < 1e-9), "{sums:?}");
        // The highest band holds the fastest wave whole.
        let fastest = bank.each_ref().map(|filter| {
            filter
                .iter()
                .enumerate()
                .map(|(tap, value)| value * if tap % 2 == 0 { -1.0 } else { 1.0 })
                .sum::<f64>()
        });
        assert!(
            (fastest[3] - 1.0).abs() < 1e-9 && fastest[..3].iter().all(|sum| sum.abs() < 1e-9),
            "{fastest:?}"
        );
    }

    #[test]
    fn gains_keep_the_expected_power() {
        assert_eq!(band_gains([None; 4]), [1.0; 4]);
        let gains = band_gains([None, Some(2.0), None, None]);
        // Power 10 + 4 + 1 + 1 of 13.
        let norm = (16.0_f64 / 13.0).sqrt();
        assert!((gains[1] - 2.0 / norm).abs() < 1e-12 && (gains[0] - 1.0 / norm).abs() < 1e-12);
        let power: f64 = gains.iter().zip(EXPECTED_POWER).map(|(gain, power)| gain * gain * power).sum();
        assert!((power - 1.0).abs() < 1e-12);
    }

    #[test]
    fn constants_scale_by_the_lowest_gain_and_equal_gains_by_their_square() {
        let white = Tensor::<Base, 4>::ones([1, 3, 16, 16], &cpu());
        let found: Vec<f32> = filter(white, &[[0.5, 3.0, 2.0, 7.0]]).into_data().to_vec().unwrap();
        assert!(found.iter().all(|value| (value - 0.25).abs() < 1e-5));
        let x: Tensor<Base, 4> = normal([2, 3, 16, 16], &mut keyed_rng(0, "x", 0), &cpu());
        let found: Vec<f32> = filter(x.clone(), &[[2.0; 4], [1.0; 4]]).into_data().to_vec().unwrap();
        let x: Vec<f32> = x.into_data().to_vec().unwrap();
        for (index, (a, b)) in found.iter().zip(&x).enumerate() {
            let factor = if index < 3 * 256 { 4.0 } else { 1.0 };
            assert!((a - factor * b).abs() < 1e-4, "{index}: {a} {b}");
        }
    }
}
