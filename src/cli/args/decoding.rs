//! Arguments of the commands that decode.

use std::path::PathBuf;

use clap::Args;

use super::{path_setting, setting};
use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;
use crate::commands::demo::DemoNetworks;

/// Snapshots to decode with; by default those of the newest runs of the subject.
#[derive(Debug, Args)]
pub struct NetworkArgs {
    /// Image mapper
    #[arg(long, value_name = "FILE")]
    pub image_mapper: Option<PathBuf>,
    /// Caption mapper
    #[arg(long, value_name = "FILE")]
    pub caption_mapper: Option<PathBuf>,
    /// Generator
    #[arg(long, value_name = "FILE")]
    pub generator: Option<PathBuf>,
}

impl NetworkArgs {
    fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        layers = path_setting(layers, "paths.image_mapper", self.image_mapper.as_ref())?;
        layers = path_setting(layers, "paths.caption_mapper", self.caption_mapper.as_ref())?;
        path_setting(layers, "paths.generator", self.generator.as_ref())
    }
}

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader evaluate --subject 1 --mappers image.safetensors caption.safetensors"
)]
pub struct EvaluateArgs {
    /// Snapshots of one to four mappers; by default the newest image and caption mappers
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub mappers: Vec<PathBuf>,
    /// CLIP snapshot; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// ResNet-50 snapshot, for mappers of ResNet vectors
    #[arg(long, value_name = "FILE")]
    pub resnet: Option<PathBuf>,
    /// Fit ridge regression to the same targets, as the linear baseline
    #[arg(long)]
    pub ridge: bool,
}

impl EvaluateArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let layers = path_setting(layers, "paths.clip", self.clip.as_ref())?;
        let layers = path_setting(layers, "paths.resnet", self.resnet.as_ref())?;
        if self.ridge { layers.value("evaluate.ridge", true) } else { Ok(layers) }
    }
}

/// Arguments of `evaluate-images`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader evaluate-images --run work/runs/00007-reconstruct-subj01 --inception weights/inception.safetensors"
)]
pub struct EvaluateImagesArgs {
    /// Folder of a `reconstruct` run; by default the newest of the subject
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Inception snapshot of `import-weights`: with it the distance is a FID
    #[arg(long, value_name = "FILE")]
    pub inception: Option<PathBuf>,
    /// Snapshot of `pretrain-classifier`: says what can be named; its features are used without an Inception
    #[arg(long, value_name = "FILE")]
    pub classifier: Option<PathBuf>,
    /// CLIP snapshot whose features are used without either; by default that of the newest `pretrain-clip`
    #[arg(long, value_name = "FILE")]
    pub clip: Option<PathBuf>,
    /// Identify every decoded trial, not only the first of each image
    #[arg(long)]
    pub all_trials: bool,
}

impl EvaluateImagesArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        layers = path_setting(layers, "paths.inception", self.inception.as_ref())?;
        layers = path_setting(layers, "paths.classifier", self.classifier.as_ref())?;
        if self.all_trials {
            layers = layers.value("evaluate_images.trials", "all")?;
        }
        path_setting(layers, "paths.clip", self.clip.as_ref())
    }
}

/// Arguments of `reconstruct`.
#[derive(Debug, Args)]
#[command(after_help = "Example: mindreader reconstruct --subject 1 --average --samples 4")]
pub struct ReconstructArgs {
    /// Snapshots to decode with.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// Decode one trial, counted from 0 over the whole experiment
    #[arg(long, value_name = "T")]
    pub trial: Option<u32>,
    /// Decode the mean of an image's presentations
    #[arg(long)]
    pub average: bool,
    /// At most so many trials or images, evenly spread
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,
    /// Pictures per trial, each from another z
    #[arg(long, value_name = "N")]
    pub samples: Option<u32>,
    /// Steer by both embeddings, by image or caption alone, or by one vector made of both: mean, signed-max, mix
    #[arg(long)]
    pub condition: Option<String>,
    /// Several conditions with the same z, a row of the grid each, for example image,caption,both
    #[arg(long, value_delimiter = ',', conflicts_with = "condition")]
    pub conditions: Vec<String>,
    /// Presentations of an image: each by itself, only the first, or their average
    #[arg(long, conflicts_with = "average")]
    pub repeats: Option<String>,
    /// Columns of the grid: trials, or the repeats of an image
    #[arg(long)]
    pub grid: Option<String>,
    /// Pull of the style vector towards its mean: 1 is none, 0 the mean itself
    #[arg(long, value_name = "PSI")]
    pub truncation: Option<f64>,
}

impl ReconstructArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let mut layers = self.networks.layers(layers)?;
        layers = setting(layers, "reconstruct.trials.trial", self.trial.map(i64::from).as_ref())?;
        if self.average {
            layers = layers.value("reconstruct.repeats", "average")?;
        }
        layers = setting(layers, "reconstruct.limit", self.limit.map(i64::from).as_ref())?;
        layers = setting(layers, "reconstruct.samples", self.samples.map(i64::from).as_ref())?;
        if !self.conditions.is_empty() {
            layers = layers.value("reconstruct.conditions", self.conditions.clone())?;
        }
        layers = setting(layers, "reconstruct.repeats", self.repeats.as_ref())?;
        layers = setting(layers, "reconstruct.grid", self.grid.as_ref())?;
        layers = setting(layers, "reconstruct.truncation_psi", self.truncation.as_ref())?;
        setting(layers, "reconstruct.condition", self.condition.as_ref())
    }
}

/// Arguments of `microstim`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader microstim --subject 1 --roi floc-faces\n         mindreader microstim --subject 1 --roi streams:early --silence"
)]
pub struct MicrostimArgs {
    /// Snapshots to decode with.
    #[command(flatten)]
    pub networks: NetworkArgs,
    /// Region: a file (floc-faces), a label (FFA-1, V1), a hemisphere (lh.floc-faces), or file:label; several joined by +
    #[arg(long)]
    pub roi: Option<String>,
    /// Set the region's betas to 0 instead of driving them
    #[arg(long)]
    pub silence: bool,
    /// Value of driven betas in standard deviations
    #[arg(long, value_name = "Z")]
    pub level: Option<f64>,
    /// At most so many images, evenly spread
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,
}

impl MicrostimArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let mut layers = self.networks.layers(layers)?;
        layers = setting(layers, "microstim.roi", self.roi.as_ref())?;
        if self.silence {
            layers = layers.value("microstim.action", "silence")?;
        }
        layers = setting(layers, "microstim.excited_beta", self.level.as_ref())?;
        setting(layers, "microstim.limit", self.limit.map(i64::from).as_ref())
    }
}

/// Arguments of `score`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader score --evaluation work/runs/00009-evaluate-subj01/evaluation.json\n         mindreader score --microstim work/runs/*-microstim-*"
)]
pub struct ScoreArgs {
    /// `evaluation.json` of an `evaluate` run: retrieval of novel and of near-duplicate images too
    #[arg(long, value_name = "FILE")]
    pub evaluation: Option<PathBuf>,
    /// Only tabulate the effects of these `microstim` runs, regions by sentences; needs no phantom
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with = "evaluation")]
    pub microstim: Vec<PathBuf>,
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "Example: mindreader demo --out demo")]
pub struct DemoArgs {
    /// Folder of the demo: phantom, runs and report
    #[arg(long, value_name = "DIR", default_value = "demo")]
    pub out: PathBuf,
    /// Folder of photographs with COCO annotations, used beside the synthetic scenes
    #[arg(long, value_name = "DIR")]
    pub photographs: Option<PathBuf>,
    /// Train CLIP and the GAN on the spot too, instead of starting from those that ship with the program
    #[arg(long)]
    pub train_all: bool,
}

impl DemoArgs {
    /// Where CLIP and the pretrained GAN come from. The shipped ones know scenes, not photographs.
    pub fn networks(&self) -> DemoNetworks {
        let trains = self.train_all || self.photographs.is_some();
        if trains { DemoNetworks::Trained } else { DemoNetworks::Shipped }
    }

    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        path_setting(layers, "phantom.photographs", self.photographs.as_ref())
    }
}
