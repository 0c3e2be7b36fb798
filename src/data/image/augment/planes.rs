//! Three planes of colour in 0..1.

use image::RgbImage;

use crate::data::image::resize::resize_bilinear_planes;

/// Red, green and blue, each row by row, 0..1.
#[derive(Clone, Debug, PartialEq)]
pub struct Planes {
    /// `[3, height, width]`
    pub values: Vec<f32>,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Planes {
    /// An 8-bit image over 255.
    pub fn from_image(image: &RgbImage) -> Self {
        let (pixels, count) = (image.as_raw(), image.width() as usize * image.height() as usize);
        let mut values = Vec::with_capacity(3 * count);
        for channel in 0..3 {
            values.extend(pixels.chunks_exact(3).map(|pixel| f32::from(pixel[channel]) / 255.0));
        }
        Self { values, height: image.height() as usize, width: image.width() as usize }
    }

    /// 8 bits by truncation, as the reference turns tensors into images.
    pub fn into_image(self) -> RgbImage {
        let count = self.height * self.width;
        RgbImage::from_fn(self.width as u32, self.height as u32, |x, y| {
            let position = y as usize * self.width + x as usize;
            image::Rgb([0, 1, 2].map(|channel| (self.values[channel * count + position] * 255.0) as u8))
        })
    }

    /// The three colours of every pixel.
    pub(super) fn map_pixels(&mut self, change: impl Fn([f32; 3]) -> [f32; 3]) {
        let count = self.height * self.width;
        let (red, rest) = self.values.split_at_mut(count);
        let (green, blue) = rest.split_at_mut(count);
        for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
            [*red, *green, *blue] = change([*red, *green, *blue]);
        }
    }

    /// Bilinear to `side` × `side`; with `antialias` the filter is widened by the factor of reduction.
    pub fn resize(&self, side: usize, antialias: bool) -> Self {
        let (from, to) = ([self.height, self.width], [side, side]);
        let values = match antialias {
            false => resize_bilinear_planes(&self.values, from, to),
            true => {
                let rows = resize_lines(&self.values, self.width, side);
                let columns = resize_lines(&transpose(&rows, self.height, side), self.height, side);
                transpose(&columns, side, side)
            }
        };
        Self { values, height: side, width: side }
    }
}

/// Every plane `[rows, columns]` as `[columns, rows]`.
fn transpose(planes: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut result = Vec::with_capacity(planes.len());
    for plane in planes.chunks_exact((rows * columns).max(1)) {
        for column in 0..columns {
            result.extend((0..rows).map(|row| plane[row * columns + column]));
        }
    }
    result
}

/// Lines of `from` values at the length `to`: triangle filter, widened where it reduces.
fn resize_lines(lines: &[f32], from: usize, to: usize) -> Vec<f32> {
    let scale = from as f64 / to as f64;
    let support = scale.max(1.0);
    let windows: Vec<(usize, Vec<f32>)> = (0..to)
        .map(|index| {
            let centre = (index as f64 + 0.5) * scale;
            // The window of `interpolate` with `antialias`: pixels whose centres lie within the support.
            let first = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let weights: Vec<f64> = (first..end)
                .map(|pixel| (1.0 - ((pixel as f64 + 0.5 - centre) / support).abs()).max(0.0))
                .collect();
            let sum: f64 = weights.iter().sum();
            (first, weights.iter().map(|weight| (weight / sum) as f32).collect())
        })
        .collect();
    lines
        .chunks_exact(from.max(1))
        .flat_map(|line| {
            windows.iter().map(move |(first, weights)| {
                line[*first..].iter().zip(weights).map(|(value, weight)| value * weight).sum()
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bits_survive_and_fractions_are_cut() {
        let image = RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8 * 100, y as u8 * 255, 7]));
        let planes = Planes::from_image(&image);
        assert_eq!((planes.values[1], planes.values[3 * 2 + 3]), (100.0 / 255.0, 1.0));
        assert_eq!(planes.clone().into_image(), image);
        let almost = Planes { values: vec![0.9999; 3], height: 1, width: 1 };
        assert_eq!(almost.into_image().get_pixel(0, 0).0, [254; 3]);
    }

    #[test]
    fn only_antialias_sees_every_pixel() {
        // One bright column of eight, reduced to two.
        let values: Vec<f32> = (0..3 * 8 * 8).map(|index| f32::from(index % 8 == 0)).collect();
        let planes = Planes { values, height: 8, width: 8 };
        let (sharp, smooth) = (planes.resize(2, false), planes.resize(2, true));
        assert_eq!(sharp.values[..4], [0.0; 4]);
        assert!(smooth.values[0] > 0.01 && (smooth.values[0] - smooth.values[2]).abs() < 1e-6);
        assert!(smooth.values[1] < smooth.values[0]);
    }
}
