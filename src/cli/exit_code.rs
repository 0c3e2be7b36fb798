//! From the class of an error to the process's exit code.

use crate::error::ErrorClass;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// The work is done.
    Success = 0,
    /// Something failed while running.
    Failure = 1,
    /// Bad input or bad usage: the user can put it right.
    BadInput = 2,
    /// The user stopped the work; a checkpoint is there, if the work can be continued.
    Interrupted = 130,
}

impl From<ErrorClass> for ExitCode {
    fn from(class: ErrorClass) -> Self {
        match class {
            ErrorClass::Failure => Self::Failure,
            ErrorClass::BadInput => Self::BadInput,
            ErrorClass::Interrupted => Self::Interrupted,
        }
    }
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
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
        assert_eq!(code(stop().into()), ExitCode::Interrupted);
        assert_eq!(code(ClipTrainError::from(TrainError::from(stop())).into()), ExitCode::Interrupted);
        assert_eq!(code(GanTrainError::from(stop()).into()), ExitCode::Interrupted);
        assert_eq!(code(ClassifierTrainError::Empty { what: "images" }.into()), ExitCode::BadInput);
        assert_eq!(code(GanTrainError::from(RunError::missing("f", "training")).into()), ExitCode::BadInput);
        let diverged = GanTrainError::NotFinite { step: 3, checkpoint: "c".into() };
        assert_eq!(code(diverged.into()), ExitCode::Failure);
        let foreign = Fault::new("tensor `w`", "f32", "f8").at("w.pt".as_ref());
        assert_eq!(code(foreign.into()), ExitCode::BadInput);
        assert_eq!(code(Error::failure("disk on fire")), ExitCode::Failure);
    }
}
