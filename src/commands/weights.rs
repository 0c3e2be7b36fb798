//! `mindreader weights`: what files of weights hold, ours or foreign.

use std::path::PathBuf;

use crate::weights::import_error::ImportError;
use crate::weights::inspect::{WeightsDescription, inspect};

/// Whether every tensor is listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TensorList {
    /// Only the number of tensors is said.
    #[default]
    Counted,
    /// Name, type and shape of each.
    Listed,
}

/// What to look at.
#[derive(Clone, Debug)]
pub struct WeightsSettings {
    /// Snapshots or checkpoints of other programs.
    pub files: Vec<PathBuf>,
    /// Whether every tensor is listed.
    pub tensors: TensorList,
}

/// Describes every file, in order.
///
/// # Errors
/// [`ImportError`] for the first file that cannot be read.
pub fn run(settings: &WeightsSettings) -> Result<Vec<WeightsDescription>, ImportError> {
    settings
        .files
        .iter()
        .map(|path| {
            let mut description = inspect(path)?;
            if settings.tensors == TensorList::Counted {
                description.networks.iter_mut().for_each(|network| network.tensors.clear());
            }
            Ok(description)
        })
        .collect()
}
