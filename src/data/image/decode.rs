//! Pictures from files, whole or not at all.
//!
//! JPEG decoders fill what is missing with one colour and say nothing, as viewers want it. A picture that ends early would
//! then train a network on grey: every JPEG must reach its end marker.

use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, RgbImage};

use crate::data::error::DataError;

/// Width and height beyond these are refused before anything is decoded, in pixels.
const LARGEST_SIDE: u32 = 1 << 14;
/// Every marker begins with this byte.
const MARKER: u8 = 0xFF;
const START_OF_IMAGE: u8 = 0xD8;
const END_OF_IMAGE: u8 = 0xD9;
const START_OF_SCAN: u8 = 0xDA;

/// Decodes a PNG or JPEG of at most 16384 pixels a side; `path` stands in errors.
///
/// # Shapes
/// - output: RGB, 8 bits; grey pictures get three equal channels, transparency is dropped
///
/// # Errors
/// [`DataError::Unreadable`] for another format, damage or a file that ends early; [`DataError::Invalid`] for a picture without
/// pixels.
pub fn decode_picture(path: &Path, bytes: &[u8]) -> Result<RgbImage, DataError> {
    let unreadable = |error: &dyn std::fmt::Display| DataError::unreadable(path, error);
    let mut reader = image::ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| unreadable(&error))?;
    if !matches!(reader.format(), None | Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        // The program writes other formats, and what can be written the crate also reads.
        return Err(unreadable(&"it is neither a PNG nor a JPEG"));
    }
    if reader.format() == Some(ImageFormat::Jpeg) && !reaches_its_end(bytes) {
        return Err(unreadable(&"the JPEG ends early"));
    }
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    reader.limits(limits);
    let picture = reader.decode().map_err(|error| unreadable(&error))?.into_rgb8();
    if picture.width() == 0 || picture.height() == 0 {
        return Err(DataError::invalid(path, "size", "at least one pixel", "none"));
    }
    Ok(picture)
}

/// Whether the segments of a JPEG (ITU T.81, B.1) lead to its end marker after at least one scan. Embedded previews have end
/// markers too: segments are skipped by their lengths.
fn reaches_its_end(bytes: &[u8]) -> bool {
    let mut at = 0;
    let mut has_scan = false;
    while let Some(rest) = bytes.get(at..) {
        // Between segments only fill bytes may stand.
        let Some(skip) = rest.windows(2).position(|pair| pair[0] == MARKER && !matches!(pair[1], 0 | MARKER))
        else {
            return false;
        };
        let marker = rest[skip + 1];
        at += skip + 2;
        match marker {
            END_OF_IMAGE => return has_scan,
            // Markers without a length: start, restarts, TEM.
            START_OF_IMAGE | 0xD0..=0xD7 | 0x01 => {}
            _ => {
                let Some([high, low]) = bytes.get(at..at + 2) else { return false };
                // The length counts its own two bytes.
                at += usize::from(u16::from_be_bytes([*high, *low])).max(2);
                has_scan |= marker == START_OF_SCAN;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(format: ImageFormat) -> Vec<u8> {
        let picture =
            RgbImage::from_fn(32, 32, |x, y| image::Rgb([(x * 37 % 251) as u8, (y * 91 % 241) as u8, 7]));
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn whole_pictures_are_decoded_and_cut_ones_refused() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png] {
            let bytes = encoded(format);
            assert_eq!(decode_picture(Path::new("a"), &bytes).unwrap().dimensions(), (32, 32));
            for share in [4, 6, 9] {
                let cut = &bytes[..bytes.len() * share / 10];
                let error = decode_picture(Path::new("a.img"), cut).unwrap_err().to_string();
                assert!(error.contains("a.img"), "{error}");
            }
        }
        let error = decode_picture(Path::new("a.gif"), &encoded(ImageFormat::Gif)).unwrap_err().to_string();
        assert!(error.contains("a.gif") && error.contains("neither a PNG nor a JPEG"), "{error}");
        let jpeg = encoded(ImageFormat::Jpeg);
        let error = decode_picture(Path::new("a"), &jpeg[..jpeg.len() - 2]).unwrap_err().to_string();
        assert!(error.contains("the JPEG ends early"), "{error}");
    }

    #[test]
    fn the_end_of_an_embedded_preview_is_not_the_end() {
        let jpeg = encoded(ImageFormat::Jpeg);
        let preview = [&jpeg[..2], &[MARKER, START_OF_SCAN, 0, 2, MARKER, END_OF_IMAGE]].concat();
        let mut bytes = vec![MARKER, START_OF_IMAGE, MARKER, 0xE1];
        bytes.extend((preview.len() as u16 + 2).to_be_bytes());
        bytes.extend(&preview);
        bytes.extend(&jpeg[2..]);
        assert!(decode_picture(Path::new("a"), &bytes).is_ok());
        let cut = &bytes[..bytes.len() * 6 / 10];
        assert!(decode_picture(Path::new("a"), cut).is_err());
    }
}
