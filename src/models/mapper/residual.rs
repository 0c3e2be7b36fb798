//! Residual decoder: ridge regression, a network that starts from it, and a blend of both.
//!
//! `(1 − α) · unit(ridge(x)) + α · unit(Σ unit(member(s · x)))` with a scale s per voxel. One file holds all of it: at α = 0 it is
//! ridge, and training chooses α on images that neither part was fitted to.
//!
//! Specification: docs/spec/decoders.md §3.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use super::linear::{LinearMapper, LinearMapperConfig, check_ends, claim_linear, frozen};
use super::residual_network::{ResidualNetwork, ResidualSizes};
use crate::error::{Fault, SettingError, in_range, limits};
use crate::tensor_ops::similarity::unit_norm;
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

/// Most networks whose predictions are averaged.
pub const MOST_MEMBERS: usize = 64;

/// Sizes of a [`ResidualMapper`], and its blend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResidualConfig {
    /// Voxels of a trial, 1 to 1e7.
    pub num_voxels: usize,
    /// Hidden units, 1 to 65,536.
    pub hidden: usize,
    /// Residual blocks, 0 to 1000.
    pub num_blocks: usize,
    /// Width of the predicted embedding, 1 to 65,536.
    pub embed_dim: usize,
    /// Networks whose predictions are averaged, 1 to 64.
    pub num_members: usize,
    /// α: share of the networks against ridge, 0 to 1.
    pub blend: f64,
}

impl Default for ResidualConfig {
    /// One network of 512 units and one block for subject 1's 15,724 voxels and CLIP's 512 numbers, without ridge.
    fn default() -> Self {
        Self { num_voxels: 15_724, hidden: 512, num_blocks: 1, embed_dim: 512, num_members: 1, blend: 1.0 }
    }
}

impl ResidualConfig {
    /// Sizes of each member.
    pub fn member_sizes(&self) -> ResidualSizes {
        let Self { num_voxels, hidden, num_blocks, embed_dim, .. } = *self;
        ResidualSizes { num_voxels, hidden, num_blocks, embed_dim }
    }

    /// Values of ridge and of the matrices of all members: no network of these sizes has fewer.
    pub fn least_values(&self) -> u128 {
        let [voxels, hidden, blocks, width, members] =
            [self.num_voxels, self.hidden, self.num_blocks, self.embed_dim, self.num_members]
                .map(|size| size as u128);
        let member = voxels * (hidden + width) + blocks * hidden * hidden + hidden * width;
        voxels * width + members * member
    }

    /// Values of the input and the hidden units of one trial.
    pub fn least_activations(&self) -> u128 {
        self.num_voxels as u128 + self.hidden as u128 * (1 + self.num_blocks as u128)
    }

    /// A decoder whose hidden layers are drawn from `seed`: scales 1, ridge and skips 0.
    ///
    /// # Errors
    /// [`SettingError`] for sizes out of range.
    pub fn init<B: Backend>(&self, seed: u64, device: &B::Device) -> Result<ResidualMapper<B>, SettingError> {
        self.check_sizes()?;
        let Self { num_voxels, embed_dim, num_members, blend, .. } = *self;
        let member = |index| self.init_member(index, seed, device);
        Ok(ResidualMapper {
            voxel_scale: frozen(Tensor::ones([num_voxels], device)),
            ridge: LinearMapperConfig { num_voxels, embed_dim }.init(device)?,
            members: (0..num_members).map(member).collect(),
            blend,
        })
    }

    /// One member, drawn from `seed` and its place among the members.
    pub fn init_member<B: Backend>(&self, index: usize, seed: u64, device: &B::Device) -> ResidualNetwork<B> {
        ResidualNetwork::new(&self.member_sizes(), seed, &format!("residual mapper.{index}"), device)
    }
}

impl StoredNetwork for ResidualConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        check_ends(self.num_voxels, self.embed_dim)?;
        in_range("hidden", self.hidden, 1..=limits::WIDTH)?;
        in_range("num_blocks", self.num_blocks, 0..=limits::LAYERS)?;
        in_range("num_members", self.num_members, 1..=MOST_MEMBERS)?;
        in_range("blend", self.blend, 0.0..=1.0)
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        let Self { num_voxels, hidden, num_blocks, embed_dim, num_members, .. } = *self;
        tensors.claim("voxel_scale", &[num_voxels])?;
        claim_linear("ridge.", num_voxels, embed_dim, tensors)?;
        for member in (0..num_members).map(|index| format!("members.{index}")) {
            claim_linear(&format!("{member}.input."), num_voxels, hidden, tensors)?;
            claim_norm(&format!("{member}.norm"), hidden, tensors)?;
            for block in (0..num_blocks).map(|index| format!("{member}.blocks.{index}")) {
                claim_linear(&format!("{block}.linear."), hidden, hidden, tensors)?;
                claim_norm(&format!("{block}.norm"), hidden, tensors)?;
            }
            claim_linear(&format!("{member}.output."), hidden, embed_dim, tensors)?;
            claim_linear(&format!("{member}.skip."), num_voxels, embed_dim, tensors)?;
        }
        Ok(())
    }
}

fn claim_norm(norm: &str, width: usize, tensors: &mut StoredTensors) -> Result<(), Fault> {
    tensors.claim(format!("{norm}.gamma"), &[width])?;
    tensors.claim(format!("{norm}.beta"), &[width])
}

/// fMRI → embedding by ridge and networks together.
#[derive(Module, Debug)]
pub struct ResidualMapper<B: Backend> {
    /// `[num_voxels]`: what each voxel is multiplied by in front of the members. Not trained.
    pub voxel_scale: Param<Tensor<B, 1>>,
    /// Of betas that are not scaled. Not trained.
    pub ridge: LinearMapper<B>,
    /// Networks from different seeds.
    pub members: Vec<ResidualNetwork<B>>,
    /// α, 0 to 1.
    pub blend: f64,
}

impl<B: Backend> ResidualMapper<B> {
    /// Predicts one embedding per trial.
    ///
    /// # Shapes
    /// - betas: `[batch, num_voxels]`, z-scored within session, not padded
    /// - output: `[batch, embed_dim]`, of norm 1 at most
    pub fn forward(&self, betas: Tensor<B, 2>) -> Tensor<B, 2> {
        let ridge = unit_norm(self.ridge.forward(betas.clone()));
        let networks = self.forward_members(betas);
        ridge.mul_scalar(1.0 - self.blend) + networks.mul_scalar(self.blend)
    }

    /// What the members predict together: `[batch, num_voxels]` → `[batch, embed_dim]`, rows of norm 1.
    pub fn forward_members(&self, betas: Tensor<B, 2>) -> Tensor<B, 2> {
        let scaled = betas * self.voxel_scale.val().unsqueeze_dim(0);
        let predicted = self.members.iter().map(|member| unit_norm(member.forward(scaled.clone(), None)));
        let [batch, _] = scaled.dims();
        let [_, width] = self.ridge.weight.dims();
        let none = Tensor::zeros([batch, width], (&scaled.device(), scaled.dtype()));
        unit_norm(predicted.fold(none, |sum, member| sum + member))
    }

    /// Ridge as a skip of scaled voxels, `[num_voxels, embed_dim]` and `[embed_dim]`: where a member's training starts. A voxel of
    /// scale 0 tells a member nothing and has the weight 0.
    pub fn ridge_as_skip(&self) -> (Tensor<B, 2>, Tensor<B, 1>) {
        let scale = self.voxel_scale.val();
        let is_zero = scale.clone().equal_elem(0.0);
        let inverse = scale.mask_fill(is_zero.clone(), 1.0).recip().mask_fill(is_zero, 0.0);
        (self.ridge.weight.val() * inverse.unsqueeze_dim(1), self.ridge.bias.val())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::host_values::values;
    use crate::tensor_ops::random::{keyed_rng, normal};
    use crate::tensor_ops::stored::assert_claims;

    fn small() -> ResidualConfig {
        ResidualConfig { num_voxels: 2, hidden: 2, num_blocks: 1, embed_dim: 2, num_members: 1, blend: 0.25 }
    }

    #[test]
    fn the_claims_are_the_networks() {
        for config in [
            small(),
            ResidualConfig { num_voxels: 7, hidden: 3, num_blocks: 0, ..small() },
            ResidualConfig { num_blocks: 2, num_members: 3, embed_dim: 5, ..small() },
        ] {
            let network = config.init::<Base>(0, &cpu()).unwrap();
            assert_claims(&config, &network);
            assert!(network.num_params() as u128 > config.least_values());
        }
        // 15,724 · (512 + 512 + 512) + 2 · 512² and the vectors.
        let paper = ResidualConfig::default();
        assert_eq!(paper.least_values(), 24_676_352);
    }

    #[test]
    fn forward_by_hand() {
        let device = cpu();
        let mut mapper = small().init::<Base>(1, &device).unwrap();
        let matrix = |rows: [[f32; 2]; 2]| Param::from_tensor(Tensor::<Base, 2>::from_floats(rows, &device));
        mapper.voxel_scale = frozen(Tensor::from_floats([2.0, 0.5], &device));
        // ridge(1, 2) = (3, 4) → (0.6, 0.8)
        mapper.ridge = LinearMapper::new(
            Tensor::from_floats([[1.0, 0.0], [1.0, 1.0]], &device),
            Tensor::from_floats([0.0, 2.0], &device),
        );
        let member = &mut mapper.members[0];
        // Scaled (2, 1); hidden (3, 1) → norm (1, −1) → gelu (0.841345, −0.158655)
        member.input.weight = matrix([[1.0, 0.0], [1.0, 1.0]]);
        // Block: (0.841345, −0.158655) → swapped → norm (−1, 1) → gelu (−0.158655, 0.841345), sum (0.68269, 0.68269)
        member.blocks[0].linear.weight = matrix([[0.0, 1.0], [1.0, 0.0]]);
        // (0.68269, 1.36538) + skip (2, 1) = (2.68269, 2.36538)
        member.output.weight = matrix([[1.0, 2.0], [0.0, 0.0]]);
        member.skip.weight = matrix([[1.0, 0.0], [0.0, 1.0]]);
        let betas = Tensor::from_floats([[1.0, 2.0]], &device);
        let direct = values(mapper.members[0].forward(Tensor::from_floats([[2.0, 1.0]], &device), None));
        assert!((direct[0] - 2.682_689).abs() < 1e-4 && (direct[1] - 2.365_379).abs() < 1e-4, "{direct:?}");
        let norm = 2.682_689_f32.hypot(2.365_379);
        let expected = [0.45 + 0.25 * 2.682_689 / norm, 0.6 + 0.25 * 2.365_379 / norm];
        let found = values(mapper.forward(betas));
        assert!((found[0] - expected[0]).abs() < 1e-5 && (found[1] - expected[1]).abs() < 1e-5, "{found:?}");
    }

    #[test]
    fn a_member_with_ridge_as_its_skip_is_ridge() {
        let device = cpu();
        let config = ResidualConfig { num_voxels: 5, embed_dim: 3, hidden: 4, blend: 1.0, ..small() };
        let mut mapper = config.init::<Base>(1, &device).unwrap();
        let mut rng = keyed_rng(3, "test", 0);
        mapper.ridge = LinearMapper::new(normal([5, 3], &mut rng, &device), normal([3], &mut rng, &device));
        // The third voxel is silent: ridge must not hear it either.
        mapper.ridge.weight = mapper.ridge.weight.map(|weight| weight.slice_fill([2..3, 0..3], 0.0));
        mapper.voxel_scale = frozen(Tensor::from_floats([0.5, 2.0, 0.0, 1.0, 3.0], &device));
        let (weight, bias) = mapper.ridge_as_skip();
        mapper.members[0] = mapper.members[0].clone().with_skip(weight, bias);
        let betas: Tensor<Base, 2> = normal([4, 5], &mut rng, &device);
        let ridge = values(unit_norm(mapper.ridge.forward(betas.clone())));
        for (found, expected) in values(mapper.forward(betas)).iter().zip(ridge) {
            assert!((found - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn sizes_out_of_range_are_named() {
        let of = |config: ResidualConfig| config.init::<Base>(0, &cpu()).unwrap_err().field;
        assert_eq!(of(ResidualConfig { hidden: 0, ..small() }), "hidden");
        assert_eq!(of(ResidualConfig { num_members: 0, ..small() }), "num_members");
        assert_eq!(of(ResidualConfig { num_members: 65, ..small() }), "num_members");
        assert_eq!(of(ResidualConfig { blend: f64::NAN, ..small() }), "blend");
        assert_eq!(of(ResidualConfig { num_blocks: usize::MAX, ..small() }), "num_blocks");
    }
}
