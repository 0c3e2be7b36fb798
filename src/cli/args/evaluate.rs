//! Arguments of `evaluate`.

use std::path::PathBuf;

use clap::Args;

use super::train_mapper::KindArg;
use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;
use crate::commands::evaluate::curves::wanted::usual_splits;
use crate::models::mapper::MapperKind;

/// Arguments of `evaluate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples: mindreader evaluate --subject 1 --mappers image.safetensors caption.safetensors\n          \
    mindreader evaluate --subject 1 --ridge --folds 5\n          \
    mindreader evaluate --subject 1 --folds 5 --kinds ridge,residual,kernel-ridge,paper\n          \
    mindreader evaluate --subject 1 --bottleneck 1,2,5,10,25,50,100,full --learning-curve --compare-splits"
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
    /// Fit ridge regression to the same targets, as the linear baseline, and to pixels; without any mapper it goes alone
    #[arg(long)]
    pub ridge: bool,
    /// Leave the mappers out
    #[arg(long, conflicts_with = "mappers")]
    pub ridge_only: bool,
    /// Cross-validate ridge regression over so many folds of the images, in place of the split
    #[arg(long, value_name = "K", allow_negative_numbers = true, conflicts_with = "mappers")]
    pub folds: Option<i64>,
    /// With `--folds` or `--compare-splits`: kinds of mappers beside ridge regression, comma-separated. In every fold or split one of each is
    /// trained for every target, over folds once more from exchanged betas: so many trainings it takes
    #[arg(long, value_name = "KINDS", value_enum, value_delimiter = ',', num_args = 1.., conflicts_with = "mappers")]
    pub kinds: Vec<KindArg>,
    /// Put a linear bottleneck of so many dimensions, numbers or `full`, between betas and decoders; adds `--ridge`
    #[arg(long, value_name = "DIMENSIONS", value_delimiter = ',', num_args = 1.., allow_negative_numbers = true)]
    pub bottleneck: Vec<String>,
    /// Fit ridge regression to shares of the training images and of the voxels; adds `--ridge`
    #[arg(long)]
    pub learning_curve: bool,
    /// Compare stored splits with random ones of their sizes; by default `cluster-k5-0` to `-4` and `tau`; adds `--ridge`
    #[arg(long, value_name = "NAMES", value_delimiter = ',', num_args = 0..)]
    pub compare_splits: Option<Vec<String>>,
    /// What is taken from predictions and targets before they are compared: `none`, `training-mean`, or `rescaled-by-test`,
    /// which gives predictions the mean and deviation of the training targets (transductive)
    #[arg(long, value_name = "WHAT")]
    pub centre: Option<String>,
    /// What an image is told from in 2-way identification: `test`, the other held-out images; `train`, all training images; `cluster`,
    /// held-out images of the same cluster
    #[arg(long, value_name = "WHAT")]
    pub lures: Option<String>,
    /// Refits of ridge regression to permuted pairs of images and betas, 0 for none; p can be as small as 1/(N + 1); adds `--ridge`
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub permutations: Option<i64>,
    /// Trainings of each mapper anew from exchanged betas, for a permutation test of the mappers themselves; each costs a training
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub permute_mappers: Option<i64>,
}

impl EvaluateArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, layers: Layers) -> Result<Layers, UsageError> {
        let layers = layers.optional_path("paths.clip", self.clip.as_ref())?;
        let layers = layers.optional_path("paths.resnet", self.resnet.as_ref())?;
        let layers = layers.optional("evaluate.folds", self.folds.as_ref())?;
        let layers = layers.optional("evaluate.centre", self.centre.as_ref())?;
        let layers = layers.optional("evaluate.lures", self.lures.as_ref())?;
        let layers = layers.optional("evaluate.permutations", self.permutations.as_ref())?;
        let layers = layers.optional("evaluate.mapper_permutations", self.permute_mappers.as_ref())?;
        let layers = if self.ridge_only { layers.value("evaluate.ridge_only", true)? } else { layers };
        let kinds: Vec<String> = self.kinds.iter().map(|kind| MapperKind::from(*kind).to_string()).collect();
        let layers =
            if kinds.is_empty() { layers } else { layers.value("evaluate.fold_kinds", kinds.clone())? };
        let layers = self.curves(layers)?;
        let is_curve = !self.bottleneck.is_empty() || self.learning_curve || self.compare_splits.is_some();
        let is_permuted = self.permutations.is_some_and(|count| count != 0);
        let is_ridge = self.ridge || self.ridge_only || is_curve || is_permuted || !kinds.is_empty();
        if is_ridge { layers.value("evaluate.ridge", true) } else { Ok(layers) }
    }

    /// What the curves' flags say.
    fn curves(&self, layers: Layers) -> Result<Layers, UsageError> {
        let number = |word: &String| {
            word.parse::<i64>().map_or_else(|_| toml::Value::String(word.clone()), toml::Value::Integer)
        };
        let dimensions: Vec<toml::Value> = self.bottleneck.iter().map(number).collect();
        let layers = match dimensions.is_empty() {
            true => layers,
            false => layers.value("evaluate.bottleneck", dimensions)?,
        };
        let layers = match self.learning_curve {
            true => layers.value("evaluate.learning_curve", true)?,
            false => layers,
        };
        match &self.compare_splits {
            None => Ok(layers),
            Some(names) if names.is_empty() => layers.value("evaluate.compare_splits", usual_splits()),
            Some(names) => layers.value("evaluate.compare_splits", names.clone()),
        }
    }
}
