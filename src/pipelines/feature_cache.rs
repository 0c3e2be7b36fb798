//! placeholder
use crate::data::image::resize::{Filter, resize_and_center_crop};
use crate::models::clip::preprocess::normalize_hwc;
use image::RgbImage;

/// CLIP input of one image, byte for byte as the published preprocessing: shorter side to `side` by Pillow's
/// bicubic filter, centre crop, mean and deviation. `[3, side, side]`.
pub fn clip_pixels(image: &RgbImage, side: usize) -> Vec<f32> {
    normalize_hwc(resize_and_center_crop(image, side as u32, Filter::Bicubic).as_raw())
}
