//! The zeros on either side of the voxels.

use ndarray::{Array2, ArrayView2, s};

/// Betas between zeros: voxel `i` sits at `i + left`, where `data::padding` puts it.
///
/// # Shapes
/// - betas: `[trials, voxels]`, output: `[trials, signal_len]`
///
/// # Panics
/// When the voxels end behind `signal_len`.
pub fn between_zeros(betas: ArrayView2<'_, f32>, left: usize, signal_len: usize) -> Array2<f32> {
    let (trials, voxels) = betas.dim();
    let mut signal = Array2::zeros((trials, signal_len));
    signal.slice_mut(s![.., left..left + voxels]).assign(&betas);
    signal
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn voxels_keep_their_order_and_zeros_surround_them() {
        let betas = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        let expected = array![[0.0, 1.0, 2.0, 3.0, 0.0, 0.0], [0.0, 4.0, 5.0, 6.0, 0.0, 0.0]];
        assert_eq!(between_zeros(betas.view(), 1, 6), expected);
        assert_eq!(between_zeros(betas.view(), 0, 3), betas);
    }
}
