//! An encoder after its fit: of measured betas, or of the control's.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::models::encoder::{EncoderNetwork, EncoderNetworkConfig};
use crate::tensor_ops::backend::Base;

/// An encoder and what it predicts.
pub(super) struct Fitted {
    pub network: EncoderNetwork<Base>,
    pub sizes: EncoderNetworkConfig,
    /// Zeros before the first voxel.
    pub padding_left: usize,
    /// Betas of the held-out trials, `[trials, voxels]`.
    pub predicted: Array2<f32>,
    pub fit: FittedOn,
}

/// What a fit has chosen, on training images alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum FittedOn {
    /// Ridge regression: penalties and the voxels that have them.
    Ridge {
        /// Ascending.
        penalties: Vec<ChosenPenalty>,
    },
    /// The paper's network.
    Paper {
        /// Trials that it was fitted to.
        num_fitted_trials: usize,
        /// Trials that chose the epoch; 0: the length was fixed.
        num_tuning_trials: usize,
        /// Epochs of the network that counts.
        epochs: usize,
        /// Epochs that were trained.
        epochs_trained: usize,
        /// Loss on the tuning trials after the chosen epoch; where none choose, on fitted trials at the end.
        loss: f64,
    },
}

/// A penalty of some voxels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChosenPenalty {
    /// As a multiple of the mean squared length of a centred embedding.
    pub penalty: f64,
    /// Voxels that have it.
    pub num_voxels: usize,
}

impl From<(f64, usize)> for ChosenPenalty {
    fn from((penalty, num_voxels): (f64, usize)) -> Self {
        Self { penalty, num_voxels }
    }
}
