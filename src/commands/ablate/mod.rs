//! `mindreader ablate`: the rows of the paper's tables 1, 3 and 4, trained where they are not there yet
//! (docs/spec/mapper.md §6, §7; docs/spec/gan-training.md).
//!
//! The rows are files (`configs/ablations`): trainings of mappers and finetunings of GANs that differ from the configuration in a
//! few keys, and lines of a table with the paper's numbers beside.

mod finetuning;
mod pictures;
mod rows;
mod table;
mod training;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use self::finetuning::FinetuningSources;
use self::finetuning::{Finetuning, GanState, NetworkHashes};
pub use self::pictures::{PictureNumbers, WayAccuracy};
use self::rows::RowContent;
pub use self::rows::{AblationRows, PaperNumbers};
pub use self::table::{AblationTable, TableContent, TableRow};
use self::training::{State, Training, hex};
use super::config::ProjectConfig;
use super::evaluate::{self, DecoderRow, EvaluateConfig, EvaluateSettings};
use super::train_mapper::{BetasControl, TrainMapperSettings, TrainMapperSummary};
use crate::models::mapper::MapperTarget;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::run_dir::write_atomic;

/// The tables that come with the program: number, file, content.
pub const TABLES: [(&str, &str, &str); 3] = [
    ("1", "configs/ablations/table1.toml", include_str!("../../../configs/ablations/table1.toml")),
    ("3", "configs/ablations/table3.toml", include_str!("../../../configs/ablations/table3.toml")),
    ("4", "configs/ablations/table4.toml", include_str!("../../../configs/ablations/table4.toml")),
];

/// Everything that a run needs.
#[derive(Clone, Debug)]
pub struct AblateSettings {
    /// File of the rows, for messages; its stem names the table's folder.
    pub rows_path: PathBuf,
    /// Its content.
    pub rows_text: String,
    /// Rows or trainings to run, by name; empty: all.
    pub only: Vec<String>,
    /// Configuration and data of an image or caption mapper; what the rows differ from.
    pub data: TrainMapperSettings,
    /// ResNet-50 of the targets of ResNet mappers; rows that need it are left out without it.
    pub resnet: Option<PathBuf>,
    /// Ridge regression.
    pub evaluate: EvaluateConfig,
    /// What rows of finetuned GANs are made from.
    pub finetuning: FinetuningSources,
    /// Folder of trainings and tables.
    pub ablations: PathBuf,
}

impl AblateSettings {
    /// Settings of the command for a file of rows and its content.
    ///
    /// # Errors
    /// When the NSD root is not set or no CLIP is there.
    pub fn resolve(
        config: &ProjectConfig,
        rows_path: PathBuf,
        rows_text: String,
        only: Vec<String>,
        gans: BTreeMap<String, PathBuf>,
    ) -> Result<Self, RunError> {
        let project = config.project();
        let finetuning = FinetuningSources::resolve(&project, config, gans)?;
        let (target, betas) = (MapperTarget::Image, BetasControl::Measured);
        Ok(Self {
            rows_path,
            rows_text,
            only,
            data: TrainMapperSettings::resolve(&project, &config.train_mapper, target, betas, None)?,
            resnet: project.paths.resnet.clone(),
            evaluate: config.evaluate.clone(),
            finetuning,
            ablations: project.work().join("ablations"),
        })
    }
}

/// A training and where it stands.
#[derive(Clone, Debug, Serialize)]
pub struct TrainingState {
    /// Its name.
    pub name: String,
    /// `done`, `interrupted`, `to do`, or why it cannot be done.
    pub state: String,
    /// Its folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
}

/// What a training came to.
enum Outcome {
    Done(Box<TrainMapperSummary>),
    /// Why it is left out.
    LeftOut(String),
}

/// Where every training of the rows stands; trains nothing.
///
/// # Errors
/// Rows that do not fit the settings, or data that are missing.
pub fn list(settings: &AblateSettings) -> anyhow::Result<Vec<TrainingState>> {
    let rows = AblationRows::parse(&settings.rows_path, &settings.rows_text)?;
    let trainings = plan(settings, &rows)?;
    let mut states = Vec::new();
    for spec in &rows.trainings {
        let (state, folder) = match &trainings[&spec.name] {
            Ok(training) => {
                let state = match training.state()? {
                    State::Done(_) => "done",
                    State::Interrupted(_) => "interrupted",
                    State::ToDo => "to do",
                };
                (state.to_string(), Some(training.settings.runs.clone()))
            }
            Err(reason) => (reason.clone(), None),
        };
        states.push(TrainingState { name: spec.name.clone(), state, folder });
    }
    let mut hashes = NetworkHashes::default();
    for spec in &rows.finetunings {
        let (state, folder) = match Finetuning::plan(settings, &rows, spec, &trainings, &mut hashes)? {
            Ok(finetuning) => {
                let state = match finetuning.state()? {
                    GanState::Done(_) => "done",
                    GanState::Interrupted(_) => "interrupted",
                    GanState::ToDo => "to do",
                };
                (state.to_string(), Some(finetuning.folder().to_path_buf()))
            }
            Err(reason) => (reason, None),
        };
        states.push(TrainingState { name: spec.name.clone(), state, folder });
    }
    Ok(states)
}

/// Trains what is missing and fills the table; writes `table.json` and `table.md`.
///
/// # Errors
/// As [`list`], an unknown name in `only`, and whatever a training fails with. What is done stays done.
pub fn run(settings: &AblateSettings, progress: &mut dyn Progress) -> anyhow::Result<AblationTable> {
    let rows = AblationRows::parse(&settings.rows_path, &settings.rows_text)?;
    check_names(settings, &rows)?;
    let trainings = plan(settings, &rows)?;
    let wanted = wanted(settings, &rows)?;
    let mut outcomes: BTreeMap<&str, Outcome> = BTreeMap::new();
    for spec in rows.trainings.iter().filter(|spec| wanted.contains(&spec.name)) {
        let outcome = match &trainings[&spec.name] {
            Err(reason) => Outcome::LeftOut(reason.clone()),
            Ok(training) => {
                let init = spec.init_from.as_deref().and_then(|name| outcomes.get(name));
                let init = match init {
                    Some(Outcome::Done(summary)) => Some(summary.snapshot.clone()),
                    _ => None,
                };
                progress.note(&format!("Training `{}` ({})", spec.name, training.key));
                Outcome::Done(Box::new(training.finish(init, progress)?))
            }
        };
        outcomes.insert(&spec.name, outcome);
    }
    let mut lines = Vec::new();
    let mut hashes = NetworkHashes::default();
    let mut table_content = TableContent::Counts;
    for row in rows.rows.iter().filter(|row| settings.only.is_empty() || settings.only.contains(&row.label)) {
        let content = rows.content(&settings.rows_path, row)?;
        lines.push(match content {
            RowContent::Training(spec) => match &outcomes[spec.name.as_str()] {
                Outcome::Done(summary) => TableRow::done(row, &summary.retrieval),
                Outcome::LeftOut(reason) => TableRow::left_out(row, reason),
            },
            RowContent::Ridge(spec) => match &outcomes[spec.name.as_str()] {
                Outcome::Done(summary) => {
                    let baseline = ridge(settings, &summary.snapshot, summary.target, progress)?;
                    TableRow::done(row, &baseline.by_image)
                }
                Outcome::LeftOut(reason) => TableRow::left_out(row, reason),
            },
            RowContent::Finetuning(spec) => {
                table_content = TableContent::Pictures;
                match Finetuning::plan(settings, &rows, spec, &trainings, &mut hashes)? {
                    Err(reason) => TableRow::left_out(row, &reason),
                    Ok(finetuning) => {
                        progress.note(&format!("Finetuning `{}` ({})", spec.name, finetuning.key));
                        let trained = |name: &str| match outcomes.get(name) {
                            Some(Outcome::Done(summary)) => Some(summary.snapshot.clone()),
                            _ => None,
                        };
                        TableRow::judged(row, finetuning.finish(settings, trained, progress)?)
                    }
                }
            }
            RowContent::Combination(names) => {
                let mut mappers = Vec::new();
                let mut missing = None;
                for name in names {
                    match &outcomes[name.as_str()] {
                        Outcome::Done(summary) => mappers.push(summary.snapshot.clone()),
                        Outcome::LeftOut(reason) => missing = Some(reason),
                    }
                }
                match missing {
                    Some(reason) => TableRow::left_out(row, reason),
                    None => {
                        let found = evaluate_mappers(settings, mappers, EvaluateConfig::default(), progress)?;
                        let combined = found.combinations.last().map(|row| &row.combined);
                        let combined = combined.ok_or_else(|| anyhow::anyhow!("no combination"))?;
                        TableRow::combined(row, combined)
                    }
                }
            }
        });
    }
    let name =
        settings.rows_path.file_stem().map_or("table".into(), |stem| stem.to_string_lossy().into_owned());
    let folder = settings.ablations.join(name);
    let table =
        AblationTable { title: rows.title, content: table_content, rows: lines, folder: folder.clone() };
    write_atomic(&folder.join("table.json"), &serde_json::to_vec_pretty(&table)?)?;
    write_atomic(&folder.join("table.md"), table.markdown().as_bytes())?;
    Ok(table)
}

/// Every training with its folder, or why it is left out.
fn plan(
    settings: &AblateSettings,
    rows: &AblationRows,
) -> anyhow::Result<BTreeMap<String, Result<Training, String>>> {
    let mut trainings: BTreeMap<String, Result<Training, String>> = BTreeMap::new();
    for spec in &rows.trainings {
        let mut data = settings.data.clone();
        data.target = spec.target;
        data.mapper = spec.resolve(&settings.rows_path, &settings.data.mapper)?;
        if spec.target == MapperTarget::Resnet {
            match &settings.resnet {
                Some(path) => data.target_network.clone_from(path),
                None => {
                    let reason = "left out: needs a ResNet-50, `--resnet FILE`".to_string();
                    trainings.insert(spec.name.clone(), Err(reason));
                    continue;
                }
            }
        }
        let init_key = match spec.init_from.as_deref().map(|name| &trainings[name]) {
            None => None,
            Some(Ok(from)) => Some(from.key.clone()),
            Some(Err(reason)) => {
                let reason = reason.clone();
                trainings.insert(spec.name.clone(), Err(reason));
                continue;
            }
        };
        let training = Training::new(data, init_key.as_deref(), &settings.ablations)?;
        trainings.insert(spec.name.clone(), Ok(training));
    }
    Ok(trainings)
}

fn check_names(settings: &AblateSettings, rows: &AblationRows) -> Result<(), RunError> {
    let known: Vec<&str> = rows.rows.iter().map(|row| row.label.as_str()).collect();
    match settings.only.iter().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(RunError::invalid("--only", "row", known.join(", "), name)),
        None => Ok(()),
    }
}

/// Names of the trainings that the rows need, those that they start from included.
fn wanted(settings: &AblateSettings, rows: &AblationRows) -> Result<Vec<String>, RunError> {
    let mut names: Vec<String> = Vec::new();
    for row in rows.rows.iter().filter(|row| settings.only.is_empty() || settings.only.contains(&row.label)) {
        match rows.content(&settings.rows_path, row)? {
            RowContent::Training(spec) | RowContent::Ridge(spec) => names.push(spec.name.clone()),
            RowContent::Combination(several) => names.extend(several.iter().cloned()),
            RowContent::Finetuning(spec) => {
                names.extend(spec.image_mapper.iter().chain(&spec.second_mapper).cloned());
            }
        }
    }
    // A training comes after the one that it starts from.
    for spec in rows.trainings.iter().rev() {
        if names.contains(&spec.name) {
            names.extend(spec.init_from.clone());
        }
    }
    Ok(names)
}

fn evaluate_mappers(
    settings: &AblateSettings,
    mappers: Vec<PathBuf>,
    evaluate: EvaluateConfig,
    progress: &mut dyn Progress,
) -> anyhow::Result<evaluate::EvaluateSummary> {
    let mut data = settings.data.clone();
    data.runs = settings.ablations.join("evaluations");
    let settings = EvaluateSettings { mappers, resnet: settings.resnet.clone(), evaluate, data };
    evaluate::run(&settings, progress)
}

/// The linear baseline to a mapper's targets, fitted once.
fn ridge(
    settings: &AblateSettings,
    snapshot: &Path,
    target: MapperTarget,
    progress: &mut dyn Progress,
) -> anyhow::Result<DecoderRow> {
    let key = hex(&serde_json::to_vec(&settings.evaluate.ridge_fit)?);
    let path = snapshot.with_file_name(format!("ridge-{}.json", &key[..8]));
    if path.is_file() {
        let bytes = RunError::read(&path, "a finished baseline")?;
        return serde_json::from_slice(&bytes)
            .map_err(|error| RunError::invalid(&path, "content", "a row of evaluate", error).into());
    }
    let config = EvaluateConfig { ridge: true, ..settings.evaluate.clone() };
    let found = evaluate_mappers(settings, vec![snapshot.to_path_buf()], config, progress)?;
    let row = found.ridge.into_iter().find(|row| row.target == target);
    let row = row.ok_or_else(|| anyhow::anyhow!("no baseline"))?;
    write_atomic(&path, &serde_json::to_vec_pretty(&row)?)?;
    Ok(row)
}
