//! `mindreader train-mapper`: fit betas → CLIP embedding of the image seen, or of its captions, or ResNet vector of the image.
//!
//! Specification: docs/spec/mapper.md §1.4 to §5, §7. Writes `config.toml`, `metrics.jsonl`, `best.safetensors`,
//! `last.safetensors`,
//! `checkpoint.mpk`, `plots/` and `summary.json` into a run folder.

mod bands;
pub mod both;
mod config;
mod fold;
mod inputs;
mod kernel_ridge;
mod papers;
mod plots;
mod residual;
mod ridge;
mod settings;
mod summary;
mod target_files;
#[cfg(test)]
mod tests;
mod text;
mod trained;

use std::time::Instant;

pub use self::config::{MapperSizes, ResnetMapperConfig, RidgeBands, TrainMapperConfig};
pub(super) use self::fold::FoldTraining;
use self::inputs::Inputs;
pub(super) use self::inputs::least_memory;
pub use self::settings::TrainMapperSettings;
pub use self::summary::{BandShare, FitReport, RidgeReport, TrainMapperSummary};
pub use self::target_files::TargetFiles;
use self::trained::Trained;
use crate::metrics::pairwise::{PairwiseIdentification, own_ranks, pairwise_identification};
use crate::models::mapper::{MapperKind, MapperNetwork};
pub use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::workbench::Workbench;
use crate::run::device::open;
use crate::run::draft_run::DraftRun;
use crate::run::progress::Progress;
use crate::run::run_dir::SUMMARY_FILE;
use crate::tensor_ops::backend::Base;
use crate::training::frame::epoch_loop::BEST_FILE;
use crate::training::mapper::trials::MapperTrials;

/// Fits a mapper.
///
/// # Errors
/// Data, snapshots or settings that do not fit, an interruption, a loss that is not finite.
pub fn run(
    settings: &TrainMapperSettings,
    progress: &mut dyn Progress,
) -> crate::error::Result<TrainMapperSummary> {
    let started = Instant::now();
    let (device, _) = open(settings.device)?;
    let inputs = Inputs::open(settings)?;
    let mut targets = inputs.targets(settings, &mut Workbench::new(&device, &settings.cache, progress))?;
    let fresh = targets.fresh.take();
    let trained = match inputs.config.kind {
        MapperKind::Paper => papers::train(settings, &inputs, &targets, fresh, &device, progress)?,
        MapperKind::Ridge => ridge::fit(settings, &inputs, &targets, &device, progress)?,
        MapperKind::Residual => residual::train(settings, &inputs, &targets, &device, progress)?,
        MapperKind::KernelRidge => kernel_ridge::fit(settings, &inputs, &targets, &device, progress)?,
    };
    let Trained { dir, network, num_parameters, phases, fit, draft } = trained;
    // From exchanged betas nothing can be predicted, and the largest penalty is the right one.
    if settings.betas == BetasControl::Measured {
        fit.iter().flat_map(FitReport::edges).for_each(|edge| progress.warning(&edge));
    }
    fit.iter().filter_map(FitReport::few_images).for_each(|few| progress.warning(&few));
    let trials = inputs.trials(&targets.finished, &device);
    let shown = plots::shown_trials(&inputs.split.validation);
    let (predicted, target) = trials.predicted_and_true(&network, &shown)?;
    plots::write(&dir, &shown, &predicted, &target)?;
    let summary = TrainMapperSummary {
        run_dir: dir.path().to_path_buf(),
        snapshot: dir.join(BEST_FILE),
        kind: inputs.config.kind,
        target: settings.target,
        num_train_trials: inputs.split.train.len(),
        num_validation_trials: inputs.split.validation.len(),
        split_record: Some(settings.split.record(&inputs.subject, &inputs.split)),
        num_parameters,
        epochs_chosen_on: (inputs.config.kind == MapperKind::Paper).then_some(inputs.config.train.selection),
        phases,
        fit,
        retrieval: trials.evaluate(&network)?,
        identification: identification(&inputs, &trials, &network)?,
        seconds: started.elapsed().as_secs_f64(),
    };
    dir.write_atomic(SUMMARY_FILE, &serde_json::to_vec_pretty(&summary)?)?;
    draft.into_iter().for_each(DraftRun::keep);
    Ok(summary)
}

/// 2-way identification of the held-out trials; none of a single image.
fn identification(
    inputs: &Inputs,
    trials: &MapperTrials<'_>,
    network: &MapperNetwork<Base>,
) -> crate::error::Result<Option<PairwiseIdentification>> {
    let (predicted, target) = trials.predicted_and_true_held_out(network)?;
    let ids: Vec<u64> = inputs.split.validation.iter().map(|trial| inputs.image_ids[*trial]).collect();
    let ranks = own_ranks(predicted.view(), target.view(), &ids)?;
    let bootstrap = &inputs.config.train.retrieval.bootstrap;
    Ok(ranks.and_then(|ranks| pairwise_identification(&ranks, &ids, bootstrap)))
}
