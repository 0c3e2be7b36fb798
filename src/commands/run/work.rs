//! One step as the command that does it, with that command's settings.

use std::path::{Path, PathBuf};

use crate::commands::encode::{self, EncodeSettings};
use crate::commands::evaluate::{self, EvaluateSettings};
use crate::commands::evaluate_images::{self, EvaluateImagesSettings};
use crate::commands::finetune_gan::{self, FinetuneGanSettings};
use crate::commands::microstim::{self, MicrostimSettings};
use crate::commands::prepare::{self, PrepareSettings};
use crate::commands::pretrain_clip::{self, PretrainClipSettings};
use crate::commands::pretrain_gan::{self, PretrainGanSettings};
use crate::commands::reconstruct::{self, ReconstructSettings};
use crate::commands::report::{self, ReportSettings};
use crate::commands::score::{self, ScoreSettings};
use crate::commands::screen_captions::{self, ScreenCaptionsSettings};
use crate::commands::train_mapper::{self, BetasControl, TrainMapperSettings};
use crate::error::{FileError, Result};
use crate::files::{file_is_there, write_atomic};
use crate::models::mapper::MapperTarget;
use crate::pipelines::drawing_manifest::MANIFEST_FILE;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::run_dir::{RunDir, SUMMARY_FILE};
use crate::training::frame::epoch_loop::BEST_FILE;
use crate::training::gan::mappers::outputs::mapper_file;
use crate::training::gan::run_files::{CHECKPOINT_FILE, DISCRIMINATOR_FILE, GENERATOR_FILE};

/// What `evaluate` and `evaluate-images` write.
pub(super) const EVALUATION_FILE: &str = "evaluation.json";

/// A command and its settings.
pub(super) enum Work {
    Prepare(PrepareSettings),
    PretrainClip(PretrainClipSettings),
    ScreenCaptions(ScreenCaptionsSettings),
    Mapper(TrainMapperSettings),
    PretrainGan(PretrainGanSettings),
    FinetuneGan(FinetuneGanSettings),
    Reconstruct(ReconstructSettings),
    Evaluate(EvaluateSettings),
    EvaluateImages(EvaluateImagesSettings),
    Microstim(MicrostimSettings),
    /// With the volume of the noise ceilings, if there is one.
    Encode(Box<EncodeSettings>, Option<PathBuf>),
    /// With the file that takes the scores.
    Score(ScoreSettings, PathBuf),
    /// With what identifies the results that it shows.
    Report(Box<ReportSettings>, Vec<String>),
}

/// What a step left.
pub(super) struct Outcome {
    /// Its run folder, if it has one.
    pub run: Option<PathBuf>,
    /// The files that later steps or readers need.
    pub outputs: Vec<PathBuf>,
}

impl Work {
    /// Does it.
    ///
    /// # Errors
    /// Those of the command.
    pub fn run(&self, progress: &mut dyn Progress) -> Result<Outcome> {
        let run = match self {
            Self::Prepare(settings) => {
                let out = prepare::run(settings, progress)?.out;
                return Ok(Outcome { run: None, outputs: vec![out] });
            }
            Self::ScreenCaptions(settings) => {
                let screened = screen_captions::run(settings, progress)?;
                let outputs = vec![screened.output, screened.probabilities, screened.report];
                return Ok(Outcome { run: None, outputs });
            }
            Self::Score(settings, out) => {
                let scored = score::run(settings, progress)?;
                write_atomic(out, &serde_json::to_vec_pretty(&scored)?)?;
                return Ok(Outcome { run: None, outputs: vec![out.clone()] });
            }
            Self::Report(settings, _) => {
                let page = report::run(settings, progress)?;
                page.verdict.iter().for_each(|sentence| progress.note(sentence));
                return Ok(Outcome { run: None, outputs: vec![page.report] });
            }
            Self::PretrainClip(settings) => pretrain_clip::run(settings, progress)?.run,
            Self::Mapper(settings) => train_mapper::run(settings, progress)?.run_dir,
            Self::PretrainGan(settings) => pretrain_gan::run(settings, progress)?.run,
            Self::FinetuneGan(settings) => finetune_gan::run(settings, progress)?.run,
            Self::Reconstruct(settings) => reconstruct::run(settings, progress)?.run,
            Self::Evaluate(settings) => evaluate::run(settings, progress)?.run,
            Self::EvaluateImages(settings) => evaluate_images::run(settings, progress)?.run,
            Self::Microstim(settings) => microstim::run(settings, progress)?.run,
            Self::Encode(settings, _) => encode::run(settings, progress)?.run,
        };
        Ok(Outcome { outputs: self.outputs(&run)?, run: Some(run) })
    }

    /// Where it writes, in words.
    pub fn place(&self) -> String {
        let runs = match self {
            Self::Prepare(settings) => return settings.out.display().to_string(),
            Self::ScreenCaptions(settings) => return settings.output.display().to_string(),
            Self::Score(_, out) => return out.display().to_string(),
            Self::Report(settings, _) => return settings.out.display().to_string(),
            Self::PretrainClip(settings) => &settings.runs,
            Self::Mapper(settings) => &settings.runs,
            Self::PretrainGan(settings) => &settings.runs,
            Self::FinetuneGan(settings) => &settings.runs,
            Self::Reconstruct(settings) => &settings.runs,
            Self::Evaluate(settings) => &settings.data.runs,
            Self::EvaluateImages(settings) => &settings.runs,
            Self::Microstim(settings) => &settings.runs,
            Self::Encode(settings, _) => &settings.data.runs,
        };
        format!("a new run in {}", runs.display())
    }

    /// The files of a finished run that later steps or readers need. What may be cleared away to save space is not among them.
    fn outputs(&self, run: &Path) -> Result<Vec<PathBuf>, RunError> {
        let files = |names: &[&str]| names.iter().map(|name| run.join(name)).collect::<Vec<_>>();
        let with_folder = |names: &[&str], folder: &str| {
            let mut found = files(names);
            found.extend(files_of(&run.join(folder))?);
            Ok(found)
        };
        match self {
            Self::Prepare(_) | Self::ScreenCaptions(_) | Self::Score(..) | Self::Report(..) => Ok(vec![]),
            Self::PretrainClip(_) | Self::Mapper(_) => Ok(files(&[BEST_FILE, SUMMARY_FILE])),
            Self::PretrainGan(_) => Ok(files(&[GENERATOR_FILE, DISCRIMINATOR_FILE, SUMMARY_FILE])),
            Self::FinetuneGan(_) => {
                let mut found = files(&[GENERATOR_FILE, DISCRIMINATOR_FILE, SUMMARY_FILE]);
                let targets = [MapperTarget::Image, MapperTarget::Caption, MapperTarget::Resnet];
                for mapper in targets.map(|target| run.join(mapper_file(target))) {
                    found.extend(file_is_there(&mapper)?.then_some(mapper));
                }
                Ok(found)
            }
            Self::Reconstruct(_) => with_folder(&[MANIFEST_FILE, "grid.png"], "images"),
            Self::Evaluate(_) | Self::EvaluateImages(_) => Ok(files(&[EVALUATION_FILE])),
            Self::Microstim(_) => Ok(files(&[SUMMARY_FILE, "grid.png", "embeddings.hdf5"])),
            // Without coordinates of the voxels there is no volume.
            Self::Encode(..) => match file_is_there(&run.join("accuracy.nii.gz"))? {
                true => with_folder(&[SUMMARY_FILE, "accuracy.nii.gz"], "views"),
                false => Ok(files(&[SUMMARY_FILE])),
            },
        }
    }

    /// The checkpoint of the newest run that this training began behind the number `after`; nothing where there is none, or
    /// where the work is no training.
    ///
    /// # Errors
    /// A run that another process is at work in.
    pub fn begun_behind(&self, after: Option<u32>) -> Result<Option<PathBuf>, RunError> {
        let Some((runs, name)) = self.training() else { return Ok(None) };
        let newer = RunDir::newer(runs, after, |description| match name.strip_suffix('*') {
            Some(start) => description.starts_with(start),
            None => description == name,
        })?;
        let Some(run) = newer.last() else { return Ok(None) };
        if RunDir::is_under_way(run) {
            return Err(RunError::unwritable(
                run,
                "another process is at work there; wait until it ends, or stop it",
            ));
        }
        let checkpoint = run.join(CHECKPOINT_FILE);
        Ok(file_is_there(&checkpoint)?.then_some(checkpoint))
    }

    /// Where a training has its runs, and what their names say behind the number; `*` for any end.
    fn training(&self) -> Option<(&Path, String)> {
        match self {
            Self::PretrainClip(settings) => Some((&settings.runs, "pretrain-clip-*".into())),
            Self::Mapper(settings) => {
                let control = match settings.betas {
                    BetasControl::Measured => "",
                    BetasControl::Shuffled => "-shuffled",
                };
                let name = format!("train-mapper-{}-{}{control}", settings.target, settings.subject);
                Some((&settings.runs, name))
            }
            Self::PretrainGan(settings) => Some((&settings.runs, "pretrain-gan-*".into())),
            Self::FinetuneGan(settings) => Some((&settings.runs, "finetune-gan-*".into())),
            _ => None,
        }
    }

    /// The same training, continued.
    pub fn resumed(self, checkpoint: PathBuf) -> Self {
        let resume = Some(checkpoint);
        match self {
            Self::PretrainClip(settings) => Self::PretrainClip(PretrainClipSettings { resume, ..settings }),
            Self::Mapper(settings) => Self::Mapper(TrainMapperSettings { resume, ..settings }),
            Self::PretrainGan(settings) => Self::PretrainGan(PretrainGanSettings { resume, ..settings }),
            Self::FinetuneGan(settings) => Self::FinetuneGan(FinetuneGanSettings { resume, ..settings }),
            other => other,
        }
    }
}

/// The files of a folder, by name.
///
/// # Errors
/// A folder that cannot be read.
fn files_of(folder: &Path) -> Result<Vec<PathBuf>, RunError> {
    let unreadable = |error: std::io::Error| FileError::from_io(folder, "what a step wrote", &error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if !path.is_dir() && file_is_there(&path)? {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
