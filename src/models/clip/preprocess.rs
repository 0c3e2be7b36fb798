//! Pixels → CLIP input; the only home of CLIP's mean and deviation.
//!
//! Resizing the image to the network's side is `data::image::resize`'s work; `pipelines::feature_cache` joins both.

use burn::tensor::{Tensor, TensorData, backend::Backend};

/// Mean of R, G, B in [0, 1] that CLIP was trained with.
pub const CLIP_MEAN: [f64; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// Deviation of R, G, B in [0, 1] that CLIP was trained with.
pub const CLIP_STD: [f64; 3] = [0.268_629_54, 0.261_302_58, 0.275_777_11];

/// (value/255 − mean)/deviation of every channel and 8-bit value.
pub fn normalized_levels() -> [[f32; 256]; 3] {
    std::array::from_fn(|channel| {
        std::array::from_fn(|level| {
            // Single precision step by step, as the published code computes it.
            (level as f32 / 255.0 - CLIP_MEAN[channel] as f32) / CLIP_STD[channel] as f32
        })
    })
}

/// CLIP input of one image of the network's side: RGB bytes, row by row (`[row, column, channel]`), to
/// CLIP-normalised `[channel, row, column]`.
pub fn normalize_hwc(pixels_u8_hwc: &[u8]) -> Vec<f32> {
    // A table of 3 × 256 values: the same bytes give the same bits, and no pixel is divided twice.
    let levels = normalized_levels();
    let num_pixels = pixels_u8_hwc.len() / 3;
    let mut result = vec![0.0; 3 * num_pixels];
    for (index, rgb) in pixels_u8_hwc.chunks_exact(3).enumerate() {
        for channel in 0..3 {
            result[channel * num_pixels + index] = levels[channel][usize::from(rgb[channel])];
        }
    }
    result
}

/// CLIP input of images in [−1, 1], differentiable: (x + 1)/2, then mean and deviation.
///
/// # Shapes
/// - pixels_pm1, output: `[batch, 3, height, width]`
pub fn normalize_pm1<B: Backend>(pixels_pm1: Tensor<B, 4>) -> Tensor<B, 4> {
    let device = pixels_pm1.device();
    let per_channel = |value: fn(usize) -> f64| {
        let values: Vec<f32> = (0..3).map(|channel| value(channel) as f32).collect();
        Tensor::<B, 1>::from_data(TensorData::new(values, [3]), &device).reshape([1, 3, 1, 1])
    };
    // ((x + 1)/2 − m)/s = x/(2s) + (1/2 − m)/s
    pixels_pm1 * per_channel(|channel| 0.5 / CLIP_STD[channel])
        + per_channel(|channel| (0.5 - CLIP_MEAN[channel]) / CLIP_STD[channel])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn both_routes_agree() {
        let pixels = [0_u8, 128, 255, 10, 20, 30];
        let from_bytes = normalize_hwc(&pixels);
        let chw: Vec<f32> =
            [0, 3, 1, 4, 2, 5].iter().map(|&index| f32::from(pixels[index]) / 127.5 - 1.0).collect();
        let tensor = Tensor::<Base, 4>::from_data(TensorData::new(chw, [1, 3, 1, 2]), &cpu());
        let from_tensor: Vec<f32> = normalize_pm1(tensor).into_data().to_vec().unwrap();
        for (a, b) in from_bytes.iter().zip(&from_tensor) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        assert!((from_bytes[0] - (-0.481_454_66 / 0.268_629_54)).abs() < 1e-6);
    }
}
