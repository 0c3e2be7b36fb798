//! Photographs through the published preprocessing, bit for bit.
//! Catches: filter, order of passes, rounding between them, crop offset, channel order, normalisation.

use image::RgbImage;
use mindreader::pipelines::feature_cache::clip_pixels;

use crate::golden::{Golden, max_difference};

#[test]
fn photographs_equal_the_reference_in_every_bit() {
    let Some(golden) = Golden::open("clip_preprocess") else { return };
    for photo in 0..3 {
        let (pixels, shape) = golden.ints(&format!("photo{photo}.input"));
        let pixels: Vec<u8> = pixels.iter().map(|&value| value as u8).collect();
        let image = RgbImage::from_raw(shape[1] as u32, shape[0] as u32, pixels).unwrap();
        let (expected, _) = golden.f32(&format!("photo{photo}.output"));
        let actual = clip_pixels(&image, 224);
        assert_eq!(actual.len(), expected.len());
        let different = actual.iter().zip(&expected).filter(|(a, e)| a.to_bits() != e.to_bits()).count();
        assert_eq!(different, 0, "photo {photo}: largest error {:e}", max_difference(&actual, &expected));
        golden.expect(&format!("photo{photo}.output"), &actual);
    }
}
