//! From an error to the process's exit code.

use crate::data::error::DataError;
use crate::run::error::RunError;
use crate::run::interrupt::Interrupted;

use super::usage_error::UsageError;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// The work is done.
    Success = 0,
    /// Something failed while running.
    Failure = 1,
    /// Bad input or bad usage: the user can put it right.
    BadInput = 2,
    /// The user stopped the work; a checkpoint is there.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// The exit code of an error, by the kinds in its chain.
pub fn of_error(error: &anyhow::Error) -> ExitCode {
    let has = |test: fn(&(dyn std::error::Error + 'static)) -> bool| error.chain().any(test);
    if has(|cause| cause.is::<Interrupted>()) {
        ExitCode::Interrupted
    } else if has(|cause| cause.is::<UsageError>() || cause.is::<DataError>() || cause.is::<RunError>())
        || has(is_wrong_configuration)
    {
        ExitCode::BadInput
    } else {
        ExitCode::Failure
    }
}

/// Network and training configurations that cannot be built are settings of the user.
fn is_wrong_configuration(cause: &(dyn std::error::Error + 'static)) -> bool {
    use crate::models::{mapper::MapperConfigError, stylegan2::ConfigError};
    cause.is::<MapperConfigError>() || cause.is::<ConfigError>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn kinds_are_found_below_context() {
        let error = Err::<(), _>(DataError::empty("captions", "none")).context("screening").unwrap_err();
        assert_eq!(of_error(&error), ExitCode::BadInput);
        let error = anyhow::Error::from(Interrupted { checkpoint: "c".into() });
        assert_eq!(of_error(&error), ExitCode::Interrupted);
        assert_eq!(of_error(&anyhow::anyhow!("disk on fire")), ExitCode::Failure);
    }
}
