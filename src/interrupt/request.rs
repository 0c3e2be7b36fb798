//! The request as a flag, and the error of work that heeded it.

use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::signal::Signal;

use crate::error::{Classified, ErrorClass};

/// Number of the signal that asked to stop; 0 before.
pub(super) static REQUESTED: AtomicI32 = AtomicI32::new(0);

/// Has the user, or the queue, asked to stop?
pub fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed) != 0
}

/// An error if somebody has asked to stop. Asked between two units of long work.
///
/// # Errors
/// [`Stopped`].
pub fn check() -> Result<(), Stopped> {
    if requested() { Err(Stopped) } else { Ok(()) }
}

/// The work was stopped on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped on request")]
pub struct Stopped;

impl Classified for Stopped {
    fn class(&self) -> ErrorClass {
        ErrorClass::Interrupted
    }
}

/// The process's exit code after a request to stop, as shells report the signal: 129 after SIGHUP, 130 after SIGINT, 143 after
/// SIGTERM, and 143 too after SIGUSR1 and SIGUSR2, by which queues announce it.
pub fn exit_code() -> u8 {
    exit_code_of(REQUESTED.load(Ordering::Relaxed))
}

pub(super) fn exit_code_of(signal: i32) -> u8 {
    match Signal::try_from(signal) {
        Ok(Signal::SIGHUP) => 129,
        Ok(Signal::SIGTERM | Signal::SIGUSR1 | Signal::SIGUSR2) => 143,
        _ => 130,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_shells() {
        use Signal::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
        let codes = [SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2].map(|signal| exit_code_of(signal as i32));
        assert_eq!(codes, [129, 130, 143, 143, 143]);
    }
}
