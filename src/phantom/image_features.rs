//! Features of all images of a phantom, standardised so that tuning weights are comparable.

use half::f16;

use super::scenes::annotation::CropShares;
use super::semantic_features::{self, NUM_SEMANTIC};
use super::visual_features::{CHANNELS, NUM_CELLS, VisualMaps};

/// Values of one image's maps.
const MAP_LEN: usize = NUM_CELLS * CHANNELS;
/// Semantic features that hardly vary are not blown up beyond this deviation.
const SMALLEST_DEVIATION: f32 = 0.05;

/// What is measured in one image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageFeatures {
    /// Maps `[cell, channel]`.
    pub maps: Vec<f16>,
    /// `[NUM_SEMANTIC]`.
    pub semantic: Vec<f32>,
    /// Share of the things' area that the crop cut off.
    pub lost: f32,
}

impl ImageFeatures {
    /// Measures one image.
    pub fn measure(picture: &image::RgbImage, shares: &CropShares) -> Self {
        let maps = VisualMaps::measure(picture);
        let semantic = semantic_features::measure(shares, &maps);
        // Half precision keeps the maps of 10,000 images in 400 MB.
        Self { maps: maps.0.iter().map(|value| f16::from_f32(*value)).collect(), semantic, lost: shares.lost }
    }
}

/// Mean and deviation over all images.
#[derive(Clone, Debug, PartialEq)]
struct Moments {
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

impl Moments {
    /// Over rows of equal length.
    fn of<'a>(rows: impl Iterator<Item = Vec<f32>> + 'a, width: usize, floor: f32) -> Self {
        let (mut count, mut sum, mut squares) = (0.0, vec![0.0_f64; width], vec![0.0_f64; width]);
        for row in rows {
            count += 1.0;
            for (index, value) in row.into_iter().enumerate() {
                sum[index] += f64::from(value);
                squares[index] += f64::from(value).powi(2);
            }
        }
        let count = f64::max(count, 1.0);
        let mean: Vec<f64> = sum.iter().map(|sum| sum / count).collect();
        let deviation = mean
            .iter()
            .zip(squares)
            // In double precision and with features of about unit size the difference does not cancel; below 0 it is
            // rounding.
            .map(|(mean, squares)| ((squares / count - mean * mean).max(0.0).sqrt() as f32).max(floor))
            .collect();
        Self { mean: mean.into_iter().map(|mean| mean as f32).collect(), deviation }
    }
}

/// Features of every image, in the order of the stimulus set.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureTable {
    images: Vec<ImageFeatures>,
    channels: Moments,
    semantic: Moments,
}

/// Standardised features of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct StandardFeatures {
    /// `[cell, channel]`, zero mean and unit deviation per channel over cells and images.
    pub maps: Vec<f32>,
    /// `[NUM_SEMANTIC]`, zero mean and about unit deviation over images.
    pub semantic: Vec<f32>,
}

impl FeatureTable {
    /// Collects the features and their moments.
    pub fn new(images: Vec<ImageFeatures>) -> Self {
        // The 8 × 8 level: local enough for a deviation over cells, small enough to go through for every image.
        let coarse = MAP_LEN - 64 * CHANNELS;
        let cells = images.iter().flat_map(|image| {
            image.maps[coarse..]
                .chunks(CHANNELS)
                .map(|cell| cell.iter().map(|value| value.to_f32()).collect())
        });
        let channels = Moments::of(cells, CHANNELS, 1e-4);
        let rows = images.iter().map(|image| {
            let mut row = image.semantic.clone();
            row.truncate(NUM_SEMANTIC);
            row
        });
        let mut semantic = Moments::of(rows, NUM_SEMANTIC, SMALLEST_DEVIATION);
        // Image means of channels vary less than areas do; their own deviations are trustworthy.
        // The last part of the vector: see `semantic_features`.
        let first = NUM_SEMANTIC - CHANNELS;
        let summary =
            Moments::of(images.iter().map(|image| image.semantic[first..].to_vec()), CHANNELS, 1e-4);
        semantic.deviation[first..].copy_from_slice(&summary.deviation);
        Self { images, channels, semantic }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Share of the things' area that the crop of an image cut off.
    pub fn lost(&self, image: usize) -> f32 {
        self.images[image].lost
    }

    /// Unstandardised semantic features of an image.
    pub fn semantic(&self, image: usize) -> &[f32] {
        &self.images[image].semantic
    }

    /// Standardised features of an image.
    pub fn standard(&self, image: usize) -> StandardFeatures {
        let raw = &self.images[image];
        let maps = raw
            .maps
            .chunks(CHANNELS)
            .flat_map(|cell| {
                cell.iter()
                    .zip(self.channels.mean.iter().zip(&self.channels.deviation))
                    .map(|(value, (mean, deviation))| (value.to_f32() - mean) / deviation)
            })
            .collect();
        let semantic = raw
            .semantic
            .iter()
            .zip(self.semantic.mean.iter().zip(&self.semantic.deviation))
            .map(|(value, (mean, deviation))| (value - mean) / deviation)
            .collect();
        StandardFeatures { maps, semantic }
    }
}
