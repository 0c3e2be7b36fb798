//! The section `[encode]`.

use serde::{Deserialize, Serialize};

use crate::error::SettingError;
use crate::metrics::bootstrap::BootstrapConfig;
use crate::models::encoder::{EncoderKind, EncoderSizes, EncodingSpace};
use crate::training::encoder::config::EncoderTrainConfig;
use crate::training::ridge::RidgeConfig;

/// Where the settings of the regression stand.
pub(super) const RIDGE_SECTION: &str = "encode.ridge_fit";
/// Where those of the network's training stand.
pub(super) const TRAIN_SECTION: &str = "encode.train";

/// Which encoders are fitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncodeKind {
    /// Ridge regression.
    #[default]
    Ridge,
    /// The network of *Mind Reader*, appendix A.8.
    Paper,
    /// Ridge regression, and the network beside it.
    Both,
}

impl EncodeKind {
    /// The encoders in the order of the summary.
    pub fn kinds(self) -> &'static [EncoderKind] {
        match self {
            Self::Ridge => &[EncoderKind::Ridge],
            Self::Paper => &[EncoderKind::Paper],
            Self::Both => &[EncoderKind::Ridge, EncoderKind::Paper],
        }
    }

    /// Whether a network is trained in steps, with a checkpoint.
    pub fn has_network(self) -> bool {
        self != Self::Ridge
    }
}

impl std::fmt::Display for EncodeKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ridge => "ridge",
            Self::Paper => "paper",
            Self::Both => "both",
        })
    }
}

/// Settings of the section `[encode]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncodeConfig {
    /// Which encoders: `ridge`, `paper` (the network of *Mind Reader*) or `both`.
    pub kind: EncodeKind,
    /// What betas are predicted from: the embedding of the `image`, of its `caption`s (their mean), `both` one behind the other, or the
    /// ResNet-50 vector of the image (`resnet`).
    pub space: EncodingSpace,
    /// Whether every encoder is fitted once more to betas that are exchanged between trials: the floor.
    pub control: bool,
    /// How the penalty is chosen, for each block of voxels.
    pub ridge_fit: RidgeConfig,
    /// Sizes of the paper's network.
    pub network: EncoderSizes,
    /// Its training. The seed decides the exchange of betas, too.
    pub train: EncoderTrainConfig,
    /// Resamples of the held-out images behind the intervals.
    pub bootstrap: BootstrapConfig,
}

impl Default for EncodeConfig {
    /// Few predictors and noisy targets: larger penalties than for decoding. A thousand resamples: each forms the r of every voxel.
    fn default() -> Self {
        let penalties = vec![0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0];
        Self {
            kind: EncodeKind::default(),
            space: EncodingSpace::default(),
            control: true,
            ridge_fit: RidgeConfig { penalties, ..RidgeConfig::default() },
            network: EncoderSizes::default(),
            train: EncoderTrainConfig::default(),
            bootstrap: BootstrapConfig { resamples: 1000, ..BootstrapConfig::default() },
        }
    }
}

impl EncodeConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.ridge_fit.validate().map_err(|error| error.within(RIDGE_SECTION))?;
        self.network.validate().map_err(|error| error.within("encode.network"))?;
        self.train.validate().map_err(|error| error.within(TRAIN_SECTION))?;
        self.bootstrap.validate().map_err(|error| error.within("encode.bootstrap"))
    }
}
