//! Arguments of `train-mapper`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::flag_groups::TargetArg;
use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;
use crate::models::mapper::{MapperKind, MapperTarget};

/// Arguments of `train-mapper`.
#[derive(Debug, Args)]
#[command(after_help = "Examples: mindreader train-mapper --subject 1\n          \
    mindreader train-mapper --subject 1 --target caption --config configs/paper/subj01.toml")]
pub struct TrainMapperArgs {
    /// The space to predict; by default image and caption, one mapper after the other
    #[arg(long, value_enum)]
    pub target: Option<TargetArg>,
    /// How betas become an embedding; by default `train_mapper.kind`, which is `residual` where no file says otherwise
    #[arg(long, value_enum)]
    pub kind: Option<KindArg>,
    /// Bands of a ridge mapper that have scales of their own
    #[arg(long, value_enum)]
    pub bands: Option<BandsArg>,
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

/// [`MapperKind`] as a flag.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KindArg {
    /// The residual network of Mind Reader
    Paper,
    /// Ridge regression
    Ridge,
    /// Ridge regression and a network that starts from it
    Residual,
    /// Ridge regression with a Gaussian kernel
    KernelRidge,
}

/// Bands of a ridge mapper.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum BandsArg {
    /// One for all voxels
    None,
    /// One for every region
    Roi,
}

impl From<KindArg> for MapperKind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Paper => Self::Paper,
            KindArg::Ridge => Self::Ridge,
            KindArg::Residual => Self::Residual,
            KindArg::KernelRidge => Self::KernelRidge,
        }
    }
}

impl TrainMapperArgs {
    /// The one space to predict; none for both.
    ///
    /// # Errors
    /// A flag that names a file of one mapper, without the word which.
    pub fn single_target(&self) -> Result<Option<MapperTarget>, UsageError> {
        let one = [("--resume", self.resume.is_some()), ("--init-from", self.init_from.is_some())];
        match (self.target, one.into_iter().find(|(_, is_given)| *is_given)) {
            (None, Some((flag, _))) => Err(UsageError::new(format!(
                "`{flag}` is about one mapper: say which with `--target image`, `--target caption` or `--target resnet`"
            ))),
            (target, _) => Ok(target.map(Into::into)),
        }
    }

    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        if let Some(kind) = self.kind {
            layers = layers.value("train_mapper.kind", MapperKind::from(kind).to_string())?;
        }
        if let Some(bands) = self.bands {
            let bands = match bands {
                BandsArg::None => "none",
                BandsArg::Roi => "roi",
            };
            layers = layers.value("train_mapper.ridge_bands", bands)?;
        }
        layers = layers.optional_path("paths.clip", self.clip.as_ref())?;
        layers.optional_path("paths.resnet", self.resnet.as_ref())
    }
}
