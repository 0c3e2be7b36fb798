//! Bilinear resizing without antialiasing, one matrix product per axis; edges repeated.

use burn::tensor::{Tensor, TensorData, backend::Backend};

/// Where the centre of an output pixel lies in the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PixelCentres {
    /// `(j + ½)·n/size − ½`: what PyTorch calls `align_corners=False`.
    Half,
    /// `j·n/size`: TensorFlow 1.
    Corner,
}

/// Resizes to `size` × `size`.
///
/// # Shapes
/// - x: `[batch, channels, height, width]`, output: `[batch, channels, size, size]`
pub fn resize_bilinear<B: Backend>(x: Tensor<B, 4>, size: usize, centres: PixelCentres) -> Tensor<B, 4> {
    let [batch, channels, height, width] = x.dims();
    let (device, dtype) = (x.device(), x.dtype());
    let planes = batch * channels;
    let rows = TensorData::new(bilinear_matrix(height, size, centres), [1, size, height]);
    let columns = TensorData::new(bilinear_matrix(width, size, centres), [size, width]);
    let rows = Tensor::<B, 3>::from_data(rows, &device).cast(dtype);
    let columns = Tensor::<B, 2>::from_data(columns, &device).cast(dtype);
    let resized = rows.matmul(x.reshape([planes, height, width])); // [P, size, width]
    resized.reshape([planes * size, width]).matmul(columns.transpose()).reshape([batch, channels, size, size])
}

/// Weights `[size, len]`, row-major.
fn bilinear_matrix(len: usize, size: usize, centres: PixelCentres) -> Vec<f32> {
    let mut matrix = vec![0.0; size * len];
    let scale = len as f64 / size as f64;
    let last = len.saturating_sub(1);
    for (index, row) in matrix.chunks_exact_mut(len.max(1)).enumerate() {
        let centre = match centres {
            PixelCentres::Half => (index as f64 + 0.5) * scale - 0.5,
            PixelCentres::Corner => index as f64 * scale,
        };
        // The clamp repeats the edge: beyond the outermost centres there is nothing to interpolate with.
        let centre = centre.clamp(0.0, last as f64);
        let first = centre.floor() as usize;
        let share = centre - first as f64;
        // Added, not assigned: at the last pixel both neighbours are the same place.
        row[first] += (1.0 - share) as f32;
        row[(first + 1).min(last)] += share as f32;
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn both_centres_by_hand() {
        // Two pixels to four.
        let half = [1.0, 0.0, 0.75, 0.25, 0.25, 0.75, 0.0, 1.0];
        assert_eq!(bilinear_matrix(2, 4, PixelCentres::Half), half);
        let corner = [1.0, 0.0, 0.5, 0.5, 0.0, 1.0, 0.0, 1.0];
        assert_eq!(bilinear_matrix(2, 4, PixelCentres::Corner), corner);
        // Three pixels to two: no antialiasing.
        assert_eq!(bilinear_matrix(3, 2, PixelCentres::Corner), [1.0, 0.0, 0.0, 0.0, 0.5, 0.5]);
    }

    #[test]
    fn rows_and_columns_are_not_swapped() {
        let x = Tensor::<Base, 4>::from_floats([[[[0.0, 1.0, 2.0], [10.0, 11.0, 12.0]]]], &cpu());
        let y: Vec<f32> = resize_bilinear(x.clone(), 3, PixelCentres::Half).into_data().to_vec().unwrap();
        let expected = [0.0, 1.0, 2.0, 5.0, 6.0, 7.0, 10.0, 11.0, 12.0];
        for (actual, expected) in y.iter().zip(expected) {
            assert!((actual - expected).abs() < 1e-5, "{y:?}");
        }
    }
}
