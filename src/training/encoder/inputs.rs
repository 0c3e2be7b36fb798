//! What the training of the encoding network reads and where it writes.

use serde_json::Value;

use super::config::EncoderTrainConfig;
use super::trials::EncoderTrials;
use crate::run::run_dir::RunDir;

/// What a run reads and where it writes.
#[derive(Clone, Copy)]
pub struct EncoderTraining<'a> {
    /// Embeddings and betas.
    pub trials: EncoderTrials<'a>,
    /// Settings of the training.
    pub config: &'a EncoderTrainConfig,
    /// What is under way, for a person.
    pub title: &'a str,
    /// Settings of the run; a checkpoint of other settings is refused.
    pub identity: &'a Value,
    /// The run's folder.
    pub run: &'a RunDir,
    /// Polled before every step; `true` stops with a checkpoint. Usually [`crate::interrupt::requested`].
    pub interrupted: &'a dyn Fn() -> bool,
}
