//! Pictures → network input, in the two ways that published distances were computed (docs/spec/metrics.md §1).

use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::tensor_ops::bilinear_sampling::{PixelCentres, resize_bilinear};

/// Side of the network's input in pixels.
pub const INPUT_SIZE: usize = 299;

/// Resizing and scaling in front of the Inception.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InceptionPreprocessing {
    /// TensorFlow 1: bilinear with pixel corners aligned to the origin, then (x − 128)/128. What StyleGAN2-ADA, Lafite and
    /// Mind Reader report.
    #[default]
    TensorFlow,
    /// pytorch-fid: bilinear with half-pixel centres, then 2·x/255 − 1.
    PytorchFid,
}

impl InceptionPreprocessing {
    /// # Shapes
    /// - pixels_255: `[batch, 3, height, width]`, 0..255, output: `[batch, 3, 299, 299]`
    pub fn apply<B: Backend>(self, pixels_255: Tensor<B, 4>) -> Tensor<B, 4> {
        match self {
            Self::TensorFlow => resize_bilinear(pixels_255, INPUT_SIZE, PixelCentres::Corner)
                .sub_scalar(128.0)
                .div_scalar(128.0),
            Self::PytorchFid => {
                resize_bilinear(pixels_255, INPUT_SIZE, PixelCentres::Half).div_scalar(127.5).sub_scalar(1.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn white_and_black_have_the_published_values() {
        for (preprocessing, white) in
            [(InceptionPreprocessing::TensorFlow, 127.0 / 128.0), (InceptionPreprocessing::PytorchFid, 1.0)]
        {
            for (level, expected) in [(255.0, white), (0.0, -1.0)] {
                let picture = Tensor::<Base, 4>::full([1, 3, 7, 9], level, &cpu());
                let input = preprocessing.apply(picture);
                assert_eq!(input.dims(), [1, 3, INPUT_SIZE, INPUT_SIZE]);
                let worst = input.sub_scalar(expected).abs().max().into_scalar();
                assert!(worst < 1e-5, "{preprocessing:?} {level}: {worst}");
            }
        }
    }
}
