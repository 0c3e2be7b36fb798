//! Which captions of an image fit it (docs/spec/mapper.md §2.3).
//!
//! `p = softmax_k( scale · cos(image, caption_k) )`; a caption is kept when `p_k > share · max p`.

use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::error::{Classified, ErrorClass, SettingError, in_range};

/// When a caption is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScreenConfig {
    /// Share of the best caption's probability that a caption must exceed, in [0, 1). Paper: 0.5.
    pub share_of_best: f64,
}

impl Default for ScreenConfig {
    fn default() -> Self {
        Self { share_of_best: 0.5 }
    }
}

impl ScreenConfig {
    /// Checks the share.
    ///
    /// # Errors
    /// [`SettingError`] for a share outside [0, 1).
    pub fn validate(&self) -> Result<(), SettingError> {
        in_range("share_of_best", self.share_of_best, 0.0..1.0)
    }
}

/// One image's captions after screening.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScreenedCaptions {
    /// Probability of each caption, in the order of the captions; they sum to 1.
    pub probabilities: Vec<f64>,
    /// Positions of the kept captions, in order; at least one.
    pub kept: Vec<usize>,
}

/// Why captions cannot be screened.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ScreenError {
    /// The share is no share.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Nothing to choose from.
    #[error("the image has no caption")]
    NoCaption,
    /// An embedding is zero, infinite or not a number.
    #[error("the cosine of the image and caption {caption} is {found}")]
    Cosine {
        /// Position of the caption.
        caption: usize,
        /// What came out.
        found: f64,
    },
}

impl Classified for ScreenError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Setting(error) => error.class(),
            Self::NoCaption | Self::Cosine { .. } => ErrorClass::BadInput,
        }
    }
}

/// Screens the captions of one image.
///
/// # Shapes
/// - image: `[embed_dim]`, captions: `[captions, embed_dim]`, raw embeddings
/// - logit_scale: exp of the network's parameter (100 for published models)
///
/// # Errors
/// [`ScreenError`].
pub fn screen_captions(
    image: ArrayView1<f32>,
    captions: ArrayView2<f32>,
    logit_scale: f64,
    config: &ScreenConfig,
) -> Result<ScreenedCaptions, ScreenError> {
    config.validate()?;
    // In double precision: whether a caption stays must not hang on rounding.
    let norm = |row: ArrayView1<f32>| row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    let mut logits = Vec::with_capacity(captions.nrows());
    for (caption, row) in captions.rows().into_iter().enumerate() {
        let product: f64 = row.iter().zip(image).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
        let cosine = product / (norm(row) * norm(image));
        if !cosine.is_finite() {
            return Err(ScreenError::Cosine { caption, found: cosine });
        }
        logits.push(logit_scale * cosine);
    }
    let best = logits.iter().copied().reduce(f64::max).ok_or(ScreenError::NoCaption)?;
    // The largest is taken off first: no exponential overflows, and the sum is at least 1, whatever the scale.
    let weights: Vec<f64> = logits.iter().map(|logit| (logit - best).exp()).collect();
    let sum: f64 = weights.iter().sum();
    // The best weight is 1, so p > share · max p is weight > share.
    let kept = (0..weights.len()).filter(|caption| weights[*caption] > config.share_of_best).collect();
    Ok(ScreenedCaptions { probabilities: weights.iter().map(|weight| weight / sum).collect(), kept })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn captions_above_half_of_the_best_are_kept() {
        let image = array![1.0_f32, 0.0];
        // cosines 1, 0.6, 0, and lengths that must not matter
        let captions = array![[2.0_f32, 0.0], [3.0, 4.0], [0.0, 5.0]];
        let screen = |scale: f64, share_of_best: f64| {
            screen_captions(image.view(), captions.view(), scale, &ScreenConfig { share_of_best }).unwrap()
        };
        // weights 1, e^-0.4 = 0.67, e^-1 = 0.37
        let soft = screen(1.0, 0.5);
        assert_eq!(soft.kept, [0, 1]);
        let expected = 1.0 / (1.0 + (-0.4_f64).exp() + (-1.0_f64).exp());
        assert!((soft.probabilities[0] - expected).abs() < 1e-7);
        assert!((soft.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(screen(1.0, 0.7).kept, [0]);
        assert_eq!(screen(1.0, 0.0).kept, [0, 1, 2]);
        assert_eq!(screen(100.0, 0.5).kept, [0]);
    }

    #[test]
    fn nothing_to_choose_from_and_embeddings_of_zeros_are_errors() {
        let image = array![1.0_f32, 0.0];
        let default = ScreenConfig::default();
        let none =
            screen_captions(image.view(), array![[0.0_f32, 0.0]].slice(ndarray::s![..0, ..]), 1.0, &default);
        assert_eq!(none, Err(ScreenError::NoCaption));
        let zero = screen_captions(image.view(), array![[1.0_f32, 0.0], [0.0, 0.0]].view(), 1.0, &default);
        assert!(matches!(zero, Err(ScreenError::Cosine { caption: 1, .. })));
        let share = ScreenConfig { share_of_best: 1.0 };
        let error = screen_captions(image.view(), array![[1.0_f32, 0.0]].view(), 1.0, &share).unwrap_err();
        assert!(error.to_string().contains("`share_of_best`: found 1"), "{error}");
    }
}
