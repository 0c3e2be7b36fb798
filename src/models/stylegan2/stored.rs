//! The tensors that the snapshots of a generator and of a discriminator must have.

use super::config::{DiscriminatorConfig, GeneratorConfig};
use crate::error::{Fault, SettingError};
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

/// Pictures are RGB wherever a stored network is used.
const COLOURS: usize = 3;

impl StoredNetwork for GeneratorConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        self.validate()?;
        require_colours(self.image_channels)
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        for index in 0..self.mapping_layers {
            let inputs = if index == 0 { self.z_dim } else { self.w_dim };
            tensors.claim_layer(format!("mapping.layers.{index}"), [self.w_dim, inputs])?;
        }
        tensors.claim("mapping.w_avg", &[self.w_dim])?;
        let mut inputs = self.channels(4);
        tensors.claim("synthesis.constant", &[inputs, 4, 4])?;
        for index in 0..self.resolution.ilog2() as usize - 1 {
            let resolution = 4 << index;
            let block = format!("synthesis.blocks.{index}");
            let channels = self.channels(resolution);
            if index > 0 {
                self.claim_convolution(&format!("{block}.conv0"), [inputs, channels], resolution, tensors)?;
            }
            self.claim_convolution(&format!("{block}.conv1"), [channels; 2], resolution, tensors)?;
            self.claim_style(&format!("{block}.torgb"), channels, tensors)?;
            tensors.claim_layer(format!("{block}.torgb"), [self.image_channels, channels, 1, 1])?;
            inputs = channels;
        }
        Ok(())
    }
}

impl GeneratorConfig {
    fn claim_convolution(
        &self,
        layer: &str,
        [inputs, outputs]: [usize; 2],
        resolution: usize,
        tensors: &mut StoredTensors,
    ) -> Result<(), Fault> {
        self.claim_style(layer, inputs, tensors)?;
        tensors.claim_layer(layer, [outputs, inputs, 3, 3])?;
        tensors.claim(format!("{layer}.noise_strength"), &[1])?;
        tensors.claim(format!("{layer}.noise_const"), &[resolution, resolution])
    }

    /// The heads of a layer and the map from code and w to its styles.
    fn claim_style(&self, layer: &str, channels: usize, tensors: &mut StoredTensors) -> Result<(), Fault> {
        let dims = self.condition_dims();
        for (index, dim) in dims.iter().enumerate() {
            let hidden = dim.saturating_add(self.code_dim) / 2;
            let head = format!("{layer}.style.heads.{index}");
            tensors.claim_layer(format!("{head}.hidden"), [hidden, *dim])?;
            tensors.claim_layer(format!("{head}.code"), [self.code_dim, hidden])?;
        }
        let code_dim = if dims.is_empty() { 0 } else { self.code_dim };
        let inputs = code_dim.saturating_add(self.w_dim);
        tensors.claim_layer(format!("{layer}.style.affine"), [channels, inputs])
    }
}

impl StoredNetwork for DiscriminatorConfig {
    fn check_sizes(&self) -> Result<(), SettingError> {
        self.validate()?;
        require_colours(self.image_channels)
    }

    fn claim(&self, tensors: &mut StoredTensors) -> Result<(), Fault> {
        let mut width = self.channels(self.resolution);
        tensors.claim_layer("fromrgb", [width, self.image_channels, 1, 1])?;
        for index in 0..self.resolution.ilog2() - 2 {
            let outputs = self.channels(self.resolution >> (index + 1));
            let block = format!("blocks.{index}");
            tensors.claim_layer(format!("{block}.conv0"), [width, width, 3, 3])?;
            tensors.claim_layer(format!("{block}.conv1"), [outputs, width, 3, 3])?;
            tensors.claim(format!("{block}.skip.weight"), &[outputs, width, 1, 1])?;
            width = outputs;
        }
        let inputs = width.saturating_add(self.mbstd_channels);
        tensors.claim_layer("epilogue.conv", [width, inputs, 3, 3])?;
        tensors.claim_layer("epilogue.fc", [width, width.saturating_mul(16)])?;
        tensors.claim_layer("epilogue.out", [1, width])?;
        for (index, dim) in self.condition_dims().into_iter().enumerate() {
            tensors.claim_layer(format!("epilogue.semantic_heads.{index}"), [dim, width])?;
        }
        Ok(())
    }
}

fn require_colours(image_channels: usize) -> Result<(), SettingError> {
    if image_channels == COLOURS {
        return Ok(());
    }
    Err(SettingError::new("image_channels", format!("{COLOURS}: red, green and blue"), image_channels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::stylegan2::{ConditionHeads, GanSizes};
    use crate::tensor_ops::backend::{Base, cpu};
    use crate::tensor_ops::stored::assert_claims;

    fn pair(heads: ConditionHeads) -> (GeneratorConfig, DiscriminatorConfig) {
        let sizes = GanSizes {
            resolution: 32,
            heads,
            z_dim: 5,
            w_dim: 6,
            code_dim: 7,
            mapping_layers: 2,
            channel_base: 128,
            channel_max: 9,
            ..GanSizes::default()
        };
        let (generator, discriminator) = sizes.configs(10);
        let generator = GeneratorConfig { second_condition_dim: 11, ..generator };
        (generator, DiscriminatorConfig { second_condition_dim: 11, ..discriminator })
    }

    #[test]
    fn the_claims_are_the_networks() {
        for heads in [ConditionHeads::None, ConditionHeads::One, ConditionHeads::TwoByMaximum] {
            let (generator, discriminator) = pair(heads);
            assert_claims(&generator, &generator.init::<Base>(0, &cpu()).unwrap());
            assert_claims(&discriminator, &discriminator.init::<Base>(0, &cpu()).unwrap());
        }
    }

    #[test]
    fn pictures_of_other_channels_than_three_are_refused() {
        let (generator, discriminator) = pair(ConditionHeads::One);
        let generator = GeneratorConfig { image_channels: 4, ..generator };
        assert_eq!(generator.check_sizes().unwrap_err().field, "image_channels");
        let discriminator = DiscriminatorConfig { image_channels: 1, ..discriminator };
        assert_eq!(discriminator.check_sizes().unwrap_err().field, "image_channels");
    }
}
