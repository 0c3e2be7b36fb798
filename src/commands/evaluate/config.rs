//! The section `[evaluate]`.

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, count_in_range, in_range};
use crate::models::mapper::MapperKind;
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::training::ridge::RidgeConfig;

/// Sides of a picture that is a target: below 2 there is nothing to correlate, and 64 × 64 outputs of a whole subject's voxels
/// are half a gigabyte of weights.
const PIXEL_SIDES: std::ops::RangeInclusive<usize> = 2..=64;
/// Where the settings of ridge regression stand.
pub(super) const RIDGE_SECTION: &str = "evaluate.ridge_fit";
/// Most folds.
const MOST_FOLDS: usize = 1000;
/// Most kinds of targets that are named; there are four.
const MOST_TARGETS: usize = 4;

/// What is taken from predictions and targets before they are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Centre {
    /// Nothing: the paper's.
    #[default]
    None,
    /// The mean target of the training trials.
    TrainingMean,
    /// Nothing; but every output of the predictions gets the mean and the deviation of the training targets, by its own over all
    /// held-out trials. Transductive: what is predicted of a trial depends on the others.
    RescaledByTest,
}

impl std::fmt::Display for Centre {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::None => "none",
            Self::TrainingMean => "training-mean",
            Self::RescaledByTest => "rescaled-by-test",
        })
    }
}

/// Settings of the section `[evaluate]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateConfig {
    /// Whether ridge regression is fitted to each mapper's targets, as the linear baseline, and to `ridge_targets`.
    pub ridge: bool,
    /// Whether mappers are left out, even where there are some.
    pub ridge_only: bool,
    /// What ridge regression aims at beside the mappers' targets, as far as its files are there: `image` (needs CLIP), `caption`
    /// (CLIP and captions), `resnet` (a ResNet-50), `pixels` (stimuli alone).
    pub ridge_targets: Vec<DecodedTarget>,
    /// Height and width of the pictures that are targets, 2 to 64; never more than the stimulus has.
    pub pixel_side: usize,
    /// Whether ridge regression is fitted once more to betas that are exchanged between trials: the floor of its figures.
    pub shuffled_control: bool,
    /// Folds of the images over which ridge regression is cross-validated in place of the configured split, up to 1000; 0: none.
    pub folds: usize,
    /// Kinds of mappers that are cross-validated beside it: in every fold one of each is trained as `train_mapper` says, for every
    /// target but pixels. The paper's network chooses its epochs on `train_mapper.train.tuning_fraction` of the fold's training
    /// images, which it is not fitted to.
    pub fold_kinds: Vec<MapperKind>,
    /// What is taken from predictions and targets before they are compared: `none`; `training-mean`, the mean target of the
    /// training trials; or `rescaled-by-test`: nothing, but predictions get mean and deviation of the training targets, by their own over the
    /// held-out trials (transductive).
    pub centre: Centre,
    /// How its penalty is chosen.
    pub ridge_fit: RidgeConfig,
}

impl Default for EvaluateConfig {
    fn default() -> Self {
        Self {
            ridge: false,
            ridge_only: false,
            ridge_targets: vec![DecodedTarget::Image, DecodedTarget::Caption, DecodedTarget::Pixels],
            pixel_side: 28,
            shuffled_control: true,
            folds: 0,
            fold_kinds: Vec::new(),
            centre: Centre::None,
            ridge_fit: RidgeConfig::default(),
        }
    }
}

impl EvaluateConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let check = || {
            self.ridge_fit.validate().map_err(|error| error.within("ridge_fit"))?;
            in_range("pixel_side", self.pixel_side, PIXEL_SIDES)?;
            in_range("folds", self.folds, 0..=MOST_FOLDS)?;
            self.check_kinds()?;
            count_in_range("ridge_targets", self.ridge_targets.len(), 0..=MOST_TARGETS)
        };
        check().map_err(|error| error.within("evaluate"))
    }

    fn check_kinds(&self) -> Result<(), SettingError> {
        for (place, kind) in self.fold_kinds.iter().enumerate() {
            if self.fold_kinds[..place].contains(kind) {
                return Err(SettingError::new("fold_kinds", "every kind once", format!("`{kind}` twice")));
            }
        }
        if self.folds == 0
            && let Some(kind) = self.fold_kinds.first()
        {
            let expected = "none without `evaluate.folds`, in which mappers are trained: add `--folds K`";
            return Err(SettingError::new("fold_kinds", expected, format!("`{kind}`")));
        }
        Ok(())
    }
}
