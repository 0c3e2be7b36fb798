//! `mindreader evaluate`: retrieval by each mapper, by ridge regression, and by combinations of mappers on the validation
//! trials (docs/spec/mapper.md §7). Writes `config.toml` and `evaluation.json` into a run folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::train_mapper::{BetasControl, TrainMapperConfig, TrainMapperSettings};
use crate::data::error::DataError;
use crate::data::prepared::PreparedSubject;
use crate::metrics::bootstrap::{Interval, mean_interval};
use crate::metrics::combined_retrieval::{CombinedRetrieval, DecodedPair, combine, halves_by_image};
use crate::metrics::retrieval::{
    Matching, RetrievalConfig, RetrievalCount, RetrievalHits, RetrievalSummary, compute_retrieval,
    compute_retrieval_with_hits,
};
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::project::Project;
use crate::pipelines::targets::decoded_pairs::{Decoded, TargetForms, by_mapper, by_ridge};
use crate::pipelines::workbench::Workbench;
use crate::run::device::open;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::training::ridge::RidgeConfig;

/// More mappers would make a grid search of hours.
const MOST_MAPPERS: usize = 4;
/// Fewer images cannot be halved.
const FEWEST_IMAGES: usize = 2;

/// Settings of the section `[evaluate]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateConfig {
    /// Whether ridge regression is fitted to each mapper's targets, as the linear baseline.
    pub ridge: bool,
    /// How its penalty is chosen.
    pub ridge_fit: RidgeConfig,
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluateSettings {
    /// Snapshots of the mappers.
    pub mappers: Vec<PathBuf>,
    /// ResNet-50 of the targets of ResNet mappers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resnet: Option<PathBuf>,
    /// The baseline.
    pub evaluate: EvaluateConfig,
    /// Subject, stimuli, captions, CLIP, split and, where a snapshot does not say it, the form of the targets.
    pub data: TrainMapperSettings,
}

impl EvaluateSettings {
    /// Settings of the command in a project; without `mappers` the newest image and caption mappers.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn resolve(
        project: &Project,
        evaluate: &EvaluateConfig,
        train_mapper: &TrainMapperConfig,
        mut mappers: Vec<PathBuf>,
    ) -> Result<Self, RunError> {
        if mappers.is_empty() {
            mappers = vec![project.mapper(MapperTarget::Image)?, project.mapper(MapperTarget::Caption)?];
        }
        // Which of the two spaces is read from each mapper's snapshot.
        let (target, betas) = (MapperTarget::Image, BetasControl::Measured);
        let data = TrainMapperSettings::resolve(project, train_mapper, target, betas, None)?;
        let resnet = project.paths.resnet.clone();
        Ok(Self { mappers, resnet, evaluate: evaluate.clone(), data })
    }
}

/// One decoder on all validation trials.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecoderRow {
    /// `image mapper`, `ridge, image`, …
    pub name: String,
    /// Its snapshot; none for ridge regression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapper: Option<PathBuf>,
    /// Penalty of ridge regression, as a multiple of the mean squared length of a trial's centred betas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub penalty: Option<f64>,
    /// What it predicts.
    pub target: MapperTarget,
    /// Cosine of prediction and target, mean over trials.
    pub cosine: Interval,
    /// Right is another presentation of the same image, too (the paper's count).
    pub by_image: RetrievalSummary,
    /// Right is the same trial only.
    pub by_index: RetrievalSummary,
    /// Which trials were found, by image.
    pub hits: RetrievalHits,
}

/// One or several mappers on the half of the validation images that did not choose the weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CombinationRow {
    /// Positions of the mappers in the list.
    pub mappers: Vec<usize>,
    /// Weights in the similarity, and counts by image.
    #[serde(flatten)]
    pub combined: CombinedRetrieval,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EvaluateSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// Validation trials.
    pub num_trials: usize,
    /// Trials whose images chose the weights of the combinations.
    pub num_search_trials: usize,
    /// NSD image of every validation trial, in the order of the hits.
    pub images: Vec<u32>,
    /// Each mapper alone, with chance levels and intervals.
    pub mappers: Vec<DecoderRow>,
    /// Ridge regression to the same targets.
    pub ridge: Vec<DecoderRow>,
    /// Every subset of the mappers on the same trials; those of one are the comparison.
    pub combinations: Vec<CombinationRow>,
}

impl EvaluateSummary {
    /// The counts as text: a line per decoder, then a line per combination.
    pub fn table(&self) -> String {
        let mut lines =
            vec![format!("{:<32} {:>26} {:>26} {:>8} {:>8}", "", "forward", "backward", "chance", "cosine")];
        let mut line = |name: &str, found: &RetrievalSummary, cosine: Option<f64>| {
            let count = |count: &RetrievalCount| {
                let Interval { mean, low, high } = count.over_batches;
                format!("{} / {mean:.1} [{low:.1}, {high:.1}]", count.first_batch)
            };
            let (forward, backward) = (count(&found.forward), count(&found.backward));
            let chance = found.chance_over_batches;
            let cosine = cosine.map_or(String::new(), |cosine| format!("{cosine:.3}"));
            lines.push(format!("{name:<32} {forward:>26} {backward:>26} {chance:>8.1} {cosine:>8}"));
        };
        for (number, row) in self.mappers.iter().enumerate() {
            line(&format!("{number} {}", row.name), &row.by_image, Some(row.cosine.mean));
            line("  by index", &row.by_index, None);
        }
        for row in &self.ridge {
            line(&row.name, &row.by_image, Some(row.cosine.mean));
        }
        for row in &self.combinations {
            let parts = row.mappers.iter().zip(&row.combined.weights);
            let parts: Vec<String> =
                parts.map(|(mapper, weight)| format!("{weight:.1} x {mapper}")).collect();
            line(&format!("held out: {}", parts.join(" + ")), &row.combined.retrieval, None);
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
    let split = settings.data.split.split(&subject)?;
    let images: Vec<u32> = split.validation.iter().map(|trial| subject.trials()[*trial].nsd_id.0).collect();
    let ids: Vec<u64> = images.iter().map(|image| u64::from(*image)).collect();
    let num_images = ids.iter().collect::<std::collections::BTreeSet<_>>().len();
    if num_images < FEWEST_IMAGES {
        let expected = format!("at least {FEWEST_IMAGES}; lower `split.train_fraction`");
        let field = "number of validation images";
        return Err(DataError::invalid(&settings.data.prepared, field, expected, num_images).into());
    }
    let mut forms: Vec<TargetForms> = Vec::new();
    let (mut rows, mut ridge, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
    let counts = Counts::new(&ids, &settings.data.mapper.train.retrieval);
    for path in &settings.mappers {
        let mapper = LoadedMapper::open(path, &device)?;
        mapper.check_input(&subject)?;
        let data = settings.of_mapper(path, &mapper)?;
        let targets = match forms.iter().position(|known| known.is_of(&data)) {
            Some(place) => &forms[place],
            None => {
                let mut bench = Workbench::new(&device, &data.cache, progress);
                forms.push(TargetForms::load(&data, &subject, &mut bench)?);
                let targets = &forms[forms.len() - 1];
                if settings.evaluate.ridge {
                    let name = format!("ridge, {}", data.target);
                    let decoded =
                        by_ridge(targets, &subject, &split, &settings.evaluate.ridge_fit, progress)?;
                    ridge.push(counts.row(name, None, data.target, &decoded)?);
                }
                targets
            }
        };
        targets.require(path, &mapper)?;
        let decoded = by_mapper(targets, &mapper, &subject, &split.validation, &device)?;
        let name = format!("{} mapper", data.target);
        rows.push(counts.row(name, Some(path.clone()), data.target, &decoded)?);
        pairs.push(decoded.pair);
    }
    let mut combinations = Vec::new();
    for subset in 1_usize..1 << count {
        let mappers: Vec<usize> = (0..count).filter(|mapper| subset >> mapper & 1 == 1).collect();
        let parts: Vec<&DecodedPair> = mappers.iter().map(|mapper| &pairs[*mapper]).collect();
        combinations.push(CombinationRow { combined: combine(&parts, &ids, &counts.by_image)?, mappers });
    }
    combinations.sort_by_key(|row| row.mappers.len());
    let dir = RunDir::create(&settings.data.runs, &format!("evaluate-{}", subject.subject()))?;
    dir.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    let summary = EvaluateSummary {
        run: dir.path().to_path_buf(),
        num_trials: split.validation.len(),
        num_search_trials: halves_by_image(&ids)[0].len(),
        images,
        mappers: rows,
        ridge,
        combinations,
    };
    dir.write_atomic("evaluation.json", &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// Protocols of the counts, and the images of the validation trials.
struct Counts<'a> {
    ids: &'a [u64],
    by_image: RetrievalConfig,
    by_index: RetrievalConfig,
}

impl<'a> Counts<'a> {
    fn new(ids: &'a [u64], config: &RetrievalConfig) -> Self {
        let of = |matching| RetrievalConfig { matching, ..config.clone() };
        Self { ids, by_image: of(Matching::ByImage), by_index: of(Matching::ByIndex) }
    }

    fn row(
        &self,
        name: String,
        mapper: Option<PathBuf>,
        target: MapperTarget,
        decoded: &Decoded,
    ) -> anyhow::Result<DecoderRow> {
        let (predicted, truth) = (decoded.pair.predicted.view(), decoded.pair.target.view());
        let cosines = decoded.pair.cosines();
        let cosine = mean_interval(&cosines, self.ids, &self.by_image.bootstrap);
        let (by_image, hits) = compute_retrieval_with_hits(predicted, truth, self.ids, &self.by_image)?;
        Ok(DecoderRow {
            name,
            mapper,
            penalty: decoded.penalty,
            target,
            cosine: cosine.ok_or_else(|| anyhow::anyhow!("no validation trial"))?,
            by_image,
            by_index: compute_retrieval(predicted, truth, self.ids, &self.by_index)?,
            hits,
        })
    }
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
