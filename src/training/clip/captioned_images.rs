//! Images with captions in memory: what a small CLIP is trained on.

use std::collections::BTreeMap;

use image::RgbImage;

use crate::data::image::resize::{Filter, resize_and_center_crop};
use crate::error::{Classified, ErrorClass};
use crate::models::clip::tokenizer::{TextTooLong, Tokenizer};

/// Square 8-bit images of one size, each with the tokens of its captions and the photograph that it comes from.
#[derive(Clone, Debug)]
pub struct CaptionedImages {
    side: usize,
    /// `[image, row, column, channel]`.
    pixels_u8_hwc: Vec<u8>,
    captions: Vec<Vec<Vec<i32>>>,
    groups: Vec<u64>,
}

/// An image that cannot be trained on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptionedImageError {
    /// It has no caption.
    #[error("{image} has no caption")]
    NoCaption {
        /// As the caller names it.
        image: String,
    },
    /// A caption does not fit the context.
    #[error("image {image}: {source}; `--set pretrain_clip.train.long_captions=truncate` cuts such captions")]
    TooLong {
        /// As the caller names it.
        image: String,
        /// Which text, and by how much.
        source: TextTooLong,
    },
}

impl Classified for CaptionedImageError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::NoCaption { .. } | Self::TooLong { .. } => ErrorClass::BadInput,
        }
    }
}

impl CaptionedImages {
    /// No images yet; each will be `side` × `side` pixels.
    pub fn new(side: usize) -> Self {
        Self { side, pixels_u8_hwc: Vec::new(), captions: Vec::new(), groups: Vec::new() }
    }

    /// Adds one image: shorter side to [`CaptionedImages::side`] by Pillow's bicubic filter, cut at the centre.
    ///
    /// `group` is the photograph that the image was cut from: images of one group never meet in a batch.
    /// `name` is used in errors only.
    ///
    /// # Errors
    /// [`CaptionedImageError`] without a caption, or when one does not fit.
    pub fn push(
        &mut self,
        name: &str,
        image: &RgbImage,
        captions: &[String],
        group: u64,
        tokenizer: &Tokenizer,
    ) -> Result<(), CaptionedImageError> {
        if captions.is_empty() {
            return Err(CaptionedImageError::NoCaption { image: name.into() });
        }
        let tokens = captions
            .iter()
            .map(|caption| tokenizer.encode_unpadded(caption))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| CaptionedImageError::TooLong { image: name.into(), source })?;
        let resized = resize_and_center_crop(image, self.side as u32, Filter::Bicubic);
        self.pixels_u8_hwc.extend_from_slice(resized.as_raw());
        self.captions.push(tokens);
        self.groups.push(group);
        Ok(())
    }

    /// Side of every image in pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// No images at all.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// RGB bytes of one image, row by row.
    pub fn pixels_u8_hwc(&self, image: usize) -> &[u8] {
        let size = 3 * self.side * self.side;
        &self.pixels_u8_hwc[image * size..(image + 1) * size]
    }

    /// Token rows of one image's captions, at least one.
    pub fn captions(&self, image: usize) -> &[Vec<i32>] {
        &self.captions[image]
    }

    /// Images of each photograph, photographs in the order of their numbers.
    pub fn images_by_group(&self) -> Vec<Vec<usize>> {
        let mut by_group: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (image, group) in self.groups.iter().enumerate() {
            by_group.entry(*group).or_default().push(image);
        }
        by_group.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::clip::tokenizer::LongText;

    #[test]
    fn images_keep_their_captions_and_groups() {
        let tokenizer = Tokenizer::new(8, LongText::Error);
        let mut images = CaptionedImages::new(4);
        let red = RgbImage::from_pixel(9, 6, image::Rgb([200, 10, 20]));
        for (captions, group) in
            [(vec!["a dog".to_string()], 7), (vec!["x".into(), "y".into()], 3), (vec!["z".into()], 7)]
        {
            images.push("image", &red, &captions, group, &tokenizer).unwrap();
        }
        assert_eq!(images.len(), 3);
        assert_eq!(images.images_by_group(), [vec![1], vec![0, 2]]);
        assert_eq!(images.captions(1).len(), 2);
        assert_eq!(images.pixels_u8_hwc(2).len(), 48);
        assert_eq!(&images.pixels_u8_hwc(2)[..3], &[200, 10, 20]);
        let none = images.push("image 5", &red, &[], 1, &tokenizer).unwrap_err();
        assert_eq!(none.to_string(), "image 5 has no caption");
        let long = images.push("image 6", &red, &["a b c d e f g h".into()], 1, &tokenizer).unwrap_err();
        assert!(
            long.to_string().contains("found 10") || long.to_string().contains("has 10 tokens"),
            "{long}"
        );
    }
}
