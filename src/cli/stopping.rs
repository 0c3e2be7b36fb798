//! How the work goes on after it was stopped: said with the error, whoever ends the work.

use std::sync::atomic::{AtomicBool, Ordering};

use super::args::{AblateArgs, Command};
use super::logging::SAID;
use crate::commands::config::ProjectConfig;
use crate::files::remove_unfinished;
use crate::interrupt::{Signals, Stopped};

/// Work that keeps no checkpoint, where the command alone does not tell.
const IN_ONE_PIECE: &str = "this kind of mapper is fitted in one piece and keeps no checkpoint: give the same command again; \
                            embeddings that are in the cache are not computed again";

/// Whether the settings ask for a fit in one piece. They are read after the signals are heeded.
static IS_IN_ONE_PIECE: AtomicBool = AtomicBool::new(false);

/// Heeds signals from now on; work that does not stop by itself is ended with the same words.
pub fn listen(signals: std::io::Result<Signals>, command: &Command) {
    let of_command = how_to_go_on(command);
    let words = move || {
        tracing::error!(target: SAID, "error: {Stopped}");
        tracing::error!(target: SAID, "hint: {}", of_settings(of_command));
    };
    if signals.and_then(|signals| signals.heed(remove_unfinished, words)).is_err() {
        tracing::warn!(target: SAID, "warning: Ctrl-C will end the program without a checkpoint");
    }
}

/// Takes from the settings what they say of the work's checkpoints.
pub fn note_settings(command: &Command, config: &ProjectConfig) {
    let is_in_one_piece =
        matches!(command, Command::TrainMapper(_)) && config.train_mapper.kind.is_fitted_in_one_piece();
    IS_IN_ONE_PIECE.store(is_in_one_piece, Ordering::Relaxed);
}

/// What a user does after the command was stopped; `of_command` is what the command alone tells.
pub fn of_settings(of_command: &'static str) -> &'static str {
    if IS_IN_ONE_PIECE.load(Ordering::Relaxed) { IN_ONE_PIECE } else { of_command }
}

/// What a user does after the command was stopped without a checkpoint of its own.
pub fn how_to_go_on(command: &Command) -> &'static str {
    match command {
        Command::PretrainClip(_)
        | Command::PretrainClassifier(_)
        | Command::TrainMapper(_)
        | Command::PretrainGan(_)
        | Command::FinetuneGan(_) => {
            "a run whose folder has a `checkpoint.mpk` goes on with `--resume`; else give the same command again: embeddings that \
             are in the cache are not computed again"
        }
        Command::Reconstruct(_) | Command::Microstim(_) => {
            "pictures that were drawn stay in the run's folder; give the same command again: it draws all of them into a new one"
        }
        Command::Ablate(AblateArgs { list: false, .. }) => {
            "give the same command again: rows that are done are not done again"
        }
        Command::Demo(_) | Command::Run(_) => {
            "give the same command again: steps that are done are not done again"
        }
        Command::ScreenCaptions(_)
        | Command::Split(_)
        | Command::Encode(_)
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
