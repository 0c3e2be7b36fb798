//! `nsd_stimuli.hdf5`: the images as they were shown. Those of imported subjects lie in a file of the same form, and may be smaller.

use std::path::Path;

use hdf5_metno::types::{IntSize, TypeDescriptor};
use image::RgbImage;

use crate::data::error::DataError;
use crate::data::formats::hdf5::{H5Dataset, H5File};
use crate::data::trial::NsdId;

/// Edge of every NSD image in pixels, and the largest that is read.
pub const IMAGE_SIDE: usize = 425;

/// The open image file; images are read one by one.
#[derive(Debug)]
pub struct Stimuli {
    brick: H5Dataset,
    num_images: usize,
    side: usize,
}

impl Stimuli {
    /// Opens the file and checks shape and type of `/imgBrick`: unsigned bytes, `[images, 425, 425, 3]`, or squares of a
    /// smaller edge.
    ///
    /// # Errors
    /// [`DataError::missing`], [`DataError::unreadable`] or [`DataError::Invalid`].
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let file = H5File::open(path, "the images that were shown")?;
        let brick = file.dataset("imgBrick")?;
        let shape = brick.require_axes(4)?;
        let side = shape[1];
        if shape[1..] != [side, side, 3] || !(1..=IMAGE_SIDE).contains(&side) {
            let expected = format!("[images, {IMAGE_SIDE}, {IMAGE_SIDE}, 3]");
            return Err(brick.invalid("shape", expected, format!("{shape:?}")));
        }
        let element = brick.element()?;
        if element != TypeDescriptor::Unsigned(IntSize::U1) {
            return Err(brick.invalid("type", "uint8", element));
        }
        Ok(Self { brick, num_images: shape[0], side })
    }

    /// Images in the file (73 000 in NSD).
    pub fn num_images(&self) -> usize {
        self.num_images
    }

    /// Edge of the images in pixels: 425 in NSD.
    pub fn side(&self) -> usize {
        self.side
    }

    /// One image, [`Stimuli::side`] pixels wide and high.
    ///
    /// # Errors
    /// [`DataError::Invalid`] for an id beyond the file; [`DataError::unreadable`] for damage.
    pub fn image(&self, image: NsdId) -> Result<RgbImage, DataError> {
        let row = image.row();
        if row >= self.num_images {
            let expected = format!("more than {row} (image `{image}`)");
            return Err(self.brick.invalid("number of images", expected, self.num_images));
        }
        let pixels = self.brick.read_block::<u8>(&[row..row + 1, 0..self.side, 0..self.side, 0..3])?;
        RgbImage::from_raw(self.side as u32, self.side as u32, pixels)
            .ok_or_else(|| self.brick.unreadable(&"an image came back short"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::formats::hdf5::H5Writer;

    #[test]
    fn an_image_is_rows_columns_and_colours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nsd_stimuli.hdf5");
        let writer = H5Writer::create(&path).unwrap();
        let shape = [3, IMAGE_SIDE, IMAGE_SIDE, 3];
        let brick = writer.dataset::<u8>("imgBrick", &shape, Some(&[1, IMAGE_SIDE, IMAGE_SIDE, 3])).unwrap();
        let mut pixels = vec![0_u8; IMAGE_SIDE * IMAGE_SIDE * 3];
        pixels[(2 * IMAGE_SIDE + 7) * 3..][..3].copy_from_slice(&[10, 20, 30]);
        brick.write_block(&[1..2, 0..IMAGE_SIDE, 0..IMAGE_SIDE, 0..3], &pixels).unwrap();
        drop(brick);
        writer.finish().unwrap();

        let stimuli = Stimuli::open(&path).unwrap();
        assert_eq!(stimuli.image(NsdId(1)).unwrap().get_pixel(7, 2).0, [10, 20, 30]);
        assert_eq!(stimuli.image(NsdId(2)).unwrap().get_pixel(7, 2).0, [0, 0, 0]);
        let error = stimuli.image(NsdId(3)).unwrap_err().to_string();
        assert!(error.contains("number of images of `/imgBrick` is 3, expected more than 3"), "{error}");
    }

    #[test]
    fn other_shapes_and_types_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.hdf5");
        let write = |name: &str, shape: &[usize]| {
            let writer = H5Writer::create(&path).unwrap();
            drop(writer.dataset::<u8>(name, shape, None).unwrap());
            writer.finish().unwrap();
            Stimuli::open(&path).unwrap_err().to_string()
        };
        assert!(write("imgBrick", &[1, 3, 425, 425]).contains("shape of `/imgBrick` is [1, 3, 425, 425]"));
        assert!(write("imgBrick", &[1, 28, 27, 3]).contains("[1, 28, 27, 3], expected [images, 425"));
        assert!(write("imgBrick", &[1, 500, 500, 3]).contains("expected [images, 425"));
        assert!(write("images", &[1, 425, 425, 3]).contains("dataset `/imgBrick` is not among: images"));
        let writer = H5Writer::create(&path).unwrap();
        drop(writer.dataset::<f32>("imgBrick", &[1, 425, 425, 3], None).unwrap());
        writer.finish().unwrap();
        assert!(Stimuli::open(&path).unwrap_err().to_string().contains("type of `/imgBrick` is float32"));
    }
}
