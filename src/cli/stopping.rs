//! How the work goes on after it was stopped: said with the error, whoever ends the work.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::args::{AblateArgs, Command, GlobalArgs, RunArgs};
use super::given_command::GivenCommand;
use super::logging::SAID;
use crate::commands::config::ProjectConfig;
use crate::commands::run::{ONCE_WAS_ENOUGH, STEPS_STAY_DONE};
use crate::data::subject::SubjectId;
use crate::error::one_cause;
use crate::files::remove_unfinished;
use crate::interrupt::{Signals, Stopped};
use crate::run::under_way::{LastCheckpoint, RunUnderWay, newest_under_way};

/// Work that keeps no checkpoint, where the command alone does not tell.
const IN_ONE_PIECE: &str = "this kind of mapper is fitted in one piece and keeps no checkpoint: give the same command again; \
                            embeddings that are in the cache are not computed again";

/// A hint has 1000 characters at most.
const LONGEST_COMMAND: usize = 950;

/// A training that was ended before its first checkpoint was whole.
const NO_CHECKPOINT: &str =
    "give the same command again, it begins anew; embeddings that are in the cache are not computed again";

/// Whether the settings ask for a fit in one piece. They are read after the signals are heeded.
static IS_IN_ONE_PIECE: AtomicBool = AtomicBool::new(false);
/// The subject that the command is at, as `--subject` takes it.
static SUBJECT: Mutex<Option<String>> = Mutex::new(None);

/// How a command goes on after it was stopped.
#[derive(Clone, Debug)]
pub struct WayOn {
    /// What the command alone tells, where there is no checkpoint.
    of_command: &'static str,
    /// None for what is no training.
    training: Option<GivenCommand>,
}

impl WayOn {
    /// That of the command of this process.
    pub fn of(global: &GlobalArgs, command: &Command) -> Self {
        Self { of_command: how_to_go_on(command), training: GivenCommand::of_training(global, command) }
    }

    /// What a user does now; `checkpoint` is what a training that stopped by itself has left.
    pub fn hint(&self, checkpoint: Option<&Path>) -> String {
        match (&self.training, checkpoint) {
            (Some(given), Some(checkpoint)) => {
                let subject = SUBJECT.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let command = given.resumed(checkpoint, subject.as_deref());
                match command.chars().count() <= LONGEST_COMMAND {
                    true => format!("go on with `{command}`"),
                    false => format!("go on with the same command and `--resume {}`", checkpoint.display()),
                }
            }
            (None, Some(checkpoint)) => {
                format!("go on with the same command and `--resume {}`", checkpoint.display())
            }
            _ if IS_IN_ONE_PIECE.load(Ordering::Relaxed) => IN_ONE_PIECE.into(),
            _ => self.of_command.into(),
        }
    }

    /// Error and hint of work that was ended from outside.
    fn last_words(&self) -> [String; 2] {
        let run = newest_under_way().filter(|_| self.training.is_some());
        match run {
            Some(RunUnderWay { checkpoint: Some(LastCheckpoint { path, steps }), .. }) => {
                let error =
                    format!("{Stopped}; the run's last checkpoint, `{}`, is of step {steps}", path.display());
                [error, self.hint(Some(&path))]
            }
            Some(RunUnderWay { folder, checkpoint: None }) if !IS_IN_ONE_PIECE.load(Ordering::Relaxed) => {
                let error = format!("{Stopped}; the run in `{}` has no checkpoint yet", folder.display());
                [error, NO_CHECKPOINT.into()]
            }
            _ => [Stopped.to_string(), self.hint(None)],
        }
    }
}

/// Heeds signals from now on; work that does not stop by itself is ended with words of the same kind.
pub fn listen(signals: std::io::Result<Signals>, way_on: WayOn) {
    let words = move || {
        let [error, hint] = way_on.last_words();
        tracing::error!(target: SAID, "error: {}", one_cause(error));
        tracing::error!(target: SAID, "hint: {}", one_cause(hint));
    };
    if signals.and_then(|signals| signals.heed(remove_unfinished, words)).is_err() {
        tracing::warn!(target: SAID, "warning: Ctrl-C will end the program without a checkpoint");
    }
}

/// Takes from the settings whose the work is, and what they say of its checkpoints.
pub fn note_settings(command: &Command, config: &ProjectConfig) {
    let is_in_one_piece =
        matches!(command, Command::TrainMapper(_)) && config.train_mapper.kind.is_fitted_in_one_piece();
    IS_IN_ONE_PIECE.store(is_in_one_piece, Ordering::Relaxed);
    let subject = match config.project().subject {
        SubjectId::Nsd(subject) => subject.number().to_string(),
        SubjectId::Own(name) => name.to_string(),
    };
    *SUBJECT.lock().unwrap_or_else(PoisonError::into_inner) = Some(subject);
}

/// What a user does after the command was stopped without a checkpoint of its own.
fn how_to_go_on(command: &Command) -> &'static str {
    match command {
        Command::PretrainClip(_)
        | Command::PretrainClassifier(_)
        | Command::TrainMapper(_)
        | Command::PretrainGan(_)
        | Command::FinetuneGan(_) => {
            "a run whose folder has a `checkpoint.mpk` goes on with `--resume`; else give the same command again: embeddings that \
             are in the cache are not computed again"
        }
        Command::Reconstruct(_) | Command::Interpolate(_) | Command::Microstim(_) => {
            "pictures that were drawn stay in the run's folder; give the same command again: it draws all of them into a new one"
        }
        Command::Ablate(AblateArgs { list: false, .. }) => {
            "give the same command again: rows that are done are not done again"
        }
        Command::Run(RunArgs { from, only, .. }) if from.is_some() || only.is_some() => ONCE_WAS_ENOUGH,
        Command::Demo(_) | Command::Run(_) => STEPS_STAY_DONE,
        Command::ScreenCaptions(_)
        | Command::Split(_)
        | Command::Encode(_)
        | Command::Classify(_)
        | Command::Cycle(_)
        | Command::Evaluate(_)
        | Command::EvaluateImages(_)
        | Command::Score(_) => {
            "nothing was written but whole embeddings in the cache, which are not computed again; give the same command again"
        }
        Command::Phantom(_)
        | Command::Init(_)
        | Command::Prepare(_)
        | Command::Import(_)
        | Command::ImportWeights(_)
        | Command::CompactWeights(_)
        | Command::Weights(_)
        | Command::Ablate(_)
        | Command::Report(_)
        | Command::Doctor
        | Command::Config => "nothing was written; give the same command again",
    }
}
