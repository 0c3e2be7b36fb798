//! `mindreader evaluate`: retrieval and identification by each mapper, by ridge regression, and by combinations of mappers on the
//! validation trials (docs/spec/mapper.md §7, docs/spec/metrics.md §8); ridge regression also without a mapper and, with mappers that are trained
//! anew, over folds. Writes `config.toml` and `evaluation.json` into a run folder.

mod baselines;
pub mod checks;
mod config;
mod counts;
mod cross_validation;
pub mod curves;
mod fold_mappers;
mod mapper_permutations;
mod numbers;
mod settings;
mod summary;
mod table;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use serde::de::IgnoredAny;

use self::baselines::{SplitTask, Targets, bring_to_comparison, regressions, row_name};
use self::checks::{Checked, CheckedRows, Checks, Judged, JudgedMapper, recorded_split, training_sample};
use self::config::RIDGE_SECTION;
pub use self::config::{Centre, EvaluateConfig};
use self::counts::{Counts, RowHead};
use self::cross_validation::cross_validate;
use self::curves::{CurveTask, Plan};
pub use self::settings::{EvaluateSettings, EvaluationData};
use self::summary::EXCHANGED;
pub use self::summary::{
    AveragedIdentification, ClassLevels, CombinationRow, CrossValidatedRow, CrossValidation, DecoderRow,
    EvaluateSummary, FoldDifference, PairedDifference,
};
use crate::data::error::DataError;
use crate::data::import::classes::ImageClasses;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::{Side, Split, SplitRule};
use crate::data::trial::NsdId;
use crate::metrics::combined_retrieval::{DecodedPair, halves_by_image};
use crate::models::mapper::MapperKind;
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::inference::{Inference, TransductiveReason, of_epochs};
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::mapper_provenance::MapperProvenance;
use crate::pipelines::measured::NUMBERS_FILE;
use crate::pipelines::targets::decoded_pairs::{
    Aims, RidgeDecoder, by_mapper, require_ridge_memory, tuning_split,
};
use crate::pipelines::targets::trial_targets::TrialTargets;
use crate::pipelines::workbench::Workbench;
use crate::run::device::open;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Device;

/// Fewer images cannot be halved.
const FEWEST_IMAGES: usize = 2;

/// Runs the command.
///
/// # Errors
/// Data or snapshots that are missing or do not fit each other.
pub fn run(
    settings: &EvaluateSettings,
    progress: &mut dyn Progress,
) -> crate::error::Result<EvaluateSummary> {
    settings.check()?;
    let (device, _) = open(settings.data.device)?;
    let subject = PreparedSubject::open(&settings.data.prepared)?;
    let bench = &mut Workbench::new(&device, &settings.data.cache, progress);
    if settings.evaluate.folds > 0 {
        return over_folds(settings, &subject, bench);
    }
    let split = settings.data.split.split(&subject)?;
    let images = images_of(&subject, &split.validation);
    require_images(&settings.data, &images)?;
    let ids: Vec<u64> = images.iter().map(|image| u64::from(*image)).collect();
    if settings.evaluate.ridge {
        require_ridge_memory("evaluate.ridge", &subject, split.train.len())?;
    }
    let plan = Plan::new(settings, &subject, &split)?;
    let counts = Counts::new(&ids, &settings.data.mapper.train.retrieval);
    let evaluation = Evaluation { settings, subject: &subject, split: &split, counts: &counts, ids: &ids };
    let mut targets = Targets::default();
    let found = evaluation.decoders(&mut targets, bench)?;
    let task = CurveTask {
        settings,
        subject: &subject,
        split: &split,
        targets: &targets,
        mappers: &found.mappers,
        ridge_control: &found.control,
    };
    let curves = task.find(&plan, bench)?;
    let dir = run_dir(settings, &subject)?;
    let num_search_trials = if found.pairs.is_empty() { 0 } else { halves_by_image(&ids)[0].len() };
    let summary = EvaluateSummary {
        mappers: found.mappers,
        mapper_control: found.mapper_control,
        ridge: found.ridge,
        ridge_control: found.control,
        pixel_side: found.pixel_side,
        combinations: counts.combinations(&found.pairs)?,
        checks: found.checks,
        inference: Some(inference(settings, &subject, settings.data.split.rule, found.epochs)),
        num_search_trials,
        class_levels: class_levels(settings, &images)?,
        split_record: Some(settings.data.split.record(&subject, &split)),
        curves,
        ..empty_summary(settings, &subject, &dir, images)
    };
    write_results(&dir, &summary)?;
    Ok(summary)
}

/// Ridge regression, and mappers of the wanted kinds, over folds of all trials.
fn over_folds(
    settings: &EvaluateSettings,
    subject: &PreparedSubject,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<EvaluateSummary> {
    let num_train = subject.num_trials() - subject.num_trials() / settings.evaluate.folds;
    require_ridge_memory("evaluate.folds", subject, num_train)?;
    let mut targets = Targets::default();
    targets.add_configured(settings, subject, bench)?;
    let found = cross_validate(settings, subject, &targets, bench)?;
    for row in found.rows.iter().filter(|row| row.folds_at_edge > 0) {
        let text = format!(
            "{}: the penalty of {} of {} folds lies at an end of `evaluate.ridge_fit.penalties`; a wider grid may hold a better one",
            row.name, row.folds_at_edge, found.folds
        );
        bench.progress.warning(&text);
    }
    let dir = run_dir(settings, subject)?;
    let trials: Vec<usize> = (0..subject.num_trials()).collect();
    let summary = EvaluateSummary {
        pixel_side: targets.pixels.as_ref().map(|pixels| pixels.side),
        cross_validation: Some(found),
        // Folds are no split that came with the data.
        inference: Some(inference(settings, subject, SplitRule::Random, None)),
        ..empty_summary(settings, subject, &dir, images_of(subject, &trials))
    };
    write_results(&dir, &summary)?;
    Ok(summary)
}

/// What who knows the class of each image alone would get; none where the data say nothing of classes.
fn class_levels(settings: &EvaluateSettings, images: &[u32]) -> Result<Option<ClassLevels>, DataError> {
    let Some(tree) = NsdTree::of_stimuli(&settings.data.stimuli) else { return Ok(None) };
    let Some(classes) = ImageClasses::read(tree.root())? else { return Ok(None) };
    let images: Vec<NsdId> = images.iter().copied().map(NsdId).collect();
    let batch_size = settings.data.mapper.train.retrieval.batch_size.min(images.len());
    let levels = || {
        let (pairs, found) = (classes.pairs_by_class(&images)?, classes.found_by_class(&images, batch_size)?);
        Some(ClassLevels { pairs, found, batch_size })
    };
    Ok(levels())
}

/// The summary, and its numbers for a spreadsheet.
fn write_results(dir: &RunDir, summary: &EvaluateSummary) -> crate::error::Result<()> {
    dir.write_atomic(NUMBERS_FILE, &summary.numbers().csv()?)?;
    dir.write_atomic("evaluation.json", &serde_json::to_vec_pretty(summary)?)?;
    Ok(())
}

/// What every summary says, without any decoder.
fn empty_summary(
    settings: &EvaluateSettings,
    subject: &PreparedSubject,
    dir: &RunDir,
    images: Vec<u32>,
) -> EvaluateSummary {
    let config = &settings.evaluate;
    EvaluateSummary {
        run: dir.path().to_path_buf(),
        subject: Some(subject.subject().to_string()),
        seed: Some(settings.data.mapper.train.seed),
        num_trials: images.len(),
        num_search_trials: 0,
        split_record: None,
        images,
        centre: config.centre,
        inference: None,
        class_levels: None,
        lures: config.lures,
        checks: None,
        mappers: Vec::new(),
        mapper_control: Vec::new(),
        ridge: Vec::new(),
        ridge_control: Vec::new(),
        penalties: if config.ridge { config.ridge_fit.penalties.clone() } else { Vec::new() },
        pixel_side: None,
        combinations: Vec::new(),
        cross_validation: None,
        curves: None,
    }
}

/// In what ways held-out trials had a part in what was predicted of them.
fn inference(
    settings: &EvaluateSettings,
    subject: &PreparedSubject,
    rule: SplitRule,
    epochs: Option<TransductiveReason>,
) -> Inference {
    let is_rescaled = settings.evaluate.centre == Centre::RescaledByTest;
    let rescaled = is_rescaled.then_some(TransductiveReason::RescaledByTest);
    Inference::of_betas(subject, rule, rescaled.into_iter().chain(epochs))
}

/// A new folder with the settings in it.
fn run_dir(settings: &EvaluateSettings, subject: &PreparedSubject) -> crate::error::Result<RunDir> {
    let dir = RunDir::create(&settings.data.runs, &format!("evaluate-{}", subject.subject()))?;
    dir.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    Ok(dir)
}

fn images_of(subject: &PreparedSubject, trials: &[usize]) -> Vec<u32> {
    trials.iter().map(|trial| subject.trials()[*trial].nsd_id.0).collect()
}

/// Refuses validation images that cannot be halved.
fn require_images(data: &EvaluationData, images: &[u32]) -> Result<(), DataError> {
    let num_images = images.iter().collect::<BTreeSet<_>>().len();
    if num_images < FEWEST_IMAGES {
        let expected = format!("at least {FEWEST_IMAGES}; {}", data.split.advice_for(Side::Validation));
        return Err(DataError::invalid(&data.prepared, "number of validation images", expected, num_images));
    }
    Ok(())
}

/// What is decoded, and how it is counted.
struct Evaluation<'a> {
    settings: &'a EvaluateSettings,
    subject: &'a PreparedSubject,
    split: &'a Split,
    counts: &'a Counts<'a>,
    /// Image of every held-out trial.
    ids: &'a [u64],
}

/// What mappers and baselines find.
#[derive(Default)]
struct Found {
    mappers: Vec<DecoderRow>,
    mapper_control: Vec<DecoderRow>,
    ridge: Vec<DecoderRow>,
    control: Vec<DecoderRow>,
    pixel_side: Option<usize>,
    /// Predictions and targets of each mapper.
    pairs: Vec<DecodedPair>,
    /// What every row predicted, in their order: mappers, ridge, control.
    judged: Vec<Judged>,
    checks: Option<Checks>,
    /// Of a mapper whose epochs were chosen on the held-out trials.
    epochs: Option<TransductiveReason>,
}

impl Evaluation<'_> {
    /// Decodes the validation trials by every mapper, and by ridge regression once to each kind of target.
    fn decoders(&self, targets: &mut Targets, bench: &mut Workbench<'_>) -> crate::error::Result<Found> {
        let mut found = Found::default();
        self.mappers(targets, &mut found, bench)?;
        if self.settings.evaluate.ridge {
            targets.add_configured(self.settings, self.subject, bench)?;
            found.pixel_side = targets.pixels.as_ref().map(|pixels| pixels.side);
            self.baselines(targets, &mut found, bench.progress)?;
            for row in &mut found.mappers {
                let same_target = found.ridge.iter().find(|ridge| ridge.target == row.target);
                row.over_ridge = same_target.and_then(|ridge| self.counts.difference(row, ridge));
            }
        }
        self.check(targets, &mut found, bench)?;
        Ok(found)
    }

    /// Adds what makes the counts believable.
    fn check(
        &self,
        targets: &Targets,
        found: &mut Found,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<()> {
        let Evaluation { settings, subject, split, counts, ids } = *self;
        let permuted = self.permute_mappers(targets, &found.mappers, &found.judged, bench)?;
        let checked = Checked { settings, subject, split, counts, ids };
        let mut rows =
            CheckedRows { mappers: &mut found.mappers, ridge: &mut found.ridge, control: &mut found.control };
        found.checks = Some(checked.check(targets, (&found.judged, permuted), &mut rows, bench.progress)?);
        Ok(())
    }

    /// Adds every mapper, and the targets of each form once.
    fn mappers(
        &self,
        targets: &mut Targets,
        found: &mut Found,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<()> {
        let known = &mut targets.vectors;
        let of_mappers = self.settings.mappers.iter().map(|path| (path, false));
        let of_controls = self.settings.controls.iter().map(|path| (path, true));
        for (path, is_control) in of_mappers.chain(of_controls) {
            let mapper = LoadedMapper::open(path, bench.device)?;
            mapper.check_input(self.subject)?;
            let source = self.settings.source_of_mapper(path, &mapper)?;
            let place = match known.iter().position(|known| known.form().is_same(&source.form)) {
                Some(place) => place,
                None => {
                    known.push(TrialTargets::load(source, self.subject, bench)?);
                    known.len() - 1
                }
            };
            let targets = &known[place];
            targets.require(path, &mapper)?;
            let decoded = by_mapper(targets, &mapper, self.subject, &self.split.validation, bench.device)?;
            let (mut pair, aims) = (decoded.pair, Aims::Vectors(targets));
            bring_to_comparison(&mut pair, &aims, self.settings.evaluate.centre, &self.split.train);
            let target = aims.target();
            let betas = learned_from(path, &mapper)?;
            let mut name = match mapper.snapshot.network.kind() {
                MapperKind::Paper => format!("{target} mapper"),
                kind => format!("{target} mapper, {kind}"),
            };
            if betas == BetasControl::Shuffled {
                name.push_str(EXCHANGED);
            }
            let head = RowHead { name, betas, mapper: Some(path.clone()), target };
            let row = self.counts.row(head, &pair)?;
            if is_control {
                found.mapper_control.push(row);
                continue;
            }
            found.mappers.push(row);
            found.epochs = found.epochs.or(of_epochs(path, &mapper.snapshot, &mapper.provenance)?);
            found.pairs.push(pair.clone());
            let judged = self.judged_mapper(path, &mapper, targets, bench.device)?;
            found.judged.push(Judged { place, pair, mapper: Some(judged) });
        }
        Ok(())
    }

    /// What a mapper predicts of trials that it was fitted to, and what its run recorded.
    fn judged_mapper(
        &self,
        path: &Path,
        mapper: &LoadedMapper,
        targets: &TrialTargets,
        device: &Device,
    ) -> crate::error::Result<JudgedMapper> {
        let sample = training_sample(self.subject, self.split);
        let mut training = by_mapper(targets, mapper, self.subject, &sample, device)?.pair;
        let centre = self.settings.evaluate.centre;
        bring_to_comparison(&mut training, &Aims::Vectors(targets), centre, &self.split.train);
        let kind = mapper.snapshot.network.kind();
        Ok(JudgedMapper { kind, training, held_out: recorded_split(path)? })
    }

    /// Adds ridge regression to every target, from each trial's own betas and from exchanged ones.
    fn baselines(
        &self,
        targets: &Targets,
        found: &mut Found,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<()> {
        let config = &self.settings.evaluate;
        let tuning = tuning_split(self.subject, &self.split.train, &config.ridge_fit)
            .map_err(|error| error.within(RIDGE_SECTION))?;
        let task = SplitTask { split: self.split, tuning: &tuning, centre: config.centre };
        let aims = targets.aims();
        let seed = self.settings.data.mapper.train.seed;
        for (control, order) in regressions(config, self.subject.num_trials(), seed) {
            let decoder = RidgeDecoder {
                subject: self.subject,
                order: &order,
                config: &config.ridge_fit,
                section: RIDGE_SECTION,
            };
            for (place, (decoded, aims)) in
                task.decode(&decoder, &aims, progress)?.into_iter().zip(&aims).enumerate()
            {
                let target = aims.target();
                let head = RowHead { name: row_name(target, control), betas: control, mapper: None, target };
                let edge = decoded.penalty.and_then(|penalty| config.ridge_fit.edge(penalty));
                let row = self.counts.row(head, &decoded.pair)?;
                let row = DecoderRow { penalty: decoded.penalty, penalty_at_edge: edge, ..row };
                found.judged.push(Judged { place, pair: decoded.pair, mapper: None });
                match control {
                    BetasControl::Measured => {
                        warn_of_edge(&row, progress);
                        found.ridge.push(row);
                    }
                    // From exchanged betas nothing can be predicted: the largest penalty is the right one.
                    BetasControl::Shuffled => found.control.push(row),
                }
            }
        }
        Ok(())
    }
}

/// Which betas a mapper learned from, as its snapshot says; an imported one has no control.
fn learned_from(path: &Path, mapper: &LoadedMapper) -> Result<BetasControl, RunError> {
    let trained = MapperProvenance::<IgnoredAny>::of_provenance(path, &mapper.provenance)?;
    Ok(trained.map_or(BetasControl::Measured, |trained| trained.betas))
}

/// Says that a penalty lies at an end of the grid, where a better one may lie beyond.
fn warn_of_edge(row: &DecoderRow, progress: &mut dyn Progress) {
    let (Some(penalty), Some(edge)) = (row.penalty, row.penalty_at_edge) else { return };
    let key = format!("{RIDGE_SECTION}.penalties");
    progress.warning(&format!("{}: {}", row.name, edge.warning("the penalty", penalty, &key)));
}
