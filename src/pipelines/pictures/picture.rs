//! Generated tensors as 8-bit pictures.

use burn::tensor::{Tensor, backend::Backend};
use image::RgbImage;

use crate::tensor_ops::pixel_range::u8_rounded_from_pm1;

/// Generated images as pictures, rounded and clipped (docs/spec/generator.md §8).
///
/// # Shapes
/// - pixels_pm1: `[batch, 3, height, width]`, −1..1
pub fn pictures<B: Backend>(pixels_pm1: Tensor<B, 4>) -> Vec<RgbImage> {
    let [batch, channels, height, width] = pixels_pm1.dims();
    debug_assert_eq!(channels, 3, "pictures are RGB");
    // Channels last: the layout of pictures.
    let values: Vec<f32> = pixels_pm1.permute([0, 2, 3, 1]).into_data().iter::<f32>().collect();
    let size = height * width * channels;
    (0..batch)
        .filter_map(|item| {
            let bytes = u8_rounded_from_pm1(&values[item * size..(item + 1) * size]);
            RgbImage::from_raw(width as u32, height as u32, bytes)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn channels_become_colours() {
        let red = Tensor::<Base, 4>::from_data([[[[1.0]], [[-1.0]], [[-1.0]]]], &cpu());
        let pictures = pictures(red);
        assert_eq!(pictures[0].get_pixel(0, 0).0, [255, 0, 0]);
    }
}
