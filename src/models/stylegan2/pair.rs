//! Sizes of generator and discriminator together, as far as the data do not decide them.

use serde::{Deserialize, Serialize};

use super::config::{
    ConditionHeads, DiscriminatorConfig, GeneratorConfig, HeadNormalisation, ProjectionTerm,
};
use crate::error::SettingError;

/// What both networks share, and what each has alone. Defaults are the paper's. Widths are 1 to 65,536, layers 0 to 1000.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GanSizes {
    /// Height and width of the images (256).
    pub resolution: usize,
    /// Condition heads of the generator and semantic heads of the discriminator (one before finetuning).
    pub heads: ConditionHeads,
    /// Width of the input latent (512).
    pub z_dim: usize,
    /// Width of the style code (512).
    pub w_dim: usize,
    /// Width of the code that a condition becomes in every layer (512).
    pub code_dim: usize,
    /// Layers of the mapping network (8).
    pub mapping_layers: usize,
    /// Channels times resolution, before the limit (32768).
    pub channel_base: usize,
    /// Most channels of a layer (512).
    pub channel_max: usize,
    /// Bound on the magnitude of activations (256); 0 for none.
    pub conv_clamp: f64,
    /// Decay of the running mean of w (0.995).
    pub w_avg_decay: f64,
    /// How the semantic heads enter the score.
    pub projection: ProjectionTerm,
    /// Scale of the semantic heads' output.
    pub head_normalisation: HeadNormalisation,
    /// Samples per group of the minibatch deviation (4).
    pub mbstd_group: usize,
}

impl Default for GanSizes {
    fn default() -> Self {
        let generator = GeneratorConfig::default();
        let discriminator = DiscriminatorConfig::default();
        Self {
            resolution: generator.resolution,
            // One head, as the checkpoints that finetuning starts from; its copy becomes the second.
            heads: ConditionHeads::One,
            z_dim: generator.z_dim,
            w_dim: generator.w_dim,
            code_dim: generator.code_dim,
            mapping_layers: generator.mapping_layers,
            channel_base: generator.channel_base,
            channel_max: generator.channel_max,
            conv_clamp: generator.conv_clamp,
            w_avg_decay: generator.w_avg_decay,
            projection: discriminator.projection,
            head_normalisation: discriminator.head_normalisation,
            mbstd_group: discriminator.mbstd_group,
        }
    }
}

impl GanSizes {
    /// Checks that networks of these sizes exist, whatever the width of the conditions.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let (generator, discriminator) = self.configs(GeneratorConfig::default().condition_dim);
        generator.validate()?;
        discriminator.validate()
    }

    /// The two networks for conditions of width `embed_dim`.
    pub fn configs(&self, embed_dim: usize) -> (GeneratorConfig, DiscriminatorConfig) {
        let generator = GeneratorConfig {
            z_dim: self.z_dim,
            w_dim: self.w_dim,
            heads: self.heads,
            condition_dim: embed_dim,
            second_condition_dim: embed_dim,
            code_dim: self.code_dim,
            mapping_layers: self.mapping_layers,
            resolution: self.resolution,
            channel_base: self.channel_base,
            channel_max: self.channel_max,
            conv_clamp: self.conv_clamp,
            w_avg_decay: self.w_avg_decay,
            ..GeneratorConfig::default()
        };
        let discriminator = DiscriminatorConfig {
            heads: self.heads,
            condition_dim: embed_dim,
            second_condition_dim: embed_dim,
            projection: self.projection,
            head_normalisation: self.head_normalisation,
            resolution: self.resolution,
            channel_base: self.channel_base,
            channel_max: self.channel_max,
            conv_clamp: self.conv_clamp,
            mbstd_group: self.mbstd_group,
            ..DiscriminatorConfig::default()
        };
        (generator, discriminator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_pair_is_the_papers() {
        let sizes = GanSizes { heads: ConditionHeads::TwoByMaximum, ..GanSizes::default() };
        let (generator, discriminator) = sizes.configs(512);
        assert_eq!(generator, GeneratorConfig::default());
        assert_eq!(discriminator, DiscriminatorConfig::default());
    }
}
