//! From the class of an error to the process's exit code.

use crate::error::ErrorClass;
use crate::interrupt;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// The work is done.
    Success,
    /// Something failed while running.
    Failure,
    /// Bad input or bad usage: the user can put it right.
    BadInput,
    /// The user, or the queue, stopped the work: 128 and the number of the signal.
    Interrupted(u8),
}

impl From<ErrorClass> for ExitCode {
    fn from(class: ErrorClass) -> Self {
        match class {
            ErrorClass::Failure => Self::Failure,
            ErrorClass::BadInput => Self::BadInput,
            ErrorClass::Interrupted => Self::Interrupted(interrupt::exit_code()),
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        match code {
            ExitCode::Success => Self::SUCCESS,
            ExitCode::Failure => Self::from(1),
            ExitCode::BadInput => Self::from(2),
            ExitCode::Interrupted(code) => Self::from(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::error::DataError;
    use crate::error::Fault;
    use crate::error::{Context, Error};
    use crate::run::error::RunError;
    use crate::run::interrupt::Interrupted;
    use crate::training::classifier::error::ClassifierTrainError;
    use crate::training::clip::error::ClipTrainError;
    use crate::training::frame::error::TrainError;
    use crate::training::gan::error::GanTrainError;

    #[test]
    fn classes_of_trainers_readers_and_contexts_are_exit_codes() {
        let code = |error: Error| ExitCode::from(error.class());
        let stop = || Interrupted { checkpoint: "c".into() };
        let screening = Err::<(), _>(DataError::empty("captions", "none")).context("screening");
        assert_eq!(code(screening.unwrap_err()), ExitCode::BadInput);
        assert_eq!(code(stop().into()), ExitCode::Interrupted(130));
        assert_eq!(code(ClipTrainError::from(TrainError::from(stop())).into()), ExitCode::Interrupted(130));
        assert_eq!(code(GanTrainError::from(stop()).into()), ExitCode::Interrupted(130));
        assert_eq!(code(ClassifierTrainError::Empty { what: "images" }.into()), ExitCode::BadInput);
        assert_eq!(code(GanTrainError::from(RunError::missing("f", "training")).into()), ExitCode::BadInput);
        let diverged = GanTrainError::NotFinite { step: 3, checkpoint: "c".into() };
        assert_eq!(code(diverged.into()), ExitCode::Failure);
        let foreign = Fault::new("tensor `w`", "f32", "f8").at("w.pt".as_ref());
        assert_eq!(code(foreign.into()), ExitCode::BadInput);
        assert_eq!(code(Error::failure("disk on fire")), ExitCode::Failure);
    }
}
