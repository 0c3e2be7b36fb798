//! Similarity of embeddings to given sentences: what an embedding is "about", in words.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};

use crate::models::clip::encode_batches::encode_texts;
use crate::models::clip::tokenizer::{LongText, Tokenizer};
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::generator_use::short;
use crate::run::error::RunError;
use crate::tensor_ops::backend::{Base, Device};
use crate::tensor_ops::similarity::unit_norm;

/// Sentences encoded at a time.
const BATCH: usize = 64;

/// Sentences in CLIP's space.
#[derive(Debug)]
pub struct CaptionProbe {
    /// SHA-256 of the CLIP that embedded the sentences.
    clip_sha256: String,
    sentences: Vec<String>,
    embeddings: Tensor<Base, 2>,
}

impl CaptionProbe {
    /// Embeds sentences with a CLIP snapshot, to be compared with embeddings of `width` values.
    ///
    /// # Errors
    /// [`RunError`] when the snapshot cannot be used or its embeddings have another width; too long a sentence is cut.
    pub fn open(clip: &Path, sentences: &[String], width: usize, device: &Device) -> Result<Self, RunError> {
        let ClipSnapshot { config, clip: network, sha256 } = ClipSnapshot::open(clip, device)?;
        if config.embed_dim != width {
            let expected =
                format!("{width} as the image mapper's; name the CLIP that it was trained for with `--clip`");
            return Err(RunError::invalid(clip, "width of the embedding", expected, config.embed_dim));
        }
        let tokenizer = Tokenizer::new(config.context_length, LongText::Truncate);
        let rows = sentences
            .iter()
            .map(|sentence| tokenizer.encode_unpadded(sentence))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| RunError::invalid(clip, "context length", "room for a sentence", error))?;
        let values = encode_texts(&network, &rows, BATCH, device, &mut |_, _| {});
        let embeddings = TensorData::new(values, [sentences.len(), config.embed_dim]);
        let embeddings = unit_norm(Tensor::from_data(embeddings, device));
        Ok(Self { clip_sha256: sha256, sentences: sentences.to_vec(), embeddings })
    }

    /// A sentence that names both, if the CLIP at `clip` is not the one whose space `mapper` predicts; nothing where the mapper
    /// does not say.
    pub fn other_space(&self, clip: &Path, mapper: &Path, predicted_sha256: &str) -> Option<String> {
        let is_other = !predicted_sha256.is_empty() && predicted_sha256 != self.clip_sha256;
        is_other.then(|| {
            format!(
                "`{}` (SHA-256 {}) is not the CLIP whose space `{}` predicts (SHA-256 {})",
                clip.display(),
                short(&self.clip_sha256),
                mapper.display(),
                short(predicted_sha256)
            )
        })
    }

    /// The sentences, in the order of the similarities.
    pub fn sentences(&self) -> &[String] {
        &self.sentences
    }

    /// Cosine of every embedding with every sentence.
    ///
    /// # Shapes
    /// - embeddings: `[trials, embed_dim]`, unit norm; output: one row per trial
    pub fn similarities(&self, embeddings: Tensor<Base, 2>) -> Vec<Vec<f64>> {
        let cosines: Vec<f64> =
            embeddings.matmul(self.embeddings.clone().transpose()).into_data().iter::<f64>().collect();
        cosines.chunks(self.sentences.len().max(1)).map(<[f64]>::to_vec).collect()
    }
}
