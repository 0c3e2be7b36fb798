//! The tensors that a ResNet's snapshot must have.

use super::bottleneck::EXPANSION;
use super::config::ResnetConfig;
use crate::error::{Fault, SettingError};
use crate::models::batch_norm::claim_batch_norm;
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

impl StoredNetwork for ResnetConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        self.validate()
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        tensors.claim("conv1.weight", &[self.stem_width, 3, 7, 7])?;
        claim_batch_norm("bn1", self.stem_width, tensors)?;
        let mut channels = self.stem_width;
        for (stage, (blocks, planes)) in self.blocks.into_iter().zip(self.planes).enumerate() {
            for index in 0..blocks {
                let block = format!("layer{}.{index}", stage + 1);
                // The first stage keeps the size of the pooled stem, each later one halves it.
                let halves = stage > 0 && index == 0;
                claim_bottleneck(&block, [channels, planes], halves, tensors)?;
                channels = planes * EXPANSION;
            }
        }
        match self.num_classes {
            Some(classes) => tensors.claim_layer("fc", [classes, self.feature_width()]),
            None => Ok(()),
        }
    }
}

fn claim_bottleneck(
    block: &str,
    [channels_in, planes]: [usize; 2],
    halves: bool,
    tensors: &mut StoredTensors,
) -> Result<(), Fault> {
    let channels_out = planes * EXPANSION;
    for (part, shape) in
        [(1, [planes, channels_in, 1, 1]), (2, [planes, planes, 3, 3]), (3, [channels_out, planes, 1, 1])]
    {
        tensors.claim(format!("{block}.conv{part}.weight"), &shape)?;
        claim_batch_norm(&format!("{block}.bn{part}"), shape[0], tensors)?;
    }
    if halves || channels_in != channels_out {
        tensors.claim(format!("{block}.downsample.0.weight"), &[channels_out, channels_in, 1, 1])?;
        claim_batch_norm(&format!("{block}.downsample.1"), channels_out, tensors)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::stored::assert_claims;

    #[test]
    fn the_claims_are_the_networks() {
        let small =
            ResnetConfig { stem_width: 4, planes: [1, 3, 4, 5], blocks: [1, 2, 1, 1], num_classes: None };
        let with_classes = ResnetConfig { num_classes: Some(6), ..small.clone() };
        for config in [small, with_classes] {
            assert_claims(&config, &config.init::<Base>(0, &cpu()).unwrap());
        }
    }
}
