//! Noise per pixel and grey squares.

use burn::tensor::{Tensor, TensorData, backend::Backend};

/// Side of a square as a share of the image's.
const CUTOUT_SIZE: f64 = 0.5;

/// Adds normal noise `[batch, 3, height, width]`, row-major, with a deviation per image.
///
/// # Shapes
/// - x, output: `[batch, 3, height, width]`
pub(super) fn with_noise<B: Backend>(x: Tensor<B, 4>, deviations: &[f64], noise: &[f32]) -> Tensor<B, 4> {
    let shape = x.dims();
    let device = x.device();
    let deviations: Vec<f32> = deviations.iter().map(|deviation| *deviation as f32).collect();
    let deviations = Tensor::<B, 4>::from_data(TensorData::new(deviations, [shape[0], 1, 1, 1]), &device);
    let dtype = x.dtype();
    let noise = Tensor::<B, 4>::from_data(TensorData::new(noise.to_vec(), shape), &device);
    x + (noise * deviations).cast(dtype)
}

/// Sets a square of half the side to 0 in every image that has a centre; centres are shares of the side.
///
/// # Shapes
/// - x, output: `[batch, channels, height, width]`
pub(super) fn cut_out<B: Backend>(x: Tensor<B, 4>, centres: &[Option<[f64; 2]>]) -> Tensor<B, 4> {
    let [batch, _, height, width] = x.dims();
    let is_near = |index: usize, len: usize, centre: f64| {
        // By the centres of pixels. A square at the border is cut off there.
        ((index as f64 + 0.5) / len as f64 - centre).abs() < CUTOUT_SIZE / 2.0
    };
    let mut mask = Vec::with_capacity(batch * height * width);
    for centre in centres {
        for row in 0..height {
            for column in 0..width {
                let is_cut =
                    centre.is_some_and(|[x, y]| is_near(column, width, x) && is_near(row, height, y));
                mask.push(if is_cut { 0.0_f32 } else { 1.0 });
            }
        }
    }
    let mask = Tensor::<B, 4>::from_data(TensorData::new(mask, [batch, 1, height, width]), &x.device());
    let mask = mask.cast(x.dtype());
    // A product, so that R1 can differentiate through it: cut pixels get gradient 0.
    x * mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn a_quarter_is_cut_and_the_rest_stays() {
        let x = Tensor::<Base, 4>::ones([2, 1, 4, 4], &cpu());
        let found: Vec<f32> = cut_out(x, &[None, Some([0.25, 0.5])]).into_data().to_vec().unwrap();
        assert_eq!(found[..16], [1.0; 16]);
        let expected = [1., 1., 1., 1., 0., 0., 1., 1., 0., 0., 1., 1., 1., 1., 1., 1.];
        assert_eq!(found[16..], expected);
    }

    #[test]
    fn noise_has_the_deviation_of_its_image() {
        let x = Tensor::<Base, 4>::ones([2, 3, 1, 1], &cpu());
        let noise = [1.0, 2.0, 3.0, 1.0, 2.0, 3.0];
        let found: Vec<f32> = with_noise(x, &[0.0, 0.5], &noise).into_data().to_vec().unwrap();
        assert_eq!(found, [1.0, 1.0, 1.0, 1.5, 2.0, 2.5]);
    }
}
