//! Sizes of both towers.

use serde::{Deserialize, Serialize};

use super::tokenizer::VOCABULARY_SIZE;
use crate::error::{SettingError, in_range, limits};

/// Activation of the perceptrons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClipActivation {
    /// x·σ(1.702 x): OpenAI's networks and ours.
    #[default]
    QuickGelu,
    /// x·Φ(x): most networks of OpenCLIP.
    Gelu,
}

/// Largest token table.
const MOST_TOKENS: usize = 10_000_000;

/// Sizes of [`Clip`]. The default is ViT-B/32 (Radford et al. 2021, table 20). Widths and heads are 1 to 65,536, layers 1 to 1000, sides
/// 1 to 4096 pixels, texts 3 to 4096 tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClipConfig {
    /// Side of the square input image in pixels; a multiple of `patch_size`. ViT-B/32: 224.
    pub image_size: usize,
    /// Side of a patch in pixels. ViT-B/32: 32.
    pub patch_size: usize,
    /// Width of the vision transformer. ViT-B/32: 768.
    pub vision_width: usize,
    /// Blocks of the vision transformer. ViT-B/32: 12.
    pub vision_layers: usize,
    /// Attention heads of the vision transformer; must divide its width. ViT-B/32: 12.
    pub vision_heads: usize,
    /// Width of the text transformer. ViT-B/32: 512.
    pub text_width: usize,
    /// Blocks of the text transformer. ViT-B/32: 12.
    pub text_layers: usize,
    /// Attention heads of the text transformer; must divide its width. ViT-B/32: 8.
    pub text_heads: usize,
    /// Longest text in tokens, start and end markers included. All published models: 77.
    pub context_length: usize,
    /// Rows of the token table; at least the tokenizer's 49408.
    pub vocab_size: usize,
    /// Width of the joint space. ViT-B/32: 512.
    pub embed_dim: usize,
    /// Activation of the perceptrons in both towers. ViT-B/32: quick-gelu.
    pub activation: ClipActivation,
}

impl Default for ClipConfig {
    fn default() -> Self {
        Self::vit_b_32()
    }
}

impl ClipConfig {
    /// The published ViT-B/32.
    pub fn vit_b_32() -> Self {
        Self {
            image_size: 224,
            patch_size: 32,
            vision_width: 768,
            vision_layers: 12,
            vision_heads: 12,
            text_width: 512,
            text_layers: 12,
            text_heads: 8,
            context_length: 77,
            vocab_size: VOCABULARY_SIZE,
            embed_dim: 512,
            activation: ClipActivation::QuickGelu,
        }
    }

    /// Checks that the sizes fit together.
    ///
    /// # Errors
    /// [`SettingError`] that names the first field that does not fit.
    pub fn validate(&self) -> Result<(), SettingError> {
        for (field, found) in [
            ("vision_width", self.vision_width),
            ("vision_heads", self.vision_heads),
            ("text_width", self.text_width),
            ("text_heads", self.text_heads),
            ("embed_dim", self.embed_dim),
        ] {
            in_range(field, found, 1..=limits::WIDTH)?;
        }
        in_range("image_size", self.image_size, 1..=limits::SIDE)?;
        in_range("patch_size", self.patch_size, 1..=limits::SIDE)?;
        in_range("vision_layers", self.vision_layers, 1..=limits::LAYERS)?;
        in_range("text_layers", self.text_layers, 1..=limits::LAYERS)?;
        require_multiple("image_size", self.image_size, self.patch_size)?;
        require_multiple("vision_width", self.vision_width, self.vision_heads)?;
        require_multiple("text_width", self.text_width, self.text_heads)?;
        // Start marker, one token, end marker.
        in_range("context_length", self.context_length, 3..=limits::SIDE)?;
        in_range("vocab_size", self.vocab_size, VOCABULARY_SIZE..=MOST_TOKENS)
    }
}

impl ClipConfig {
    /// Values of both towers, without norms and biases: no network of these sizes has fewer.
    pub fn least_values(&self) -> u128 {
        let [image, patch] = [self.image_size, self.patch_size].map(|side| side as u128);
        let [vision, text] = [self.vision_width, self.text_width].map(|width| width as u128);
        let embed = self.embed_dim as u128;
        // Four square matrices of attention, two of the perceptron that is four times as wide.
        let blocks = |layers: usize, width: u128| 12 * layers as u128 * width * width;
        let positions = (image / patch.max(1)).pow(2);
        let of_vision = blocks(self.vision_layers, vision) + (3 * patch * patch + positions + embed) * vision;
        let tokens = (self.vocab_size + self.context_length) as u128;
        of_vision + blocks(self.text_layers, text) + (tokens + embed) * text
    }

    /// Values of one image and of what the blocks of the vision tower make of it.
    pub fn least_activations(&self) -> u128 {
        let [image, patch] = [self.image_size, self.patch_size].map(|side| side as u128);
        let tokens = (image / patch.max(1)).pow(2);
        3 * image * image + tokens * self.vision_width as u128 * self.vision_layers as u128
    }
}

fn require_multiple(field: &str, value: usize, of: usize) -> Result<(), SettingError> {
    match value.is_multiple_of(of) {
        true => Ok(()),
        false => Err(SettingError::new(field, format!("a multiple of {of}"), value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_vit_b_32_is_a_little_below_what_it_has() {
        // 151.3 million values (Radford et al. 2021): all but norms, biases and the class token.
        let values = ClipConfig::vit_b_32().least_values();
        assert!((150_500_000..151_277_313).contains(&values), "{values}");
        assert_eq!(ClipConfig::vit_b_32().least_activations(), 3 * 224 * 224 + 49 * 768 * 12);
    }

    #[test]
    fn sizes_that_do_not_fit_are_named() {
        let small = ClipConfig { image_size: 50, ..ClipConfig::default() };
        assert_eq!(
            small.validate().unwrap_err().to_string(),
            "`image_size`: found 50, expected a multiple of 32"
        );
        let heads = ClipConfig { text_heads: 7, ..ClipConfig::default() };
        assert_eq!(heads.validate().unwrap_err().field, "text_width");
        let none = ClipConfig { vision_heads: 0, ..ClipConfig::default() };
        assert_eq!(none.validate().unwrap_err().field, "vision_heads");
        assert_eq!(ClipConfig::default().validate(), Ok(()));
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(serde_json::from_str::<ClipConfig>(r#"{"image_sise": 32}"#).is_err());
    }
}
