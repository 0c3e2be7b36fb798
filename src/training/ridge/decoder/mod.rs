//! Ridge regression as a decoder: from voxels to an embedding, with everything chosen by cross-validation over images.
//!
//! `W = argmin ‖X W − Y‖² + λ‖W‖²` as in [`crate::training::ridge`], but with a penalty of its own for every output, K folds that
//! keep the trials of an image together, and voxels that may be weighted by reliability or by bands. A fold takes one
//! reduction of its Gram matrix to a band, which serves all penalties and all outputs.
//!
//! Memory beside the data, with n rows, v voxels and s the smaller of the two: a copy of the rows, `4 n v` bytes; `8 s²` for the
//! Gram matrix and `8 s²` for the one that is reduced, once more `8 s²` for the rows of a fold where v ≤ n; `8 s n / folds` for
//! the rows held out (23,715 rows of 15,724 voxels in 5 folds: 8.1 GB).

mod band_matrix;
mod band_reduction;
mod bands;
mod candidates;
mod columns;
mod config;
mod design;
mod equations;
mod fit;
mod products;
mod rescale;
mod scores;

pub use self::config::{Rescale, RidgeDecoderConfig, TrainingTrials, VoxelWeighting};
pub use self::fit::{RidgeDecoderFit, RidgeSelection, fit_ridge_decoder};
pub use self::rescale::{give_moments_of, restore_variance};
