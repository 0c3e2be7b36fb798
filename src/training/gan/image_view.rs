//! Generated images as CLIP is shown them (docs/spec/gan-training.md §4.1): one random square crop per batch, resized.

use burn::module::Module;
use burn::tensor::Tensor;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::models::clip::Clip;
use crate::models::clip::preprocess::normalize_pm1;
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::tensor_ops::resize::{SquareCrop, crop_and_resize, place_on_canvas};

/// What happens to images smaller than the encoder's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SmallImages {
    /// Put onto a white canvas at a random place: the published code.
    #[default]
    WhiteCanvas,
    /// Cropped and enlarged like any other image.
    Enlarge,
}

/// Random crops of generated images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CropConfig {
    /// Least side of a crop as a share of the image's (0.5).
    pub smallest_share: f64,
    /// What happens to images smaller than the encoder's input.
    pub small_images: SmallImages,
}

impl Default for CropConfig {
    fn default() -> Self {
        Self { smallest_share: 0.5, small_images: SmallImages::WhiteCanvas }
    }
}

/// A frozen image encoder through which gradients flow.
pub trait ImageEncoder {
    /// Height and width of its input.
    fn image_size(&self) -> usize;
    /// Width of its output.
    fn embed_dim(&self) -> usize;
    /// Embeds images; the norm is free.
    ///
    /// # Shapes
    /// - pixels_pm1: `[batch, 3, image_size, image_size]`, −1..1, output: `[batch, embed_dim]`
    fn encode(&self, pixels_pm1: Tensor<Diff, 4>) -> Tensor<Diff, 2>;
    /// The same encoder on another device.
    fn on_device(&self, device: &Device) -> Box<dyn ImageEncoder + Send>;
}

/// CLIP's image tower with fixed weights.
#[derive(Clone, Debug)]
pub struct FrozenClip {
    clip: Clip<Diff>,
    image_size: usize,
    embed_dim: usize,
}

impl FrozenClip {
    /// Fixes the weights of a CLIP with these sizes.
    pub fn new(clip: Clip<Base>, image_size: usize, embed_dim: usize) -> Self {
        // Fixed, but at the level that records: gradients pass through CLIP to the image.
        let clip = <Clip<Diff> as burn::module::AutodiffModule<Diff>>::from_inner(clip).no_grad();
        Self { clip, image_size, embed_dim }
    }
}

impl ImageEncoder for FrozenClip {
    fn image_size(&self) -> usize {
        self.image_size
    }

    fn embed_dim(&self) -> usize {
        self.embed_dim
    }

    fn encode(&self, pixels_pm1: Tensor<Diff, 4>) -> Tensor<Diff, 2> {
        self.clip.encode_image(normalize_pm1(pixels_pm1))
    }

    fn on_device(&self, device: &Device) -> Box<dyn ImageEncoder + Send> {
        Box::new(Self { clip: self.clip.clone().fork(device), ..self.clone() })
    }
}

/// A random crop of the whole batch, as the encoder's input.
///
/// # Shapes
/// - pixels_pm1: `[batch, 3, side, side]`, output: `[batch, 3, image_size, image_size]`
pub fn random_view(
    pixels_pm1: Tensor<Diff, 4>,
    image_size: usize,
    config: &CropConfig,
    rng: &mut impl Rng,
) -> Tensor<Diff, 4> {
    let side = pixels_pm1.dims()[2];
    if side < image_size && config.small_images == SmallImages::WhiteCanvas {
        let top = rng.random_range(0..=image_size - side);
        let left = rng.random_range(0..=image_size - side);
        return place_on_canvas(pixels_pm1, top, left, image_size, 1.0);
    }
    crop_and_resize(pixels_pm1, random_crop(side, config.smallest_share, rng), image_size)
}

/// Side from `⌊share · side⌋` to `side − 1`, then a place from 0 to `side − crop − 1`.
fn random_crop(side: usize, smallest_share: f64, rng: &mut impl Rng) -> SquareCrop {
    let smallest = ((side as f64 * smallest_share) as usize).clamp(1, side);
    // Never the whole side, and never the last place: the upper ends of the published ranges are exclusive
    // (docs/spec/gan-training.md §4.1).
    let crop = if smallest < side { rng.random_range(smallest..side) } else { side };
    let mut place = || if crop < side { rng.random_range(0..side - crop) } else { 0 };
    SquareCrop { top: place(), left: place(), side: crop }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::cpu;
    use crate::tensor_ops::random::keyed_rng;

    #[test]
    fn crops_stay_inside_and_vary() {
        let mut rng = keyed_rng(0, "crops", 0);
        let crops: Vec<_> = (0..200).map(|_| random_crop(32, 0.5, &mut rng)).collect();
        for crop in &crops {
            assert!((16..32).contains(&crop.side));
            assert!(crop.top + crop.side < 32 && crop.left + crop.side < 32);
        }
        assert!(crops.iter().any(|crop| crop.side == 16) && crops.iter().any(|crop| crop.side == 31));
        assert_eq!(random_crop(32, 1.0, &mut rng), SquareCrop { top: 0, left: 0, side: 32 });
    }

    #[test]
    fn small_images_follow_the_setting() {
        let black = || Tensor::<Diff, 4>::full([1, 3, 8, 8], -1.0, &cpu());
        let view = |small_images| {
            let config = CropConfig { small_images, ..Default::default() };
            random_view(black(), 16, &config, &mut keyed_rng(0, "view", 0))
        };
        let canvas = view(SmallImages::WhiteCanvas);
        assert_eq!(canvas.dims(), [1, 3, 16, 16]);
        // A quarter is image, the rest white.
        assert!((canvas.mean().into_scalar() - 0.5).abs() < 1e-6);
        assert!((view(SmallImages::Enlarge).mean().into_scalar() + 1.0).abs() < 1e-5);
    }
}
