//! What the training of a residual decoder reads and where it writes.

use serde_json::Value;

use super::config::ResidualTrainConfig;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Device;
use crate::training::decoder::trials::DecoderTrials;

/// What a run reads and where it writes.
#[derive(Clone, Copy)]
pub struct ResidualTraining<'a> {
    /// Betas and targets.
    pub trials: &'a DecoderTrials<'a>,
    /// Settings of network and training.
    pub config: &'a ResidualTrainConfig,
    /// Settings of the run; a checkpoint of other settings is refused.
    pub identity: &'a Value,
    /// The run's folder.
    pub run: &'a RunDir,
    /// Device of the networks.
    pub device: &'a Device,
    /// Polled before every step; `true` stops with a checkpoint. Usually [`crate::interrupt::requested`].
    pub interrupted: &'a dyn Fn() -> bool,
}
