//! Linear operations on images, each with its adjoint.

use std::sync::Arc;

use crate::kernels::planes::{channel_sums, dot_planes, downsample_planes, upsample_planes};
use crate::kernels::sides::Sides;

/// A linear operation.
#[derive(Clone, Debug)]
pub enum Linear {
    /// Times the derivative of an activation, place by place; images of this shape.
    Slopes(Arc<Sides>, [usize; 4]),
    /// Images of this shape to the sum of each channel.
    ChannelSums([usize; 4]),
    /// The sum of each channel to every place of it: adjoint of the sums.
    ChannelSpread([usize; 4]),
    /// Images of this shape to `Σ image · map`, one number; the maps are shared by channels, and perhaps by the batch.
    NoiseSum(Arc<Vec<f32>>, [usize; 4]),
    /// One number to `number · map`: adjoint of the sum over noise.
    NoiseSpread(Arc<Vec<f32>>, [usize; 4]),
    /// Twice the size of images of this shape by the filter `[1, 3, 3, 1]`, with a gain.
    Upsample([usize; 4], f32),
    /// Half the size, with a gain.
    Downsample([usize; 4], f32),
}

impl Linear {
    /// The transposed operation.
    pub fn adjoint(&self) -> Self {
        match self {
            // A diagonal matrix is its own transpose.
            Self::Slopes(sides, shape) => Self::Slopes(sides.clone(), *shape),
            Self::ChannelSums(shape) => Self::ChannelSpread(*shape),
            Self::ChannelSpread(shape) => Self::ChannelSums(*shape),
            Self::NoiseSum(maps, shape) => Self::NoiseSpread(maps.clone(), *shape),
            Self::NoiseSpread(maps, shape) => Self::NoiseSum(maps.clone(), *shape),
            // Upsampling has gain 4 of its own, downsampling 1.
            Self::Upsample([batch, channels, height, width], gain) => {
                Self::Downsample([*batch, *channels, 2 * height, 2 * width], 4.0 * gain)
            }
            Self::Downsample([batch, channels, height, width], gain) => {
                Self::Upsample([*batch, *channels, height / 2, width / 2], 0.25 * gain)
            }
        }
    }

    /// Shape of the result.
    pub fn output_shape(&self) -> Vec<usize> {
        match self {
            Self::Slopes(_, shape) | Self::ChannelSpread(shape) | Self::NoiseSpread(_, shape) => {
                shape.to_vec()
            }
            Self::ChannelSums([_, channels, ..]) => vec![*channels],
            Self::NoiseSum(..) => vec![1],
            Self::Upsample([batch, channels, height, width], _) => {
                vec![*batch, *channels, 2 * height, 2 * width]
            }
            Self::Downsample([batch, channels, height, width], _) => {
                vec![*batch, *channels, height / 2, width / 2]
            }
        }
    }

    /// The result.
    pub fn apply(&self, mut values: Vec<f32>) -> Vec<f32> {
        match self {
            Self::Slopes(sides, _) => {
                sides.multiply(&mut values);
                values
            }
            Self::ChannelSums([batch, channels, height, width]) => {
                channel_sums(&values, [*batch, *channels], height * width)
            }
            Self::ChannelSpread([batch, _, height, width]) => {
                let plane = |value: &f32| std::iter::repeat_n(*value, height * width);
                (0..*batch).flat_map(|_| values.iter().flat_map(plane)).collect()
            }
            Self::NoiseSum(maps, [batch, channels, height, width]) => {
                let pixels = height * width;
                let samples = values.chunks_exact(channels * pixels).enumerate();
                // The strength's gradient is one number out of every pixel of every channel of the batch, with both
                // signs: planes are added in double precision.
                let sums = samples.map(|(sample, images)| {
                    let map = map_of(maps, sample, *batch, pixels);
                    let products =
                        images.chunks_exact(pixels).flat_map(|plane| dot_planes(plane, map, pixels));
                    products.map(f64::from).sum::<f64>()
                });
                vec![sums.sum::<f64>() as f32]
            }
            Self::NoiseSpread(maps, [batch, channels, height, width]) => {
                let factor = values[0];
                let sample = |sample| {
                    let map =
                        map_of(maps, sample, *batch, height * width).iter().map(move |value| value * factor);
                    (0..*channels).flat_map(move |_| map.clone())
                };
                (0..*batch).flat_map(sample).collect()
            }
            Self::Upsample([_, _, height, width], gain) => upsample_planes(&values, [*height, *width], *gain),
            Self::Downsample([_, _, height, width], gain) => {
                downsample_planes(&values, [*height, *width], *gain)
            }
        }
    }
}

fn map_of(maps: &[f32], sample: usize, batch: usize, pixels: usize) -> &[f32] {
    // Stored maps are shared by the batch, drawn ones are not.
    let sample = if maps.len() == batch * pixels { sample } else { 0 };
    &maps[sample * pixels..][..pixels]
}
