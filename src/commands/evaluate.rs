//! `mindreader evaluate`: retrieval by each mapper, by ridge regression, and by combinations of mappers on the validation
//! trials (docs/spec/mapper.md §7). Writes `config.toml` and `evaluation.json` into a run folder.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::train_mapper::{BetasControl, TrainMapperConfig, TrainMapperSettings};
use crate::data::error::DataError;
use crate::data::prepared::PreparedSubject;
use crate::data::split::Split;
use crate::error::SettingError;
use crate::metrics::bootstrap::Interval;
use crate::metrics::combined_retrieval::{CombinedRetrieval, DecodedPair, combine, halves_by_image};
use crate::metrics::retrieval::{
    Matching, RetrievalConfig, RetrievalCount, RetrievalHits, RetrievalSummary, compute_retrieval,
    compute_retrieval_with_hits,
};
use crate::metrics::share::bounded_mean_interval;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::mapper_provenance::MapperProvenance;
use crate::pipelines::project::Project;
use crate::pipelines::targets::decoded_pairs::{Decoded, by_mapper, by_ridge};
use crate::pipelines::targets::source::TargetSource;
use crate::pipelines::targets::trial_targets::TrialTargets;
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

impl EvaluateConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.ridge_fit.validate().map_err(|error| error.within("evaluate.ridge_fit"))
    }
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
pub fn run(
    settings: &EvaluateSettings,
    progress: &mut dyn Progress,
) -> crate::error::Result<EvaluateSummary> {
    let count = settings.mappers.len();
    if !(1..=MOST_MAPPERS).contains(&count) {
        let expected = format!("1 to {MOST_MAPPERS} mappers");
        return Err(RunError::invalid("--mappers", "number of mappers", expected, count).into());
    }
    if settings.evaluate.ridge {
        settings.evaluate.validate()?;
    }
    let (device, _) = open(settings.data.device)?;
    let subject = PreparedSubject::open(&settings.data.prepared)?;
    let split = settings.data.split.split(&subject)?;
    let images: Vec<u32> = split.validation.iter().map(|trial| subject.trials()[*trial].nsd_id.0).collect();
    require_images(&settings.data.prepared, &images)?;
    let ids: Vec<u64> = images.iter().map(|image| u64::from(*image)).collect();
    let counts = Counts::new(&ids, &settings.data.mapper.train.retrieval);
    let evaluation = Evaluation { settings, subject: &subject, split: &split, counts: &counts };
    let Found { mappers, ridge, pairs } =
        evaluation.decoders(&mut Workbench::new(&device, &settings.data.cache, progress))?;
    let dir = RunDir::create(&settings.data.runs, &format!("evaluate-{}", subject.subject()))?;
    dir.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    let summary = EvaluateSummary {
        run: dir.path().to_path_buf(),
        num_trials: split.validation.len(),
        num_search_trials: halves_by_image(&ids)[0].len(),
        images,
        mappers,
        ridge,
        combinations: counts.combinations(&pairs)?,
    };
    dir.write_atomic("evaluation.json", &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// Refuses validation images that cannot be halved.
fn require_images(prepared: &Path, images: &[u32]) -> Result<(), DataError> {
    let num_images = images.iter().collect::<BTreeSet<_>>().len();
    if num_images < FEWEST_IMAGES {
        let expected = format!("at least {FEWEST_IMAGES}; lower `split.train_fraction`");
        return Err(DataError::invalid(prepared, "number of validation images", expected, num_images));
    }
    Ok(())
}

/// What is decoded, and how it is counted.
struct Evaluation<'a> {
    settings: &'a EvaluateSettings,
    subject: &'a PreparedSubject,
    split: &'a Split,
    counts: &'a Counts<'a>,
}

/// What mappers and baselines find.
#[derive(Default)]
struct Found {
    mappers: Vec<DecoderRow>,
    ridge: Vec<DecoderRow>,
    /// Predictions and targets of each mapper.
    pairs: Vec<DecodedPair>,
}

impl Evaluation<'_> {
    /// Decodes the validation trials by every mapper, and by ridge regression once to each kind of target.
    fn decoders(&self, bench: &mut Workbench<'_>) -> crate::error::Result<Found> {
        let mut known: Vec<TrialTargets> = Vec::new();
        let mut found = Found::default();
        for path in &self.settings.mappers {
            let mapper = LoadedMapper::open(path, bench.device)?;
            mapper.check_input(self.subject)?;
            let source = self.settings.source_of(path, &mapper)?;
            let place = match known.iter().position(|known| known.form().is_same(&source.form)) {
                Some(place) => place,
                None => {
                    let targets = TrialTargets::load(source, self.subject, bench)?;
                    if self.settings.evaluate.ridge {
                        found.ridge.push(self.baseline(&targets, bench.progress)?);
                    }
                    known.push(targets);
                    known.len() - 1
                }
            };
            let targets = &known[place];
            targets.require(path, &mapper)?;
            let decoded = by_mapper(targets, &mapper, self.subject, &self.split.validation, bench.device)?;
            let target = targets.form().target;
            let name = format!("{target} mapper");
            found.mappers.push(self.counts.row(name, Some(path.clone()), target, &decoded)?);
            found.pairs.push(decoded.pair);
        }
        Ok(found)
    }

    /// Ridge regression to `targets`.
    fn baseline(
        &self,
        targets: &TrialTargets,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<DecoderRow> {
        let target = targets.form().target;
        let config = &self.settings.evaluate.ridge_fit;
        let decoded = by_ridge(targets, self.subject, self.split, config, progress)?;
        self.counts.row(format!("ridge, {target}"), None, target, &decoded)
    }
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

    /// Every subset of mappers, by the number of mappers in it; `pairs` has one entry per mapper.
    fn combinations(&self, pairs: &[DecodedPair]) -> crate::error::Result<Vec<CombinationRow>> {
        let mut rows = Vec::new();
        for subset in 1_usize..1 << pairs.len() {
            let mappers: Vec<usize> = (0..pairs.len()).filter(|mapper| subset >> mapper & 1 == 1).collect();
            let parts: Vec<&DecodedPair> = mappers.iter().map(|mapper| &pairs[*mapper]).collect();
            rows.push(CombinationRow { combined: combine(&parts, self.ids, &self.by_image)?, mappers });
        }
        rows.sort_by_key(|row| row.mappers.len());
        Ok(rows)
    }

    fn row(
        &self,
        name: String,
        mapper: Option<PathBuf>,
        target: MapperTarget,
        decoded: &Decoded,
    ) -> crate::error::Result<DecoderRow> {
        let (predicted, truth) = (decoded.pair.predicted.view(), decoded.pair.target.view());
        let cosines = decoded.pair.cosines();
        let cosine = bounded_mean_interval(&cosines, self.ids, &self.by_image.bootstrap, [-1.0, 1.0]);
        let (by_image, hits) = compute_retrieval_with_hits(predicted, truth, self.ids, &self.by_image)?;
        Ok(DecoderRow {
            name,
            mapper,
            penalty: decoded.penalty,
            target,
            cosine: cosine.ok_or_else(|| crate::error::Error::failure("no validation trial"))?,
            by_image,
            by_index: compute_retrieval(predicted, truth, self.ids, &self.by_index)?,
            hits,
        })
    }
}

impl EvaluateSettings {
    /// Where a mapper's targets come from, and their form: as it was trained, or as configured for one that was imported.
    fn source_of(&self, path: &Path, mapper: &LoadedMapper) -> crate::error::Result<TargetSource> {
        let target = mapper.snapshot.target;
        let network = match target {
            MapperTarget::Image | MapperTarget::Caption => self.data.target_network.clone(),
            MapperTarget::Resnet => self.resnet.clone().ok_or_else(|| {
                RunError::missing("paths.resnet", "a ResNet mapper's targets: set it with `--resnet FILE`")
            })?,
        };
        let config = match MapperProvenance::<Value>::of_provenance(path, &mapper.provenance)? {
            Some(trained) => {
                trained.require_split(path, &self.data.split, "evaluation")?;
                TrainMapperConfig::of_training(trained.mapper).map_err(|error| {
                    RunError::invalid(path, "settings.mapper", "settings of a training", error)
                })?
            }
            None => self.data.mapper.for_target(target),
        };
        Ok(TargetSource { network, form: config.target_form(target), ..self.data.target_source() })
    }
}
