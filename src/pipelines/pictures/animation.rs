//! Pictures one after the other as an animated GIF, encoded as they come: none of them has to stay in memory.

use std::time::Duration;

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, ImageError, RgbImage};

/// How finely the 256 colours of each frame are chosen, 1 (best) to 30: the crate's own middle.
const COLOUR_SPEED: i32 = 10;

/// A GIF under way; what it is written to holds the whole file when this is dropped.
pub(crate) struct Animation<'a> {
    encoder: GifEncoder<&'a mut Vec<u8>>,
    delay: Delay,
}

impl<'a> Animation<'a> {
    /// One that shows every picture for `time`, to hundredths of a second, and begins again at its end.
    ///
    /// # Errors
    /// [`ImageError`].
    pub fn begin(file: &'a mut Vec<u8>, time: Duration) -> Result<Self, ImageError> {
        let mut encoder = GifEncoder::new_with_speed(file, COLOUR_SPEED);
        encoder.set_repeat(Repeat::Infinite)?;
        Ok(Self { encoder, delay: Delay::from_saturating_duration(time) })
    }

    /// Adds a picture of the size of the first.
    ///
    /// # Errors
    /// [`ImageError`] for a side of more than 65,535 pixels.
    pub fn add(&mut self, picture: &RgbImage) -> Result<(), ImageError> {
        let picture = DynamicImage::ImageRgb8(picture.clone()).into_rgba8();
        self.encoder.encode_frame(Frame::from_parts(picture, 0, 0, self.delay))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::gif::GifDecoder;
    use image::{AnimationDecoder, Rgb};

    #[test]
    fn frames_come_back_in_their_order_with_their_time() {
        let colours = [[255, 0, 0], [0, 255, 0], [0, 0, 255]];
        let mut file = Vec::new();
        {
            let mut animation = Animation::begin(&mut file, Duration::from_millis(120)).unwrap();
            colours.iter().for_each(|colour| {
                animation.add(&RgbImage::from_pixel(3, 2, Rgb(*colour))).unwrap();
            });
        }
        let decoder = GifDecoder::new(std::io::Cursor::new(&file)).unwrap();
        let frames = decoder.into_frames().collect_frames().unwrap();
        assert_eq!(frames.len(), 3);
        for (frame, [red, green, blue]) in frames.iter().zip(colours) {
            assert_eq!(frame.buffer().dimensions(), (3, 2));
            assert_eq!(frame.buffer().get_pixel(2, 1).0, [red, green, blue, 255]);
            assert_eq!(frame.delay().numer_denom_ms(), (120, 1));
        }
    }
}
