//! Sizes and switches of generator and discriminator.
//!
//! Defaults are the paper's network at 256 × 256 (docs/spec/generator.md §2 to §5, docs/spec/discriminator.md §2 to
//! §3).

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, in_range, limits};

/// Largest number of channels times resolution: every layer then has the most that it may have.
const MOST_CHANNEL_BASE: usize = limits::WIDTH * limits::SIDE;

/// Condition heads of a network. The published code numbers them as `structure` 3, 2 and 4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionHeads {
    /// No condition: plain StyleGAN2.
    None,
    /// One condition: Lafite.
    One,
    /// Two conditions, image first and caption second, whose codes are joined by their maximum: Mind Reader.
    #[default]
    TwoByMaximum,
}

/// Configuration of the generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GeneratorConfig {
    /// Width of the input latent (512).
    pub z_dim: usize,
    /// Width of the style code of the mapping network (512).
    pub w_dim: usize,
    /// How conditions enter the styles: two heads joined by maximum in the paper.
    pub heads: ConditionHeads,
    /// Width of the first condition, the image embedding (512).
    pub condition_dim: usize,
    /// Width of the second condition, the caption embedding (512).
    pub second_condition_dim: usize,
    /// Width of the code that a condition becomes in every layer (512, fixed in the published code).
    pub code_dim: usize,
    /// Layers of the mapping network (8).
    pub mapping_layers: usize,
    /// Height and width of the image, a power of two (256).
    pub resolution: usize,
    /// Channels of the image (3).
    pub image_channels: usize,
    /// Channels times resolution, before the limit (32768).
    pub channel_base: usize,
    /// Most channels of a layer (512).
    pub channel_max: usize,
    /// Bound on the magnitude of activations (256); 0 for none.
    pub conv_clamp: f64,
    /// Decay of the running mean of w (0.995).
    pub w_avg_decay: f64,
}

impl Default for GeneratorConfig {
    fn default() -> Self {
        Self {
            z_dim: 512,
            w_dim: 512,
            heads: ConditionHeads::TwoByMaximum,
            condition_dim: 512,
            second_condition_dim: 512,
            code_dim: 512,
            mapping_layers: 8,
            resolution: 256,
            image_channels: 3,
            channel_base: 32768,
            channel_max: 512,
            conv_clamp: 256.0,
            w_avg_decay: 0.995,
        }
    }
}

impl GeneratorConfig {
    /// Widths of the conditions, first head first.
    pub fn condition_dims(&self) -> Vec<usize> {
        head_dims(self.heads, self.condition_dim, self.second_condition_dim)
    }

    /// Number of style codes: one per convolution and one for the last toRGB.
    pub fn num_ws(&self) -> usize {
        // Blocks 4, 8, … r are log₂ r − 1; the first has one convolution, each other two, and the last toRGB takes
        // one more: 14 at 256 (docs/spec/generator.md §3).
        2 * (self.resolution.ilog2() as usize - 1)
    }

    /// Channels at a resolution.
    pub(crate) fn channels(&self, resolution: usize) -> usize {
        channels(self.channel_base, self.channel_max, resolution)
    }

    /// Bound on activations, where there is one.
    pub(crate) fn clamp(&self) -> Option<f64> {
        (self.conv_clamp > 0.0).then_some(self.conv_clamp)
    }

    /// Checks that a network of these sizes exists.
    pub fn validate(&self) -> Result<(), SettingError> {
        check_resolution(self.resolution)?;
        for (field, size) in [
            ("z_dim", self.z_dim),
            ("w_dim", self.w_dim),
            ("code_dim", self.code_dim),
            ("image_channels", self.image_channels),
            ("condition_dim", self.condition_dim),
            ("second_condition_dim", self.second_condition_dim),
        ] {
            in_range(field, size, 1..=limits::WIDTH)?;
        }
        in_range("mapping_layers", self.mapping_layers, 0..=limits::LAYERS)?;
        if self.mapping_layers == 0 && self.z_dim != self.w_dim {
            let expected = format!("1 to {} where `z_dim` is not `w_dim`", limits::LAYERS);
            return Err(SettingError::new("mapping_layers", expected, 0));
        }
        check_channels(self.channel_base, self.channel_max, self.resolution)?;
        // 0: none.
        in_range("conv_clamp", self.conv_clamp, 0.0..=limits::WEIGHT)?;
        in_range("w_avg_decay", self.w_avg_decay, 0.0..=1.0)
    }
}

impl GeneratorConfig {
    /// Values of the mapping network's matrices and of the 3 × 3 convolutions: no network of these sizes has fewer.
    pub fn least_values(&self) -> u128 {
        let [z, w, layers] = [self.z_dim, self.w_dim, self.mapping_layers].map(|size| size as u128);
        let mapping = if layers == 0 { 0 } else { z * w + (layers - 1) * w * w };
        mapping + least_convolution_values(self.resolution, |resolution| self.channels(resolution))
    }

    /// Values of one image and of the features at its resolution.
    pub fn least_activations(&self) -> u128 {
        let pixels = (self.resolution as u128).pow(2);
        pixels * (self.image_channels as u128 + 2 * self.channels(self.resolution) as u128)
    }
}

impl DiscriminatorConfig {
    /// Values of the 3 × 3 convolutions: no network of these sizes has fewer.
    pub fn least_values(&self) -> u128 {
        least_convolution_values(self.resolution, |resolution| self.channels(resolution))
    }
}

/// At every resolution above 4 one convolution from the channels below and one among its own.
fn least_convolution_values(resolution: usize, channels: impl Fn(usize) -> usize) -> u128 {
    let resolutions = (3..=resolution.max(8).ilog2()).map(|power| 1 << power);
    let values = resolutions.map(|resolution: usize| {
        let [below, own] = [channels(resolution / 2), channels(resolution)].map(|width| width as u128);
        9 * own * (below + own)
    });
    values.sum()
}

/// How the alignment of semantic embeddings with the condition enters the score (docs/spec/discriminator.md §3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProjectionTerm {
    /// Summed over the batch and added to every score: what the published networks were trained with.
    #[default]
    BatchSum,
    /// Added to the sample's own score: the ordinary projection discriminator.
    PerSample,
    /// Not added: the paper's words.
    Off,
}

/// Whether semantic embeddings are scaled to unit norm (docs/spec/discriminator.md §3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadNormalisation {
    /// As the head gives them: default of the published command line.
    #[default]
    Off,
    /// Divided by their norm.
    UnitNorm,
}

/// Configuration of the discriminator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiscriminatorConfig {
    /// Semantic heads: one per condition of the generator; two in the paper.
    pub heads: ConditionHeads,
    /// Width of the first semantic embedding (512).
    pub condition_dim: usize,
    /// Width of the second semantic embedding (512).
    pub second_condition_dim: usize,
    /// How the heads enter the score.
    pub projection: ProjectionTerm,
    /// Scale of the heads' output.
    pub head_normalisation: HeadNormalisation,
    /// Height and width of the image, a power of two (256).
    pub resolution: usize,
    /// Channels of the image (3).
    pub image_channels: usize,
    /// Channels times resolution, before the limit (32768).
    pub channel_base: usize,
    /// Most channels of a layer (512).
    pub channel_max: usize,
    /// Bound on the magnitude of activations (256); 0 for none.
    pub conv_clamp: f64,
    /// Samples per group of the minibatch deviation (4), at most the batch; the batch must be a multiple.
    pub mbstd_group: usize,
    /// Channels that the minibatch deviation appends (1).
    pub mbstd_channels: usize,
}

impl Default for DiscriminatorConfig {
    fn default() -> Self {
        Self {
            heads: ConditionHeads::TwoByMaximum,
            condition_dim: 512,
            second_condition_dim: 512,
            projection: ProjectionTerm::BatchSum,
            head_normalisation: HeadNormalisation::Off,
            resolution: 256,
            image_channels: 3,
            channel_base: 32768,
            channel_max: 512,
            conv_clamp: 256.0,
            mbstd_group: 4,
            mbstd_channels: 1,
        }
    }
}

impl DiscriminatorConfig {
    /// Widths of the semantic embeddings, first head first.
    pub fn condition_dims(&self) -> Vec<usize> {
        head_dims(self.heads, self.condition_dim, self.second_condition_dim)
    }

    /// Channels at a resolution.
    pub(crate) fn channels(&self, resolution: usize) -> usize {
        channels(self.channel_base, self.channel_max, resolution)
    }

    /// Bound on activations, where there is one.
    pub(crate) fn clamp(&self) -> Option<f64> {
        (self.conv_clamp > 0.0).then_some(self.conv_clamp)
    }

    /// Checks that a network of these sizes exists.
    pub fn validate(&self) -> Result<(), SettingError> {
        check_resolution(self.resolution)?;
        in_range("image_channels", self.image_channels, 1..=limits::WIDTH)?;
        in_range("condition_dim", self.condition_dim, 1..=limits::WIDTH)?;
        in_range("second_condition_dim", self.second_condition_dim, 1..=limits::WIDTH)?;
        in_range("mbstd_group", self.mbstd_group, 1..=limits::BATCH)?;
        check_channels(self.channel_base, self.channel_max, self.resolution)?;
        // 0: none.
        in_range("conv_clamp", self.conv_clamp, 0.0..=limits::WEIGHT)?;
        let channels = self.channels(4);
        if self.mbstd_channels > 0 && !channels.is_multiple_of(self.mbstd_channels) {
            let expected = format!("a divisor of the {channels} channels at 4 × 4");
            return Err(SettingError::new("mbstd_channels", expected, self.mbstd_channels));
        }
        Ok(())
    }

    /// Checks that a batch of this size can be scored.
    pub fn validate_batch(&self, batch: usize) -> Result<(), SettingError> {
        let group = self.mbstd_group.min(batch);
        if batch == 0 || !batch.is_multiple_of(group) {
            let expected = format!("a multiple of `mbstd_group` ({})", self.mbstd_group);
            return Err(SettingError::new("batch_size", expected, batch));
        }
        Ok(())
    }
}

fn head_dims(heads: ConditionHeads, first: usize, second: usize) -> Vec<usize> {
    match heads {
        ConditionHeads::None => vec![],
        ConditionHeads::One => vec![first],
        ConditionHeads::TwoByMaximum => vec![first, second],
    }
}

fn channels(base: usize, max: usize, resolution: usize) -> usize {
    // 32768/r, at most 512: 512 up to 64 × 64, 256 at 128, 128 at 256.
    (base / resolution).min(max)
}

fn check_resolution(resolution: usize) -> Result<(), SettingError> {
    if resolution.is_power_of_two() && (8..=4096).contains(&resolution) {
        return Ok(());
    }
    Err(SettingError::new("resolution", "a power of two from 8 to 4096", resolution))
}

fn check_channels(base: usize, max: usize, resolution: usize) -> Result<(), SettingError> {
    in_range("channel_max", max, 1..=limits::WIDTH)?;
    if (resolution..=MOST_CHANNEL_BASE).contains(&base) {
        return Ok(());
    }
    let expected = format!("the resolution ({resolution}) to {MOST_CHANNEL_BASE}");
    Err(SettingError::new("channel_base", expected, base))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_networks_are_refused_by_name() {
        let wrong = GeneratorConfig { resolution: 48, ..Default::default() };
        assert_eq!(wrong.validate().unwrap_err().field, "resolution");
        let wrong = GeneratorConfig { channel_base: 16, ..Default::default() };
        assert_eq!(wrong.validate().unwrap_err().field, "channel_base");
        let wrong = GeneratorConfig { conv_clamp: -1.0, ..Default::default() };
        assert_eq!(wrong.validate().unwrap_err().field, "conv_clamp");
        let wrong = DiscriminatorConfig { mbstd_channels: 3, ..Default::default() };
        assert_eq!(wrong.validate().unwrap_err().field, "mbstd_channels");
        let config = DiscriminatorConfig::default();
        assert_eq!(config.validate_batch(6).unwrap_err().field, "batch_size");
        assert!(config.validate_batch(3).is_ok() && config.validate_batch(16).is_ok());
    }

    #[test]
    fn the_least_of_the_papers_networks_is_below_what_they_have() {
        // The mapping network, 8 · 512², and the convolutions from 8 to 256.
        let channels = [512, 512, 512, 512, 256, 128_u128];
        let below = [512, 512, 512, 512, 512, 256_u128];
        let convolutions: u128 = channels.iter().zip(below).map(|(own, below)| 9 * own * (own + below)).sum();
        assert_eq!(DiscriminatorConfig::default().least_values(), convolutions);
        assert_eq!(GeneratorConfig::default().least_values(), 8 * 512 * 512 + convolutions);
        assert_eq!(GeneratorConfig::default().least_activations(), 256 * 256 * (3 + 256));
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(serde_json::from_str::<GeneratorConfig>(r#"{"z_dims": 3}"#).is_err());
    }

    #[test]
    fn style_codes_of_the_paper() {
        assert_eq!(GeneratorConfig::default().num_ws(), 14);
    }
}
