//! Kernel ridge decoder: weighted sums over the training trials, by how near they are.
//!
//! Specification: docs/spec/decoders.md §4.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use super::linear::{check_ends, frozen};
use crate::error::{Fault, SettingError, above_to, in_range, limits};
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

/// Sizes of a [`KernelMapper`], and the width of its kernel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelMapperConfig {
    /// Voxels of a trial, 1 to 1e7.
    pub num_voxels: usize,
    /// Training trials that it keeps, 1 to 1e6.
    pub num_support: usize,
    /// Width of the predicted embedding, 1 to 65,536.
    pub embed_dim: usize,
    /// γ: how fast the kernel falls, per mean squared distance; above 0 and at most 1e6.
    pub gamma: f64,
}

impl KernelMapperConfig {
    /// Values of the training trials and of their coefficients.
    pub fn least_values(&self) -> u128 {
        self.num_support as u128 * (self.num_voxels as u128 + self.embed_dim as u128)
    }

    /// Zeros to load a file into.
    ///
    /// # Errors
    /// [`SettingError`] for sizes out of range.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<KernelMapper<B>, SettingError> {
        self.check_sizes()?;
        let Self { num_voxels, num_support, embed_dim, gamma } = *self;
        Ok(KernelMapper {
            voxel_scale: frozen(Tensor::ones([num_voxels], device)),
            support: frozen(Tensor::zeros([num_support, num_voxels], device)),
            squared_lengths: frozen(Tensor::zeros([num_support], device)),
            mean_distance: frozen(Tensor::ones([1], device)),
            coefficients: frozen(Tensor::zeros([num_support, embed_dim], device)),
            mean: frozen(Tensor::zeros([embed_dim], device)),
            gamma,
        })
    }
}

impl StoredNetwork for KernelMapperConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        check_ends(self.num_voxels, self.embed_dim)?;
        in_range("num_support", self.num_support, 1..=limits::ITEMS)?;
        in_range("gamma", self.gamma, above_to(0.0, limits::WEIGHT))
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        let Self { num_voxels, num_support, embed_dim, .. } = *self;
        tensors.claim("voxel_scale", &[num_voxels])?;
        tensors.claim("support", &[num_support, num_voxels])?;
        tensors.claim("squared_lengths", &[num_support])?;
        tensors.claim("mean_distance", &[1])?;
        tensors.claim("coefficients", &[num_support, embed_dim])?;
        tensors.claim("mean", &[embed_dim])
    }
}

/// fMRI → embedding: `mean + Σ k(s · x, support_i) · coefficients_i`, `k(a, b) = exp(−γ |a − b|² / mean_distance)`. No optimiser moves
/// it; the file holds the training trials.
#[derive(Module, Debug)]
pub struct KernelMapper<B: Backend> {
    /// `[num_voxels]`: what each voxel is multiplied by.
    pub voxel_scale: Param<Tensor<B, 1>>,
    /// Scaled training trials, `[num_support, num_voxels]`.
    pub support: Param<Tensor<B, 2>>,
    /// Their squared lengths, `[num_support]`.
    pub squared_lengths: Param<Tensor<B, 1>>,
    /// `[1]`: twice their mean, which is the mean squared distance of trials whose mean is 0.
    pub mean_distance: Param<Tensor<B, 1>>,
    /// `[num_support, embed_dim]`
    pub coefficients: Param<Tensor<B, 2>>,
    /// Mean target of the training trials, `[embed_dim]`.
    pub mean: Param<Tensor<B, 1>>,
    /// γ.
    pub gamma: f64,
}

impl<B: Backend> KernelMapper<B> {
    /// A decoder of scaled training trials whose coefficients are 0: it predicts their mean target.
    ///
    /// # Shapes
    /// - voxel_scale: `[num_voxels]`; support: `[num_support, num_voxels]`, scaled; mean: `[embed_dim]`
    pub fn of_support(
        voxel_scale: Tensor<B, 1>,
        support: Tensor<B, 2>,
        mean: Tensor<B, 1>,
        gamma: f64,
    ) -> Self {
        let ([count, _], [width], device) = (support.dims(), mean.dims(), support.device());
        let squared: Tensor<B, 1> = support.clone().square().sum_dim(1).squeeze_dim(1);
        Self {
            voxel_scale: frozen(voxel_scale),
            support: frozen(support),
            mean_distance: frozen(squared.clone().mean().mul_scalar(2.0)),
            squared_lengths: frozen(squared),
            coefficients: frozen(Tensor::zeros([count, width], &device)),
            mean: frozen(mean),
            gamma,
        }
    }

    /// The same with other coefficients, `[num_support, embed_dim]`.
    pub fn with_coefficients(mut self, coefficients: Tensor<B, 2>) -> Self {
        self.coefficients = frozen(coefficients);
        self
    }

    /// Predicts one embedding per trial.
    ///
    /// # Shapes
    /// - betas: `[batch, num_voxels]`, z-scored within session, not padded
    /// - output: `[batch, embed_dim]`, not normalised
    pub fn forward(&self, betas: Tensor<B, 2>) -> Tensor<B, 2> {
        self.similarity(betas).matmul(self.coefficients.val()) + self.mean.val().unsqueeze_dim(0)
    }

    /// k of every trial with every training trial: `[batch, num_voxels]` → `[batch, num_support]`, 0 to 1.
    pub fn similarity(&self, betas: Tensor<B, 2>) -> Tensor<B, 2> {
        let scaled = betas * self.voxel_scale.val().unsqueeze_dim(0);
        let squared = scaled.clone().square().sum_dim(1); // [batch, 1]
        let products = scaled.matmul(self.support.val().transpose());
        let distances = squared + self.squared_lengths.val().unsqueeze_dim(0) - products.mul_scalar(2.0);
        // A trial and itself: rounding may leave less than 0.
        let relative = distances.clamp_min(0.0) / self.mean_distance.val().unsqueeze_dim(0);
        relative.mul_scalar(-self.gamma).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::host_values::values;
    use crate::tensor_ops::stored::assert_claims;

    fn small() -> KernelMapperConfig {
        KernelMapperConfig { num_voxels: 2, num_support: 2, embed_dim: 1, gamma: 0.5 }
    }

    #[test]
    fn forward_by_hand() {
        let device = cpu();
        let mut mapper = small().init::<Base>(&device).unwrap();
        assert_claims(&small(), &mapper);
        assert_eq!((mapper.num_params(), small().least_values()), (2 + 4 + 2 + 1 + 2 + 1, 6));
        mapper.voxel_scale = frozen(Tensor::from_floats([2.0, 1.0], &device));
        mapper.support = frozen(Tensor::from_floats([[2.0, 1.0], [0.0, 1.0]], &device));
        mapper.squared_lengths = frozen(Tensor::from_floats([5.0, 1.0], &device));
        mapper.mean_distance = frozen(Tensor::from_floats([6.0], &device));
        mapper.coefficients = frozen(Tensor::from_floats([[3.0], [-1.0]], &device));
        mapper.mean = frozen(Tensor::from_floats([10.0], &device));
        // (1, 1) becomes the first training trial; the second is 4 away: exp(−0.5 · 4/6)
        let betas = Tensor::from_floats([[1.0, 1.0]], &device);
        let found = values(mapper.forward(betas));
        assert!((found[0] - (13.0 - (-1.0_f32 / 3.0).exp())).abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn sizes_out_of_range_are_named() {
        let of = |config: KernelMapperConfig| config.init::<Base>(&cpu()).unwrap_err().field;
        assert_eq!(of(KernelMapperConfig { num_support: 0, ..small() }), "num_support");
        assert_eq!(of(KernelMapperConfig { num_support: usize::MAX, ..small() }), "num_support");
        assert_eq!(of(KernelMapperConfig { gamma: 0.0, ..small() }), "gamma");
        assert_eq!(of(KernelMapperConfig { num_voxels: 0, ..small() }), "num_voxels");
    }
}
