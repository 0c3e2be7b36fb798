//! Settings of `classify`.

use serde::{Deserialize, Serialize};

use crate::error::{SettingError, all_in_range, count_in_range, in_range, limits};
use crate::metrics::bootstrap::BootstrapConfig;
use crate::training::categories::config::CategoryTrainConfig;
use crate::training::ridge::RidgeConfig;

/// Where the settings of the section stand.
const SECTION: &str = "classify";
/// Where those of the linear classifier stand.
pub(super) const RIDGE_SECTION: &str = "classify.ridge_fit";
/// Most inputs: each once.
const MOST_INPUTS: usize = 5;
/// Most refits to exchanged labels, and most masks of a ratio: each is a training, or a decoding of all held-out trials.
const MOST_REPEATS: usize = 1000;

/// What a classifier is given (section 3.4, table 2 of the paper).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassifierInput {
    /// Betas of the prepared voxels.
    Fmri,
    /// Embedding of the image.
    ClipImage,
    /// What the image mapper decodes from the betas.
    ClipMapped,
    /// ResNet vector of the image.
    ResnetImage,
    /// What the ResNet mapper decodes from the betas.
    ResnetMapped,
}

impl ClassifierInput {
    /// All, in the order of the table.
    pub const ALL: [Self; MOST_INPUTS] =
        [Self::ClipImage, Self::Fmri, Self::ClipMapped, Self::ResnetImage, Self::ResnetMapped];

    /// As the table names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fmri => "fMRI",
            Self::ClipImage => "CLIP, image",
            Self::ClipMapped => "CLIP, decoded",
            Self::ResnetImage => "ResNet, image",
            Self::ResnetMapped => "ResNet, decoded",
        }
    }

    /// As file names and tables of numbers have it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Fmri => "fmri",
            Self::ClipImage => "clip-image",
            Self::ClipMapped => "clip-mapped",
            Self::ResnetImage => "resnet-image",
            Self::ResnetMapped => "resnet-mapped",
        }
    }

    /// Whether it needs a mapper.
    pub fn is_mapped(self) -> bool {
        matches!(self, Self::ClipMapped | Self::ResnetMapped)
    }
}

/// What the classifiers of decoded vectors are trained on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MappedTraining {
    /// Vectors decoded from the training trials, to which the mapper was fitted: they are closer to their images than those of held-out
    /// trials are.
    #[default]
    Decoded,
    /// Vectors of the training images themselves, which no mapper has touched.
    Image,
}

/// Units of the two hidden layers, 1 to 65,536 each, by input (docs/spec/mapper.md §9).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HiddenUnits {
    /// For betas.
    pub fmri: [usize; 2],
    /// For embeddings, of the image or decoded.
    pub clip: [usize; 2],
    /// For ResNet vectors, of the image or decoded.
    pub resnet: [usize; 2],
}

impl Default for HiddenUnits {
    fn default() -> Self {
        Self { fmri: [2048, 512], clip: [384, 256], resnet: [512, 256] }
    }
}

impl HiddenUnits {
    /// Those for an input.
    pub fn of(&self, input: ClassifierInput) -> [usize; 2] {
        match input {
            ClassifierInput::Fmri => self.fmri,
            ClassifierInput::ClipImage | ClassifierInput::ClipMapped => self.clip,
            ClassifierInput::ResnetImage | ClassifierInput::ResnetMapped => self.resnet,
        }
    }
}

/// The masking experiment (appendix A.6, figure 13 of the paper).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaskConfig {
    /// Shares of the voxels that are set to 0: 1 to 1000 numbers, each 0 to 1.
    pub ratios: Vec<f64>,
    /// Draws of the voxels at every ratio, 1 to 1000.
    pub masks: usize,
    /// Whether classifiers are trained anew on masked training trials at every ratio, beside those that saw all voxels.
    pub retrain: bool,
    /// Resamples of images behind an interval of the curve, 0 to 1e6; each takes all masks.
    pub resamples: usize,
}

impl Default for MaskConfig {
    fn default() -> Self {
        let ratios = (0..=10).map(|tenth| f64::from(tenth) / 10.0).collect();
        Self { ratios, masks: 5, retrain: false, resamples: 500 }
    }
}

/// Settings of the section `[classify]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClassifyConfig {
    /// What classifiers are given; what a subject does not have is left out.
    pub inputs: Vec<ClassifierInput>,
    /// Share of an image's area from which on it shows a category of COCO, at least 0 and below 1; 0: any part of it.
    pub min_share: f64,
    /// Training images that must show a category, and that must not, 1 to 1e6; others are left out.
    pub min_train_images: usize,
    /// The same of held-out images.
    pub min_test_images: usize,
    /// Whether every value of an input is brought to mean 0 and deviation 1 over the training trials.
    pub standardize: bool,
    /// What the classifiers of decoded vectors are trained on.
    pub mapped_training: MappedTraining,
    /// Refits to labels that are exchanged between training images, the floor; 0 to 1000.
    pub exchanges: usize,
    /// Whether voxels are masked.
    pub masking: bool,
    /// How they are masked.
    pub mask: MaskConfig,
    /// Sizes of the networks.
    pub hidden: HiddenUnits,
    /// How they are trained.
    pub train: CategoryTrainConfig,
    /// How the penalty of the linear classifier is chosen.
    pub ridge_fit: RidgeConfig,
    /// Intervals.
    pub bootstrap: BootstrapConfig,
}

impl Default for ClassifyConfig {
    fn default() -> Self {
        // Few images show a category: larger penalties than for decoding.
        let penalties = vec![0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0];
        Self {
            inputs: ClassifierInput::ALL.to_vec(),
            min_share: 0.005,
            min_train_images: 10,
            min_test_images: 5,
            standardize: false,
            mapped_training: MappedTraining::default(),
            exchanges: 3,
            masking: false,
            mask: MaskConfig::default(),
            hidden: HiddenUnits::default(),
            train: CategoryTrainConfig::default(),
            ridge_fit: RidgeConfig { penalties, ..RidgeConfig::default() },
            bootstrap: BootstrapConfig::default(),
        }
    }
}

impl ClassifyConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let check = || {
            count_in_range("inputs", self.inputs.len(), 1..=MOST_INPUTS)?;
            in_range("min_share", self.min_share, 0.0..1.0)?;
            in_range("min_train_images", self.min_train_images, 1..=limits::ITEMS)?;
            in_range("min_test_images", self.min_test_images, 1..=limits::ITEMS)?;
            in_range("exchanges", self.exchanges, 0..=MOST_REPEATS)?;
            all_in_range("mask.ratios", &self.mask.ratios, 1..=MOST_REPEATS, 0.0..=1.0)?;
            in_range("mask.masks", self.mask.masks, 1..=MOST_REPEATS)?;
            BootstrapConfig { resamples: self.mask.resamples, ..BootstrapConfig::default() }
                .validate()
                .map_err(|error| error.within("mask"))?;
            for (key, units) in
                [("fmri", self.hidden.fmri), ("clip", self.hidden.clip), ("resnet", self.hidden.resnet)]
            {
                all_in_range(format!("hidden.{key}"), &units, 2..=2, 1..=limits::WIDTH)?;
            }
            self.train.validate().map_err(|error| error.within("train"))?;
            self.ridge_fit.validate().map_err(|error| error.within("ridge_fit"))?;
            self.bootstrap.validate().map_err(|error| error.within("bootstrap"))
        };
        check().map_err(|error: SettingError| error.within(SECTION))
    }

    /// The wanted inputs, each once, in the order of the table.
    pub fn wanted(&self) -> impl Iterator<Item = ClassifierInput> {
        ClassifierInput::ALL.into_iter().filter(|input| self.inputs.contains(input))
    }

    /// Whether the input is wanted.
    pub fn wants(&self, input: ClassifierInput) -> bool {
        self.inputs.contains(&input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range_and_others_are_named() {
        assert_eq!(ClassifyConfig::default().validate(), Ok(()));
        let error =
            |text: &str| toml::from_str::<ClassifyConfig>(text).unwrap().validate().unwrap_err().to_string();
        assert_eq!(error("inputs = []"), "`classify.inputs`: found [], expected 1 to 5 entries");
        assert!(error("mask.ratios = [0.5, 1.5]").starts_with("`classify.mask.ratios`: found [0.5, 1.5]"));
        assert!(error("hidden.clip = [0, 3]").starts_with("`classify.hidden.clip`: found [0, 3]"));
        assert!(error("bootstrap.confidence = 1.0").starts_with("`classify.bootstrap.confidence`"));
        assert!(error("train.optimiser.beta_1 = 1.0").starts_with("`classify.train.optimiser.beta_1`"));
    }
}
