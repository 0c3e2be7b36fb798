//! The rows of the token table that a training set uses.
//!
//! A small domain says a few hundred of 49 408 tokens. The other rows have no gradient, so only the used ones are
//! trained, and put back into the table for a snapshot: the step is several times faster, and unused rows
//! stay as they were drawn (the full table would only be shrunk there by weight decay).

use burn::module::Param;
use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};

use super::captioned_images::CaptionedImages;
use crate::models::clip::Clip;
use crate::models::clip::tokenizer::TokenBatch;
use crate::tensor_ops::backend::{Base, Device, Diff};

/// Which tokens are trained, and the table of the others.
pub(crate) struct TokenSubset {
    /// Used tokens, ascending: their order is kept, so the end marker stays the largest.
    used: Vec<i32>,
    /// `[vocab_size, width]`, 0 in the used rows.
    others: Tensor<Base, 2>,
    rows: Tensor<Base, 1, Int>,
}

impl TokenSubset {
    /// Cuts the token table of `clip` down to the tokens of `images` and the padding.
    pub fn cut(clip: &mut Clip<Diff>, images: &CaptionedImages, device: &Device) -> Self {
        let mut used: Vec<i32> =
            // 0 is the padding: it is read, though nothing of it reaches the result.
            (0..images.len()).flat_map(|image| images.captions(image).concat()).chain([0]).collect();
        used.sort_unstable();
        used.dedup();
        let rows = Tensor::<Base, 1, Int>::from_data(TensorData::new(used.clone(), [used.len()]), device);
        let table = clip.text.token_embedding.weight.val().inner();
        let trained = table.clone().select(0, rows.clone());
        // Used rows are subtracted away, so that adding the trained ones later gives them exactly.
        let others = table.select_assign(0, rows.clone(), trained.clone().neg(), IndexingUpdateOp::Add);
        clip.text.token_embedding.weight = Param::from_tensor(Tensor::from_inner(trained));
        Self { used, others, rows }
    }

    /// Number of used tokens.
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// Token ids as rows of the table that was cut down.
    pub fn compact(&self, batch: &TokenBatch) -> Vec<i32> {
        let row = |id: &i32| match self.used.binary_search(id) {
            Ok(row) => row as i32,
            // Another row would train another word.
            Err(_) => unreachable!("the list was made of all training texts, and token {id} is not in it"),
        };
        batch.ids.iter().map(row).collect()
    }

    /// The network with its whole table.
    pub fn restore(&self, mut clip: Clip<Base>) -> Clip<Base> {
        let trained = clip.text.token_embedding.weight.val();
        let table = self.others.clone().select_assign(0, self.rows.clone(), trained, IndexingUpdateOp::Add);
        clip.text.token_embedding.weight = Param::from_tensor(table);
        clip
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::clip::ClipConfig;
    use crate::models::clip::tokenizer::{LongText, Tokenizer};
    use crate::tensor_ops::backend::cpu;
    use burn::module::AutodiffModule;

    #[test]
    fn a_cut_table_embeds_as_before_and_comes_back_whole() {
        let config = ClipConfig {
            vision_width: 8,
            vision_layers: 1,
            vision_heads: 1,
            text_width: 8,
            text_layers: 1,
            text_heads: 1,
            embed_dim: 4,
            ..ClipConfig::default()
        };
        let tokenizer = Tokenizer::new(77, LongText::Error);
        let mut images = CaptionedImages::new(4);
        let captions = ["a red dog".to_string(), "a cat".to_string()];
        images.push("image", &image::RgbImage::new(4, 4), &captions, 0, &tokenizer).unwrap();
        let whole = config.init::<Diff>(1, &cpu()).unwrap();
        let mut cut = whole.clone();
        let subset = TokenSubset::cut(&mut cut, &images, &cpu());
        // a, red, dog, cat, both markers, padding
        assert_eq!((subset.len(), cut.text.token_embedding.weight.dims()), (7, [7, 8]));

        let batch = tokenizer.encode_batch(&["a red dog", "a cat"]).unwrap();
        let embed = |clip: &Clip<Diff>, ids: Vec<i32>| {
            let ids = TensorData::new(ids, [batch.num_texts, batch.length]);
            clip.encode_text(Tensor::from_data(ids, &cpu())).into_data()
        };
        assert_eq!(embed(&cut, subset.compact(&batch)), embed(&whole, batch.ids.clone()));
        let restored = subset.restore(cut.valid()).text.token_embedding.weight.val().into_data();
        assert_eq!(restored, whole.valid().text.token_embedding.weight.val().into_data());
    }
}
