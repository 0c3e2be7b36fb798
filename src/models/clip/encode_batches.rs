//! Many images or texts through a tower, a batch at a time, from host to host.

use burn::tensor::{Tensor, TensorData, backend::Backend};

use super::network::Clip;
use super::tokenizer::TokenBatch;

/// Raw image embeddings, `embed_dim` values an image.
///
/// `pixels` holds whole CLIP-normalised images `[3, side, side]`, one behind the other;
/// `progress` hears (images done, images in all).
pub fn encode_images<B: Backend>(
    clip: &Clip<B>,
    pixels: &[f32],
    side: usize,
    batch_size: usize,
    device: &B::Device,
    progress: &mut dyn FnMut(u64, u64),
) -> Vec<f32> {
    let per_image = 3 * side * side;
    let total = pixels.len() / per_image;
    let mut embeddings = Vec::new();
    let mut done = 0;
    for chunk in pixels.chunks(per_image * batch_size.max(1)) {
        let batch = chunk.len() / per_image;
        let images = Tensor::from_data(TensorData::new(chunk.to_vec(), [batch, 3, side, side]), device);
        embeddings.extend(clip.encode_image(images).into_data().iter::<f32>());
        done += batch;
        progress(done as u64, total as u64);
    }
    embeddings
}

/// Raw text embeddings, `embed_dim` values a text. `rows` are token ids with both markers, unpadded.
pub fn encode_texts<B: Backend>(
    clip: &Clip<B>,
    rows: &[Vec<i32>],
    batch_size: usize,
    device: &B::Device,
    progress: &mut dyn FnMut(u64, u64),
) -> Vec<f32> {
    let mut embeddings = Vec::new();
    let mut done = 0;
    for chunk in rows.chunks(batch_size.max(1)) {
        // Padded to the longest of the batch only; the causal mask keeps what stands behind the end marker from
        // changing anything.
        let batch = TokenBatch::pad(chunk.iter().map(Vec::as_slice));
        let tokens = Tensor::from_data(TensorData::new(batch.ids, [batch.num_texts, batch.length]), device);
        embeddings.extend(clip.encode_text(tokens).into_data().iter::<f32>());
        done += chunk.len();
        progress(done as u64, rows.len() as u64);
    }
    embeddings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::clip::ClipConfig;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::half::in_half;

    #[test]
    fn half_precision_embeds_alike() {
        let config = ClipConfig {
            image_size: 16,
            patch_size: 8,
            embed_dim: 8,
            vision_width: 16,
            vision_layers: 2,
            vision_heads: 2,
            text_width: 16,
            text_layers: 2,
            text_heads: 2,
            ..ClipConfig::default()
        };
        let clip = config.init::<Base>(3, &cpu()).unwrap();
        let half = in_half(clip.clone());
        let pixels: Vec<f32> = (0..2 * 3 * 16 * 16).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect();
        let rows = [vec![49406, 320, 1125, 49407], vec![49406, 539, 49407]];
        let mut ignore = |_, _| {};
        let embed = |clip: &Clip<Base>, ignore: &mut dyn FnMut(u64, u64)| {
            let mut all = encode_images(clip, &pixels, 16, 2, &cpu(), ignore);
            all.extend(encode_texts(clip, &rows, 2, &cpu(), ignore));
            all
        };
        let (expected, actual) = (embed(&clip, &mut ignore), embed(&half, &mut ignore));
        let scale = expected.iter().fold(0.0_f32, |scale, value| scale.max(value.abs()));
        assert_eq!(expected.len(), 4 * 8);
        for (a, e) in actual.iter().zip(&expected) {
            assert!((a - e).abs() < 1e-2 * scale, "{a} {e}");
        }
        assert_ne!(actual, expected);
    }
}
