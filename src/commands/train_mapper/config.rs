//! The section `[train_mapper]`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::image::augment::AugmentConfig;
use crate::data::image::stimulus_view::{ResizeChain, StimulusView};
use crate::data::targets::{DEFAULT_THRESHOLD, TargetScale, TargetScaling};
use crate::error::{SettingError, in_range, limits};
use crate::models::mapper::{MOST_HALVINGS, MapperConfig, MapperKind, MapperTarget};
use crate::pipelines::targets::resnet_vectors::ResnetVector;
use crate::pipelines::targets::source::TargetForm;
use crate::training::kernel_ridge::config::KernelRidgeConfig;
use crate::training::mapper::config::MapperTrainConfig;
use crate::training::mapper::preset::MapperPreset;
use crate::training::mapper::selection::EpochSelection;
use crate::training::mapper::targets::CaptionChoice;
use crate::training::residual::config::ResidualTrainConfig;
use crate::training::ridge::decoder::{Rescale, RidgeDecoderConfig};

/// Where the settings of a `ridge` mapper stand.
pub(super) const RIDGE_SECTION: &str = "train_mapper.ridge";
/// Where those of a `residual` mapper stand.
pub(super) const RESIDUAL_SECTION: &str = "train_mapper.residual";
/// Where those of a `kernel-ridge` mapper stand.
pub(super) const KERNEL_RIDGE_SECTION: &str = "train_mapper.kernel_ridge";

/// Sizes of the network that the data do not decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MapperSizes {
    /// Layers that halve the length, 1 to 20.
    pub num_down: usize,
    /// Residual blocks, 0 to 1000.
    pub num_blocks: usize,
    /// Channels of the trunk, 1 to 65,536.
    pub hidden: usize,
    /// Hidden units of the perceptron over positions, 1 to 65,536.
    pub fc: usize,
}

impl Default for MapperSizes {
    fn default() -> Self {
        let MapperConfig { num_down, num_blocks, hidden, fc, .. } = MapperConfig::default();
        Self { num_down, num_blocks, hidden, fc }
    }
}

/// Target and constants of a ResNet mapper; everything else is as for CLIP's (docs/spec/mapper.md §6.3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResnetMapperConfig {
    /// Which vector of an image.
    pub vector: ResnetVector,
    /// Layers that halve the length, 1 to 20.
    pub num_down: usize,
    /// Hidden units of the perceptron over positions, 1 to 65,536.
    pub fc: usize,
    /// ω: weight of the cosine distance against the mean squared error.
    pub cosine_weight: f64,
    /// Rate of epoch 0.
    pub learning_rate: f64,
    /// L2 penalty.
    pub weight_decay: f32,
    /// Epochs of the second phase; the published run has one phase.
    pub phase2_epochs: usize,
}

/// Which voxels of a ridge mapper share a scale, and with it a penalty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RidgeBands {
    /// All.
    #[default]
    None,
    /// Those of a region: V1 to hV4 and the localisers of NSD's subjects, the regions that were imported with other subjects; voxels
    /// of none together.
    Roi,
}

impl MapperSizes {
    fn validate(&self) -> Result<(), SettingError> {
        in_range("num_down", self.num_down, 1..=MOST_HALVINGS)?;
        in_range("num_blocks", self.num_blocks, 0..=limits::LAYERS)?;
        in_range("hidden", self.hidden, 1..=limits::WIDTH)?;
        in_range("fc", self.fc, 1..=limits::WIDTH)
    }
}

impl ResnetMapperConfig {
    fn validate(&self) -> Result<(), SettingError> {
        in_range("num_down", self.num_down, 1..=MOST_HALVINGS)?;
        in_range("fc", self.fc, 1..=limits::WIDTH)?;
        in_range("cosine_weight", self.cosine_weight, 0.0..=1.0)?;
        in_range("learning_rate", self.learning_rate, 0.0..=limits::RATE)?;
        in_range("weight_decay", f64::from(self.weight_decay), 0.0..=limits::RATE)?;
        in_range("phase2_epochs", self.phase2_epochs, 0..=limits::EPOCHS)
    }
}

impl Default for ResnetMapperConfig {
    fn default() -> Self {
        Self {
            vector: ResnetVector::ChannelAverage,
            num_down: 2,
            fc: 256,
            cosine_weight: 0.8515,
            learning_rate: 2.26e-4,
            weight_decay: 7.47e-5,
            phase2_epochs: 0,
        }
    }
}

/// Network, targets and training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainMapperConfig {
    /// How betas become an embedding: `paper` is the network of *Mind Reader*, whose sizes and training are `network` and `train`;
    /// `ridge` is ridge regression, `residual` a network that starts from it, `kernel-ridge` ridge regression with a Gaussian kernel,
    /// each with a section of its own. These aim at the images as they are, without augmentation, and of several captions at the
    /// mean; what they choose is chosen on training images.
    pub kind: MapperKind,
    /// A training of the paper's network by name: `none`, or `tuned`, which takes the place of the rate, the epochs of both phases, τ
    /// and `selection` in `train`, whatever they say. Mappers of ResNet vectors keep their own constants.
    pub preset: MapperPreset,
    /// Which caption of an image a caption mapper aims at.
    pub caption_choice: CaptionChoice,
    /// Sizes that a stimulus passes on its way to CLIP, in every command that embeds stimuli: `through-256`, as published, or
    /// `direct` (docs/spec/open-questions.md OQ-07).
    pub resize_chain: ResizeChain,
    /// Augmentation of the images that an image mapper aims at.
    pub augment: AugmentConfig,
    /// Clamp θ of the embeddings, 0 to 1e6; 0: none. Paper's code: 1.5.
    pub clamp: f32,
    /// Scaling after the clamp; the paper's is unit norm.
    pub scaling: TargetScaling,
    /// Whether an image mapper aims at the embeddings that were imported with the pictures, in place of CLIP's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub own_targets: bool,
    /// Sizes of the network.
    pub network: MapperSizes,
    /// What is different for a ResNet mapper.
    pub resnet: ResnetMapperConfig,
    /// Losses, phases, optimiser, seed.
    pub train: MapperTrainConfig,
    /// How a `ridge` mapper is fitted.
    pub ridge: RidgeDecoderConfig,
    /// Whether the regions of a `ridge` mapper have scales of their own: `none`, or `roi`.
    pub ridge_bands: RidgeBands,
    /// Network and training of a `residual` mapper.
    pub residual: ResidualTrainConfig,
    /// How a `kernel-ridge` mapper is fitted.
    pub kernel_ridge: KernelRidgeConfig,
}

impl Default for TrainMapperConfig {
    fn default() -> Self {
        Self {
            kind: MapperKind::default(),
            preset: MapperPreset::default(),
            caption_choice: CaptionChoice::Random,
            resize_chain: ResizeChain::default(),
            augment: AugmentConfig::default(),
            clamp: DEFAULT_THRESHOLD,
            scaling: TargetScaling::UnitNorm,
            network: MapperSizes::default(),
            resnet: ResnetMapperConfig::default(),
            train: MapperTrainConfig::default(),
            own_targets: false,
            ridge: RidgeDecoderConfig::default(),
            ridge_bands: RidgeBands::default(),
            residual: ResidualTrainConfig::default(),
            kernel_ridge: KernelRidgeConfig::default(),
        }
    }
}

impl TrainMapperConfig {
    /// All settings; without those that say what versions did that had no such choice, as those versions wrote them.
    pub(crate) fn decisive(&self) -> serde_json::Result<Value> {
        let mut settings = serde_json::to_value(self)?;
        if let Some(settings) = settings.as_object_mut().filter(|_| self.preset == MapperPreset::None) {
            settings.shift_remove("preset");
        }
        if let Some(train) = settings.get_mut("train").and_then(Value::as_object_mut)
            && self.train.selection == EpochSelection::Validation
        {
            // Not `remove`, which would change the order of the others.
            train.shift_remove("selection");
            train.shift_remove("tuning_fraction");
        }
        Ok(settings)
    }

    /// The settings that decide a run's numbers: all but the time between its checkpoints.
    pub(crate) fn identity(&self) -> serde_json::Result<Value> {
        let mut settings = self.decisive()?;
        if let Some(settings) = settings.as_object_mut().filter(|_| self.kind == MapperKind::Paper) {
            // As the first version wrote them, when there was no other kind.
            for key in ["kind", "ridge", "ridge_bands", "residual", "kernel_ridge"] {
                settings.shift_remove(key);
            }
        }
        for section in ["train", "residual"] {
            if let Some(section) = settings.get_mut(section).and_then(Value::as_object_mut) {
                // Not `remove`, which would change the order of the others.
                section.shift_remove("checkpoint_every_minutes");
            }
        }
        Ok(settings)
    }

    /// The settings that a snapshot tells of its training. Those from before there was a choice of [`ResizeChain`] were
    /// validated on stimuli that CLIP was given directly, and those without a kind are the paper's.
    pub(crate) fn of_training(mut settings: Value) -> serde_json::Result<Self> {
        if let Some(settings) = settings.as_object_mut() {
            settings.entry("resize_chain").or_insert(serde_json::to_value(ResizeChain::Direct)?);
            settings.entry("kind").or_insert(serde_json::to_value(MapperKind::of_older_files())?);
        }
        serde_json::from_value(settings)
    }

    /// Complains of the first setting that is out of range or does not go with `num_train` training trials.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn validate(&self, num_train: usize) -> Result<(), SettingError> {
        self.check_ranges()?;
        let check = || {
            if self.own_targets && self.augment.probability > 0.0 {
                let expected = "`false` where `train_mapper.augment.probability` is above 0: of changed pictures there are no embeddings";
                return Err(SettingError::new("own_targets", expected, "true"));
            }
            if self.resize_chain == ResizeChain::Direct && self.augment.probability > 0.0 {
                let expected = "`through-256` where `train_mapper.augment.probability` is above 0: images are augmented at 256 x 256";
                return Err(SettingError::new("resize_chain", expected, "direct"));
            }
            self.train.validate(num_train).map_err(|error| error.within("train"))
        };
        check().map_err(|error| error.within("train_mapper"))
    }

    /// Complains of the first setting that is out of range, whatever the data are.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn check_ranges(&self) -> Result<(), SettingError> {
        let check = || {
            in_range("clamp", f64::from(self.clamp), 0.0..=limits::WEIGHT)?;
            self.augment.validate().map_err(|error| error.within("augment"))?;
            self.network.validate().map_err(|error| error.within("network"))?;
            self.resnet.validate().map_err(|error| error.within("resnet"))?;
            self.ridge.validate().map_err(|error| error.within("ridge"))?;
            if self.ridge.rescale == Rescale::Test {
                let expected = "`none` or `train`: a mapper decodes every trial by itself, and `test` needs all that are decoded together (`evaluate --centre rescaled-by-test`)";
                return Err(SettingError::new("ridge.rescale", expected, "test"));
            }
            if self.ridge_bands == RidgeBands::Roi && self.kind != MapperKind::Ridge {
                let expected = "`none` for a mapper of another kind than `ridge`, which alone has bands";
                return Err(SettingError::new("ridge_bands", expected, "roi"));
            }
            self.residual.validate().map_err(|error| error.within("residual"))?;
            self.kernel_ridge.validate().map_err(|error| error.within("kernel_ridge"))?;
            self.train.check_ranges().map_err(|error| error.within("train"))
        };
        check().map_err(|error| error.within("train_mapper"))
    }

    /// What holds for `target`: a ResNet mapper's constants, vectors of 0..1 left as they are. Augmentation is the paper's network's
    /// alone: what is fitted once has one target per image.
    pub(crate) fn for_target(&self, target: MapperTarget) -> Self {
        let mut config = self.clone();
        if self.kind != MapperKind::Paper {
            config.augment.probability = 0.0;
        }
        if self.kind == MapperKind::Paper && target != MapperTarget::Resnet {
            self.preset.apply(&mut config.train);
        }
        if target == MapperTarget::Resnet {
            let ResnetMapperConfig {
                num_down,
                fc,
                cosine_weight,
                learning_rate,
                weight_decay,
                phase2_epochs,
                ..
            } = self.resnet;
            (config.network.num_down, config.network.fc) = (num_down, fc);
            (config.clamp, config.scaling) = (0.0, TargetScaling::None);
            config.train.cosine_weight = cosine_weight;
            config.train.optimiser.learning_rate = learning_rate;
            config.train.optimiser.weight_decay = weight_decay;
            config.train.phase2.epochs = phase2_epochs;
        }
        config
    }

    /// What CLIP's preprocessing is given of a stimulus.
    pub(crate) fn stimulus_view(&self) -> StimulusView {
        StimulusView { chain: self.resize_chain, antialias: self.augment.antialias }
    }

    /// The form of the targets; `self` is what holds for `target`.
    pub(crate) fn target_form(&self, target: MapperTarget) -> TargetForm {
        TargetForm {
            target,
            vector: self.resnet.vector,
            view: self.stimulus_view(),
            caption_choice: self.caption_choice,
            scale: TargetScale { clamp: self.clamp, scaling: self.scaling },
            seed: self.train.seed,
        }
    }
}
