//! What was counted on held-out trials, as shares from 0 to 1: beside chance, the control's share and the ceiling, where runs have
//! them.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::finished_run::{EVALUATION_FILE, FinishedRun};
use super::gathered::{Gathered, measured_name};
use super::run_files::json_file;
use crate::commands::evaluate::{Centre, CrossValidation, EvaluateSummary};
use crate::commands::evaluate_images::{ClassSummary, IdentificationSummary, NamingSummary};
use crate::commands::reconstruct::PictureSource;
use crate::commands::train_mapper::{BetasControl, TrainMapperSummary};
use crate::data::import::classes::ImageClasses;
use crate::data::nsd::tree::NsdTree;
use crate::data::split::SplitRecord;
use crate::data::trial::NsdId;
use crate::metrics::bootstrap::Interval;
use crate::metrics::pairwise::PairwiseIdentification;
use crate::metrics::retrieval::RetrievalSummary;
use crate::metrics::trust::lures::Lures;
use crate::models::mapper::MapperTarget;
use crate::pipelines::inference::Inference;
use crate::pipelines::measured::Presentations;
use crate::pipelines::pictures::picture_features::FeatureKind;
use crate::run::error::RunError;
use crate::run::run_dir::SUMMARY_FILE;

/// What was asked of the decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Does a decoded embedding find its image in a batch?
    Retrieval,
    /// Does an image find its decoded embedding in a batch?
    BackwardRetrieval,
    /// Is a decoded picture closest to what was seen?
    Identification,
    /// Is a decoded embedding closer to its own image than to another one?
    Pairs,
    /// Is what can be named in a decoded picture there?
    Naming,
}

/// A share of held-out trials or pictures.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measure {
    pub question: Question,
    /// What was measured, in a few words.
    pub name: String,
    /// How it was counted, in some 50 letters: candidates, features, centring. Figures of different protocols are not compared.
    pub protocol: String,
    /// Whether it stands on the first screen; not where the same decoder stands there by another protocol.
    pub is_aside: bool,
    /// Images or pictures that the right one was among; categories, for names.
    pub among: usize,
    /// The share that was right, with its interval.
    pub value: Interval,
    /// What a random choice gives.
    pub chance: f64,
    /// The same with exchanged betas.
    pub floor: Option<Interval>,
    /// What a random choice gives there, where it is not the same: names that are given often are right often.
    pub floor_chance: Option<f64>,
    /// What the originals get; of decoded embeddings, what the mean over an image's presentations gets.
    pub ceiling: Option<f64>,
    /// What who knows only the class of each picture gets.
    pub class_level: Option<f64>,
}

impl Measure {
    /// Chance of the control.
    pub fn chance_of_floor(&self) -> f64 {
        self.floor_chance.unwrap_or(self.chance)
    }

    /// What was measured, with the direction where it is not the usual one.
    pub fn label(&self) -> String {
        match self.question {
            Question::BackwardRetrieval => format!("{}, backward", self.name),
            Question::Retrieval if self.is_aside => format!("{}, {}", self.name, self.protocol),
            _ => self.name.clone(),
        }
    }
}

/// The part of an evaluation of pictures that a report tells.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct JudgedPictures {
    /// Whose brain; unknown in files of older versions.
    #[serde(default)]
    pub subject: Option<String>,
    /// Of the drawing; unknown in files of older versions.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Whether a picture is of one trial or of the mean over an image's presentations.
    #[serde(default)]
    pub presentations: Presentations,
    /// Whether held-out trials had a part in what was drawn of them; unknown in files of older versions.
    #[serde(default)]
    pub inference: Option<Inference>,
    /// Trials (or averaged images) decoded.
    pub num_pictures: usize,
    /// Different images among them.
    pub num_images: usize,
    /// Which pictures were held out; unknown in files of older versions.
    #[serde(default)]
    pub split_record: Option<SplitRecord>,
    /// The network that made the features.
    pub features: JudgingNetwork,
    /// Is each picture closest to its own ground truth?
    pub identification: IdentificationSummary,
    /// Is what can be named in a picture there?
    pub naming: Option<NamingSummary>,
    /// Are the pictures of the right class? Unknown in files of older versions.
    #[serde(default)]
    pub classes: Option<ClassSummary>,
}

/// The network that made features.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct JudgingNetwork {
    /// What they are.
    pub kind: FeatureKind,
    /// Its snapshot.
    pub snapshot: PathBuf,
}

/// What the shown runs counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    /// Mappers with their names, in the order of the page; controls behind the others.
    pub mappers: Vec<(String, TrainMapperSummary)>,
    pub evaluation: Option<EvaluateSummary>,
    pub folds: Option<EvaluateSummary>,
    pub judged: Option<JudgedPictures>,
    pub judged_control: Option<JudgedPictures>,
    /// What was measured on pictures from other sources.
    pub judged_beside: Vec<(PictureSource, JudgedPictures)>,
    /// 2-way identification of the images of `evaluation` by who knows the class alone; none where the data say nothing of classes.
    pub class_level: Option<f64>,
    /// All shares, headlines first of their kind.
    pub measures: Vec<Measure>,
}

impl Findings {
    /// Reads the numbers of the shown runs.
    ///
    /// # Errors
    /// [`RunError`] that names file and field of the first one that is missing or cannot be.
    pub fn read(gathered: &Gathered) -> crate::error::Result<Self> {
        let mut findings = Self::default();
        for run in &gathered.mappers {
            let summary = json_file(&run.folder.join(SUMMARY_FILE), "a summary of `train-mapper`")?;
            findings.mappers.push((super::gathered::mapper_name(run), summary));
        }
        findings.evaluation = counted(gathered.evaluation.as_ref())?;
        findings.folds = counted(gathered.folds.as_ref())?;
        findings.class_level = class_level(gathered.evaluation.as_ref(), findings.evaluation.as_ref())?;
        let judged = |run: &Option<FinishedRun>| -> Result<Option<JudgedPictures>, RunError> {
            let Some(run) = run else { return Ok(None) };
            Ok(Some(json_file(&run.folder.join(EVALUATION_FILE), "what `evaluate-images` writes")?))
        };
        findings.judged = judged(&gathered.judged)?;
        for beside in &gathered.beside {
            findings.judged_beside.extend(judged(&beside.judged)?.map(|found| (beside.source, found)));
        }
        findings.judged_control = judged(&gathered.judged_control)?;
        findings.measures = findings.retrieval(gathered)?;
        findings.measures.extend(findings.over_folds(gathered)?);
        findings.measures.extend(findings.identification(gathered)?);
        findings.measures.extend(findings.pairs(gathered)?);
        findings.measures.extend(findings.naming(gathered)?);
        findings.measures.extend(findings.classes(gathered)?);
        Ok(findings)
    }

    /// What was held out, as the results say it, with the names of the results.
    pub fn splits(&self) -> Vec<(&str, &SplitRecord)> {
        let mappers = self.mappers.iter().map(|(name, found)| (name.as_str(), found.split_record.as_ref()));
        let counted = self.evaluation.iter().map(|found| ("retrieval", found.split_record.as_ref()));
        let pictures = self.judged.iter().map(|found| ("decoded pictures", found.split_record.as_ref()));
        let control =
            self.judged_control.iter().map(|found| ("control pictures", found.split_record.as_ref()));
        let all = mappers.chain(counted).chain(pictures).chain(control);
        all.filter_map(|(name, record)| Some((name, record?))).collect()
    }

    /// A sentence where results are of other held-out pictures than the first.
    pub fn other_splits(&self) -> Option<String> {
        let splits = self.splits();
        let (first, expected) = splits.first()?;
        let others: Vec<&str> =
            splits.iter().filter(|(_, split)| split != expected).map(|(name, _)| *name).collect();
        (!others.is_empty()).then(|| {
            format!(
                "Other pictures were held out than for the {first}: {}. Their figures are not of one split.",
                others.join(", ")
            )
        })
    }

    /// Both directions of every mapper and of ridge regression. Where an evaluation compares centred embeddings, it counts all decoders
    /// alike, and what the mappers' own runs counted stands aside.
    fn retrieval(&self, gathered: &Gathered) -> Result<Vec<Measure>, RunError> {
        let own = self.retrieval_of_runs(gathered)?;
        let Some((run, evaluation)) = gathered.evaluation.as_ref().zip(self.evaluation.as_ref()) else {
            return Ok(own.into_iter().flatten().collect());
        };
        let path = run.folder.join(EVALUATION_FILE);
        let mut measures = Vec::new();
        for row in evaluation.decoders() {
            let control = evaluation.floor(row).map(|control| (path.as_path(), &control.by_image));
            let counted = Counted { name: &row_name(&row.name), centre: evaluation.centre, path: &path };
            let levels =
                evaluation.class_levels.filter(|levels| levels.batch_size == row.by_image.batch_size);
            let class_level = levels.map(|levels| levels.found / levels.batch_size.max(1) as f64);
            let directions = counted.both_directions(&row.by_image, control)?;
            measures.push(directions.map(|measure| Measure { class_level, ..measure }));
        }
        let mut aside = Vec::new();
        for directions in own {
            let alike = |other: &[Measure; 2]| {
                (&other[0].name, &other[0].protocol) == (&directions[0].name, &directions[0].protocol)
            };
            if let Some(place) = measures.iter().position(alike) {
                // The same counts, and beside them those of a mapper that learned from exchanged betas.
                let class_level = measures[place][0].class_level;
                measures[place] = directions.map(|measure| Measure { class_level, ..measure });
            } else {
                let is_aside = measures.iter().any(|other| other[0].name == directions[0].name);
                aside.push(directions.map(|measure| Measure { is_aside, ..measure }));
            }
        }
        Ok(measures.into_iter().chain(aside).flatten().collect())
    }

    /// What `train-mapper` counted: embeddings as they are.
    fn retrieval_of_runs(&self, gathered: &Gathered) -> Result<Vec<[Measure; 2]>, RunError> {
        let summary_of = |target, betas| {
            let place = gathered
                .mappers
                .iter()
                .position(|run| (run.config.target, run.config.betas) == (target, betas))?;
            let run = &gathered.mappers[place];
            let name = measured_name(target, run.config.mapper_kind());
            Some((name, run.folder.join(SUMMARY_FILE), &self.mappers[place].1.retrieval))
        };
        let mut measures = Vec::new();
        for target in [MapperTarget::Image, MapperTarget::Caption, MapperTarget::Resnet] {
            let Some((name, path, found)) = summary_of(target, BetasControl::Measured) else { continue };
            let control = summary_of(target, BetasControl::Shuffled);
            let control = control.as_ref().map(|(_, path, found)| (path.as_path(), *found));
            let counted = Counted { name: &name, centre: Centre::None, path: &path };
            measures.push(counted.both_directions(found, control)?);
        }
        Ok(measures)
    }

    /// Top-1 of ridge regression over folds: each trial among those of its fold.
    fn over_folds(&self, gathered: &Gathered) -> Result<Vec<Measure>, RunError> {
        let Some((path, found)) = self.cross_validation(gathered) else { return Ok(vec![]) };
        let mut measures = Vec::new();
        for row in &found.rows {
            let control = found.floor(row);
            let field = format!("cross_validation, {}", row.name);
            measures.push(Measure {
                question: Question::Retrieval,
                name: row_name(&row.name),
                protocol: fold_protocol(found, self.centre_of_folds()),
                is_aside: false,
                among: found.candidates[1],
                value: share(&path, &field, row.forward, 1.0)?,
                chance: chance(&path, &field, row.chance, 1.0)?,
                floor: control.map(|control| share(&path, &field, control.forward, 1.0)).transpose()?,
                floor_chance: None,
                ceiling: None,
                class_level: None,
            });
        }
        Ok(measures)
    }

    fn centre_of_folds(&self) -> Centre {
        self.folds.as_ref().map_or(Centre::None, |folds| folds.centre)
    }

    fn cross_validation(&self, gathered: &Gathered) -> Option<(PathBuf, &CrossValidation)> {
        let path = gathered.folds.as_ref()?.folder.join(EVALUATION_FILE);
        Some((path, self.folds.as_ref()?.cross_validation.as_ref()?))
    }

    /// 2-way identification of decoded embeddings, on the split and over folds.
    fn pairs(&self, gathered: &Gathered) -> Result<Vec<Measure>, RunError> {
        let mut measures = Vec::new();
        if let Some((run, evaluation)) = gathered.evaluation.as_ref().zip(self.evaluation.as_ref()) {
            let path = run.folder.join(EVALUATION_FILE);
            for row in evaluation.decoders() {
                let Some(found) = &row.identification else { continue };
                let control = evaluation.floor(row).and_then(|control| control.identification.as_ref());
                let averaged = row.averaged.map(|averaged| averaged.identification.share);
                let field = format!("averaged, {}", row.name);
                let averaged = averaged.map(|found| share(&path, &field, found, 1.0)).transpose()?;
                let centred = evaluation.centre.in_words();
                let protocol = match evaluation.lures {
                    Lures::Test => format!("among {} images, {centred}", found.num_images),
                    Lures::Train => format!("among {} training images, {centred}", found.num_images - 1),
                    Lures::Cluster => {
                        format!("among up to {} images of the same cluster, {centred}", found.num_images)
                    }
                };
                let measure = of_pairs(&path, (row_name(&row.name), protocol), found, control)?;
                measures.push(Measure {
                    ceiling: averaged.map(|share| share.mean),
                    class_level: self.class_level,
                    ..measure
                });
            }
        }
        if let Some((path, found)) = self.cross_validation(gathered) {
            for row in &found.rows {
                let control = found.floor(row);
                let name = (row_name(&row.name), fold_protocol(found, self.centre_of_folds()));
                let control = control.map(|control| &control.identification);
                measures.push(of_pairs(&path, name, &row.identification, control)?);
            }
        }
        Ok(measures)
    }
}

/// What who knows only the class of an image gets of the 2-way choices among the images of an evaluation.
fn class_level(
    run: Option<&FinishedRun>,
    evaluation: Option<&EvaluateSummary>,
) -> crate::error::Result<Option<f64>> {
    let Some((run, evaluation)) = run.zip(evaluation) else { return Ok(None) };
    let Some(tree) = run.config.stimuli().and_then(NsdTree::of_stimuli) else { return Ok(None) };
    let images: Vec<NsdId> = evaluation.images.iter().copied().map(NsdId).collect();
    Ok(ImageClasses::read(tree.root())?.and_then(|classes| classes.pairs_by_class(&images)))
}

/// What an evaluation of embeddings found.
fn counted(run: Option<&FinishedRun>) -> Result<Option<EvaluateSummary>, RunError> {
    let Some(run) = run else { return Ok(None) };
    Ok(Some(json_file(&run.folder.join(EVALUATION_FILE), "what `evaluate` writes")?))
}

fn of_pairs(
    path: &Path,
    (name, protocol): (String, String),
    found: &PairwiseIdentification,
    control: Option<&PairwiseIdentification>,
) -> Result<Measure, RunError> {
    let field = format!("identification, {name}");
    Ok(Measure {
        question: Question::Pairs,
        protocol,
        is_aside: false,
        among: 2,
        value: share(path, &field, found.share, 1.0)?,
        chance: chance(path, &field, found.chance, 1.0)?,
        floor: control.map(|control| share(path, &field, control.share, 1.0)).transpose()?,
        floor_chance: None,
        ceiling: None,
        class_level: None,
        name,
    })
}

/// How ridge regression is counted over folds.
fn fold_protocol(found: &CrossValidation, centre: Centre) -> String {
    let CrossValidation { folds, candidates: [fewest, most], .. } = found;
    let among = if fewest == most { most.to_string() } else { format!("{fewest} to {most}") };
    format!("{folds} folds, among {among} trials, {}", centre.in_words())
}

/// What a row of an evaluation is called on the page: the ridge regression that `evaluate` fits is a baseline, not the mapper of that
/// kind, nor the ridge inside another.
pub(super) fn row_name(row: &str) -> String {
    match row.strip_prefix("ridge, ") {
        Some(target) => format!("ridge baseline to {target}"),
        None => row.into(),
    }
}

/// Whose counts these are, and how they were counted.
struct Counted<'a> {
    name: &'a str,
    centre: Centre,
    /// The file that holds them.
    path: &'a Path,
}

impl Counted<'_> {
    /// Shares of a retrieval's counts with those of its control, which come with their own file.
    fn both_directions(
        &self,
        found: &RetrievalSummary,
        control: Option<(&Path, &RetrievalSummary)>,
    ) -> Result<[Measure; 2], RunError> {
        let Self { name, centre, path } = self;
        let direction =
            |question, field: &str, count: fn(&RetrievalSummary) -> Interval| -> Result<Measure, RunError> {
                let of = found.batch_size as f64;
                let floor = control
                    .map(|(path, control)| share(path, field, count(control), control.batch_size as f64))
                    .transpose()?;
                Ok(Measure {
                    question,
                    name: (*name).to_string(),
                    protocol: format!("among {} trials, {}", found.batch_size, centre.in_words()),
                    is_aside: false,
                    among: found.batch_size,
                    value: share(path, field, count(found), of)?,
                    chance: chance(path, "retrieval.chance_over_batches", found.chance_over_batches, of)?,
                    floor,
                    floor_chance: None,
                    ceiling: None,
                    class_level: None,
                })
            };
        let (forward, backward) = (Question::Retrieval, Question::BackwardRetrieval);
        Ok([
            direction(forward, "retrieval.forward.over_batches", |found| found.forward.over_batches)?,
            direction(backward, "retrieval.backward.over_batches", |found| found.backward.over_batches)?,
        ])
    }
}

/// A count of `of` as a share with its interval.
pub(super) fn share(path: &Path, field: &str, count: Interval, of: f64) -> Result<Interval, RunError> {
    let Interval { mean, low, high } = count;
    if of > 0.0 && [mean, low, high].into_iter().all(|value| (0.0..=of).contains(&value)) && low <= high {
        return Ok(Interval { mean: mean / of, low: low / of, high: high / of });
    }
    let expected = format!("a mean with its interval, each from 0 to {of}, which is above 0");
    Err(RunError::invalid(path, field, expected, format!("{mean} ({low} to {high})")))
}

/// A number of `of` as a share.
pub(super) fn chance(path: &Path, field: &str, count: f64, of: f64) -> Result<f64, RunError> {
    if of > 0.0 && (0.0..=of).contains(&count) {
        return Ok(count / of);
    }
    Err(RunError::invalid(path, field, format!("a number from 0 to {of}"), count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_cannot_be_are_refused_by_file_and_field() {
        let path = Path::new("runs/x/summary.json");
        let interval = |mean, low, high| Interval { mean, low, high };
        let found = share(path, "f", interval(30.0, 15.0, 45.0), 60.0).unwrap();
        assert_eq!(found, interval(0.5, 0.25, 0.75));
        for (count, of) in [
            (interval(61.0, 1.0, 2.0), 60.0),
            (interval(1.0, f64::NAN, 2.0), 60.0),
            (interval(1.0, 2.0, 1.0), 60.0),
            (interval(0.0, 0.0, 0.0), 0.0),
        ] {
            let error = share(path, "retrieval.forward.over_batches", count, of).unwrap_err().to_string();
            assert!(
                error.starts_with("`runs/x/summary.json`: retrieval.forward.over_batches: found "),
                "{error}"
            );
        }
        assert_eq!(chance(path, "f", 1.5, 3.0).unwrap(), 0.5);
        assert!(chance(path, "f", -1.0, 3.0).is_err() && chance(path, "f", f64::INFINITY, 3.0).is_err());
    }
}
