//! The rows of an ablation: which trainings it needs, how each differs from the configuration, what the paper found.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::commands::finetune_gan::FinetuneGanConfig;
use crate::commands::train_mapper::TrainMapperConfig;
use crate::error::{SettingError, toml_reason};
use crate::models::mapper::MapperTarget;
use crate::run::error::RunError;

/// Numbers of the paper's table; a missing one is missing there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaperNumbers {
    /// Predictions whose image was found, of 300.
    pub forward: Option<f64>,
    /// Images whose prediction was found, of 300.
    pub backward: Option<f64>,
    /// Fréchet distance of pictures: of a finetuning's, or of a mapper's that a pretrained generator draws without finetuning
    /// (the paper's section 3.2).
    pub fid: Option<f64>,
}

/// A mapper to train.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSpec {
    /// What rows call it.
    pub name: String,
    /// What it predicts.
    pub target: MapperTarget,
    /// Training whose best weights it starts from.
    #[serde(default)]
    pub init_from: Option<String>,
    /// Keys of `[train_mapper]` that differ from the configuration.
    #[serde(default)]
    pub settings: Table,
}

/// A GAN to finetune.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FinetuningSpec {
    /// What rows call it.
    pub name: String,
    /// Training whose mapper gives the first condition; the configured one, or the newest, when absent.
    #[serde(default)]
    pub image_mapper: Option<String>,
    /// The same for the second condition.
    #[serde(default)]
    pub second_mapper: Option<String>,
    /// Name of the GAN that it starts from; the one that `finetune-gan` would take when absent.
    #[serde(default)]
    pub gan: Option<String>,
    /// Keys of `[finetune_gan]` that differ from the configuration.
    #[serde(default)]
    pub settings: Table,
}

/// A line of the table: one of `training`, `ridge`, `combine` and `finetuning`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSpec {
    /// What is compared.
    pub label: String,
    /// The mapper whose retrieval it shows.
    #[serde(default)]
    pub training: Option<String>,
    /// The mapper whose targets ridge regression is fitted to.
    #[serde(default)]
    pub ridge: Option<String>,
    /// The mappers whose similarities are added up.
    #[serde(default)]
    pub combine: Vec<String>,
    /// The finetuned GAN whose pictures it judges.
    #[serde(default)]
    pub finetuning: Option<String>,
    /// The paper's numbers.
    #[serde(default)]
    pub paper: PaperNumbers,
}

/// What a row shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowContent<'a> {
    /// One mapper.
    Training(&'a TrainingSpec),
    /// The linear baseline of a mapper.
    Ridge(&'a TrainingSpec),
    /// Several mappers; at least two.
    Combination(&'a [String]),
    /// Pictures of a GAN.
    Finetuning(&'a FinetuningSpec),
}

/// A file of rows.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AblationRows {
    /// Heading of the table.
    pub title: String,
    /// The mappers, each after the one that it starts from.
    #[serde(rename = "training", default)]
    pub trainings: Vec<TrainingSpec>,
    /// The GANs.
    #[serde(rename = "finetuning", default)]
    pub finetunings: Vec<FinetuningSpec>,
    /// Folders of GANs to start from, by name; `--gan NAME=DIR` goes over them.
    #[serde(default)]
    pub gans: BTreeMap<String, PathBuf>,
    /// The lines.
    #[serde(rename = "row")]
    pub rows: Vec<RowSpec>,
}

impl AblationRows {
    /// Parses and checks a file of rows; `name` stands in errors.
    ///
    /// # Errors
    /// [`RunError::invalid`] naming the key, training or row that is wrong.
    pub fn parse(name: &Path, text: &str) -> Result<Self, RunError> {
        let rows: Self = toml::from_str(text).map_err(|error| {
            RunError::invalid(name, "rows", "trainings and rows", toml_reason(text, &error))
        })?;
        for (place, spec) in rows.trainings.iter().enumerate() {
            let earlier = &rows.trainings[..place];
            if earlier.iter().any(|other| other.name == spec.name) {
                return Err(RunError::invalid(name, "training", "different names", &spec.name));
            }
            if let Some(from) = &spec.init_from
                && !earlier.iter().any(|other| other.name == *from)
            {
                let field = format!("init_from of training `{}`", spec.name);
                return Err(RunError::invalid(name, field, "an earlier training", from));
            }
        }
        for (place, spec) in rows.finetunings.iter().enumerate() {
            if rows.finetunings[..place].iter().any(|other| other.name == spec.name) {
                return Err(RunError::invalid(name, "finetuning", "different names", &spec.name));
            }
            for (key, mapper) in
                [("image_mapper", &spec.image_mapper), ("second_mapper", &spec.second_mapper)]
            {
                if let Some(mapper) = mapper
                    && rows.training(mapper).is_none()
                {
                    let field = format!("{key} of finetuning `{}`", spec.name);
                    return Err(RunError::invalid(name, field, "the name of a training", mapper));
                }
            }
        }
        let mut judged = 0;
        for row in &rows.rows {
            judged += usize::from(matches!(rows.content(name, row)?, RowContent::Finetuning(_)));
        }
        if judged != 0 && judged != rows.rows.len() {
            let found = format!("{judged} of {}", rows.rows.len());
            return Err(RunError::invalid(
                name,
                "rows with `finetuning`",
                "all rows of a table or none",
                found,
            ));
        }
        Ok(rows)
    }

    /// What a row shows.
    ///
    /// # Errors
    /// [`RunError::invalid`] naming the row.
    pub fn content<'a>(&'a self, name: &Path, row: &'a RowSpec) -> Result<RowContent<'a>, RunError> {
        let wrong = |expected: &str, found: &str| {
            RunError::invalid(name, format!("row `{}`", row.label), expected, found)
        };
        let of =
            |training: &str| self.training(training).ok_or_else(|| wrong("the name of a training", training));
        match (&row.training, &row.ridge, row.combine.as_slice(), &row.finetuning) {
            (Some(training), None, [], None) => Ok(RowContent::Training(of(training)?)),
            (None, Some(training), [], None) => Ok(RowContent::Ridge(of(training)?)),
            (None, None, [], Some(finetuning)) => self
                .finetunings
                .iter()
                .find(|spec| spec.name == *finetuning)
                .map(RowContent::Finetuning)
                .ok_or_else(|| wrong("the name of a finetuning", finetuning)),
            (None, None, several @ [_, _, ..], None) => {
                for training in several {
                    of(training)?;
                }
                Ok(RowContent::Combination(several))
            }
            _ => {
                let expected = "one of `training`, `ridge`, `finetuning`, and `combine` with two or more";
                Err(wrong(expected, "another choice"))
            }
        }
    }

    /// Whether the paper's distances stand beside any row.
    pub fn has_distances(&self) -> bool {
        self.rows.iter().any(|row| row.paper.fid.is_some())
    }

    /// The training of a name.
    pub fn training(&self, name: &str) -> Option<&TrainingSpec> {
        self.trainings.iter().find(|spec| spec.name == name)
    }
}

impl TrainingSpec {
    /// The configuration with this training's settings over it.
    ///
    /// # Errors
    /// [`RunError::invalid`] naming the training, with the key that is unknown or the value that does not fit.
    pub fn resolve(&self, rows: &Path, base: &TrainMapperConfig) -> Result<TrainMapperConfig, RunError> {
        let field = format!("settings of training `{}`", self.name);
        let config: TrainMapperConfig =
            laid_over(base, &self.settings, rows, &field, "keys of `[train_mapper]`")?;
        config.check_ranges().map_err(|error| out_of_range(rows, &self.name, error))?;
        Ok(config)
    }
}

impl FinetuningSpec {
    /// The configuration with this finetuning's settings over it, and the loss that belongs to its condition.
    ///
    /// # Errors
    /// [`RunError::invalid`] naming the finetuning, with the key that is unknown or the value that does not fit.
    pub fn resolve(&self, rows: &Path, base: &FinetuneGanConfig) -> Result<FinetuneGanConfig, RunError> {
        let field = format!("settings of finetuning `{}`", self.name);
        let config: FinetuneGanConfig =
            laid_over(base, &self.settings, rows, &field, "keys of `[finetune_gan]`")?;
        config.validate().map_err(|error| out_of_range(rows, &self.name, error))?;
        Ok(config.resolved())
    }
}

/// The error of a number in the settings of a row.
fn out_of_range(rows: &Path, name: &str, error: SettingError) -> RunError {
    let field = format!("`{}` in the settings of `{name}`", error.key());
    RunError::invalid(rows, field, error.expected, error.found)
}

/// The configuration with some keys replaced.
fn laid_over<C: Serialize + DeserializeOwned>(
    base: &C,
    settings: &Table,
    rows: &Path,
    field: &str,
    expected: &str,
) -> Result<C, RunError> {
    let wrong = |reason: String| RunError::invalid(rows, field, expected, reason.trim_end().to_string());
    let mut table = Table::try_from(base).map_err(|error| wrong(error.to_string()))?;
    overlay(&mut table, settings);
    table.try_into().map_err(|error: toml::de::Error| wrong(error.message().to_string()))
}

fn overlay(below: &mut Table, above: &Table) {
    for (key, value) in above {
        match (below.get_mut(key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => overlay(below, above),
            _ => {
                below.insert(key.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::gan::loss::SecondVector;
    use crate::training::gan::mappers::config::MapperMode;

    const ROWS: &str = r#"
        title = "t"
        [[training]]
        name = "a"
        target = "image"
        settings = { clamp = 0.0, train = { phase2 = { epochs = 0 } } }
        [[training]]
        name = "b"
        target = "image"
        init_from = "a"
        [[row]]
        label = "clamp off"
        training = "a"
        paper = { forward = 13 }
        [[row]]
        label = "both"
        combine = ["a", "b"]
    "#;

    fn parse(text: &str) -> Result<AblationRows, String> {
        AblationRows::parse(Path::new("rows.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_are_laid_over_the_configuration() {
        let rows = parse(ROWS).unwrap();
        let mut base = TrainMapperConfig::default();
        base.train.phase1.epochs = 7;
        let config = rows.trainings[0].resolve(Path::new("rows.toml"), &base).unwrap();
        assert_eq!((config.clamp, config.train.phase1.epochs, config.train.phase2.epochs), (0.0, 7, 0));
        assert_eq!(config.train.phase2.batch, base.train.phase2.batch);
        assert_eq!(rows.trainings[1].resolve(Path::new("rows.toml"), &base).unwrap(), base);
        assert_eq!(rows.rows[0].paper.forward, Some(13.0));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (from, to, needle) in [
            ("training = \"a\"", "training = \"c\"", "row `clamp off`"),
            ("init_from = \"a\"", "init_from = \"b\"", "init_from of training `b`"),
            ("combine = [\"a\", \"b\"]", "combine = [\"a\"]", "row `both`"),
            ("name = \"b\"", "name = \"a\"", "different names"),
            ("label = \"both\"", "lable = \"both\"", "lable"),
        ] {
            let error = parse(&ROWS.replace(from, to)).unwrap_err();
            assert!(error.contains(needle), "{error}");
        }
        let rows = parse(&ROWS.replace("clamp = 0.0", "clmap = 0.0")).unwrap();
        let error = rows.trainings[0].resolve(Path::new("rows.toml"), &TrainMapperConfig::default());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("training `a`") && error.contains("clmap"), "{error}");
    }

    #[test]
    fn finetunings_have_settings_and_mappers_of_their_own() {
        let text = r#"
            title = "t"
            gans = { lafite = "weights/lafite" }
            [[training]]
            name = "a"
            target = "image"
            [[finetuning]]
            name = "joint"
            image_mapper = "a"
            gan = "lafite"
            settings = { condition = "image-resnet", mappers = { mode = "end-to-end" } }
            [[row]]
            label = "end to end"
            finetuning = "joint"
        "#;
        let rows = parse(text).unwrap();
        let config =
            rows.finetunings[0].resolve(Path::new("rows.toml"), &FinetuneGanConfig::default()).unwrap();
        assert_eq!(config.mappers.mode, MapperMode::EndToEnd);
        assert_eq!(config.train.loss.second_vector, SecondVector::Resnet);
        for (from, to, needle) in [
            ("finetuning = \"joint\"", "finetuning = \"join\"", "row `end to end`"),
            ("image_mapper = \"a\"", "image_mapper = \"b\"", "image_mapper of finetuning `joint`"),
            (
                "finetuning = \"joint\"",
                "finetuning = \"joint\"\n[[row]]\nlabel = \"x\"\ntraining = \"a\"",
                "1 of 2",
            ),
        ] {
            let error = parse(&text.replace(from, to)).unwrap_err();
            assert!(error.contains(needle), "{error}");
        }
        let rows = parse(&text.replace("mode = \"end-to-end\"", "mod = 1")).unwrap();
        let error = rows.finetunings[0].resolve(Path::new("rows.toml"), &FinetuneGanConfig::default());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("finetuning `joint`") && error.contains("mod"), "{error}");
    }

    #[test]
    fn the_rows_that_come_with_the_program_fit_its_settings() {
        for (name, text) in super::super::TABLES.map(|(_, file, text)| (file, text)) {
            let rows = AblationRows::parse(Path::new(name), text).unwrap();
            for spec in &rows.trainings {
                spec.resolve(Path::new(name), &TrainMapperConfig::default()).unwrap();
            }
            for spec in &rows.finetunings {
                spec.resolve(Path::new(name), &FinetuneGanConfig::default()).unwrap();
            }
        }
    }
}
