//! Pictures in labelled rows, as the paper's figure 4: ground truth above reconstructions.

use std::io::Cursor;

use base64::Engine;
use image::{ImageError, RgbImage};

/// Rows of pictures, each with a label at its left.
#[derive(Debug, Clone, Default)]
pub struct ImageGrid {
    /// Label and cells of each row.
    pub rows: Vec<(String, Vec<Cell>)>,
    /// Sentence below the grid that says what rows and columns are.
    pub caption: String,
}

/// One picture, embedded in the page.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// The picture as PNG in a `data:` URI, so that the page needs no other file.
    pub data_uri: String,
    /// Short note below the picture.
    pub note: String,
}

impl Cell {
    /// A cell from a picture.
    ///
    /// # Errors
    /// When the PNG encoder fails.
    pub fn new(image: &RgbImage, note: impl Into<String>) -> Result<Self, ImageError> {
        let mut png = Cursor::new(Vec::new());
        image.write_to(&mut png, image::ImageFormat::Png)?;
        let text = base64::engine::general_purpose::STANDARD.encode(png.into_inner());
        Ok(Self { data_uri: format!("data:image/png;base64,{text}"), note: note.into() })
    }

    /// A cell from interleaved RGB bytes, row by row; `None` when their number does not fit.
    pub fn from_rgb(width: u32, height: u32, pixels: &[u8], note: &str) -> Option<Self> {
        let image = RgbImage::from_raw(width, height, pixels.to_vec())?;
        Self::new(&image, note).ok()
    }
}

/// Draws rows of equally sized pictures into one, with a gap of `gap` pixels; rows may differ in length.
pub fn contact_sheet(rows: &[Vec<RgbImage>], gap: u32) -> RgbImage {
    let (width, height) = rows.iter().flatten().map(|image| image.dimensions()).next().unwrap_or((1, 1));
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as u32;
    let background = image::Rgb([255, 255, 255]);
    let sheet = (columns * (width + gap) + gap, rows.len() as u32 * (height + gap) + gap);
    let mut sheet = RgbImage::from_pixel(sheet.0.max(1), sheet.1.max(1), background);
    for (row, images) in rows.iter().enumerate() {
        for (column, image) in images.iter().enumerate() {
            let x = gap + column as u32 * (width + gap);
            let y = gap + row as u32 * (height + gap);
            image::imageops::replace(&mut sheet, image, i64::from(x), i64::from(y));
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_sheet_holds_every_picture_in_its_place() {
        let red = RgbImage::from_pixel(2, 2, image::Rgb([255, 0, 0]));
        let blue = RgbImage::from_pixel(2, 2, image::Rgb([0, 0, 255]));
        let sheet = contact_sheet(&[vec![red.clone(), blue.clone()], vec![blue]], 1);
        assert_eq!(sheet.dimensions(), (7, 7));
        assert_eq!(sheet.get_pixel(1, 1).0, [255, 0, 0]);
        assert_eq!(sheet.get_pixel(4, 1).0, [0, 0, 255]);
        assert_eq!(sheet.get_pixel(1, 4).0, [0, 0, 255]);
        assert_eq!(sheet.get_pixel(4, 4).0, [255, 255, 255]);
    }

    #[test]
    fn bytes_that_do_not_fit_are_refused() {
        assert!(Cell::from_rgb(2, 2, &[0; 3], "").is_none());
    }
}
