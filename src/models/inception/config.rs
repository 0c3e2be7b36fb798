//! Size of the network.

use burn::tensor::backend::Backend;
use serde::{Deserialize, Serialize};

use super::conv_unit::UnitBuilder;
use super::mixed5::Mixed5;
use super::mixed6::{Mixed6, Mixed6a};
use super::mixed7::{Mixed7, Mixed7a};
use super::network::Inception;
use crate::error::{Fault, SettingError};
use crate::models::batch_norm::claim_batch_norm;
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

/// Width of the published pooled features.
const PUBLISHED_FEATURES: usize = 2048;
/// Every published number of channels is a multiple of this.
const LARGEST_DIVISOR: usize = 16;

/// Size of an [`Inception`]; the default is the published network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InceptionConfig {
    /// Every number of channels is the published one over this: 1 is the published network; 2, 4, 8 and 16 are narrow
    /// ones with the same graph.
    pub channel_divisor: usize,
}

impl Default for InceptionConfig {
    fn default() -> Self {
        Self { channel_divisor: 1 }
    }
}

impl InceptionConfig {
    /// Width of the pooled features; 2048 as published.
    pub fn feature_width(&self) -> usize {
        PUBLISHED_FEATURES / self.channel_divisor.max(1)
    }

    /// A network with convolutions drawn from `seed` and neutral norms, to be filled by a snapshot.
    ///
    /// # Errors
    /// [`SettingError`] for a divisor that does not divide every number of channels.
    pub fn init<B: Backend>(&self, seed: u64, device: &B::Device) -> Result<Inception<B>, SettingError> {
        self.check_sizes()?;
        let divisor = self.channel_divisor;
        let units = &UnitBuilder::<B> { divisor, seed, device };
        Ok(Inception {
            conv2d_1a_3x3: units.valid("conv2d_1a_3x3", 3, 32, 2),
            conv2d_2a_3x3: units.valid("conv2d_2a_3x3", 32, 32, 1),
            conv2d_2b_3x3: units.same("conv2d_2b_3x3", 32, 64, [3, 3]),
            conv2d_3b_1x1: units.same("conv2d_3b_1x1", 64, 80, [1, 1]),
            conv2d_4a_3x3: units.valid("conv2d_4a_3x3", 80, 192, 1),
            mixed_5b: Mixed5::new(units, "mixed_5b", 192, 32),
            mixed_5c: Mixed5::new(units, "mixed_5c", 256, 64),
            mixed_5d: Mixed5::new(units, "mixed_5d", 288, 64),
            mixed_6a: Mixed6a::new(units),
            mixed_6b: Mixed6::new(units, "mixed_6b", 128),
            mixed_6c: Mixed6::new(units, "mixed_6c", 160),
            mixed_6d: Mixed6::new(units, "mixed_6d", 160),
            mixed_6e: Mixed6::new(units, "mixed_6e", 192),
            mixed_7a: Mixed7a::new(units),
            mixed_7b: Mixed7::new(units, "mixed_7b", 1280),
            mixed_7c: Mixed7::new(units, "mixed_7c", 2048),
        })
    }
}

impl StoredNetwork for InceptionConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        let divisor = self.channel_divisor;
        if divisor == 0 || !LARGEST_DIVISOR.is_multiple_of(divisor) {
            return Err(SettingError::new("channel_divisor", "1, 2, 4, 8 or 16", divisor));
        }
        Ok(())
    }

    /// The graph is fixed and the divisor one of five: the first and the last unit tell which.
    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        let divisor = self.channel_divisor;
        tensors.claim("conv2d_1a_3x3.conv.weight", &[32 / divisor, 3, 3, 3])?;
        claim_batch_norm("conv2d_1a_3x3.bn", 32 / divisor, tensors)?;
        tensors.claim("mixed_7c.branch_pool.conv.weight", &[192 / divisor, 2048 / divisor, 1, 1])?;
        claim_batch_norm("mixed_7c.branch_pool.bn", 192 / divisor, tensors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};

    #[test]
    fn a_divisor_that_leaves_fractions_is_refused() {
        for found in [0, 3, 32] {
            let error = InceptionConfig { channel_divisor: found }.init::<Base>(0, &cpu()).unwrap_err();
            assert_eq!((error.field.as_str(), error.found), ("channel_divisor", found.to_string()));
        }
        assert!(serde_json::from_str::<InceptionConfig>(r#"{"divisor": 1}"#).is_err());
    }
}
