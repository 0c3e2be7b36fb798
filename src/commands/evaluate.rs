//! `mindreader evaluate`: retrieval by each mapper and by combinations of them on the validation trials (mapper §7).

use std::path::{Path, PathBuf};

use ndarray::{Array2, s};
use serde::Serialize;

use super::mapper_embeddings::{
    RawTargets, TargetRows, caption_embeddings, image_embeddings, resnet_vectors,
};
use super::train_mapper::TrainMapperSettings;
use crate::data::error::DataError;
use crate::data::prepared::PreparedSubject;
use crate::data::targets::TargetScale;
use crate::metrics::bootstrap::Interval;
use crate::metrics::combined_retrieval::{CombinedRetrieval, DecodedPair, combine, halves_by_image};
use crate::metrics::retrieval::{
    Matching, RetrievalConfig, RetrievalCount, RetrievalSummary, compute_retrieval,
};
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::run::device::open;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::Device;
use crate::training::mapper_targets::{CaptionChoice, EmbeddingTargets};

/// Trials per forward pass.
const BATCH: usize = 64;
/// More mappers would make a grid search of hours.
const MOST_MAPPERS: usize = 4;

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluateSettings {
    /// Snapshots of the mappers.
    pub mappers: Vec<PathBuf>,
    /// ResNet-50 of the targets of ResNet mappers.
    pub resnet: Option<PathBuf>,
    /// Subject, stimuli, captions, CLIP, split and, where a snapshot does not say it, the form of the targets.
    pub data: TrainMapperSettings,
}

/// One mapper on all validation trials.
#[derive(Clone, Debug, Serialize)]
pub struct MapperRow {
    /// Its snapshot.
    pub mapper: PathBuf,
    /// What it predicts.
    pub target: MapperTarget,
    /// Right is another presentation of the same image, too (the paper's count).
    pub by_image: RetrievalSummary,
    /// Right is the same trial only.
    pub by_index: RetrievalSummary,
}

/// One or several mappers on the half of the validation images that did not choose the weights.
#[derive(Clone, Debug, Serialize)]
pub struct CombinationRow {
    /// Positions of the mappers in the list.
    pub mappers: Vec<usize>,
    /// Weights in the similarity, and counts by image.
    #[serde(flatten)]
    pub combined: CombinedRetrieval,
}

/// What was found.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluateSummary {
    /// Validation trials.
    pub num_trials: usize,
    /// Trials whose images chose the weights of the combinations.
    pub num_search_trials: usize,
    /// Each mapper alone, with chance levels and intervals.
    pub mappers: Vec<MapperRow>,
    /// Every subset of the mappers on the same trials; those of one are the comparison.
    pub combinations: Vec<CombinationRow>,
}

impl EvaluateSummary {
    /// The counts as text: a line per mapper, then a line per combination.
    pub fn table(&self) -> String {
        let mut lines = vec![format!("{:<32} {:>26} {:>26} {:>8}", "", "forward", "backward", "chance")];
        let mut line = |name: String, found: &RetrievalSummary| {
            let count = |count: &RetrievalCount| {
                let Interval { mean, low, high } = count.over_batches;
                format!("{} / {mean:.1} [{low:.1}, {high:.1}]", count.first_batch)
            };
            let (forward, backward) = (count(&found.forward), count(&found.backward));
            lines.push(format!("{name:<32} {forward:>26} {backward:>26} {:>8.1}", found.chance_over_batches));
        };
        for (number, row) in self.mappers.iter().enumerate() {
            line(format!("{number} {} by image", row.target), &row.by_image);
            line(format!("{number} {} by index", row.target), &row.by_index);
        }
        for row in &self.combinations {
            let parts = row.mappers.iter().zip(&row.combined.weights);
            let parts: Vec<String> =
                parts.map(|(mapper, weight)| format!("{weight:.1} x {mapper}")).collect();
            line(format!("held out: {}", parts.join(" + ")), &row.combined.retrieval);
        }
        let [all, rest] = [
            self.mappers.first().map(|row| &row.by_image),
            self.combinations.first().map(|row| &row.combined.retrieval),
        ]
        .map(|summary| summary.map_or((0, 0), |found| (found.num_batches, found.batch_size)));
        lines.push(format!(
            "Counts: first batch / mean [interval]; {} batches of {} trials, held out {} of {}.",
            all.0, all.1, rest.0, rest.1
        ));
        lines.push("Held out: images that had no part in the choice of the weights; by image.".into());
        lines.join("\n")
    }
}

/// Runs the command.
///
/// # Errors
/// Data or snapshots that are missing or do not fit each other.
pub fn run(settings: &EvaluateSettings, progress: &mut dyn Progress) -> anyhow::Result<EvaluateSummary> {
    let count = settings.mappers.len();
    if !(1..=MOST_MAPPERS).contains(&count) {
        let expected = format!("1 to {MOST_MAPPERS} mappers");
        return Err(RunError::invalid("--mappers", "number of mappers", expected, count).into());
    }
    let (device, _) = open(settings.data.device)?;
    let subject = PreparedSubject::open(&settings.data.prepared)?;
    let validation = settings.data.split.split(&subject)?.validation;
    if validation.is_empty() {
        let what = format!("the validation part of `{}`", settings.data.prepared.display());
        return Err(DataError::empty(what, "lower `train_fraction`").into());
    }
    let ids: Vec<u64> = validation.iter().map(|trial| u64::from(subject.trials()[*trial].nsd_id.0)).collect();
    let by_image =
        RetrievalConfig { matching: Matching::ByImage, ..settings.data.mapper.train.retrieval.clone() };
    let by_index = RetrievalConfig { matching: Matching::ByIndex, ..by_image.clone() };

    let (mut rows, mut pairs) = (Vec::new(), Vec::new());
    for path in &settings.mappers {
        let mapper = LoadedMapper::open(path, &device)?;
        let target = mapper.snapshot.target;
        let pair = decode(settings, path, &mapper, &subject, &validation, &device, progress)?;
        let count = |config| compute_retrieval(pair.predicted.view(), pair.target.view(), &ids, config);
        rows.push(MapperRow {
            mapper: path.clone(),
            target,
            by_image: count(&by_image)?,
            by_index: count(&by_index)?,
        });
        pairs.push(pair);
    }
    let mut combinations = Vec::new();
    for subset in 1_usize..1 << count {
        let mappers: Vec<usize> = (0..count).filter(|mapper| subset >> mapper & 1 == 1).collect();
        let parts: Vec<&DecodedPair> = mappers.iter().map(|mapper| &pairs[*mapper]).collect();
        combinations.push(CombinationRow { combined: combine(&parts, &ids, &by_image)?, mappers });
    }
    combinations.sort_by_key(|row| row.mappers.len());
    let num_search_trials = halves_by_image(&ids)[0].len();
    Ok(EvaluateSummary { num_trials: validation.len(), num_search_trials, mappers: rows, combinations })
}

/// Predictions of a mapper for `trials` and its targets, in the form that it was trained for.
fn decode(
    settings: &EvaluateSettings,
    path: &Path,
    mapper: &LoadedMapper,
    subject: &PreparedSubject,
    trials: &[usize],
    device: &Device,
    progress: &mut dyn Progress,
) -> anyhow::Result<DecodedPair> {
    mapper.check_input(subject.path(), subject.num_voxels())?;
    let target = mapper.snapshot.target;
    let data = settings.of_mapper(path, mapper)?;
    let (rows, network_sha256) = match target {
        MapperTarget::Image => {
            let RawTargets { rows, clip } = image_embeddings(&data, subject, device, progress)?;
            (rows, clip.sha256)
        }
        MapperTarget::Caption => {
            let RawTargets { rows, clip } = caption_embeddings(&data, subject, device, progress)?;
            (rows, clip.sha256)
        }
        MapperTarget::Resnet => resnet_vectors(&data, subject, device, progress)?,
    };
    if network_sha256 != mapper.snapshot.clip_sha256 {
        let expected = format!("{}, the network of the mapper's targets", mapper.snapshot.clip_sha256);
        return Err(RunError::invalid(&data.target_network, "sha256", expected, network_sha256).into());
    }
    let config = &data.mapper;
    let choice = match target {
        MapperTarget::Image | MapperTarget::Resnet => CaptionChoice::First,
        MapperTarget::Caption => config.caption_choice,
    };
    let scale = TargetScale { clamp: config.clamp, scaling: config.scaling };
    let TargetRows { embeddings, rows_of_image, image_of_trial } = rows;
    let targets = EmbeddingTargets::new(&embeddings, &rows_of_image, &image_of_trial, choice, scale);
    let width = mapper.snapshot.network.embed_dim;
    if targets.embed_dim() != width {
        let expected = format!("{} as its target has", targets.embed_dim());
        return Err(RunError::invalid(path, "embed_dim", expected, width).into());
    }
    let shape = (trials.len(), width);
    let (mut predicted, mut target) = (Array2::zeros(shape), Array2::zeros(shape));
    for (batch, trials) in trials.chunks(BATCH).enumerate() {
        let embedded = mapper.embed(&subject.betas_of(trials)?, device).into_data();
        let embedded =
            Array2::from_shape_vec((trials.len(), width), embedded.iter::<f32>().collect::<Vec<_>>())?;
        let first = batch * BATCH;
        predicted.slice_mut(s![first..first + trials.len(), ..]).assign(&embedded);
    }
    for (mut row, trial) in target.rows_mut().into_iter().zip(trials) {
        row.assign(&targets.validation(*trial, config.train.seed));
    }
    Ok(DecodedPair { predicted, target })
}

impl EvaluateSettings {
    /// Where a mapper's targets come from, and their form: as it was trained, or as configured if the snapshot does not say.
    fn of_mapper(&self, path: &Path, mapper: &LoadedMapper) -> anyhow::Result<TrainMapperSettings> {
        let target = mapper.snapshot.target;
        let mut data = self.data.clone();
        data.target = target;
        data.mapper = data.mapper.for_target(target);
        if target == MapperTarget::Resnet {
            data.target_network = self.resnet.clone().ok_or_else(|| {
                RunError::missing("paths.resnet", "a ResNet mapper's targets: set it with `--resnet FILE`")
            })?;
        }
        let trained = &mapper.provenance["settings"];
        if let Some(config) = trained.get("mapper") {
            data.mapper = serde_json::from_value(config.clone()).map_err(|error| {
                RunError::invalid(path, "settings.mapper", "settings of a training", error)
            })?;
        }
        // Another split would count images that the mapper was fitted to.
        if let Some(split) = trained.get("split").filter(|split| !split.is_null()) {
            let found = serde_json::to_value(&data.split)?;
            if *split != found {
                let expected = format!("the split of this evaluation, {found}");
                return Err(RunError::invalid(path, "settings.split", expected, split).into());
            }
        }
        Ok(data)
    }
}
