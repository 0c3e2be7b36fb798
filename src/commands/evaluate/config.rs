//! The section `[evaluate]`.

use serde::{Deserialize, Serialize};

use super::curves::wanted::{Dimensions, check_dimensions, check_shares, check_splits, usual_shares};
use crate::error::{SettingError, count_in_range, in_range};
use crate::metrics::trust::lures::Lures;
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

/// Numbers of clusters.
const CLUSTERS: std::ops::RangeInclusive<usize> = 2..=1000;
/// Most refits to permuted pairs.
const MOST_PERMUTATIONS: usize = 100_000;
/// A training each.
const MOST_MAPPER_PERMUTATIONS: usize = 10_000;

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

impl Centre {
    /// What is taken from embeddings before they are compared, in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::None => "not centred",
            Self::TrainingMean => "centred by the training mean",
            Self::RescaledByTest => "rescaled by the held-out predictions (transductive)",
        }
    }
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
    /// What an image is told from in 2-way identification: `test`, the other held-out images; `train`, all training images; or
    /// `cluster`, the held-out images of its cluster.
    pub lures: Lures,
    /// Clusters of the training targets, 2 to 1000; never more than a tenth of the held-out images, but two.
    pub clusters: usize,
    /// Refits of ridge regression to permuted pairs of images and betas, up to 100,000; 0: no permutation test.
    pub permutations: usize,
    /// Trainings of each mapper anew from exchanged betas, up to 10,000; 0: none. Each costs what its training costs.
    #[serde(skip_serializing_if = "is_zero")]
    pub mapper_permutations: usize,
    /// Widths of a linear bottleneck between betas and decoder, each 1 to 65,536 or `full`, up to 100; empty: none is tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bottleneck: Vec<Dimensions>,
    /// Whether ridge regression is fitted anew to shares of the training images and of the voxels.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub learning_curve: bool,
    /// Shares of the training images that it is fitted to, each above 0 and at most 1, up to 100.
    #[serde(skip_serializing_if = "is_usual_shares")]
    pub trial_shares: Vec<f64>,
    /// The same of voxels.
    #[serde(skip_serializing_if = "is_usual_shares")]
    pub voxel_shares: Vec<f64>,
    /// Draws of every share below 1, 1 to 100.
    #[serde(skip_serializing_if = "is_usual_draws")]
    pub curve_draws: usize,
    /// Stored splits beside random ones of their sizes, by the names that `mindreader split` gave them, up to 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compare_splits: Vec<String>,
    /// How its penalty is chosen.
    pub ridge_fit: RidgeConfig,
}

/// Draws of a share unless another number is asked for.
const USUAL_DRAWS: usize = 3;

// What no curve reads is left out of written settings: chains that were begun before there were curves go on.
fn is_usual_shares(shares: &[f64]) -> bool {
    shares == usual_shares()
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn is_usual_draws(draws: &usize) -> bool {
    *draws == USUAL_DRAWS
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
            lures: Lures::Test,
            clusters: 40,
            permutations: 20,
            mapper_permutations: 0,
            bottleneck: Vec::new(),
            learning_curve: false,
            trial_shares: usual_shares(),
            voxel_shares: usual_shares(),
            curve_draws: USUAL_DRAWS,
            compare_splits: Vec::new(),
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
            in_range("clusters", self.clusters, CLUSTERS)?;
            in_range("permutations", self.permutations, 0..=MOST_PERMUTATIONS)?;
            in_range("mapper_permutations", self.mapper_permutations, 0..=MOST_MAPPER_PERMUTATIONS)?;
            self.check_mapper_permutations()?;
            if self.folds == 1 {
                let expected =
                    format!("0 (none) or 2 to {MOST_FOLDS}: one fold leaves nothing to learn from");
                return Err(SettingError::new("folds", expected, 1));
            }
            self.check_kinds()?;
            self.check_lures()?;
            self.check_curves()?;
            count_in_range("ridge_targets", self.ridge_targets.len(), 0..=MOST_TARGETS)
        };
        check().map_err(|error| error.within("evaluate"))
    }

    fn check_mapper_permutations(&self) -> Result<(), SettingError> {
        if self.mapper_permutations > 0 && (self.folds > 0 || self.ridge_only) {
            let expected = "0 with `evaluate.folds` or `evaluate.ridge_only`: mappers are permuted on the split on which they are counted";
            return Err(SettingError::new("mapper_permutations", expected, self.mapper_permutations));
        }
        Ok(())
    }

    fn check_lures(&self) -> Result<(), SettingError> {
        if self.folds > 0 && self.lures != Lures::Test {
            let expected = "`test` with `evaluate.folds`: in folds the lures are the images of the fold";
            return Err(SettingError::new("lures", expected, format!("`{}`", self.lures)));
        }
        Ok(())
    }

    fn check_curves(&self) -> Result<(), SettingError> {
        check_dimensions(&self.bottleneck)?;
        check_shares(&self.trial_shares, &self.voxel_shares, self.curve_draws)?;
        check_splits(&self.compare_splits)?;
        let wanted = [
            ("bottleneck", !self.bottleneck.is_empty()),
            ("learning_curve", self.learning_curve),
            ("compare_splits", !self.compare_splits.is_empty()),
        ];
        let Some((key, _)) = wanted.into_iter().find(|(_, is_wanted)| *is_wanted) else { return Ok(()) };
        if self.folds > 0 {
            let expected = "none over folds, which have no held-out trials of one split: leave out `--folds`";
            return Err(SettingError::new(key, expected, "one that is set"));
        }
        if !self.ridge {
            let expected = "none without ridge regression, which the curves are made of: add `--ridge`";
            return Err(SettingError::new(key, expected, "one that is set"));
        }
        Ok(())
    }

    fn check_kinds(&self) -> Result<(), SettingError> {
        for (place, kind) in self.fold_kinds.iter().enumerate() {
            if self.fold_kinds[..place].contains(kind) {
                return Err(SettingError::new("fold_kinds", "every kind once", format!("`{kind}` twice")));
            }
        }
        if self.folds == 0
            && self.compare_splits.is_empty()
            && let Some(kind) = self.fold_kinds.first()
        {
            let expected = "none without `evaluate.folds` or `evaluate.compare_splits`, in which mappers are trained: add `--folds K` or \
                            `--compare-splits`";
            return Err(SettingError::new("fold_kinds", expected, format!("`{kind}`")));
        }
        Ok(())
    }
}
