//! One training of an ablation: done already, to be continued, or to be started.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::folder::{WorkFolder, WorkState, hex};
use crate::commands::train_mapper::{self, BetasControl, TrainMapperSettings, TrainMapperSummary};
use crate::data::split::SplitConfig;
use crate::models::mapper::MapperTarget;
use crate::pipelines::feature_cache::file_identity;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::snapshot::Snapshot;
use crate::training::frame::epoch_loop::CHECKPOINT_FILE;

/// The trainings of a table by name, or why they are left out.
pub(super) type Trainings = BTreeMap<String, Result<Training, String>>;

/// A training with everything that decides it.
#[derive(Clone, Debug)]
pub(super) struct Training {
    settings: TrainMapperSettings,
    /// Where its runs are.
    pub folder: WorkFolder,
}

/// Everything that decides its numbers; the order of the fields is part of the folder's name.
#[derive(Serialize)]
struct TrainingIdentity<'a> {
    program: &'static str,
    target: MapperTarget,
    mapper: Value,
    split: &'a SplitConfig,
    betas: BetasControl,
    prepared: String,
    stimuli: String,
    /// SHA-256 of the network.
    target_network: String,
    /// SHA-256 of the file; of caption mappers only.
    captions: Option<String>,
    /// Key of the training whose weights it starts from.
    init_from: Option<&'a str>,
}

impl Training {
    /// `init_key`: key of the training whose weights it starts from.
    ///
    /// # Errors
    /// A file that decides its numbers and cannot be read.
    pub fn new(
        mut settings: TrainMapperSettings,
        init_key: Option<&str>,
        ablations: &Path,
    ) -> crate::error::Result<Self> {
        let target_network = Snapshot::open_any(&settings.target_network)?.network_sha256()?;
        let captions = match settings.target {
            MapperTarget::Caption => {
                Some(hex(&RunError::read(&settings.captions, "the captions that a mapper aims at")?))
            }
            MapperTarget::Image | MapperTarget::Resnet => None,
        };
        let identity = TrainingIdentity {
            program: env!("CARGO_PKG_VERSION"),
            target: settings.target,
            mapper: settings.mapper.identity()?,
            split: &settings.split,
            betas: settings.betas,
            prepared: file_identity(&settings.prepared)?,
            stimuli: file_identity(&settings.stimuli)?,
            target_network,
            captions,
            init_from: init_key,
        };
        let folder = WorkFolder::of(&identity, ablations)?;
        settings.runs.clone_from(&folder.runs);
        Ok(Self { settings, folder })
    }

    /// Looks into the folder.
    ///
    /// # Errors
    /// As [`WorkFolder::state`].
    pub fn state(&self) -> Result<WorkState<TrainMapperSummary>, RunError> {
        self.folder.state(CHECKPOINT_FILE, "train-mapper")
    }

    /// The result, trained for where it is not there.
    ///
    /// # Errors
    /// As [`Training::state`] and [`train_mapper::run`].
    pub fn finish(
        &self,
        init_from: Option<PathBuf>,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<TrainMapperSummary> {
        let mut settings = self.settings.clone();
        match self.state()? {
            WorkState::Done(summary) => return Ok(*summary),
            // The checkpoint has the weights that it started from behind it.
            WorkState::Interrupted(checkpoint) => settings.resume = Some(checkpoint),
            WorkState::ToDo => settings.init_from = init_from,
        }
        self.folder.write_identity()?;
        train_mapper::run(&settings, progress)
    }
}
