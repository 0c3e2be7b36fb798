//! The pictures that were shown: files of a folder, or rows of arrays.

use std::path::{Component, Path, PathBuf};

use image::RgbImage;
use serde::{Deserialize, Serialize};

use super::array::ArrayInput;
use super::array_name::ArrayName;
use crate::data::error::DataError;
use crate::data::image::decode::decode_picture;
use crate::data::image::resize::{Filter, resize_and_center_crop};
use crate::data::nsd::stimuli::IMAGE_SIDE;
use crate::error::one_line;
use crate::files::{InputKind, file_is_there, read_input};
use crate::interrupt;

/// Largest value of a colour.
const BRIGHTEST: f32 = 255.0;

/// In which order the pixels of flattened pictures lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PixelOrder {
    /// Row by row, as NumPy flattens.
    #[default]
    Rows,
    /// Column by column, as MATLAB flattens.
    Columns,
}

/// Where pictures come from.
#[derive(Debug)]
pub enum Pictures {
    /// Files, named relative to a folder.
    Folder(PathBuf),
    /// Rows of arrays, one behind the other, named by their numbers from 0.
    Arrays(Vec<PictureArray>),
}

/// An array of pictures.
#[derive(Debug)]
pub struct PictureArray {
    array: ArrayInput,
    height: usize,
    width: usize,
    channels: usize,
    order: PixelOrder,
    /// What a number is multiplied with to be one of 0 to 255.
    factor: f32,
}

impl Pictures {
    /// Opens a folder, or arrays `[n, height, width]`, `[n, height, width, 3]` or `[n, side·side]`, of numbers from 0 to 255, or from 0
    /// to 1 in an array that holds nothing above 1.
    ///
    /// # Errors
    /// [`DataError`] for what is missing, has another shape, or holds other numbers.
    pub fn open(names: &[ArrayName], order: PixelOrder) -> Result<Self, DataError> {
        match names {
            [] => Err(DataError::missing("--images", "an import: the pictures that were shown")),
            [only] if only.path.is_dir() => Ok(Self::Folder(only.path.clone())),
            names => names
                .iter()
                .map(|name| PictureArray::open(name, order))
                .collect::<Result<_, _>>()
                .map(Self::Arrays),
        }
    }

    /// How many pictures there are, and what to call them in errors; none for a folder, whose files are not counted.
    pub fn count(&self) -> Option<(usize, &Path)> {
        match self {
            Self::Folder(_) => None,
            Self::Arrays(arrays) => {
                let count = arrays.iter().map(|picture| picture.array.num_rows()).sum();
                arrays.first().map(|first| (count, first.array.name()))
            }
        }
    }

    /// Whether there is a picture of this name.
    ///
    /// # Errors
    /// [`DataError::File`] for one that is there and cannot be looked at.
    pub fn has(&self, name: &str) -> Result<bool, DataError> {
        match self {
            Self::Folder(folder) => match inside(folder, name) {
                Some(path) => Ok(file_is_there(&path)?),
                None => Ok(false),
            },
            Self::Arrays(_) => {
                let count = self.count().map_or(0, |(count, _)| count);
                Ok(name.parse::<usize>().is_ok_and(|number| number < count && number.to_string() == name))
            }
        }
    }

    /// What a picture's name must be, in words.
    pub fn expected_name(&self) -> String {
        match self {
            Self::Folder(folder) => format!("a picture below `{}`", folder.display()),
            Self::Arrays(_) => {
                let last = self.count().map_or(0, |(count, _)| count.saturating_sub(1));
                format!("the number of a picture, 0 to {last}")
            }
        }
    }

    /// The file that a picture is from.
    pub fn file_of(&self, name: &str) -> PathBuf {
        match self {
            Self::Folder(folder) => folder.join(name),
            Self::Arrays(arrays) => {
                arrays.first().map(|picture| picture.array.path().into()).unwrap_or_default()
            }
        }
    }

    /// A picture as it is.
    ///
    /// # Errors
    /// [`DataError`] for one that is not there or cannot be read.
    pub fn picture(&mut self, name: &str) -> Result<RgbImage, DataError> {
        match self {
            Self::Folder(folder) => {
                let path = inside(folder, name).unwrap_or_else(|| folder.join(one_line(name)));
                let bytes = read_input(&path, InputKind::Picture)
                    .map_err(|error| DataError::from_io(&path, "a trial that shows it", &error))?;
                decode_picture(&path, &bytes)
            }
            Self::Arrays(arrays) => {
                let mut number = name.parse::<usize>().unwrap_or(usize::MAX);
                for picture in arrays.iter_mut() {
                    let count = picture.array.num_rows();
                    if number < count {
                        return picture.picture(number);
                    }
                    number -= count;
                }
                Err(DataError::unknown("picture", name, ["the rows of `--images`"]))
            }
        }
    }

    /// The edge at which all pictures are kept: of their largest square crop, 425 at most, so that nothing is lost of smaller ones.
    ///
    /// # Errors
    /// As [`Pictures::picture`].
    pub fn common_side(&mut self, names: &[String]) -> Result<usize, DataError> {
        let mut largest = 1;
        match self {
            Self::Arrays(arrays) => {
                largest = arrays.iter().map(|picture| picture.height.min(picture.width)).max().unwrap_or(1);
            }
            Self::Folder(_) => {
                for name in names {
                    if largest >= IMAGE_SIDE {
                        break;
                    }
                    interrupt::check()?;
                    let picture = self.picture(name)?;
                    largest = largest.max(picture.width().min(picture.height()) as usize);
                }
            }
        }
        Ok(largest.min(IMAGE_SIDE))
    }
}

/// The middle square of a picture, `side` pixels wide and high; a square of this size is left as it is.
pub fn square(picture: RgbImage, side: usize) -> RgbImage {
    let side = side as u32;
    if picture.dimensions() == (side, side) {
        return picture;
    }
    resize_and_center_crop(&picture, side, Filter::Bicubic)
}

/// A file below a folder; none for a name that leads out of it.
fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let name = Path::new(name);
    let is_below = name.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    is_below.then(|| folder.join(name))
}

impl PictureArray {
    fn open(name: &ArrayName, order: PixelOrder) -> Result<Self, DataError> {
        let array = ArrayInput::open(name, &[2, 3, 4], "the pictures that were shown")?;
        let (height, width, channels) = match array.shape()[1..] {
            [pixels] if is_square(pixels) => (pixels.isqrt(), pixels.isqrt(), 1),
            [height, width] => (height, width, 1),
            [height, width, channels @ (1 | 3)] => (height, width, channels),
            _ => {
                let expected = "[n, height, width], [n, height, width, 3] or [n, side·side]";
                return Err(array.invalid("shape", expected, format!("{:?}", array.shape())));
            }
        };
        if height.max(width) > 1 << 14 {
            return Err(array.invalid(
                "shape",
                "pictures of at most 16384 pixels a side",
                format!("{:?}", array.shape()),
            ));
        }
        let order = if array.shape().len() == 2 { order } else { PixelOrder::Rows };
        let mut picture = Self { array, height, width, channels, order, factor: 1.0 };
        picture.factor = picture.range_factor()?;
        Ok(picture)
    }

    /// 255 where no number is above 1, else 1.
    fn range_factor(&mut self) -> Result<f32, DataError> {
        let mut brightest = 0.0_f32;
        for row in 0..self.array.num_rows() {
            interrupt::check()?;
            for value in self.array.rows(row..row + 1)? {
                if !(0.0..=BRIGHTEST).contains(&value) {
                    return Err(self.array.invalid(format!("picture {row}"), "numbers from 0 to 255", value));
                }
                brightest = brightest.max(value);
            }
        }
        Ok(if brightest <= 1.0 { BRIGHTEST } else { 1.0 })
    }

    fn picture(&mut self, row: usize) -> Result<RgbImage, DataError> {
        let values: Vec<f32> = self.array.rows(row..row + 1)?;
        let (height, width, channels) = (self.height, self.width, self.channels);
        let value = |x: usize, y: usize, channel: usize| {
            let pixel = match self.order {
                PixelOrder::Rows => y * width + x,
                PixelOrder::Columns => x * height + y,
            };
            (values[pixel * channels + channel.min(channels - 1)] * self.factor).round() as u8
        };
        Ok(RgbImage::from_fn(width as u32, height as u32, |x, y| {
            image::Rgb([0, 1, 2].map(|channel| value(x as usize, y as usize, channel)))
        }))
    }
}

fn is_square(pixels: usize) -> bool {
    pixels.isqrt().pow(2) == pixels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrays(rows: &str, order: PixelOrder) -> Result<Pictures, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.csv");
        std::fs::write(&path, rows).unwrap();
        Pictures::open(&[path.to_str().unwrap().parse().unwrap()], order).map_err(|error| error.to_string())
    }

    #[test]
    fn flattened_pictures_are_told_in_which_order_they_lie() {
        for (order, corner) in
            [(PixelOrder::Rows, [0, 90, 120, 200]), (PixelOrder::Columns, [0, 120, 90, 200])]
        {
            let mut pictures = arrays("0,90,120,200\n1,2,3,4\n", order).unwrap();
            let picture = pictures.picture("0").unwrap();
            let found = [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(x, y)| picture.get_pixel(x, y).0[2]);
            assert_eq!(found, corner);
            assert_eq!(pictures.common_side(&[]).unwrap(), 2);
            let known = ["1", "2", "01", "a.png"].map(|name| pictures.has(name).unwrap());
            assert_eq!(known, [true, false, false, false]);
        }
    }

    #[test]
    fn numbers_up_to_1_are_shares_of_the_brightest() {
        let mut pictures = arrays("0,0.5,1,1\n", PixelOrder::Rows).unwrap();
        assert_eq!(pictures.picture("0").unwrap().get_pixel(1, 0).0, [128; 3]);
        for (rows, needle) in [
            ("0,1,2,-1\n", "picture 0 is -1, expected numbers from 0 to 255"),
            ("0,1,2,nan\n", "picture 0 is NaN"),
            ("0,1,2,3\n0,1,2,256\n", "picture 1 is 256"),
            ("0,1,2\n", "shape is [1, 3]"),
        ] {
            assert!(arrays(rows, PixelOrder::Rows).unwrap_err().contains(needle), "{needle}");
        }
    }

    #[test]
    fn files_are_looked_for_below_their_folder_only() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("pictures");
        std::fs::create_dir_all(folder.join("dog")).unwrap();
        let gray = image::GrayImage::from_pixel(6, 4, image::Luma([9]));
        gray.save(folder.join("dog/a.png")).unwrap();
        gray.save(root.path().join("out.png")).unwrap();
        let mut pictures =
            Pictures::open(&[folder.to_str().unwrap().parse().unwrap()], PixelOrder::Rows).unwrap();
        let known = ["dog/a.png", "../out.png", "b.png"].map(|name| pictures.has(name).unwrap());
        assert_eq!(known, [true, false, false]);
        assert!(pictures.has("dog").unwrap_err().to_string().contains("it is not a file"));
        assert_eq!(pictures.common_side(&["dog/a.png".into()]).unwrap(), 4);
        let cut = square(pictures.picture("dog/a.png").unwrap(), 4);
        assert_eq!((cut.dimensions(), cut.get_pixel(1, 1).0), ((4, 4), [9; 3]));
        let error = pictures.picture("b.png").unwrap_err().to_string();
        assert!(error.contains("b.png` is missing"), "{error}");
    }
}
