//! Ridge regression from embeddings to betas, a block of voxels at a time.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis, s};

use super::config::RIDGE_SECTION;
use super::fitted::{Fitted, FittedOn};
use super::inputs::{Inputs, VOXELS_AT_ONCE};
use crate::interrupt;
use crate::models::encoder::{EncoderNetwork, EncoderNetworkConfig, LinearEncoderConfig};
use crate::run::progress::Progress;
use crate::tensor_ops::backend::Device;
use crate::training::ridge::{GridEdge, RidgeConfig, fit_tuned_ridge};

/// Fits every voxel; each block has a penalty of its own.
///
/// # Errors
/// Settings that do not fit; somebody asked to stop.
pub(super) fn fit(
    inputs: &Inputs,
    config: &RidgeConfig,
    betas_of: &[usize],
    title: &str,
    device: &Device,
    progress: &mut dyn Progress,
) -> crate::error::Result<Fitted> {
    let (latents, num_train) = (&inputs.latents.rows, inputs.num_train());
    let (num_voxels, embed_dim) = (inputs.betas.ncols(), latents.ncols());
    let held_out = latents.slice(s![num_train.., ..]);
    let mut predicted = Array2::zeros((held_out.nrows(), num_voxels));
    let mut weights = Array2::zeros((embed_dim, num_voxels));
    let (mut biases, mut penalties) = (Vec::with_capacity(num_voxels), BTreeMap::new());
    progress.start(title, num_voxels as u64);
    for first in (0..num_voxels).step_by(VOXELS_AT_ONCE) {
        let last = num_voxels.min(first + VOXELS_AT_ONCE);
        let block = inputs.betas.slice(s![.., first..last]).select(Axis(0), betas_of);
        let (fitting, tuning) = (&inputs.ridge_tuning.train, &inputs.ridge_tuning.validation);
        let ridge = fit_tuned_ridge(latents.view(), block.view(), fitting, tuning, config)
            .map_err(|error| error.within(RIDGE_SECTION))?;
        predicted.slice_mut(s![.., first..last]).assign(&ridge.predict(held_out));
        let (of_block, bias) = ridge.coefficients();
        weights.slice_mut(s![.., first..last]).assign(&of_block);
        biases.extend(bias);
        *penalties.entry(ridge.penalty.to_bits()).or_insert(0) += last - first;
        interrupt::check()?;
        progress.advance(last as u64, "");
    }
    progress.finish("");
    let sizes = LinearEncoderConfig { embed_dim, num_voxels };
    let network = sizes.fitted(weights.into_iter().collect(), biases, device);
    let penalties: Vec<(f64, usize)> =
        penalties.into_iter().map(|(bits, voxels)| (f64::from_bits(bits), voxels)).collect();
    Ok(Fitted {
        network: EncoderNetwork::Ridge(Box::new(network)),
        sizes: EncoderNetworkConfig::Ridge(sizes),
        padding_left: 0,
        predicted,
        fit: FittedOn::Ridge { penalties: penalties.into_iter().map(Into::into).collect() },
    })
}

/// The end of the grid that the penalty of most voxels lies at, as a sentence; none inside it.
pub(super) fn edge(fit: &FittedOn, config: &RidgeConfig) -> Option<String> {
    let FittedOn::Ridge { penalties } = fit else { return None };
    let most = penalties.iter().max_by_key(|penalty| penalty.num_voxels)?;
    let edge: GridEdge = config.edge(most.penalty)?;
    Some(edge.warning("penalty", most.penalty, &format!("{RIDGE_SECTION}.penalties")))
}
