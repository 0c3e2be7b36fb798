//! What a GAN training writes beside its log: the checkpoint, which never loses its last good state, and snapshots.

use std::path::{Path, PathBuf};

use burn::module::AutodiffModule;
use serde_json::{Value, json};

use super::state::{Counters, GanState};
use super::trainer::{CHECKPOINT_FILE, DISCRIMINATOR_FILE, GENERATOR_FILE, GanTrainError, GanTraining};
use crate::run::error::RunError;
use crate::run::snapshot::{DISCRIMINATOR_KIND, GENERATOR_KIND, save_snapshot};

impl GanTraining<'_> {
    /// Snapshots of a checkpoint, in place of those that a finished run leaves.
    pub(crate) fn fall_back(&self, checkpoint: &Path) -> Result<(), GanTrainError> {
        let mut state = self.first_state()?;
        let counters = state.resume(checkpoint, &self.fresh_counters(), self.device)?;
        self.save_snapshots(&state, &counters)?;
        Ok(())
    }

    /// The checkpoint, unless it would put weights without numbers in place of the last good ones.
    pub(crate) fn save_if_finite(
        &self,
        state: &GanState,
        counters: &Counters,
    ) -> Result<PathBuf, GanTrainError> {
        if state.is_finite() {
            return Ok(self.save(state, counters)?);
        }
        Err(GanTrainError::NotFinite { step: counters.step, checkpoint: self.run.join(CHECKPOINT_FILE) })
    }

    pub(crate) fn save(&self, state: &GanState, counters: &Counters) -> Result<PathBuf, RunError> {
        let path = self.run.join(CHECKPOINT_FILE);
        state.save(&path, counters)?;
        Ok(path)
    }

    /// Generator, discriminator, mappers.
    pub(crate) fn save_snapshots(
        &self,
        state: &GanState,
        counters: &Counters,
    ) -> Result<(PathBuf, PathBuf, Vec<PathBuf>), RunError> {
        let mut provenance = self.provenance.clone();
        if let Value::Object(provenance) = &mut provenance {
            provenance.insert("images_seen".into(), json!(counters.images_seen));
        }
        let generator = self.run.join(GENERATOR_FILE);
        save_snapshot(&generator, GENERATOR_KIND, self.generator, &provenance, &state.generator_ema)?;
        let discriminator = self.run.join(DISCRIMINATOR_FILE);
        let network = state.discriminator.network.valid();
        save_snapshot(&discriminator, DISCRIMINATOR_KIND, self.discriminator, &provenance, &network)?;
        let mappers = match (self.mappers, &state.mappers) {
            (Some(joint), Some(pair)) => joint.save_snapshots(pair, self.run, &provenance)?,
            _ => vec![],
        };
        Ok((generator, discriminator, mappers))
    }
}
