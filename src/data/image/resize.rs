//! Resampling of 8-bit images exactly as Pillow does it, and of float planes as `interpolate` without antialias.
//!
//! Pillow's rule for 8-bit images: rows first, then columns; the filter is widened by the factor of reduction;
//! weights are normalised, rounded to 22-bit fixed point; **the result of each pass is rounded and clipped to 8
//! bits**. Equal in every byte to Pillow 11.3; Pillow 13 takes the columns first for some sizes that shorten an image
//! more than they narrow it (one level of difference), never when the aspect is kept.

use image::RgbImage;
use rayon::prelude::*;

/// Bits behind the point of a weight: 32 less 8 for the pixel less 2 for overshoot.
const PRECISION_BITS: u32 = 22;
const CHANNELS: usize = 3;

/// The filter of a resampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Mean over the area.
    Box,
    /// Triangle.
    Bilinear,
    /// Raised cosine times sinc.
    Hamming,
    /// Cubic with a = −0.5.
    Bicubic,
    /// Sinc windowed by sinc, three lobes.
    Lanczos,
}

impl Filter {
    /// Half of the filter's width in pixels of the coarser image.
    fn support(self) -> f64 {
        match self {
            Self::Box => 0.5,
            Self::Bilinear | Self::Hamming => 1.0,
            Self::Bicubic => 2.0,
            Self::Lanczos => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let sinc = |x: f64| {
            if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) }
        };
        let distance = x.abs();
        match self {
            Self::Box => f64::from(x > -0.5 && x <= 0.5),
            Self::Bilinear => (1.0 - distance).max(0.0),
            Self::Hamming if distance >= 1.0 => 0.0,
            Self::Hamming => sinc(x) * (0.54 + 0.46 * (std::f64::consts::PI * x).cos()),
            Self::Bicubic => {
                const A: f64 = -0.5;
                if distance < 1.0 {
                    ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0
                } else if distance < 2.0 {
                    (((distance - 5.0) * distance + 8.0) * distance - 4.0) * A
                } else {
                    0.0
                }
            }
            Self::Lanczos if (-3.0..3.0).contains(&x) => sinc(x) * sinc(x / 3.0),
            Self::Lanczos => 0.0,
        }
    }
}

/// Which pixels make one output pixel, and how much of each.
struct Window {
    first: usize,
    weights: Vec<i32>,
}

fn windows(from: usize, to: usize, filter: Filter) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    let widening = scale.max(1.0);
    let support = filter.support() * widening;
    (0..to)
        .map(|index| {
            let center = (index as f64 + 0.5) * scale;
            // Truncation towards zero of a number that may be negative, then clipped: as Pillow does.
            let first = ((center - support + 0.5) as i64).max(0) as usize;
            let end = ((center + support + 0.5) as i64).clamp(0, from as i64) as usize;
            let weights: Vec<f64> = (first..end)
                .map(|pixel| filter.weight((pixel as f64 - center + 0.5) * (1.0 / widening)))
                .collect();
            let sum: f64 = weights.iter().sum();
            let fixed = |weight: &f64| {
                let normal = if sum == 0.0 { *weight } else { weight / sum };
                let scaled = normal * f64::from(1_u32 << PRECISION_BITS);
                (scaled + 0.5_f64.copysign(scaled)) as i32
            };
            Window { first, weights: weights.iter().map(fixed).collect() }
        })
        .collect()
}

fn to_u8(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (PRECISION_BITS - 1);

/// The image at another size, byte for byte as `Image.resize((width, height), filter)` of Pillow.
/// A side of 0 on either end gives an empty image.
pub fn resize_pil(image: &RgbImage, width: u32, height: u32, filter: Filter) -> RgbImage {
    let [from_width, from_height] = [image.width() as usize, image.height() as usize];
    let [to_width, to_height] = [width as usize, height as usize];
    if [from_width, from_height, to_width, to_height].contains(&0) {
        return RgbImage::new(width, height);
    }
    let rows = if from_width == to_width {
        image.as_raw().clone()
    } else {
        resize_rows(image.as_raw(), from_width, &windows(from_width, to_width, filter))
    };
    let pixels = if from_height == to_height {
        rows
    } else {
        resize_columns(&rows, to_width, &windows(from_height, to_height, filter))
    };
    let mut resized = RgbImage::new(width, height);
    resized.copy_from_slice(&pixels);
    resized
}

fn resize_rows(pixels: &[u8], from_width: usize, windows: &[Window]) -> Vec<u8> {
    let height = pixels.len() / (from_width * CHANNELS);
    let mut result = vec![0; height * windows.len() * CHANNELS];
    result
        .par_chunks_exact_mut(windows.len() * CHANNELS)
        .zip(pixels.par_chunks_exact(from_width * CHANNELS))
        .for_each(|(target, source)| {
            for (pixel, window) in target.chunks_exact_mut(CHANNELS).zip(windows) {
                // Half a unit in front, so that the shift rounds instead of cutting.
                let mut sums = [HALF; CHANNELS];
                let source = source[window.first * CHANNELS..].chunks_exact(CHANNELS);
                for (rgb, weight) in source.zip(&window.weights) {
                    for channel in 0..CHANNELS {
                        sums[channel] += i32::from(rgb[channel]) * weight;
                    }
                }
                pixel.copy_from_slice(&sums.map(to_u8));
            }
        });
    result
}

fn resize_columns(pixels: &[u8], width: usize, windows: &[Window]) -> Vec<u8> {
    let stride = width * CHANNELS;
    let mut result = vec![0; windows.len() * stride];
    result.par_chunks_exact_mut(stride).zip(windows).for_each(|(target, window)| {
        let mut sums = vec![HALF; stride];
        let source = pixels[window.first * stride..].chunks_exact(stride);
        for (row, weight) in source.zip(&window.weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += i32::from(*value) * weight;
            }
        }
        for (value, sum) in target.iter_mut().zip(sums) {
            *value = to_u8(sum);
        }
    });
    result
}

/// The image with its shorter side at `side` (the longer one truncated to an integer), cut at the centre to
/// `side` × `side`; the offset is rounded half to even, as torchvision does.
pub fn resize_and_center_crop(image: &RgbImage, side: u32, filter: Filter) -> RgbImage {
    let [width, height] = [image.width(), image.height()];
    let shorter = u64::from(width.min(height).max(1));
    let scaled = |length: u32| (u64::from(side) * u64::from(length) / shorter) as u32;
    let resized = if width <= height {
        resize_pil(image, side, scaled(height).max(side), filter)
    } else {
        resize_pil(image, scaled(width).max(side), side, filter)
    };
    let offset = |length: u32| (f64::from(length - side) / 2.0).round_ties_even() as u32;
    let [left, top] = [offset(resized.width()), offset(resized.height())];
    image::imageops::crop_imm(&resized, left, top, side, side).to_image()
}

/// Float planes at another size: bilinear between pixel centres, without antialias (`align_corners` false).
///
/// # Shapes
/// - planes: `[channel, height, width]` with `from = [height, width]`; output: `[channel, to[0], to[1]]`
pub fn resize_bilinear_planes(planes: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    let axis = |from: usize, to: usize| -> Vec<(usize, usize, f32)> {
        let scale = from as f32 / to as f32;
        (0..to)
            .map(|index| {
                // In single precision, as the reference computes it.
                let position = ((index as f32 + 0.5) * scale - 0.5).max(0.0);
                let low = (position as usize).min(from - 1);
                (low, (low + 1).min(from - 1), position - low as f32)
            })
            .collect()
    };
    if from.contains(&0) || to.contains(&0) {
        return Vec::new();
    }
    let [rows, columns] = [axis(from[0], to[0]), axis(from[1], to[1])];
    planes
        .chunks_exact(from[0] * from[1])
        .flat_map(|plane| {
            let [rows, columns] = [&rows, &columns];
            rows.iter().flat_map(move |&(above, below, down)| {
                columns.iter().map(move |&(left, right, across)| {
                    let mix = |row: usize| {
                        let row = &plane[row * from[1]..];
                        row[left] * (1.0 - across) + row[right] * across
                    };
                    mix(above) * (1.0 - down) + mix(below) * down
                })
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The picture that the expected values were made from with Pillow 11.3.0 (`Image.resize`).
    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let value =
                |c: u32| ((x * x * (7 + c) + y * (31 + 5 * c) * (x + 1) + c * 97) ^ (x * y * 3)) % 256;
            image::Rgb([0, 1, 2].map(|c| value(c) as u8))
        })
    }

    fn fnv(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    #[test]
    fn every_filter_equals_pillow_in_every_byte() {
        let small: [(Filter, [u8; 18]); 5] = [
            (
                Filter::Box,
                [84, 157, 138, 120, 132, 137, 146, 115, 89, 150, 100, 139, 93, 108, 117, 104, 105, 151],
            ),
            (
                Filter::Bilinear,
                [94, 155, 132, 122, 133, 128, 137, 106, 112, 135, 121, 130, 115, 109, 139, 100, 113, 131],
            ),
            (
                Filter::Hamming,
                [89, 160, 131, 113, 131, 128, 142, 107, 106, 141, 118, 127, 111, 110, 131, 95, 114, 141],
            ),
            (
                Filter::Bicubic,
                [88, 160, 132, 123, 133, 129, 143, 107, 106, 140, 119, 131, 112, 108, 141, 99, 109, 132],
            ),
            (
                Filter::Lanczos,
                [85, 164, 132, 127, 134, 129, 145, 105, 105, 143, 120, 130, 111, 106, 145, 98, 108, 131],
            ),
        ];
        for (filter, expected) in small {
            assert_eq!(resize_pil(&picture(9, 7), 3, 2, filter).as_raw(), &expected, "{filter:?}");
        }
        // FNV-1a of 97 × 61 at (40, 33), (130, 61), (97, 20), (201, 15): smaller, wider, one pass each, both ways.
        let large: [(Filter, [u64; 4]); 5] = [
            (
                Filter::Box,
                [0x0908_194f_8ffb_37e6, 0x91e0_a5a7_58b8_b8e3, 0x7eda_5376_1060_f97b, 0xef71_12a0_10c9_0365],
            ),
            (
                Filter::Bilinear,
                [0x17c9_358c_64e0_3ae2, 0xfc93_4a2e_66c5_8afb, 0xdfb1_c22b_fcb6_b202, 0xe107_3849_60d5_6261],
            ),
            (
                Filter::Hamming,
                [0xbbab_d981_50a8_d033, 0x241f_a6e5_741f_cb6c, 0x51b6_200a_32f0_8937, 0xa1a0_5b02_1f19_706d],
            ),
            (
                Filter::Bicubic,
                [0x3982_88ba_7847_875b, 0x54cf_b002_801a_56b7, 0x67e9_7101_9e66_254f, 0xd19c_9ce3_a877_b95e],
            ),
            (
                Filter::Lanczos,
                [0xc0d9_d06b_dc7a_9bd8, 0x5452_62a2_7657_7f41, 0x8e70_c33c_6ee0_e76e, 0x6cfe_d783_c80c_4124],
            ),
        ];
        for (filter, expected) in large {
            let sizes = [(40, 33), (130, 61), (97, 20), (201, 15)];
            let found = sizes
                .map(|(width, height)| fnv(resize_pil(&picture(97, 61), width, height, filter).as_raw()));
            assert_eq!(found, expected, "{filter:?}");
        }
    }

    #[test]
    fn empty_sides_and_thin_images_do_not_panic() {
        assert_eq!(resize_pil(&picture(4, 4), 0, 3, Filter::Bicubic).as_raw().len(), 0);
        assert_eq!(resize_pil(&RgbImage::new(0, 5), 2, 2, Filter::Box).dimensions(), (2, 2));
        assert_eq!(resize_and_center_crop(&picture(1, 300), 16, Filter::Bicubic).dimensions(), (16, 16));
        assert_eq!(resize_and_center_crop(&picture(300, 1), 16, Filter::Bicubic).dimensions(), (16, 16));
    }

    #[test]
    fn planes_are_interpolated_between_pixel_centres() {
        // torch.nn.functional.interpolate(…, scale 2 and 1/2, mode "bilinear", align_corners False)
        let up = resize_bilinear_planes(&[0.0, 1.0, 2.0, 3.0], [1, 4], [1, 8]);
        assert_eq!(up, [0.0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3.0]);
        let down = resize_bilinear_planes(&[0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 12.0, 13.0], [4, 2], [2, 1]);
        assert_eq!(down, [1.5, 11.5]);
        let planes = resize_bilinear_planes(&[1.0, 2.0, 3.0, 4.0], [1, 2], [1, 1]);
        assert_eq!(planes, [1.5, 3.5]);
    }
}
