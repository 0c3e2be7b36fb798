//! Which runs a report shows: of each work the newest, controls told from others by what their settings say.

use std::path::{Path, PathBuf};

use super::finished_run::{FinishedRun, RunKind, folder_name, is_of_subject, is_same_run};
use super::settings::ReportSettings;
use crate::commands::reconstruct::PictureSource;
use crate::commands::train_mapper::BetasControl;
use crate::error::Result;
use crate::files::file_is_there;
use crate::models::mapper::{MapperKind, MapperTarget};
use crate::pipelines::chain_record::{ChainRecord, ChainStep};
use crate::pipelines::command_line::CommandLine;
use crate::pipelines::project::Project;
use crate::pipelines::trial_choice::TrialChoice;
use crate::run::error::RunError;
use crate::run::run_dir::FoundRuns;

/// Pictures that decoded ones are held against.
#[derive(Debug)]
pub(super) struct PicturesBeside {
    /// What they are made from.
    pub source: PictureSource,
    /// The run that made them.
    pub drawn: FinishedRun,
    /// What was measured on them.
    pub judged: Option<FinishedRun>,
}

/// The runs of a page; what is none was not there.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub clip: Option<FinishedRun>,
    /// Mappers by target, then their controls.
    pub mappers: Vec<FinishedRun>,
    /// Counts on the held-out trials of the split.
    pub evaluation: Option<FinishedRun>,
    /// An evaluation with curves, which may be the same.
    pub curves: Option<FinishedRun>,
    /// Ridge regression over folds of the images.
    pub folds: Option<FinishedRun>,
    pub pretraining: Option<FinishedRun>,
    pub finetuning: Option<FinishedRun>,
    /// Pictures of held-out trials.
    pub drawn: Option<FinishedRun>,
    /// The same where the image mapper learned from exchanged betas.
    pub drawn_control: Option<FinishedRun>,
    /// What was measured on both.
    pub judged: Option<FinishedRun>,
    pub judged_control: Option<FinishedRun>,
    /// Pictures of the same trials from something else than decoded embeddings, one run of a source.
    pub beside: Vec<PicturesBeside>,
    /// The way between trials.
    pub way: Option<FinishedRun>,
    /// One run per region and action.
    pub stimulated: Vec<FinishedRun>,
    pub encoded: Option<FinishedRun>,
    /// What a reader must know of the choice, a sentence each.
    pub notes: Vec<String>,
}

impl Gathered {
    /// The named runs, else the newest finished ones of the subject.
    ///
    /// # Errors
    /// [`RunError`] where there is no finished run at all, or one of them cannot be read.
    pub fn find(settings: &ReportSettings) -> Result<Self> {
        if !settings.runs.is_empty() {
            let runs = settings.runs.iter().map(|run| FinishedRun::open(run)).collect::<Result<_, _>>()?;
            return Ok(Self::of(runs)?);
        }
        let project = &settings.project;
        let subject = project.subject.to_string();
        let FoundRuns { finished, unfinished } = project.found_runs(|name| is_of_subject(name, &subject))?;
        if finished.is_empty() {
            let killed = match unfinished.len() {
                0 => String::new(),
                count => format!(" ({count} were killed or are under way)"),
            };
            let purpose = format!(
                "a report: it holds no finished run of {subject}{killed}; run `{}` first, or name runs \
                 with `--runs`",
                CommandLine::new(project, None, &settings.flags).line("train-mapper --target image")
            );
            return Err(RunError::missing(project.runs().join(format!("*-{subject}")), purpose).into());
        }
        let of_chain = runs_of_chain(project)?;
        let is_other = |run: &&PathBuf| !of_chain.iter().any(|chained| is_same_run(chained, run));
        let others = finished.iter().filter(is_other);
        // Of each work the last is shown: what `mindreader run` made together stays together.
        let runs = others.chain(&of_chain).map(|run| FinishedRun::open(run)).collect::<Result<_, _>>()?;
        let mut gathered = Self::of(runs)?;
        gathered.notes.extend(newer_than_chain(&finished, &of_chain));
        if !unfinished.is_empty() {
            let names: Vec<String> = unfinished.iter().map(|run| folder_name(run)).collect();
            gathered.notes.push(format!("Not finished, and not shown: {}.", names.join(", ")));
        }
        Ok(gathered)
    }

    /// Sorts runs, given oldest first: the last of each work is shown.
    fn of(runs: Vec<FinishedRun>) -> Result<Self, RunError> {
        let mut gathered = Self::default();
        let (drawings, others): (Vec<_>, Vec<_>) =
            runs.into_iter().partition(|run| run.kind == RunKind::Reconstruct);
        let (judgements, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|run| run.kind == RunKind::EvaluateImages);
        for run in others {
            gathered.take(run);
        }
        for run in drawings {
            gathered.take_drawing(run)?;
        }
        gathered.take_judgements(judgements);
        gathered.mappers.sort_by_key(|run| {
            let place = [MapperTarget::Image, MapperTarget::Caption, MapperTarget::Resnet]
                .iter()
                .position(|target| *target == run.config.target);
            (run.config.betas == BetasControl::Shuffled, place)
        });
        gathered.note_other_mapper();
        Ok(gathered)
    }

    fn take(&mut self, run: FinishedRun) {
        if run.config.evaluate.as_ref().is_some_and(|section| section.has_curves()) {
            self.curves = Some(run.clone());
        }
        let slot = match run.kind {
            RunKind::PretrainClip => &mut self.clip,
            RunKind::Evaluate if run.config.evaluate.as_ref().is_some_and(|section| section.folds > 0) => {
                &mut self.folds
            }
            RunKind::Evaluate => &mut self.evaluation,
            RunKind::PretrainGan => &mut self.pretraining,
            RunKind::FinetuneGan => &mut self.finetuning,
            RunKind::Encode => &mut self.encoded,
            RunKind::Interpolate if run.config.interpolate.is_some_and(|section| section.sequence) => {
                self.notes.push(format!("{} is not shown: it is no way between trials.", run.name()));
                return;
            }
            RunKind::Interpolate => &mut self.way,
            RunKind::TrainMapper => {
                let what = |run: &FinishedRun| (run.config.target, run.config.betas);
                self.mappers.retain(|older| what(older) != what(&run));
                self.mappers.push(run);
                return;
            }
            RunKind::Microstim => {
                let region = |run: &FinishedRun| {
                    run.config.microstim.as_ref().map(|section| (section.roi.clone(), section.action))
                };
                let new = region(&run);
                match self.stimulated.iter_mut().find(|other| region(other) == new) {
                    Some(older) => *older = run,
                    None => self.stimulated.push(run),
                }
                return;
            }
            RunKind::Reconstruct | RunKind::EvaluateImages => return,
        };
        *slot = Some(run);
    }

    /// A drawing of held-out trials, as what it was meant; others are not shown.
    fn take_drawing(&mut self, run: FinishedRun) -> Result<(), RunError> {
        let is_held_out =
            run.config.reconstruct.as_ref().is_some_and(|section| section.trials == TrialChoice::Validation);
        if !is_held_out {
            self.notes.push(format!("{} is not shown: it did not draw the held-out trials.", run.name()));
        } else if let Some(source) = run.config.pictures_source().filter(|source| !source.is_betas()) {
            self.beside.retain(|other| other.source != source);
            self.beside.push(PicturesBeside { source, drawn: run, judged: None });
        } else if self.is_control(&run)? {
            self.drawn_control = Some(run);
        } else {
            self.drawn = Some(run);
        }
        Ok(())
    }

    /// Whether a drawing says that it is a control, or the mapper that steered it learned from exchanged betas.
    fn is_control(&self, run: &FinishedRun) -> Result<bool, RunError> {
        if run.config.is_control {
            return Ok(true);
        }
        let mapper = run.config.networks.as_ref().and_then(|networks| networks.image_mapper.parent());
        let Some(folder) = mapper else { return Ok(false) };
        if let Some(known) = self.mappers.iter().find(|mapper| is_same_run(folder, &mapper.folder)) {
            return Ok(known.config.betas == BetasControl::Shuffled);
        }
        // A mapper of another place: its own settings tell, where they are still there.
        let is_run =
            file_is_there(&folder.join("config.toml"))? && file_is_there(&folder.join("summary.json"))?;
        Ok(is_run && FinishedRun::open(folder)?.config.betas == BetasControl::Shuffled)
    }

    fn take_judgements(&mut self, judgements: Vec<FinishedRun>) {
        for run in judgements {
            let is_of = |drawn: Option<&FinishedRun>| {
                let drawn: Option<&Path> = drawn.map(|drawn| drawn.folder.as_path());
                let pair = run.config.evaluated.as_deref().zip(drawn);
                pair.is_some_and(|(evaluated, drawn)| is_same_run(evaluated, drawn))
            };
            if let Some(place) = self.beside.iter().position(|beside| is_of(Some(&beside.drawn))) {
                self.beside[place].judged = Some(run);
            } else if is_of(self.drawn.as_ref()) {
                self.judged = Some(run);
            } else if is_of(self.drawn_control.as_ref()) {
                self.judged_control = Some(run);
            }
        }
    }

    /// Says it where the pictures were steered by another mapper than the one whose counts are shown.
    fn note_other_mapper(&mut self) {
        let networks = self.drawn.as_ref().and_then(|run| run.config.networks.as_ref());
        let (Some(networks), Some(mapper)) =
            (networks, self.mapper(MapperTarget::Image, BetasControl::Measured))
        else {
            return;
        };
        let Some(folder) = networks.image_mapper.parent() else { return };
        // Mappers that were finetuned with the generator lie in its folder.
        let is_finetuned = self.finetuning.as_ref().is_some_and(|run| is_same_run(folder, &run.folder));
        if !is_same_run(folder, &mapper.folder) && !is_finetuned {
            let note = format!(
                "The pictures were steered by the image mapper in {}, not by that of {}, whose counts are shown.",
                folder.display(),
                mapper.name()
            );
            self.notes.push(note);
        }
    }

    /// Pictures of the same trials from another source.
    pub fn beside(&self, source: PictureSource) -> Option<&PicturesBeside> {
        self.beside.iter().find(|beside| beside.source == source)
    }

    /// The mapper of a target.
    pub fn mapper(&self, target: MapperTarget, betas: BetasControl) -> Option<&FinishedRun> {
        self.mappers.iter().find(|run| (run.config.target, run.config.betas) == (target, betas))
    }

    /// All runs with what they are called, in the order of the page.
    pub fn all(&self) -> Vec<(String, &FinishedRun)> {
        let clip = self.clip.iter().map(|run| ("CLIP, training".to_string(), run));
        let mut all: Vec<(String, &FinishedRun)> = clip.collect();
        all.extend(self.mappers.iter().map(|run| (mapper_name(run), run)));
        let rest = [
            ("retrieval", &self.evaluation),
            ("ridge baseline over folds", &self.folds),
            ("GAN, pretraining", &self.pretraining),
            ("GAN, finetuning", &self.finetuning),
            ("decoded pictures", &self.drawn),
            ("control pictures", &self.drawn_control),
            ("decoded pictures, measured", &self.judged),
            ("control pictures, measured", &self.judged_control),
        ];
        let is_shown = |run: &&FinishedRun| {
            !self.evaluation.as_ref().is_some_and(|shown| is_same_run(&shown.folder, &run.folder))
        };
        all.extend(self.curves.iter().filter(is_shown).map(|run| ("curves".to_string(), run)));
        all.extend(rest.iter().filter_map(|(name, run)| Some(((*name).to_string(), run.as_ref()?))));
        for PicturesBeside { source, drawn, judged } in &self.beside {
            all.push((format!("pictures from {source}"), drawn));
            all.extend(judged.iter().map(|run| (format!("pictures from {source}, measured"), run)));
        }
        all.extend(self.way.iter().map(|run| ("way between trials".to_string(), run)));
        all.extend(self.stimulated.iter().map(|run| (region_name(run), run)));
        all.extend(self.encoded.iter().map(|run| ("encoding model".to_string(), run)));
        all
    }
}

/// The runs that `mindreader run` made for the subject, as far as they are still there.
fn runs_of_chain(project: &Project) -> Result<Vec<PathBuf>, RunError> {
    let record = ChainRecord::read(project.work(), project.subject)?;
    let runs = record.iter().flat_map(|record| {
        ChainStep::ALL.into_iter().flat_map(|step| record.runs(project.work(), step)).collect::<Vec<_>>()
    });
    Ok(runs.filter(|run| run.is_dir()).collect())
}

/// Says it where finished runs are newer than those of the chain, whose are shown.
fn newer_than_chain(finished: &[PathBuf], of_chain: &[PathBuf]) -> Option<String> {
    let last = of_chain.iter().map(|run| folder_name(run)).max()?;
    let newer: Vec<String> =
        finished.iter().map(|run| folder_name(run)).filter(|name| *name > last).collect();
    (!newer.is_empty()).then(|| {
        format!(
            "Newer than the runs of `mindreader run`, and shown only where that has none of the kind: {}.",
            newer.join(", ")
        )
    })
}

/// What a mapper is called.
pub(super) fn mapper_name(run: &FinishedRun) -> String {
    match (run.config.betas, run.config.target) {
        (BetasControl::Measured, target) => measured_name(target, run.config.mapper_kind()),
        (BetasControl::Shuffled, MapperTarget::Image) => "control: exchanged betas".into(),
        (BetasControl::Shuffled, target) => format!("control: exchanged betas, {target} mapper"),
    }
}

/// As `evaluate` names its rows.
pub(super) fn measured_name(target: MapperTarget, kind: MapperKind) -> String {
    match kind {
        MapperKind::Paper => format!("{target} mapper"),
        kind => format!("{target} mapper, {kind}"),
    }
}

fn region_name(run: &FinishedRun) -> String {
    let region = run.config.microstim.as_ref().map_or("", |section| section.roi.as_str());
    format!("microstimulation, {region}")
}
