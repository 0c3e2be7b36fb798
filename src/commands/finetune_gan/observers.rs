//! What is drawn and measured while the GAN is finetuned.

use burn::tensor::{Tensor, TensorData};
use ndarray::Array2;

use super::inputs::Inputs;
use super::settings::{FinetuneGanConfig, FinetuneGanSettings};
use crate::data::nsd::stimuli::Stimuli;
use crate::data::trial::NsdId;
use crate::models::stylegan2::Condition;
use crate::pipelines::gan::data::gan_picture;
use crate::pipelines::gan::distance::SampleDistance;
use crate::pipelines::gan::sample_sheet::{NUM_SAMPLES, SampleSheet, evenly_spread};
use crate::pipelines::pictures::stimulus_features::StimulusSet;
use crate::pipelines::workbench::Workbench;
use crate::tensor_ops::backend::{Base, Device};

/// Distances to the ground truth of trials that the GAN is not trained on, and to the stimuli of the training trials, where
/// there is a feature network. Pictures are drawn from what the mappers decode from the former.
pub(super) fn sample_distance(
    settings: &FinetuneGanSettings,
    inputs: &Inputs<'_>,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<Option<SampleDistance>> {
    let Some(source) = &settings.features else { return Ok(None) };
    let Inputs { prepared, mappers, gan, stimuli, .. } = inputs;
    let FinetuneGanConfig { condition, train, snapshots, .. } = &settings.finetune_gan;
    let (first, second) =
        mappers.conditions(prepared, inputs.observed_trials(), *condition, train.seed, bench.progress)?;
    let heads = [first, second].into_iter().take(gan.generator.condition_dims().len()).collect();
    let network = source.open(snapshots.preprocessing, bench.device)?;
    let distance = SampleDistance { network, real: vec![], heads, seed: train.seed };
    let mut real = vec![];
    for (name, trials) in inputs.measured_sets() {
        let images: Vec<NsdId> = trials.iter().map(|trial| prepared.trials()[*trial].nsd_id).collect();
        let set = StimulusSet { name, stimuli, images: &images, side: gan.generator.resolution as u32 };
        real.push(distance.real_trials(set, snapshots, bench)?);
    }
    Ok(Some(distance.with_real(real, snapshots)?))
}

/// Trials of the sample sheets.
pub(super) fn shown_trials(inputs: &Inputs<'_>) -> Vec<usize> {
    let candidates = inputs.observed_trials();
    evenly_spread(candidates.len(), NUM_SAMPLES).into_iter().map(|index| candidates[index]).collect()
}

/// Sheets of what the mappers decode from `trials`, below what was seen in them.
pub(super) fn sample_sheet(
    settings: &FinetuneGanSettings,
    inputs: &Inputs<'_>,
    trials: &[usize],
    bench: &mut Workbench<'_>,
) -> crate::error::Result<SampleSheet> {
    let Inputs { prepared, mappers, gan, .. } = inputs;
    let config = &settings.finetune_gan;
    let stimuli = Stimuli::open(&inputs.stimuli)?;
    let ground_truth = trials
        .iter()
        .map(|trial| {
            let image = stimuli.image(prepared.trials()[*trial].nsd_id)?;
            Ok(gan_picture(&image, gan.generator.resolution))
        })
        .collect::<crate::error::Result<_>>()?;
    let (first, second) =
        mappers.conditions(prepared, trials, config.condition, config.train.seed, bench.progress)?;
    let heads = [first, second].into_iter().take(gan.generator.condition_dims().len());
    Ok(SampleSheet {
        ground_truth,
        condition: Condition { heads: heads.map(|rows| tensor(&rows, bench.device)).collect() },
        z_dim: gan.generator.z_dim,
        seed: config.train.seed,
    })
}

fn tensor(rows: &Array2<f32>, device: &Device) -> Tensor<Base, 2> {
    let (count, width) = rows.dim();
    let values: Vec<f32> = rows.iter().copied().collect();
    Tensor::from_data(TensorData::new(values, [count, width]), device)
}
