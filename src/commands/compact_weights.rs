//! `mindreader compact-weights`: a snapshot with its weights in half precision, for passing on.

use std::path::PathBuf;

use serde::Serialize;

use crate::files::write_atomic;
use crate::run::error::RunError;
use crate::run::existing_output::ExistingOutput;
use crate::run::half_snapshot::narrowed;
use crate::run::snapshot::Snapshot;

/// Which snapshot is halved, and where the smaller one goes.
#[derive(Clone, Debug)]
pub struct CompactWeightsSettings {
    /// Snapshot of any kind.
    pub from: PathBuf,
    /// Snapshot to write, with weights in half precision.
    pub out: PathBuf,
    /// What to do with a file that is there.
    pub existing: ExistingOutput,
}

/// The smaller snapshot beside the size of the old one.
#[derive(Clone, Debug, Serialize)]
pub struct CompactWeightsSummary {
    /// The snapshot that was written.
    pub out: PathBuf,
    /// Kind of its network.
    pub kind: String,
    /// Size of the old file.
    pub bytes_before: u64,
    /// Size of the new file.
    pub bytes_after: u64,
}

/// Writes the snapshot again with 11 significant bits per weight.
///
/// # Errors
/// A file that is no snapshot, holds numbers that half precision does not, or cannot be written.
pub fn run(settings: &CompactWeightsSettings) -> Result<CompactWeightsSummary, RunError> {
    let out = &settings.out;
    if settings.existing.refuses(out) {
        return Err(RunError::unwritable(out, "it is there already; allow it with `--overwrite`"));
    }
    let snapshot = Snapshot::open_any(&settings.from)?;
    let narrow = narrowed(&settings.from, snapshot.bytes())?;
    write_atomic(out, &narrow)?;
    Ok(CompactWeightsSummary {
        out: out.clone(),
        kind: snapshot.kind().to_string(),
        bytes_before: snapshot.bytes().len() as u64,
        bytes_after: narrow.len() as u64,
    })
}
