//! Differentiable cropping and bicubic resizing (docs/spec/gan-training.md §4.1), as one matrix product per axis.
//!
//! Half-pixel centres, cubic coefficient −0.75, no antialiasing, edges repeated: what the published
//! training does to generated images before CLIP sees them. It aliases when it shrinks, as theirs does.

use burn::tensor::{Tensor, TensorData, backend::Backend};

/// A square window in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SquareCrop {
    /// First row.
    pub top: usize,
    /// First column.
    pub left: usize,
    /// Rows and columns.
    pub side: usize,
}

/// Crops a window and resizes it to `size` × `size`.
///
/// # Shapes
/// - x: `[batch, channels, height, width]`, the window inside
/// - output: `[batch, channels, size, size]`
pub fn crop_and_resize<B: Backend>(x: Tensor<B, 4>, crop: SquareCrop, size: usize) -> Tensor<B, 4> {
    let [batch, channels, height, width] = x.dims();
    let device = x.device();
    // The crop is part of the matrices: columns outside the window are zero, and pixels outside get no gradient.
    let rows = bicubic_matrix(height, crop.top, crop.side, size);
    let columns = bicubic_matrix(width, crop.left, crop.side, size);
    let rows = Tensor::<B, 3>::from_data(TensorData::new(rows, [1, size, height]), &device).cast(x.dtype());
    let columns = Tensor::<B, 2>::from_data(TensorData::new(columns, [size, width]), &device).cast(x.dtype());
    let planes = batch * channels;
    let resized = rows.matmul(x.reshape([planes, height, width])); // [P, size, width]
    resized.reshape([planes * size, width]).matmul(columns.transpose()).reshape([batch, channels, size, size])
}

/// Resizes the whole image to `size` × `size`.
///
/// # Shapes
/// - x: `[batch, channels, side, side]`, output: `[batch, channels, size, size]`
pub fn resize<B: Backend>(x: Tensor<B, 4>, size: usize) -> Tensor<B, 4> {
    let side = x.dims()[2];
    crop_and_resize(x, SquareCrop { top: 0, left: 0, side }, size)
}

/// Puts the image onto a `size` × `size` canvas of constant `value`.
///
/// # Shapes
/// - x: `[batch, channels, side, side]` with `side ≤ size`, output: `[batch, channels, size, size]`
pub fn place_on_canvas<B: Backend>(
    x: Tensor<B, 4>,
    top: usize,
    left: usize,
    size: usize,
    value: f64,
) -> Tensor<B, 4> {
    let [_, _, height, width] = x.dims();
    let canvas = x.sub_scalar(value).pad(
        (left, size - width - left, top, size - height - top),
        burn::tensor::ops::PadMode::Constant(0.0),
    );
    canvas.add_scalar(value)
}

/// Weights `[size, len]`, row-major, of the window `start .. start + side` resized to `size`.
fn bicubic_matrix(len: usize, start: usize, side: usize, size: usize) -> Vec<f32> {
    let mut matrix = vec![0.0; size * len];
    let scale = side as f64 / size as f64;
    for row in 0..size {
        let centre = (row as f64 + 0.5) * scale - 0.5;
        let first = centre.floor();
        for offset in -1..=2 {
            let weight = cubic_kernel(centre - first - f64::from(offset));
            // Clamped to the window and not to the image: published training crops first and then resizes, so the
            // window's edge is repeated.
            let place = (first as isize + offset as isize).clamp(0, side as isize - 1) as usize;
            matrix[row * len + start + place] += weight as f32;
        }
    }
    matrix
}

/// Keys' cubic convolution kernel with a = −0.75.
fn cubic_kernel(distance: f64) -> f64 {
    // PyTorch's coefficient; PIL, which resizes the stimuli, has −0.5.
    const A: f64 = -0.75;
    let x = distance.abs();
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn weights_of_every_output_sum_to_one() {
        for (start, side, size) in [(0, 10, 7), (3, 5, 9), (2, 1, 4)] {
            for row in bicubic_matrix(10, start, side, size).chunks(10) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
                let outside = row[..start].iter().chain(&row[start + side..]);
                assert!(outside.copied().all(|weight| weight == 0.0));
            }
        }
    }

    #[test]
    fn the_same_size_changes_nothing() {
        let values: Vec<f32> = (0..48).map(|i| (i as f32).sin()).collect();
        let x = Tensor::<Base, 4>::from_data(TensorData::new(values.clone(), [1, 3, 4, 4]), &cpu());
        let y: Vec<f32> = resize(x, 4).into_data().to_vec().unwrap();
        for (a, b) in y.iter().zip(values) {
            assert!((a - b).abs() < 1e-6);
        }
    }
}
