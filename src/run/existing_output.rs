//! What becomes of a file that a command would write and that is there already.

use serde::{Deserialize, Serialize};

/// What to do with an output that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExistingOutput {
    /// Stop with an error.
    #[default]
    Refuse,
    /// Replace it when the new one is complete.
    Replace,
}

impl ExistingOutput {
    /// What the flag `--overwrite` says.
    pub fn of_overwrite_flag(overwrite: bool) -> Self {
        if overwrite { Self::Replace } else { Self::Refuse }
    }
}
