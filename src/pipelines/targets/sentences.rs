//! Sentences of several images, embedded in one go.

use std::ops::Range;
use std::path::Path;

use ndarray::Array2;

use crate::error::{Fault, FileError};
use crate::models::clip::tokenizer::{LongText, TextTooLong, Tokenizer};
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

/// What helps against a vetted caption that is too long.
pub(crate) const SHORTEN: &str = "shorten it in that file, or leave it out";

/// Where captions come from, and what helps when one is too long for CLIP.
pub(crate) struct CaptionSource<'a> {
    /// The file or folder that holds them.
    pub file: &'a Path,
    /// How an image is named there, by its place in the order of the images.
    pub image: &'a dyn Fn(usize) -> String,
    /// What to do about a caption that is too long.
    pub cure: &'a str,
}

impl CaptionSource<'_> {
    fn refuse(&self, (image, text): (usize, TextTooLong)) -> FileError {
        let TextTooLong { start, found, context_length } = text;
        let field = format!("caption `{start}…` of image {}", (self.image)(image));
        let expected = format!("at most {context_length}, CLIP's context");
        Fault::new(field, expected, format!("{found} tokens")).hint(self.cure).at(self.file)
    }
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
    /// Raw embeddings `[sentence, embed_dim]`; a caption that does not fit is looked for in `source`.
    ///
    /// # Errors
    /// As [`embed_sentences`].
    pub fn embed(
        &self,
        clip: &ClipSnapshot,
        long_text: LongText,
        source: &CaptionSource<'_>,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<Array2<f32>> {
        embed_sentences(clip, &self.sentences, long_text, bench).map_err(|error| {
            match error.downcast_ref::<TextTooLong>() {
                Some(too_long) => {
                    let tokenizer = Tokenizer::new(too_long.context_length, LongText::Error);
                    self.first_too_long(tokenizer).map_or(error, |found| source.refuse(found).into())
                }
                None => error,
            }
        })
    }

    /// The image of the first caption that does not fit, counted from 0, and by how much.
    fn first_too_long(&self, tokenizer: Tokenizer) -> Option<(usize, TextTooLong)> {
        self.rows_of_image.iter().enumerate().find_map(|(image, rows)| {
            let too_long = |text: &&str| tokenizer.encode_unpadded(text).err();
            self.sentences[rows.clone()].iter().find_map(too_long).map(|error| (image, error))
        })
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
    fn a_caption_that_is_too_long_is_named_with_its_file_image_and_cure() {
        let images =
            [vec!["a dog".to_string()], vec!["a cat".to_string(), "a dog and a cat and a bird".to_string()]];
        let sentences: SentencesByImage = images.iter().map(Vec::as_slice).collect();
        let found = sentences.first_too_long(Tokenizer::new(6, LongText::Error)).unwrap();
        let image = |image: usize| format!("nsd{image}");
        let cure = "cut it";
        let source = CaptionSource { file: Path::new("captions/subj01.json"), image: &image, cure };
        let error = source.refuse(found);
        assert_eq!(
            error.to_string(),
            "`captions/subj01.json`: caption `a dog and a cat and a bird…` of image nsd1: found 10 tokens, \
             expected at most 6, CLIP's context"
        );
        assert_eq!(crate::error::Classified::hint(&error).as_deref(), Some("cut it"));
        assert_eq!(sentences.first_too_long(Tokenizer::new(10, LongText::Error)), None);
    }

    #[test]
    fn every_row_knows_its_image() {
        let images = [vec!["a".to_string(), "b".to_string()], vec![], vec!["c".to_string()]];
        let sentences: SentencesByImage = images.iter().map(Vec::as_slice).collect();
        assert_eq!(sentences.sentences, ["a", "b", "c"]);
        assert_eq!(sentences.rows_of_image(), [0..2, 2..2, 2..3]);
        assert_eq!(sentences.image_of_row(), [0, 0, 2]);
    }
}
