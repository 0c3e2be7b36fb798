//! Flags that every subcommand takes.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;

use crate::cli::layers::Layers;
use crate::cli::logging::LogFormat;
use crate::cli::usage_error::UsageError;
use crate::data::subject::{OwnSubject, SubjectId};

/// One subject or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subjects {
    /// The number of one of NSD's, checked with the other settings.
    Number(i64),
    /// The name of one that was imported.
    Named(OwnSubject),
    /// Every one that is there or prepared.
    All,
}

impl FromStr for Subjects {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            text => match text.parse() {
                Ok(number) => Ok(Self::Number(number)),
                Err(_) => Self::one(text),
            },
        }
    }
}

impl Subjects {
    fn one(text: &str) -> Result<Self, String> {
        match text.parse::<SubjectId>() {
            Ok(SubjectId::Nsd(subject)) => Ok(Self::Number(subject.number().into())),
            Ok(SubjectId::Own(name)) => Ok(Self::Named(name)),
            Err(_) => Err("expected 1 to 8, `all`, or the name of an imported subject: 1 to 40 letters, digits, `-` and `_`, a letter first".into()),
        }
    }
}

/// Flags that every subcommand takes.
#[derive(Debug, Args)]
pub struct GlobalArgs {
    /// Configuration file; flags and `--set` win over it. By default `mindreader.toml` of the working directory, if it is there;
    /// `none` for no file
    #[arg(long, global = true, value_name = "FILE.toml|none")]
    pub config: Option<PathBuf>,
    /// Set one configuration key, for example `train_mapper.train.phase1.epochs=5`
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Root of the NSD tree (or of a phantom)
    #[arg(long, global = true, value_name = "DIR")]
    pub nsd: Option<PathBuf>,
    /// Folder for prepared subjects, runs and caches
    #[arg(long, global = true, value_name = "DIR")]
    pub work: Option<PathBuf>,
    /// NSD subject, 1 to 8, the name of an imported one, or `all`: every prepared one (for `prepare`: every one in the tree), one
    /// after the other
    #[arg(long, global = true, value_name = "N|NAME", allow_negative_numbers = true)]
    pub subject: Option<Subjects>,
    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, global = true)]
    pub device: Option<String>,
    /// Number format of inference: f32, or f16 on a GPU
    #[arg(long, global = true, value_name = "FORMAT")]
    pub precision: Option<String>,
    /// Decides everything that chance decides
    #[arg(long, global = true, allow_negative_numbers = true)]
    pub seed: Option<i64>,
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress on stderr
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Form of what is said on stderr, one JSON object a line with `json`; `MINDREADER_LOG=debug` adds what the libraries say
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,
}

impl GlobalArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// When a `--set` is not `key=value`.
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        for assignment in &self.set {
            layers = layers.assignment(assignment)?;
        }
        layers = layers.optional_path("paths.nsd", self.nsd.as_ref())?;
        layers = layers.optional_path("paths.work", self.work.as_ref())?;
        layers = match self.subject {
            Some(Subjects::Number(number)) => layers.value("subject", number)?,
            Some(Subjects::Named(name)) => layers.value("subject", name.name())?,
            Some(Subjects::All) | None => layers,
        };
        layers = layers.optional("device", self.device.as_ref())?;
        layers = layers.optional("precision", self.precision.as_ref())?;
        layers.optional("seed", self.seed.as_ref())
    }

    /// The flags that give further commands the same settings; paths and subject are not among them.
    pub fn configuring(&self) -> Vec<String> {
        let config = self.config.iter().flat_map(|path| ["--config".to_string(), path.display().to_string()]);
        let set = self.set.iter().flat_map(|assignment| ["--set".to_string(), assignment.clone()]);
        let named = [
            ("--seed", self.seed.map(|seed| seed.to_string())),
            ("--device", self.device.clone()),
            ("--precision", self.precision.clone()),
        ];
        let named = named.into_iter().filter_map(|(flag, value)| Some([flag.to_string(), value?]));
        config.chain(set).chain(named.flatten()).collect()
    }
}
