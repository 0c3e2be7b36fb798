//! Ranges of pixel values as named conversions: `u8` (0..255), `01` and `pm1` (−1..1).

use burn::tensor::{Tensor, backend::Backend};

/// 0..255 to −1..1 (docs/spec/gan-training.md §1.1).
pub fn pm1_from_u8(pixels_u8: &[u8]) -> Vec<f32> {
    pixels_u8.iter().map(|&value| f32::from(value) / 127.5 - 1.0).collect()
}

/// −1..1 to 0..255 as pictures are written: rounded, clipped (docs/spec/generator.md §8).
pub fn u8_rounded_from_pm1(pixels_pm1: &[f32]) -> Vec<u8> {
    // The cast saturates and turns NaN into 0.
    pixels_pm1.iter().map(|value| ((value + 1.0) * 127.5).round() as u8).collect()
}

/// −1..1 to 0..255 as metrics read generated images: `127.5·x + 128`, truncated, clipped (docs/spec/generator.md §8).
pub fn u8_truncated_from_pm1(pixels_pm1: &[f32]) -> Vec<u8> {
    // Half a level more and cut off is rounding: in exact arithmetic this is the other rule, and the two differ only
    // where the last digit of a float decides. Distances use the one that published values were made with.
    pixels_pm1.iter().map(|value| (value * 127.5 + 128.0) as u8).collect()
}

/// −1..1 to 0..1, not clipped.
///
/// # Shapes
/// - any
pub fn pixels_01_from_pm1<B: Backend, const D: usize>(pixels_pm1: Tensor<B, D>) -> Tensor<B, D> {
    pixels_pm1.add_scalar(1.0).div_scalar(2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_round_trip() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(u8_rounded_from_pm1(&pm1_from_u8(&bytes)), bytes);
        assert_eq!(u8_truncated_from_pm1(&pm1_from_u8(&bytes)), bytes);
    }

    #[test]
    fn values_outside_the_range_are_clipped() {
        assert_eq!(u8_rounded_from_pm1(&[-7.0, 9.0, f32::NAN]), [0, 255, 0]);
        assert_eq!(u8_truncated_from_pm1(&[-7.0, 9.0]), [0, 255]);
    }
}
