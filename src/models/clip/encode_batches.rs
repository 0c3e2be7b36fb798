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
        let batch = TokenBatch::pad(chunk.iter().map(Vec::as_slice));
        let tokens = Tensor::from_data(TensorData::new(batch.ids, [batch.num_texts, batch.length]), device);
        embeddings.extend(clip.encode_text(tokens).into_data().iter::<f32>());
        done += chunk.len();
        progress(done as u64, rows.len() as u64);
    }
    embeddings
}
