//! Arguments of the commands that train.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::path_setting;
use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;
use crate::commands::ablate::TABLES;
use crate::models::mapper::MapperTarget;

/// Arguments of `pretrain-gan`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader pretrain-gan --images photographs --clip weights/clip.safetensors --set pretrain_gan.network.heads=one"
)]
pub struct PretrainGanArgs {
    /// Folder or zip archive of images (.png, .jpg), with captions beside them (.txt, one a line) or CLIP's features in
    /// Lafite's dataset.json; by default the subject's stimuli
    #[arg(long, value_name = "DIR|ZIP")]
    pub images: Option<PathBuf>,
    /// COCO's captions_*.json: which of the images, and their captions
    #[arg(long, value_name = "FILE")]
    pub annotations: Option<PathBuf>,
    /// CLIP snapshot; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// How snapshots are measured.
    #[command(flatten)]
    pub features: SnapshotFeatureArgs,
    /// Start from the generator.safetensors and discriminator.safetensors of this folder, trained or imported; their sizes must be
    /// those of the settings
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    pub init_from: Option<PathBuf>,
    /// Continue a run from its checkpoint
    #[arg(long, value_name = "CHECKPOINT")]
    pub resume: Option<PathBuf>,
}

/// Networks that measure the snapshots of a GAN in training; by default none does.
#[derive(Debug, Args)]
pub struct SnapshotFeatureArgs {
    /// Inception snapshot of `import-weights`: the FID of generated samples is measured on the way
    #[arg(long, value_name = "FILE")]
    pub inception: Option<PathBuf>,
    /// Snapshot of `pretrain-classifier`: measure in its features; the distance is then no FID and says so
    #[arg(long, value_name = "FILE", conflicts_with = "inception")]
    pub classifier: Option<PathBuf>,
    /// Measure in the features of the CLIP in use; the distance is then no FID and says so
    #[arg(long, conflicts_with_all = ["inception", "classifier"])]
    pub clip_features: bool,
}

impl SnapshotFeatureArgs {
    fn layers(&self, layers: Layers, command: &str) -> Result<Layers, UsageError> {
        let layers = path_setting(layers, "paths.inception", self.inception.as_ref())?;
        let layers = path_setting(layers, "paths.classifier", self.classifier.as_ref())?;
        let is_file = self.inception.is_some() || self.classifier.is_some();
        if self.clip_features || is_file {
            return layers.value(&format!("{command}.snapshots.clip_features"), self.clip_features);
        }
        Ok(layers)
    }
}

impl PretrainGanArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        layers = path_setting(layers, "paths.images", self.images.as_ref())?;
        layers = path_setting(layers, "paths.annotations", self.annotations.as_ref())?;
        layers = self.features.layers(layers, "pretrain_gan")?;
        path_setting(layers, "paths.clip", self.clip.as_ref())
    }
}

/// Arguments of `pretrain-clip` and `pretrain-classifier`.
#[derive(Debug, Args)]
pub struct PretrainArgs {
    /// Continue a run from its checkpoint
    #[arg(long, value_name = "CHECKPOINT")]
    pub resume: Option<PathBuf>,
}

/// Arguments of `screen-captions`.
#[derive(Debug, Args)]
pub struct ScreenCaptionsArgs {
    /// CLIP snapshot; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
}

impl ScreenCaptionsArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        path_setting(layers, "paths.clip", self.clip.as_ref())
    }
}

/// The space that a mapper predicts.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Target {
    /// CLIP embedding of the stimulus
    Image,
    /// CLIP embedding of its caption
    Caption,
    /// ResNet-50 vector of the stimulus
    Resnet,
}

impl From<Target> for MapperTarget {
    fn from(target: Target) -> Self {
        match target {
            Target::Image => Self::Image,
            Target::Caption => Self::Caption,
            Target::Resnet => Self::Resnet,
        }
    }
}

/// Arguments of `train-mapper`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader train-mapper --subject 1 --target caption --config configs/paper/subj01.toml"
)]
pub struct TrainMapperArgs {
    /// The space to predict
    #[arg(long, value_enum)]
    pub target: Target,
    /// CLIP snapshot; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// ResNet-50 snapshot of `import-weights`; needed for `--target resnet`
    #[arg(long, value_name = "FILE")]
    pub resnet: Option<PathBuf>,
    /// Mapper of the same sizes to start from, in place of random weights
    #[arg(long, value_name = "SNAPSHOT", conflicts_with = "resume")]
    pub init_from: Option<PathBuf>,
    /// Control: betas are exchanged between trials, so that decoding must be at chance
    #[arg(long)]
    pub shuffle_betas: bool,
    /// Continue a run from its checkpoint
    #[arg(long, value_name = "CHECKPOINT")]
    pub resume: Option<PathBuf>,
}

impl TrainMapperArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        layers = path_setting(layers, "paths.clip", self.clip.as_ref())?;
        path_setting(layers, "paths.resnet", self.resnet.as_ref())
    }
}

/// A table of the paper.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PaperTable {
    /// Conditions, sources, losses and mappers of the finetuned GAN
    #[value(name = "1")]
    One,
    /// Clamp, augmentation, captions, losses
    #[value(name = "3")]
    Three,
    /// Combined mappers
    #[value(name = "4")]
    Four,
}

/// Arguments of `ablate`.
#[derive(Debug, Args)]
#[command(after_help = "Example: mindreader ablate --subject 1 --table 3 --config configs/paper/subj01.toml")]
pub struct AblateArgs {
    /// Table of the paper
    #[arg(long, value_enum, required_unless_present = "rows", conflicts_with = "rows")]
    pub table: Option<PaperTable>,
    /// Rows of one's own, written as those in configs/ablations
    #[arg(long, value_name = "FILE")]
    pub rows: Option<PathBuf>,
    /// Only the row of this label; may be given several times
    #[arg(long, value_name = "LABEL")]
    pub only: Vec<String>,
    /// Say what is done and what is to do, train nothing
    #[arg(long)]
    pub list: bool,
    /// CLIP snapshot; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// ResNet-50 snapshot, for the rows of ResNet mappers and of the low-level term
    #[arg(long, value_name = "FILE")]
    pub resnet: Option<PathBuf>,
    /// Folder of a GAN that rows start from by its name; may be given several times
    #[arg(long, value_name = "NAME=DIR")]
    pub gan: Vec<String>,
    /// Inception snapshot: with it the distances of table 1 are FIDs
    #[arg(long, value_name = "FILE")]
    pub inception: Option<PathBuf>,
    /// Snapshot of `pretrain-classifier`, whose features measure table 1 without an Inception
    #[arg(long, value_name = "FILE")]
    pub classifier: Option<PathBuf>,
}

impl AblateArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let layers = path_setting(layers, "paths.clip", self.clip.as_ref())?;
        let layers = path_setting(layers, "paths.inception", self.inception.as_ref())?;
        let layers = path_setting(layers, "paths.classifier", self.classifier.as_ref())?;
        path_setting(layers, "paths.resnet", self.resnet.as_ref())
    }

    /// The GANs by name.
    ///
    /// # Errors
    /// For anything but `NAME=DIR`.
    pub fn gans(&self) -> Result<BTreeMap<String, PathBuf>, UsageError> {
        self.gan
            .iter()
            .map(|text| match text.split_once('=') {
                Some((name, folder)) if !name.is_empty() && !folder.is_empty() => {
                    Ok((name.to_string(), PathBuf::from(folder)))
                }
                _ => Err(UsageError::new(format!("`--gan {text}`: expected NAME=DIR"))),
            })
            .collect()
    }

    /// The file of rows and its content.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rows(&self) -> Result<(PathBuf, String), UsageError> {
        if let Some(path) = &self.rows {
            let text = std::fs::read_to_string(path)
                .map_err(|error| UsageError::new(format!("rows `{}`: {error}", path.display())))?;
            return Ok((path.clone(), text));
        }
        let number = match self.table {
            Some(PaperTable::One) => "1",
            Some(PaperTable::Four) => "4",
            Some(PaperTable::Three) | None => "3",
        };
        let known = TABLES.iter().find(|(table, _, _)| *table == number);
        let (_, file, text) = known.ok_or_else(|| UsageError::new(format!("no table {number}")))?;
        Ok((PathBuf::from(file), (*text).to_string()))
    }
}

/// Arguments of `finetune-gan`.
#[derive(Debug, Args)]
pub struct FinetuneGanArgs {
    /// Image mapper; by default that of the newest `train-mapper --target image`
    #[arg(long, value_name = "FILE")]
    pub image_mapper: Option<PathBuf>,
    /// Mapper of the second condition: by default that of the newest `train-mapper --target caption`, or of `--target resnet`
    /// where `finetune_gan.condition` is `image-resnet`
    #[arg(long, value_name = "FILE")]
    pub caption_mapper: Option<PathBuf>,
    /// Run folder of the GAN to start from; by default the newest `pretrain-gan`
    #[arg(long, value_name = "DIR")]
    pub gan: Option<PathBuf>,
    /// Train the mappers too
    #[arg(long)]
    pub end_to_end: bool,
    /// ResNet-50 snapshot; needed where `finetune_gan.train.loss.low_level_weight` is set, and for ResNet mappers
    #[arg(long, value_name = "FILE")]
    pub resnet: Option<PathBuf>,
    /// How snapshots are measured.
    #[command(flatten)]
    pub features: SnapshotFeatureArgs,
    /// Continue a run from its checkpoint
    #[arg(long, value_name = "CHECKPOINT")]
    pub resume: Option<PathBuf>,
}

impl FinetuneGanArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        layers = path_setting(layers, "paths.image_mapper", self.image_mapper.as_ref())?;
        layers = path_setting(layers, "paths.caption_mapper", self.caption_mapper.as_ref())?;
        layers = path_setting(layers, "paths.resnet", self.resnet.as_ref())?;
        if self.end_to_end {
            layers = layers.value("finetune_gan.mappers.mode", "end-to-end")?;
        }
        layers = self.features.layers(layers, "finetune_gan")?;
        path_setting(layers, "paths.pretrained_gan", self.gan.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gans_are_given_by_name_and_folder() {
        let of = |texts: &[&str]| {
            let gan = texts.iter().map(ToString::to_string).collect();
            AblateArgs {
                table: None,
                rows: None,
                only: vec![],
                list: false,
                clip: None,
                resnet: None,
                gan,
                inception: None,
                classifier: None,
            }
            .gans()
        };
        let found = of(&["supervised=a/b", "free=c=d"]).unwrap();
        assert_eq!(found["supervised"], PathBuf::from("a/b"));
        assert_eq!(found["free"], PathBuf::from("c=d"));
        for wrong in ["supervised", "=dir", "name="] {
            let error = of(&[wrong]).unwrap_err().to_string();
            assert!(error.contains(wrong) && error.contains("NAME=DIR"), "{error}");
        }
    }
}
