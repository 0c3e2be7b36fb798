//! What a GAN training writes beside its log: the checkpoint, and snapshots of its networks.

use std::path::PathBuf;

use burn::module::AutodiffModule;
use serde_json::Value;

use super::mappers::outputs::SavedMappers;
use super::snapshot_origin::SnapshotOrigin;
use super::state::{Counters, GanState};
use super::task::GanTask;
use crate::interrupt::Shelter;
use crate::run::error::RunError;
use crate::run::run_dir::RunDir;
use crate::run::snapshot::{DISCRIMINATOR_KIND, GENERATOR_KIND, save_snapshot};
use crate::tensor_ops::backend::Device;

/// The averaged generator.
pub const GENERATOR_FILE: &str = "generator.safetensors";
/// The discriminator.
pub const DISCRIMINATOR_FILE: &str = "discriminator.safetensors";
/// The file to continue from.
pub const CHECKPOINT_FILE: &str = "checkpoint.mpk";

/// Snapshots of a training's networks.
#[derive(Debug)]
pub(crate) struct SavedNetworks {
    pub generator: PathBuf,
    pub discriminator: PathBuf,
    /// Snapshots of mappers that were trained along; empty where they stayed as they were.
    pub mappers: Vec<PathBuf>,
}

/// The files of one run.
pub(crate) struct RunFiles<'a> {
    pub task: &'a GanTask<'a>,
    pub run: &'a RunDir,
    /// Where data and first weights come from: a JSON object.
    pub provenance: &'a Value,
}

impl RunFiles<'_> {
    /// The checkpoint; what was there is replaced.
    pub fn save(&self, state: &GanState, counters: &Counters) -> Result<PathBuf, RunError> {
        let path = self.run.join(CHECKPOINT_FILE);
        state.save(&path, counters)?;
        Ok(path)
    }

    /// Generator, discriminator, mappers, which belong together: nobody disturbs it.
    pub fn save_snapshots(
        &self,
        state: &GanState,
        counters: &Counters,
        device: &Device,
    ) -> Result<SavedNetworks, RunError> {
        let _shelter = Shelter::new();
        let GanTask { generator: generator_config, discriminator: discriminator_config, .. } = self.task;
        let origin = SnapshotOrigin::new(self.provenance, counters.images_seen);
        let generator = self.run.join(GENERATOR_FILE);
        let mappers = match (self.task.mappers, &state.mappers) {
            (Some(joint), Some(pair)) => joint.current(pair, device).save_beside(&generator, &origin)?,
            _ => SavedMappers::default(),
        };
        let discriminator = self.run.join(DISCRIMINATOR_FILE);
        let network = state.discriminator.network.valid();
        save_snapshot(&discriminator, DISCRIMINATOR_KIND, discriminator_config, &origin, &network)?;
        let origin = SnapshotOrigin { trained_mappers_sha256: mappers.sha256, ..origin };
        save_snapshot(&generator, GENERATOR_KIND, generator_config, &origin, &state.generator_ema)?;
        Ok(SavedNetworks { generator, discriminator, mappers: mappers.paths })
    }
}
