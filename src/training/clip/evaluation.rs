//! How well a CLIP pairs held-out images with their captions.

use burn::tensor::{Tensor, TensorData};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::captioned_images::CaptionedImages;
use crate::losses::clip_contrastive::symmetric_cross_entropy;
use crate::metrics::retrieval::{RetrievalConfig, RetrievalError, RetrievalSummary, compute_retrieval};
use crate::models::clip::Clip;
use crate::models::clip::encode_batches::{encode_images, encode_texts};
use crate::models::clip::preprocess::normalize_hwc;
use crate::tensor_ops::backend::{Base, Device};

/// Pairs encoded at a time.
const BATCH: usize = 64;

/// Held-out pairs: the first image of every photograph with its first caption.
#[derive(Clone, Debug)]
pub struct HeldOutPairs {
    side: usize,
    pixels: Vec<f32>,
    captions: Vec<Vec<i32>>,
    /// Pairs with equal captions have equal numbers.
    caption_ids: Vec<u64>,
}

/// Loss and retrieval on held-out pairs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipEvaluation {
    /// CLIP's loss over all pairs at once, in nats.
    pub loss: f64,
    /// What a network without knowledge would lose: ln(number of pairs).
    pub chance_loss: f64,
    /// Forward: captions of the nearest image; backward: images of the nearest caption. Equal captions count as right.
    pub retrieval: RetrievalSummary,
    /// exp(logit scale).
    pub logit_scale: f64,
}

impl HeldOutPairs {
    /// Pairs of `images`, whose side must be the network's.
    pub fn new(images: &CaptionedImages) -> Self {
        let mut pairs =
            Self { side: images.side(), pixels: Vec::new(), captions: Vec::new(), caption_ids: Vec::new() };
        for group in images.images_by_group() {
            let Some(&image) = group.first() else { continue };
            let caption = &images.captions(image)[0];
            // Pairs whose captions agree word for word count as the same "image" in retrieval, and are no negatives
            // in the loss: no network could tell them apart.
            let first = pairs.captions.iter().position(|other| other == caption);
            pairs.caption_ids.push(first.unwrap_or(pairs.captions.len()) as u64);
            pairs.pixels.extend(normalize_hwc(images.pixels_u8_hwc(image)));
            pairs.captions.push(caption.clone());
        }
        pairs
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.captions.len()
    }

    /// No pair at all.
    pub fn is_empty(&self) -> bool {
        self.captions.is_empty()
    }

    /// Loss and retrieval of `clip`.
    ///
    /// # Errors
    /// [`RetrievalError`] without pairs or when an embedding is not finite.
    pub fn evaluate(
        &self,
        clip: &Clip<Base>,
        retrieval: &RetrievalConfig,
        device: &Device,
    ) -> Result<ClipEvaluation, RetrievalError> {
        let count = self.len();
        let images = encode_images(clip, &self.pixels, self.side, BATCH, device, &mut |_, _| {});
        let texts = encode_texts(clip, &self.captions, BATCH, device, &mut |_, _| {});
        let width = images.len().checked_div(count).unwrap_or(0);
        let empty = RetrievalError::Empty { trials: count, batch_size: retrieval.batch_size };
        let rows = |values| ArrayView2::from_shape((count, width), values).map_err(|_| empty.clone());
        let retrieval = compute_retrieval(rows(&images)?, rows(&texts)?, &self.caption_ids, retrieval)?;

        let tensor = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [count, width]), device);
        let logits = clip.logits_per_image(tensor(images), tensor(texts));
        let excluded: Vec<f32> = (0..count * count)
            .map(|index| (index / count, index % count))
            .map(|(a, b)| if a != b && self.caption_ids[a] == self.caption_ids[b] { 1.0 } else { 0.0 })
            .collect();
        let excluded = Tensor::from_data(TensorData::new(excluded, [count, count]), device);
        let scalar = |value: Tensor<Base, 1>| value.into_data().iter::<f64>().next().unwrap_or(f64::NAN);
        Ok(ClipEvaluation {
            loss: scalar(symmetric_cross_entropy(logits, Some(excluded))),
            // Equal logits: a softmax of 1/n in either direction.
            chance_loss: (count as f64).ln(),
            retrieval,
            logit_scale: scalar(clip.logit_scale.val().exp()),
        })
    }
}
