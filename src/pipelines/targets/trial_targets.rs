//! What decoders should find in the trials of a subject.

use std::path::Path;

use ndarray::Array2;

use super::source::{TargetForm, TargetSource};
use crate::data::prepared::PreparedSubject;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::workbench::Workbench;
use crate::run::error::RunError;
use crate::training::mapper::targets::{CaptionChoice, EmbeddingTargets};

/// Targets of one kind and form for every trial.
pub(crate) struct TrialTargets {
    source: TargetSource,
    network_sha256: String,
    /// As a mapper meets them.
    targets: EmbeddingTargets,
    /// One per image, for what is fitted once to all trials: of several captions their mean.
    single: EmbeddingTargets,
}

impl TrialTargets {
    /// Computes or finds the targets of all trials of `subject`.
    ///
    /// # Errors
    /// As [`TargetSource::raw_targets`].
    pub fn load(
        source: TargetSource,
        subject: &PreparedSubject,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<Self> {
        let raw = source.raw_targets(subject, bench)?;
        let targets = raw.rows.finished(&source, source.form.choice());
        let single = match source.form.target {
            MapperTarget::Image | MapperTarget::Resnet => targets.clone(),
            MapperTarget::Caption => raw.rows.finished(&source, CaptionChoice::Mean),
        };
        Ok(Self { network_sha256: raw.network.sha256().into(), source, targets, single })
    }

    /// What they are.
    pub fn form(&self) -> &TargetForm {
        &self.source.form
    }

    /// Snapshot of the network that computed them, or the file that they were imported into.
    pub fn network(&self) -> &Path {
        &self.source.network
    }

    /// SHA-256 of the network that computed them, over kind, configuration and tensors.
    pub fn network_sha256(&self) -> &str {
        &self.network_sha256
    }

    /// Refuses a mapper of another network's targets.
    ///
    /// # Errors
    /// [`RunError::Invalid`] that names the network's file or the mapper's.
    pub fn require(&self, path: &Path, mapper: &LoadedMapper) -> Result<(), RunError> {
        let expected = &mapper.snapshot.target_network_sha256;
        let found = &self.network_sha256;
        if found != expected {
            let expected = format!("{expected}, the network of the mapper's targets");
            return Err(RunError::invalid(&self.source.network, "sha256", expected, found));
        }
        let (expected, found) = (self.targets.embed_dim(), mapper.snapshot.network.embed_dim());
        if expected != found {
            return Err(RunError::invalid(path, "embed_dim", format!("{expected} as its target has"), found));
        }
        Ok(())
    }

    /// One embedding per trial that does not depend on a draw: `[trials, embed_dim]`.
    pub fn single(&self, trials: &[usize]) -> Array2<f32> {
        // One row per image leaves nothing to draw: any seed would do.
        validation_rows(&self.single, trials, 0)
    }

    /// What validation aims at, of several captions one that was drawn once: `[trials, embed_dim]`.
    pub fn validation(&self, trials: &[usize]) -> Array2<f32> {
        validation_rows(&self.targets, trials, self.source.form.seed)
    }
}

fn validation_rows(targets: &EmbeddingTargets, trials: &[usize], seed: u64) -> Array2<f32> {
    let mut rows = Array2::zeros((trials.len(), targets.embed_dim()));
    for (mut row, trial) in rows.rows_mut().into_iter().zip(trials) {
        row.assign(&targets.validation(*trial, seed));
    }
    rows
}
