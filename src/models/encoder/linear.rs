//! Linear encoder: one matrix from embedding to voxels, as ridge regression fits it.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::error::{Fault, SettingError, in_range, limits};
use crate::models::mapper::MOST_VOXELS;
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

/// Sizes of a [`LinearEncoder`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearEncoderConfig {
    /// Width of the embedding, 1 to 65,536.
    pub embed_dim: usize,
    /// Voxels, 1 to 1e7.
    pub num_voxels: usize,
}

impl LinearEncoderConfig {
    /// The map that predicts zeros, to load a file into.
    ///
    /// # Errors
    /// [`SettingError`] for sizes out of range.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<LinearEncoder<B>, SettingError> {
        self.check_sizes()?;
        let Self { embed_dim, num_voxels } = *self;
        Ok(LinearEncoder {
            weight: Param::from_tensor(Tensor::zeros([embed_dim, num_voxels], device)),
            bias: Param::from_tensor(Tensor::zeros([num_voxels], device)),
        })
    }

    /// The map of fitted coefficients.
    ///
    /// # Shapes
    /// - weight: `[embed_dim, num_voxels]`, row-major; bias: a value per voxel
    ///
    /// # Panics
    /// When there are not as many values as that.
    pub fn fitted<B: Backend>(
        &self,
        weight: Vec<f32>,
        bias: Vec<f32>,
        device: &B::Device,
    ) -> LinearEncoder<B> {
        let Self { embed_dim, num_voxels } = *self;
        let weight = TensorData::new(weight, [embed_dim, num_voxels]);
        LinearEncoder {
            weight: Param::from_tensor(Tensor::from_data(weight, device)),
            bias: Param::from_tensor(Tensor::from_data(TensorData::new(bias, [num_voxels]), device)),
        }
    }
}

impl StoredNetwork for LinearEncoderConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        in_range("embed_dim", self.embed_dim, 1..=limits::WIDTH)?;
        in_range("num_voxels", self.num_voxels, 1..=MOST_VOXELS)
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        tensors.claim("weight", &[self.embed_dim, self.num_voxels])?;
        tensors.claim("bias", &[self.num_voxels])
    }
}

/// Embedding → fMRI by one matrix.
#[derive(Module, Debug)]
pub struct LinearEncoder<B: Backend> {
    /// `[embed_dim, num_voxels]`
    pub weight: Param<Tensor<B, 2>>,
    /// `[num_voxels]`
    pub bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> LinearEncoder<B> {
    /// # Shapes
    /// - latents: `[batch, embed_dim]`, output: `[batch, num_voxels]`
    pub fn forward(&self, latents: Tensor<B, 2>) -> Tensor<B, 2> {
        latents.matmul(self.weight.val()) + self.bias.val().unsqueeze_dim(0)
    }
}
