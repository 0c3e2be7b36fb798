//! The lines of a table, from the trainings and finetunings behind them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::finetuning::Finetuning;
use super::folder::{NetworkHashes, hex, read_json};
use super::judging::Judging;
use super::rows::{AblationRows, FinetuningSpec, RowContent, RowSpec, TrainingSpec};
use super::settings::AblateSettings;
use super::table::TableRow;
use super::training::Trainings;
use crate::commands::evaluate::{
    self, Centre, DecoderRow, EvaluateConfig, EvaluateSettings, EvaluateSummary, EvaluationData,
};
use crate::commands::train_mapper::TrainMapperSummary;
use crate::files::{file_is_there, write_atomic};
use crate::metrics::trust::lures::Lures;
use crate::models::mapper::MapperTarget;
use crate::run::progress::Progress;

/// What a training came to.
enum Outcome {
    Done(Box<TrainMapperSummary>),
    /// Why it is left out.
    LeftOut(String),
}

/// What lines are filled from.
pub(super) struct Lines<'a> {
    settings: &'a AblateSettings,
    rows: &'a AblationRows,
    trainings: &'a Trainings,
    outcomes: BTreeMap<&'a str, Outcome>,
    hashes: NetworkHashes,
}

impl<'a> Lines<'a> {
    /// Finishes the trainings of the names `wanted`.
    ///
    /// # Errors
    /// Whatever a training fails with.
    pub fn train(
        settings: &'a AblateSettings,
        rows: &'a AblationRows,
        trainings: &'a Trainings,
        wanted: &[String],
        progress: &mut dyn Progress,
    ) -> crate::error::Result<Self> {
        let hashes = NetworkHashes::default();
        let mut lines = Self { settings, rows, trainings, outcomes: BTreeMap::new(), hashes };
        for spec in rows.trainings.iter().filter(|spec| wanted.contains(&spec.name)) {
            let outcome = lines.outcome(spec, progress)?;
            lines.outcomes.insert(&spec.name, outcome);
        }
        Ok(lines)
    }

    fn outcome(&self, spec: &TrainingSpec, progress: &mut dyn Progress) -> crate::error::Result<Outcome> {
        match &self.trainings[&spec.name] {
            Err(reason) => Ok(Outcome::LeftOut(reason.clone())),
            Ok(training) => {
                let init = spec.init_from.as_deref().and_then(|name| self.trained(name));
                progress.note(&format!("Training `{}` ({})", spec.name, training.folder.key));
                Ok(Outcome::Done(Box::new(training.finish(init, progress)?)))
            }
        }
    }

    /// The mapper of a training that is done.
    fn trained(&self, name: &str) -> Option<PathBuf> {
        match self.outcomes.get(name) {
            Some(Outcome::Done(summary)) => Some(summary.snapshot.clone()),
            Some(Outcome::LeftOut(_)) | None => None,
        }
    }

    /// The line of a row.
    ///
    /// # Errors
    /// Whatever an evaluation or a finetuning fails with.
    pub fn fill(
        &mut self,
        row: &RowSpec,
        content: &RowContent<'_>,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<TableRow> {
        match *content {
            RowContent::Training(spec) => self.trained_row(row, spec, progress),
            RowContent::Ridge(spec) => match &self.outcomes[spec.name.as_str()] {
                Outcome::Done(summary) => {
                    let baseline = self.ridge(&summary.snapshot, summary.target, progress)?;
                    Ok(TableRow::done(row, &baseline.by_image))
                }
                Outcome::LeftOut(reason) => Ok(TableRow::left_out(row, reason)),
            },
            RowContent::Finetuning(spec) => self.finetuned(row, spec, progress),
            RowContent::Combination(names) => self.combined(row, names, progress),
        }
    }

    /// The counts of a mapper; in a table that has the paper's distances, also what a pretrained generator draws from it.
    fn trained_row(
        &mut self,
        row: &RowSpec,
        spec: &TrainingSpec,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<TableRow> {
        let Self { settings, rows, trainings, hashes, outcomes } = self;
        let summary = match &outcomes[spec.name.as_str()] {
            Outcome::Done(summary) => summary,
            Outcome::LeftOut(reason) => return Ok(TableRow::left_out(row, reason)),
        };
        let done = TableRow::done(row, &summary.retrieval);
        let gan = rows.has_distances().then(|| settings.finetuning.untouched_gan(rows)).flatten();
        let (Some(gan), Ok(training)) = (gan, &trainings[&spec.name]) else { return Ok(done) };
        let Some(judging) = Judging::of_mapper(settings, summary, gan, &training.folder.key, hashes)? else {
            return Ok(done);
        };
        progress.note(&format!("Pictures of `{}` by the generator in {}", spec.name, gan.display()));
        Ok(TableRow { pictures: Some(judging.numbers(progress)?), ..done })
    }

    fn finetuned(
        &mut self,
        row: &RowSpec,
        spec: &FinetuningSpec,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<TableRow> {
        let Self { settings, rows, trainings, hashes, .. } = self;
        match Finetuning::plan(settings, rows, spec, trainings, hashes)? {
            Err(reason) => Ok(TableRow::left_out(row, &reason)),
            Ok(finetuning) => {
                progress.note(&format!("Finetuning `{}` ({})", spec.name, finetuning.folder.key));
                let trained = |name: &str| self.trained(name);
                Ok(TableRow::judged(row, finetuning.finish(self.settings, trained, progress)?))
            }
        }
    }

    fn combined(
        &self,
        row: &RowSpec,
        names: &[String],
        progress: &mut dyn Progress,
    ) -> crate::error::Result<TableRow> {
        let mut mappers = Vec::new();
        let mut missing = None;
        for name in names {
            match &self.outcomes[name.as_str()] {
                Outcome::Done(summary) => mappers.push(summary.snapshot.clone()),
                Outcome::LeftOut(reason) => missing = Some(reason),
            }
        }
        if let Some(reason) = missing {
            return Ok(TableRow::left_out(row, reason));
        }
        let found = self.evaluate(mappers, EvaluateConfig::default(), progress)?;
        let combined = found.combinations.last().map(|row| &row.combined);
        Ok(TableRow::combined(row, combined.ok_or_else(|| crate::error::Error::failure("no combination"))?))
    }

    fn evaluate(
        &self,
        mappers: Vec<PathBuf>,
        evaluate: EvaluateConfig,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<EvaluateSummary> {
        let training = &self.settings.data;
        let runs = self.settings.ablations.join("evaluations");
        let data = EvaluationData { runs, ..EvaluationData::from(training) };
        let (clip, resnet) = (Some(training.target_network.clone()), self.settings.resnet.clone());
        // Where targets were imported, they are the target network already.
        let settings =
            EvaluateSettings { mappers, controls: vec![], clip, own_targets: None, resnet, evaluate, data };
        evaluate::run(&settings, progress)
    }

    /// The linear baseline to a mapper's targets, fitted once.
    fn ridge(
        &self,
        snapshot: &Path,
        target: MapperTarget,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<DecoderRow> {
        let config = &self.settings.evaluate;
        let key = hex(&serde_json::to_vec(&config.ridge_fit)?);
        let path = snapshot.with_file_name(format!("ridge-{}.json", &key[..8]));
        if file_is_there(&path)? {
            return Ok(read_json(&path, "a finished baseline", "a row of evaluate")?);
        }
        // The mapper's own target, and nothing beside it: the table has one row of it.
        let config = EvaluateConfig {
            ridge: true,
            ridge_only: false,
            ridge_targets: Vec::new(),
            shuffled_control: false,
            folds: 0,
            fold_kinds: Vec::new(),
            bottleneck: Vec::new(),
            learning_curve: false,
            compare_splits: Vec::new(),
            centre: Centre::None,
            lures: Lures::Test,
            permutations: 0,
            mapper_permutations: 0,
            ..config.clone()
        };
        let found = self.evaluate(vec![snapshot.to_path_buf()], config, progress)?;
        let row = found.ridge.into_iter().find(|row| row.target.of_mapper() == Some(target));
        let row = row.ok_or_else(|| crate::error::Error::failure("no baseline"))?;
        write_atomic(&path, &serde_json::to_vec_pretty(&row)?)?;
        Ok(row)
    }
}
