//! What becomes of a file that a command would write and that is there already.

use std::path::Path;

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

    /// Whether `output` may not be written, because it is there.
    pub fn refuses(self, output: &Path) -> bool {
        // A link that leads nowhere is there, too: renaming over it would remove it.
        self == Self::Refuse && output.symlink_metadata().is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_gives_way_only_where_that_was_said() {
        let root = tempfile::tempdir().unwrap();
        let (there, new) = (root.path(), root.path().join("new"));
        assert!(ExistingOutput::of_overwrite_flag(false).refuses(there));
        assert!(!ExistingOutput::of_overwrite_flag(true).refuses(there));
        assert!(!ExistingOutput::Refuse.refuses(&new));
    }
}
