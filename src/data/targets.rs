//! What the mappers learn to predict: CLIP embeddings, clamped and scaled to unit length.

/// Clamp of the paper's code.
pub const DEFAULT_THRESHOLD: f32 = 1.5;

/// Clamps every component to `[−threshold, threshold]`, then divides by the Euclidean norm.
///
/// A threshold of 0 or less switches the clamp off. A vector of zeros stays as it is.
pub fn clamp_and_unit(row: &mut [f32], threshold: f32) {
    if threshold > 0.0 {
        row.iter_mut().for_each(|value| *value = value.clamp(-threshold, threshold));
    }
    let norm = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if norm > 0.0 {
        row.iter_mut().for_each(|value| *value = (f64::from(*value) / norm) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clamp_comes_before_scaling() {
        let mut row = [3.0, -2.0, 0.0];
        clamp_and_unit(&mut row, DEFAULT_THRESHOLD);
        let expected = 0.5_f32.sqrt();
        assert!((row[0] - expected).abs() < 1e-7 && (row[1] + expected).abs() < 1e-7);
        let mut row = [3.0, -4.0];
        clamp_and_unit(&mut row, 0.0);
        assert_eq!(row, [0.6, -0.8]);
        let mut zeros = [0.0; 3];
        clamp_and_unit(&mut zeros, 1.5);
        assert_eq!(zeros, [0.0; 3]);
    }
}
