//! Ctrl-C and SIGTERM as a flag that training loops poll once per step.
//!
//! A loop that sees the flag writes its checkpoint and returns [`Interrupted`]. A second signal ends the
//! process at once; checkpoints are atomic, so that is safe too.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Classified, ErrorClass};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Exit code after a second signal, as shells report SIGINT.
const SIGINT_EXIT: i32 = 130;

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

/// Has the user asked to stop?
pub fn requested() -> bool {
    // Nothing is handed over together with the flag, so no order has to be kept.
    REQUESTED.load(Ordering::Relaxed)
}

/// Catches SIGINT and SIGTERM from now on. Called once, by the binary.
///
/// # Errors
/// When the operating system refuses the handler.
pub fn install() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        // The first signal only raises the flag; the second finds it raised.
        if REQUESTED.swap(true, Ordering::Relaxed) {
            std::process::exit(SIGINT_EXIT);
        }
    })
}
