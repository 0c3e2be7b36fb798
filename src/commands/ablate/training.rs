//! One training of an ablation: done already, to be continued, or to be started.
//!
//! Its folder is named by a hash of everything that decides its numbers, so a folder with a finished run is the result.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::commands::train_mapper::{self, TrainMapperSettings, TrainMapperSummary};
use crate::models::mapper::MapperTarget;
use crate::pipelines::feature_cache::file_identity;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::run_dir::write_atomic;
use crate::run::snapshot::Snapshot;
use crate::training::frame::epoch_loop::CHECKPOINT_FILE;

/// A training with everything that decides it.
#[derive(Clone, Debug)]
pub(super) struct Training {
    pub settings: TrainMapperSettings,
    /// Hexadecimal, of the identity.
    pub key: String,
    identity: Value,
}

/// Where a training stands.
#[derive(Clone, Debug)]
pub(super) enum State {
    Done(Box<TrainMapperSummary>),
    /// There is a checkpoint.
    Interrupted(PathBuf),
    ToDo,
}

impl Training {
    /// `init_key`: key of the training whose weights it starts from.
    pub fn new(
        mut settings: TrainMapperSettings,
        init_key: Option<&str>,
        ablations: &Path,
    ) -> anyhow::Result<Self> {
        let network = Snapshot::open_any(&settings.target_network)?.network_sha256()?;
        let captions = match settings.target {
            MapperTarget::Caption => {
                let bytes = RunError::read(&settings.captions, "the captions that a mapper aims at")?;
                Some(hex(&bytes))
            }
            MapperTarget::Image | MapperTarget::Resnet => None,
        };
        let identity = json!({
            "program": env!("CARGO_PKG_VERSION"),
            "target": settings.target,
            "mapper": settings.mapper.identity()?,
            "split": settings.split,
            "betas": settings.betas,
            "prepared": file_identity(&settings.prepared)?,
            "stimuli": file_identity(&settings.stimuli)?,
            "target_network": network,
            "captions": captions,
            "init_from": init_key,
        });
        let key = hex(identity.to_string().as_bytes())[..16].to_string();
        settings.runs = ablations.join(&key);
        Ok(Self { settings, key, identity })
    }

    /// Looks into the folder.
    pub fn state(&self) -> Result<State, RunError> {
        let Some(newest) = newest_run(&self.settings.runs) else { return Ok(State::ToDo) };
        let path = newest.join("summary.json");
        if path.is_file() {
            let bytes = RunError::read(&path, "a finished row")?;
            let summary = serde_json::from_slice(&bytes)
                .map_err(|error| RunError::invalid(&path, "content", "a summary of train-mapper", error))?;
            return Ok(State::Done(Box::new(summary)));
        }
        let checkpoint = newest.join(CHECKPOINT_FILE);
        Ok(if checkpoint.is_file() { State::Interrupted(checkpoint) } else { State::ToDo })
    }

    /// The result, trained for where it is not there.
    pub fn finish(
        &self,
        init_from: Option<PathBuf>,
        progress: &mut dyn Progress,
    ) -> anyhow::Result<TrainMapperSummary> {
        let mut settings = self.settings.clone();
        match self.state()? {
            State::Done(summary) => return Ok(*summary),
            // The checkpoint has the weights that it started from behind it.
            State::Interrupted(checkpoint) => settings.resume = Some(checkpoint),
            State::ToDo => settings.init_from = init_from,
        }
        let identity = settings.runs.join("identity.json");
        write_atomic(&identity, &serde_json::to_vec_pretty(&self.identity)?)?;
        train_mapper::run(&settings, progress)
    }
}

/// The run folder of the highest number.
pub(super) fn newest_run(runs: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(runs).ok()?;
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).max()
}

/// SHA-256, in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
