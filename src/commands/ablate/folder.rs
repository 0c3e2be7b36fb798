//! Folders of an ablation: each is named by a hash of everything that decides its numbers, so a finished run in it is the result.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::files::{file_is_there, write_atomic};
use crate::run::error::RunError;
use crate::run::snapshot::Snapshot;

/// How far the work in a folder is.
#[derive(Clone, Debug)]
pub(super) enum WorkState<Summary> {
    /// Finished, with its summary.
    Done(Box<Summary>),
    /// There is a checkpoint.
    Interrupted(PathBuf),
    /// Nothing to continue from.
    ToDo,
}

/// A folder of runs and what decides their numbers.
#[derive(Clone, Debug)]
pub(super) struct WorkFolder {
    /// Hexadecimal, of the identity.
    pub key: String,
    /// `key` below the folder of ablations.
    pub runs: PathBuf,
    identity: Value,
}

impl WorkFolder {
    /// The folder of everything that has this `identity`.
    ///
    /// # Errors
    /// An identity that is no JSON.
    pub fn of(identity: &impl Serialize, ablations: &Path) -> serde_json::Result<Self> {
        // As a value first: it prints 32-bit numbers with the digits of 64-bit ones, and the key is of its text.
        let identity = serde_json::to_value(identity)?;
        let key = hex(identity.to_string().as_bytes())[..16].to_string();
        Ok(Self { runs: ablations.join(&key), key, identity })
    }

    /// Looks into the newest run.
    ///
    /// # Errors
    /// A summary that cannot be read as one of `command`.
    pub fn state<Summary: DeserializeOwned>(
        &self,
        checkpoint: &str,
        command: &str,
    ) -> Result<WorkState<Summary>, RunError> {
        let Some(newest) = newest_run(&self.runs) else { return Ok(WorkState::ToDo) };
        let path = newest.join("summary.json");
        if file_is_there(&path)? {
            let expected = format!("a summary of {command}");
            return Ok(WorkState::Done(Box::new(read_json(&path, "a finished row", &expected)?)));
        }
        let checkpoint = newest.join(checkpoint);
        Ok(if file_is_there(&checkpoint)? { WorkState::Interrupted(checkpoint) } else { WorkState::ToDo })
    }

    /// Writes the identity beside the runs, for readers.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_identity(&self) -> crate::error::Result<()> {
        write_atomic(&self.runs.join("identity.json"), &serde_json::to_vec_pretty(&self.identity)?)?;
        Ok(())
    }
}

impl<Summary> WorkState<Summary> {
    /// What lists call it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Interrupted(_) => "interrupted",
            Self::ToDo => "to do",
        }
    }
}

/// Reads a file that this command wrote; `what` it is, and what its content is `expected` to be.
///
/// # Errors
/// [`RunError`] naming the file.
pub(super) fn read_json<T: DeserializeOwned>(
    path: &Path,
    what: &'static str,
    expected: &str,
) -> Result<T, RunError> {
    let bytes = RunError::read(path, what)?;
    serde_json::from_slice(&bytes).map_err(|error| RunError::invalid(path, "content", expected, error))
}

/// The run folder of the highest number.
fn newest_run(runs: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(runs).ok()?;
    entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).max()
}

/// SHA-256, in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hashes of networks, each file read once.
#[derive(Default)]
pub(super) struct NetworkHashes(BTreeMap<PathBuf, String>);

impl NetworkHashes {
    pub(super) fn of(&mut self, path: &Path) -> Result<String, RunError> {
        if let Some(hash) = self.0.get(path) {
            return Ok(hash.clone());
        }
        let hash = Snapshot::open_any(path)?.network_sha256()?;
        self.0.insert(path.to_path_buf(), hash.clone());
        Ok(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_done_to_be_continued_or_to_do() {
        let root = tempfile::tempdir().unwrap();
        let folder = WorkFolder::of(&(1, "a"), root.path()).unwrap();
        assert_ne!(folder.key, WorkFolder::of(&(2, "a"), root.path()).unwrap().key);
        assert_eq!((folder.key.len(), &folder.runs), (16, &root.path().join(&folder.key)));
        let state = || folder.state::<u32>("c.mpk", "test").unwrap().name();
        assert_eq!(state(), "to do");
        let run = folder.runs.join("00001-x");
        std::fs::create_dir_all(&run).unwrap();
        assert_eq!(state(), "to do");
        std::fs::write(run.join("c.mpk"), "").unwrap();
        assert_eq!(state(), "interrupted");
        std::fs::write(run.join("summary.json"), "7").unwrap();
        assert_eq!(state(), "done");
        std::fs::write(run.join("summary.json"), "x").unwrap();
        let error = folder.state::<u32>("c.mpk", "test").unwrap_err().to_string();
        assert!(error.contains("a summary of test"), "{error}");
    }
}
