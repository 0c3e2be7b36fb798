//! From an error to the process's exit code.

use crate::data::error::DataError;
use crate::data::image::augment::AugmentConfigError;
use crate::models::classifier::ClassifierConfigError;
use crate::models::clip::ClipConfigError;
use crate::models::clip::tokenizer::TextTooLong;
use crate::models::mapper::MapperConfigError;
use crate::models::stylegan2::ConfigError;
use crate::pipelines::caption_screen::ScreenError;
use crate::run::error::RunError;
use crate::run::interrupt::Interrupted;
use crate::training::classifier::config::ClassifierTrainConfigError;
use crate::training::classifier::error::ClassifierTrainError;
use crate::training::clip::error::ClipTrainError;
use crate::training::frame::error::TrainError;
use crate::training::gan::error::GanTrainError;
use crate::training::mapper::config::MapperTrainConfigError;
use crate::training::mapper::error::MapperTrainError;
use crate::training::ridge::RidgeError;
use crate::weights::error::ForeignError;
use crate::weights::import_error::ImportError;

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
    /// The user stopped the work; a checkpoint is there, if the work can be continued.
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
    if has(is_interruption) {
        ExitCode::Interrupted
    } else if has(is_bad_input) {
        ExitCode::BadInput
    } else {
        ExitCode::Failure
    }
}

/// Trainers pass an interruption on as it is, so it does not show as a cause of its own.
fn is_interruption(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.is::<Interrupted>()
        || matches!(cause.downcast_ref(), Some(ClipTrainError::Frame(TrainError::Interrupted(_))))
        || matches!(cause.downcast_ref(), Some(ClassifierTrainError::Frame(TrainError::Interrupted(_))))
        || matches!(cause.downcast_ref(), Some(GanTrainError::Interrupted(_)))
        || matches!(cause.downcast_ref(), Some(MapperTrainError::Frame(TrainError::Interrupted(_))))
}

/// Files, settings and sizes that the user can put right.
fn is_bad_input(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.is::<UsageError>()
        || cause.is::<DataError>()
        || cause.is::<RunError>()
        || cause.is::<AugmentConfigError>()
        || cause.is::<MapperTrainConfigError>()
        || cause.is::<RidgeError>()
        || cause.is::<TextTooLong>()
        || cause.is::<MapperConfigError>()
        || cause.is::<ConfigError>()
        || cause.is::<ClipConfigError>()
        || cause.is::<ClassifierConfigError>()
        || cause.is::<ClassifierTrainConfigError>()
        || cause.is::<ScreenError>()
        || cause.is::<ImportError>()
        || cause.is::<ForeignError>()
        || matches!(
            cause.downcast_ref(),
            Some(
                ClipTrainError::Network(_)
                    | ClipTrainError::Config(_)
                    | ClipTrainError::TooFew { .. }
                    | ClipTrainError::Side { .. }
                    | ClipTrainError::Run(_)
                    | ClipTrainError::Frame(TrainError::Run(_))
            )
        )
        || matches!(
            cause.downcast_ref(),
            Some(
                ClassifierTrainError::Network(_)
                    | ClassifierTrainError::Config(_)
                    | ClassifierTrainError::Empty { .. }
                    | ClassifierTrainError::Run(_)
                    | ClassifierTrainError::Frame(TrainError::Run(_))
            )
        )
        || matches!(
            cause.downcast_ref(),
            Some(
                GanTrainError::Network(_)
                    | GanTrainError::Config(_)
                    | GanTrainError::Data(_)
                    | GanTrainError::Betas(_)
                    | GanTrainError::Mapper(_)
                    | GanTrainError::Run(_)
            )
        )
        || matches!(
            cause.downcast_ref(),
            Some(
                MapperTrainError::Empty { .. }
                    | MapperTrainError::Data(_)
                    | MapperTrainError::Run(_)
                    | MapperTrainError::Frame(TrainError::Run(_))
            )
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::error::Fault;
    use anyhow::Context;

    #[test]
    fn kinds_are_found_below_context() {
        let error = Err::<(), _>(DataError::empty("captions", "none")).context("screening").unwrap_err();
        assert_eq!(of_error(&error), ExitCode::BadInput);
        let error = anyhow::Error::from(Interrupted { checkpoint: "c".into() });
        assert_eq!(of_error(&error), ExitCode::Interrupted);
        let stopped = || TrainError::from(Interrupted { checkpoint: "c".into() });
        let error = anyhow::Error::from(ClipTrainError::from(stopped()));
        assert_eq!(of_error(&error), ExitCode::Interrupted);
        let error = anyhow::Error::from(ClassifierTrainError::from(stopped()));
        assert_eq!(of_error(&error), ExitCode::Interrupted);
        let error = anyhow::Error::from(ClassifierTrainError::Empty { what: "training images" });
        assert_eq!(of_error(&error), ExitCode::BadInput);
        let error = anyhow::Error::from(GanTrainError::from(RunError::missing("f", "training")));
        assert_eq!(of_error(&error), ExitCode::BadInput);
        let error = anyhow::Error::from(Fault::new("tensor `w`", "f32", "f8").at("w.pt".as_ref()));
        assert_eq!(of_error(&error), ExitCode::BadInput);
        assert_eq!(of_error(&anyhow::anyhow!("disk on fire")), ExitCode::Failure);
    }
}
