//! Sentences of several images, embedded in one go.

use std::ops::Range;

use ndarray::Array2;

use crate::models::clip::tokenizer::LongText;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::targets::stimulus_embeddings::embed_sentences;
use crate::pipelines::workbench::Workbench;

/// The sentences of image after image, and where each image's begin and end.
///
/// Collects from the sentences of every image, in the order of the images.
#[derive(Debug, Default)]
pub(crate) struct SentencesByImage<'a> {
    sentences: Vec<&'a str>,
    rows_of_image: Vec<Range<usize>>,
}

impl<'a> FromIterator<&'a [String]> for SentencesByImage<'a> {
    fn from_iter<I: IntoIterator<Item = &'a [String]>>(images: I) -> Self {
        let mut all = Self::default();
        for of_image in images {
            let start = all.sentences.len();
            all.sentences.extend(of_image.iter().map(String::as_str));
            all.rows_of_image.push(start..all.sentences.len());
        }
        all
    }
}

impl SentencesByImage<'_> {
    /// Raw embeddings `[sentence, embed_dim]`.
    ///
    /// # Errors
    /// As [`embed_sentences`].
    pub fn embed(
        &self,
        clip: &ClipSnapshot,
        long_text: LongText,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<Array2<f32>> {
        embed_sentences(clip, &self.sentences, long_text, bench)
    }

    /// Rows of each image in the embeddings.
    pub fn rows_of_image(&self) -> &[Range<usize>] {
        &self.rows_of_image
    }

    /// The image of every row.
    pub fn image_of_row(&self) -> Vec<usize> {
        let rows = self.rows_of_image.iter().enumerate();
        rows.flat_map(|(image, rows)| std::iter::repeat_n(image, rows.len())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_knows_its_image() {
        let images = [vec!["a".to_string(), "b".to_string()], vec![], vec!["c".to_string()]];
        let sentences: SentencesByImage = images.iter().map(Vec::as_slice).collect();
        assert_eq!(sentences.sentences, ["a", "b", "c"]);
        assert_eq!(sentences.rows_of_image(), [0..2, 2..2, 2..3]);
        assert_eq!(sentences.image_of_row(), [0, 0, 2]);
    }
}
