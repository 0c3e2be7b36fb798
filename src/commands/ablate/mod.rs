//! `mindreader ablate`: the rows of the paper's tables 1, 3 and 4, trained where they are not there yet
//! (docs/spec/mapper.md §6, §7; docs/spec/gan-training.md).
//!
//! The rows are files (`configs/ablations`): trainings of mappers and finetunings of GANs that differ from the configuration in a
//! few keys, and lines of a table with the paper's numbers beside.

mod finetuning;
mod folder;
mod judging;
mod lines;
mod pictures;
mod rows;
mod settings;
mod table;
mod training;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use self::finetuning::Finetuning;
use self::folder::{NetworkHashes, WorkFolder, WorkState};
use self::lines::Lines;
pub use self::pictures::{PictureNumbers, WayAccuracy};
pub use self::rows::{AblationRows, PaperNumbers};
use self::rows::{RowContent, RowSpec};
pub use self::settings::{AblateSettings, FinetuningSources};
pub use self::table::{AblationTable, TableContent, TableRow};
use self::training::{Training, Trainings};
use crate::data::prepared::PreparedSubject;
use crate::data::trial::NsdId;
use crate::files::write_atomic;
use crate::models::mapper::MapperTarget;
use crate::pipelines::inference::{Inference, TransductiveReason};
use crate::pipelines::measured::{Context, NUMBERS_FILE};
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::training::mapper::selection::EpochSelection;

/// The tables that come with the program: number, file, content.
pub const TABLES: [(&str, &str, &str); 3] = [
    ("1", "configs/ablations/table1.toml", include_str!("../../../configs/ablations/table1.toml")),
    ("3", "configs/ablations/table3.toml", include_str!("../../../configs/ablations/table3.toml")),
    ("4", "configs/ablations/table4.toml", include_str!("../../../configs/ablations/table4.toml")),
];

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

impl TrainingState {
    fn of<Summary>(name: &str, state: &WorkState<Summary>, folder: &WorkFolder) -> Self {
        Self { name: name.into(), state: state.name().into(), folder: Some(folder.runs.clone()) }
    }

    fn left_out(name: &str, reason: String) -> Self {
        Self { name: name.into(), state: reason, folder: None }
    }
}

/// Where every training of the rows stands; trains nothing.
///
/// # Errors
/// Rows that do not fit the settings, or data that are missing.
pub fn list(settings: &AblateSettings) -> crate::error::Result<Vec<TrainingState>> {
    let rows = AblationRows::parse(&settings.rows_path, &settings.rows_text)?;
    let trainings = plan(settings, &rows)?;
    let mut states = Vec::new();
    for spec in &rows.trainings {
        states.push(match &trainings[&spec.name] {
            Ok(training) => TrainingState::of(&spec.name, &training.state()?, &training.folder),
            Err(reason) => TrainingState::left_out(&spec.name, reason.clone()),
        });
    }
    let mut hashes = NetworkHashes::default();
    for spec in &rows.finetunings {
        states.push(match Finetuning::plan(settings, &rows, spec, &trainings, &mut hashes)? {
            Ok(finetuning) => TrainingState::of(&spec.name, &finetuning.state()?, &finetuning.folder),
            Err(reason) => TrainingState::left_out(&spec.name, reason),
        });
    }
    Ok(states)
}

/// Trains what is missing and fills the table; writes `table.json` and `table.md`.
///
/// # Errors
/// As [`list`], an unknown name in `only`, and whatever a training fails with. What is done stays done.
pub fn run(settings: &AblateSettings, progress: &mut dyn Progress) -> crate::error::Result<AblationTable> {
    let rows = AblationRows::parse(&settings.rows_path, &settings.rows_text)?;
    check_names(settings, &rows)?;
    let trainings = plan(settings, &rows)?;
    let mut lines = Lines::train(settings, &rows, &trainings, &wanted(settings, &rows)?, progress)?;
    let mut filled = Vec::new();
    let mut table_content = TableContent::Counts;
    for row in chosen(settings, &rows) {
        let content = rows.content(&settings.rows_path, row)?;
        if matches!(content, RowContent::Finetuning(_)) {
            table_content = TableContent::Pictures;
        }
        filled.push(lines.fill(row, &content, progress)?);
    }
    let name =
        settings.rows_path.file_stem().map_or("table".into(), |stem| stem.to_string_lossy().into_owned());
    let folder = settings.ablations.join(name);
    let table = AblationTable {
        title: rows.title.clone(),
        content: table_content,
        rows: filled,
        context: Some(context(settings)?),
        folder: folder.clone(),
    };
    write_atomic(&folder.join("table.json"), &serde_json::to_vec_pretty(&table)?)?;
    write_atomic(&folder.join("table.md"), table.markdown().as_bytes())?;
    if let Some(numbers) = table.numbers() {
        write_atomic(&folder.join(NUMBERS_FILE), &numbers.csv()?)?;
    }
    Ok(table)
}

/// What all rows share, of the configuration that they differ from; a row may choose its epochs elsewhere.
fn context(settings: &AblateSettings) -> crate::error::Result<Context> {
    let subject = PreparedSubject::open(&settings.data.prepared)?;
    let split = settings.data.split.split(&subject)?;
    let images: BTreeSet<NsdId> =
        split.validation.iter().map(|trial| subject.trials()[*trial].nsd_id).collect();
    let is_chosen_on_held_out = settings.data.mapper.train.selection == EpochSelection::Validation;
    let chosen = is_chosen_on_held_out.then_some(TransductiveReason::EpochsChosenOnHeldOut);
    Ok(Context {
        subject: Some(subject.subject().to_string()),
        split: Some(settings.data.split.record(&subject, &split)),
        folds: None,
        num_images: images.len(),
        num_trials: split.validation.len(),
        seed: Some(settings.data.mapper.train.seed),
        inference: Some(Inference::of_betas(&subject, settings.data.split.rule, chosen)),
    })
}

/// The rows that are asked for: all, or those of the labels in `only`.
fn chosen<'a>(settings: &'a AblateSettings, rows: &'a AblationRows) -> impl Iterator<Item = &'a RowSpec> {
    rows.rows.iter().filter(|row| settings.only.is_empty() || settings.only.contains(&row.label))
}

/// Every training with its folder, or why it is left out.
fn plan(settings: &AblateSettings, rows: &AblationRows) -> crate::error::Result<Trainings> {
    let mut trainings = Trainings::new();
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
            Some(Ok(from)) => Some(from.folder.key.clone()),
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
    for row in chosen(settings, rows) {
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
