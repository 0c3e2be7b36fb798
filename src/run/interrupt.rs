//! The end of a training that was stopped on request.

use std::path::PathBuf;

use crate::error::{Classified, ErrorClass};

/// The work stopped on request; what it had is in `checkpoint`.
#[derive(Debug, thiserror::Error)]
#[error("interrupted; continue with `--resume {}`", checkpoint.display())]
pub struct Interrupted {
    /// The checkpoint to continue from.
    pub checkpoint: PathBuf,
}

impl Classified for Interrupted {
    fn class(&self) -> ErrorClass {
        ErrorClass::Interrupted
    }
}
