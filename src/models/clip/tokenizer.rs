//! Byte-pair tokens of CLIP: start marker, text, end marker, zeros up to the context length.
//!
//! Text is cleaned as the published tokenizer does ([`super::text_cleaning`]). The pieces come from
//! `instant-clip-tokenizer`, which carries the vocabulary; it spells the two markers differently, which is
//! translated here.

use std::sync::OnceLock;

use instant_clip_tokenizer::Token;

use super::text_cleaning::clean;
use crate::error::{Classified, ErrorClass};

/// Number of tokens: 49 406 pieces and two markers.
pub const VOCABULARY_SIZE: usize = 49_408;
/// First token of every text.
pub const START_OF_TEXT: i32 = 49_406;
/// Last token of every text, the largest id.
pub const END_OF_TEXT: i32 = 49_407;
/// Id behind the end marker.
const PADDING: i32 = 0;

/// What to do with a text that is longer than the context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LongText {
    /// Refuse it (stage one of the paper).
    #[default]
    Error,
    /// Cut it and keep the end marker.
    Truncate,
}

/// A text that does not fit the context.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("text `{start}…` has {found} tokens, expected at most {context_length}")]
pub struct TextTooLong {
    /// Its first letters.
    pub start: String,
    /// Tokens with both markers.
    pub found: usize,
    /// Tokens that fit.
    pub context_length: usize,
}

impl Classified for TextTooLong {
    fn class(&self) -> ErrorClass {
        ErrorClass::BadInput
    }
}

/// Tokenizer of one context length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tokenizer {
    context_length: usize,
    long_text: LongText,
}

/// The vocabulary takes a while to build and never changes.
fn vocabulary() -> &'static instant_clip_tokenizer::Tokenizer {
    static VOCABULARY: OnceLock<instant_clip_tokenizer::Tokenizer> = OnceLock::new();
    VOCABULARY.get_or_init(instant_clip_tokenizer::Tokenizer::new)
}

impl Tokenizer {
    /// A tokenizer for texts of up to `context_length` tokens, markers included.
    pub fn new(context_length: usize, long_text: LongText) -> Self {
        Self { context_length, long_text }
    }

    /// Ids of one text, padded with zeros to the context length.
    ///
    /// # Errors
    /// [`TextTooLong`] under [`LongText::Error`].
    pub fn encode(&self, text: &str) -> Result<Vec<i32>, TextTooLong> {
        let mut ids = self.encode_unpadded(text)?;
        ids.resize(self.context_length, PADDING);
        Ok(ids)
    }

    /// Ids of one text with both markers and without padding.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_unpadded(&self, text: &str) -> Result<Vec<i32>, TextTooLong> {
        let mut ids = full_ids(text);
        if ids.len() > self.context_length {
            if self.long_text == LongText::Error {
                return Err(TextTooLong {
                    start: text.chars().take(40).collect(),
                    found: ids.len(),
                    context_length: self.context_length,
                });
            }
            // The end marker is where the text is read out: a cut text keeps it in place of its last token.
            ids.truncate(self.context_length);
            if let Some(last) = ids.last_mut() {
                *last = END_OF_TEXT;
            }
        }
        Ok(ids)
    }

    /// Ids of several texts, row by row, padded to the longest of them only: positions behind the end marker
    /// change nothing (the text tower is causal) and cost time.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_batch(&self, texts: &[&str]) -> Result<TokenBatch, TextTooLong> {
        let rows = texts.iter().map(|text| self.encode_unpadded(text)).collect::<Result<Vec<_>, _>>()?;
        Ok(TokenBatch::pad(rows.iter().map(Vec::as_slice)))
    }
}

/// Token rows of equal length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenBatch {
    /// `num_texts × length` ids, row by row.
    pub ids: Vec<i32>,
    /// Number of rows.
    pub num_texts: usize,
    /// Tokens in a row.
    pub length: usize,
}

impl TokenBatch {
    /// Rows padded with zeros to the longest.
    pub fn pad<'a>(rows: impl Iterator<Item = &'a [i32]> + Clone) -> Self {
        let length = rows.clone().map(<[i32]>::len).max().unwrap_or(0);
        let num_texts = rows.clone().count();
        let mut ids = Vec::with_capacity(num_texts * length);
        for row in rows {
            ids.extend_from_slice(row);
            ids.extend(std::iter::repeat_n(PADDING, length - row.len()));
        }
        Self { ids, num_texts, length }
    }
}

fn full_ids(text: &str) -> Vec<i32> {
    let text = with_crate_markers(&clean(text));
    let mut pieces: Vec<Token> = Vec::new();
    vocabulary().encode(&text, &mut pieces);
    let mut ids = Vec::with_capacity(pieces.len() + 2);
    ids.push(START_OF_TEXT);
    ids.extend(pieces.iter().map(|piece| i32::from(piece.to_u16())));
    ids.push(END_OF_TEXT);
    ids
}

/// CLIP's markers inside a text in the crate's spelling, and the crate's spelling made harmless.
fn with_crate_markers(text: &str) -> String {
    const MARKERS: [(&str, &str); 2] =
        [("<|startoftext|>", "<start_of_text>"), ("<|endoftext|>", "<end_of_text>")];
    // A space behind `<` ends the run of signs where the letter would have ended it.
    let text = text.replace("<start_of_text>", "< start_of_text>").replace("<end_of_text>", "< end_of_text>");
    let mut result = String::with_capacity(text.len());
    let mut rest = text.as_str();
    // A marker counts only where a piece can begin: signs in front of it swallow its first letters.
    let mut piece_can_begin = true;
    while let Some(letter) = rest.chars().next() {
        let marker = MARKERS.iter().find(|(ours, _)| piece_can_begin && rest.starts_with(ours));
        if let Some((ours, theirs)) = marker {
            result.push_str(theirs);
            rest = &rest[ours.len()..];
        } else {
            result.push(letter);
            rest = &rest[letter.len_utf8()..];
            piece_can_begin = letter.is_whitespace() || letter.is_alphanumeric();
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<i32> {
        let ids = full_ids(text);
        ids[1..ids.len() - 1].to_vec()
    }

    #[test]
    fn long_texts_follow_the_policy() {
        let text = "dog ".repeat(10);
        let error = Tokenizer::new(8, LongText::Error).encode(&text).unwrap_err();
        assert_eq!((error.found, error.context_length), (12, 8));
        assert!(error.to_string().starts_with("text `dog dog"), "{error}");
        let ids = Tokenizer::new(8, LongText::Truncate).encode(&text).unwrap();
        assert_eq!(ids, [49406, 1929, 1929, 1929, 1929, 1929, 1929, 49407]);
        assert_eq!(Tokenizer::new(5, LongText::Error).encode("dog").unwrap(), [49406, 1929, 49407, 0, 0]);
    }

    #[test]
    fn batches_are_as_long_as_their_longest_text() {
        let batch = Tokenizer::new(77, LongText::Error).encode_batch(&["dog", "a dog"]).unwrap();
        assert_eq!((batch.num_texts, batch.length), (2, 4));
        assert_eq!(batch.ids, [49406, 1929, 49407, 0, 49406, 320, 1929, 49407]);
    }

    #[test]
    fn markers_inside_a_text_count_only_where_a_piece_begins() {
        assert_eq!(pieces("<|startoftext|>hi"), [49406, 1883]);
        assert_eq!(pieces("<|endoftext|><|endoftext|>"), [49407, 49407]);
        // `!<|` is one run of signs, so the marker behind it is ordinary text.
        assert!(!pieces("!<|endoftext|>").contains(&49407));
        // The spelling of the crate is ordinary text in CLIP.
        assert_eq!(pieces("<start_of_text>"), pieces("< start_of_text>"));
        assert!(!pieces("<start_of_text>").contains(&49406));
    }
}
