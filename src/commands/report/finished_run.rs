//! One finished run as a report sees it: what work it was, by what its `config.toml` says.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::commands::reconstruct::PictureSource;
use crate::commands::train_mapper::BetasControl;
use crate::error::toml_reason;
use crate::files::file_is_there;
use crate::models::mapper::{MapperKind, MapperTarget};
use crate::pipelines::drawing_manifest::MANIFEST_FILE;
use crate::pipelines::stimulation::Stimulation;
use crate::pipelines::trial_choice::{Repeats, TrialChoice};
use crate::run::error::RunError;
use crate::run::run_dir::SUMMARY_FILE;
use crate::training::mapper::preset::MapperPreset;
use crate::training::mapper::selection::EpochSelection;

/// Settings of a run, in its folder.
const CONFIG_FILE: &str = "config.toml";
/// What an evaluation found, in its run's folder.
pub(super) const EVALUATION_FILE: &str = "evaluation.json";

/// What a run did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RunKind {
    PretrainClip,
    TrainMapper,
    Evaluate,
    PretrainGan,
    FinetuneGan,
    Reconstruct,
    EvaluateImages,
    Interpolate,
    Microstim,
    Encode,
}

impl RunKind {
    /// The subcommand.
    pub fn command(self) -> &'static str {
        match self {
            Self::PretrainClip => "pretrain-clip",
            Self::TrainMapper => "train-mapper",
            Self::Evaluate => "evaluate",
            Self::PretrainGan => "pretrain-gan",
            Self::FinetuneGan => "finetune-gan",
            Self::Reconstruct => "reconstruct",
            Self::EvaluateImages => "evaluate-images",
            Self::Interpolate => "interpolate",
            Self::Microstim => "microstim",
            Self::Encode => "encode",
        }
    }

    /// What such a run writes last.
    fn last_file(self) -> &'static str {
        match self {
            Self::Evaluate | Self::EvaluateImages => EVALUATION_FILE,
            Self::Reconstruct | Self::Interpolate => MANIFEST_FILE,
            // Older versions wrote no summary of a CLIP.
            Self::PretrainClip => "metrics.jsonl",
            _ => SUMMARY_FILE,
        }
    }
}

/// The part of a run's settings that a report tells of. Sections that are there say what work it was.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct RunConfig {
    pretrain_clip: Option<IgnoredAny>,
    mapper: Option<MapperSection>,
    /// How mappers and ridge regression were counted.
    pub evaluate: Option<EvaluateSection>,
    pretrain_gan: Option<IgnoredAny>,
    /// Settings of a finetuning, as they stand there.
    pub finetune_gan: Option<toml::Table>,
    pub reconstruct: Option<ReconstructSection>,
    evaluate_images: Option<IgnoredAny>,
    pub interpolate: Option<WaySection>,
    pub microstim: Option<MicrostimSection>,
    encode: Option<IgnoredAny>,
    /// Of `evaluate` and `encode`: the same as of a mapper's training.
    data: Option<DataSection>,
    prepared: Option<PathBuf>,
    stimuli: Option<PathBuf>,
    /// What a mapper predicts.
    #[serde(default)]
    pub target: MapperTarget,
    /// Whether a mapper learned from exchanged betas.
    #[serde(default)]
    pub betas: BetasControl,
    /// Whether pictures were drawn as a control.
    #[serde(default)]
    pub is_control: bool,
    /// Networks that drew pictures.
    pub networks: Option<NetworksSection>,
    /// Run whose pictures were evaluated.
    pub evaluated: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
struct DataSection {
    prepared: Option<PathBuf>,
    stimuli: Option<PathBuf>,
}

/// Settings of a mapper.
#[derive(Clone, Debug, Deserialize)]
struct MapperSection {
    /// The paper's network in files of older versions.
    #[serde(default = "MapperKind::of_older_files")]
    kind: MapperKind,
    #[serde(default)]
    preset: MapperPreset,
    #[serde(default)]
    train: MapperTraining,
}

/// How the paper's network was trained.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct MapperTraining {
    /// Held-out trials in files of older versions.
    selection: EpochSelection,
}

impl RunConfig {
    /// What pictures were made from; none of other runs.
    pub(super) fn pictures_source(&self) -> Option<PictureSource> {
        self.reconstruct.as_ref().map(|section| section.source)
    }

    /// How a mapper's betas become an embedding.
    pub(super) fn mapper_kind(&self) -> MapperKind {
        self.mapper.as_ref().map_or_else(MapperKind::of_older_files, |mapper| mapper.kind)
    }

    /// Whether a mapper's epochs were chosen on the trials that are counted.
    pub(super) fn is_epoch_chosen_on_held_out(&self) -> bool {
        let is_preset = |mapper: &MapperSection| {
            mapper.preset == MapperPreset::Tuned && self.target != MapperTarget::Resnet
        };
        let is_chosen_elsewhere =
            |mapper: &MapperSection| is_preset(mapper) || mapper.train.selection == EpochSelection::TrainPart;
        self.mapper_kind() == MapperKind::Paper && !self.mapper.as_ref().is_some_and(is_chosen_elsewhere)
    }
}

/// Protocol of the counts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EvaluateSection {
    /// Folds of a cross-validation; 0 where the split was counted.
    pub folds: usize,
    bottleneck: Vec<IgnoredAny>,
    learning_curve: bool,
    compare_splits: Vec<IgnoredAny>,
}

impl EvaluateSection {
    /// Whether it says more than how well a decoder does.
    pub fn has_curves(&self) -> bool {
        self.learning_curve || !(self.bottleneck.is_empty() && self.compare_splits.is_empty())
    }
}

/// Which trials were drawn, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub(super) struct ReconstructSection {
    pub trials: TrialChoice,
    pub repeats: Repeats,
    pub limit: usize,
    pub source: PictureSource,
    /// Pictures of a trial and condition, each with a z of its own.
    pub samples: usize,
}

impl Default for ReconstructSection {
    fn default() -> Self {
        Self {
            trials: TrialChoice::default(),
            repeats: Repeats::default(),
            limit: 0,
            source: PictureSource::default(),
            samples: 1,
        }
    }
}

/// Which pictures were drawn of several trials.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct WaySection {
    /// Scans in time order, in place of a way between trials.
    pub sequence: bool,
}

/// What was stimulated.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct MicrostimSection {
    pub roi: String,
    pub action: Stimulation,
}

/// Snapshots that drew.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct NetworksSection {
    pub image_mapper: PathBuf,
}

impl RunConfig {
    fn kind(&self) -> Option<RunKind> {
        let sections = [
            (self.pretrain_clip.is_some(), RunKind::PretrainClip),
            (self.evaluate.is_some(), RunKind::Evaluate),
            (self.pretrain_gan.is_some(), RunKind::PretrainGan),
            (self.finetune_gan.is_some(), RunKind::FinetuneGan),
            (self.reconstruct.is_some(), RunKind::Reconstruct),
            (self.evaluate_images.is_some(), RunKind::EvaluateImages),
            (self.interpolate.is_some(), RunKind::Interpolate),
            (self.microstim.is_some(), RunKind::Microstim),
            (self.encode.is_some(), RunKind::Encode),
            (self.mapper.is_some(), RunKind::TrainMapper),
        ];
        sections.into_iter().find_map(|(is_there, kind)| is_there.then_some(kind))
    }

    /// The prepared subject.
    pub fn prepared(&self) -> Option<&Path> {
        self.prepared.as_deref().or_else(|| self.data.as_ref()?.prepared.as_deref())
    }

    /// The images that were seen.
    pub fn stimuli(&self) -> Option<&Path> {
        self.stimuli.as_deref().or_else(|| self.data.as_ref()?.stimuli.as_deref())
    }
}

/// A run with its settings.
#[derive(Clone, Debug)]
pub(super) struct FinishedRun {
    pub folder: PathBuf,
    pub kind: RunKind,
    pub config: RunConfig,
    /// `config.toml` as it stands.
    pub config_text: String,
}

impl FinishedRun {
    /// Reads the settings of the run in `folder`.
    ///
    /// # Errors
    /// [`RunError`] for a folder that holds no run that a report shows, or one that did not come to its end.
    pub fn open(folder: &Path) -> Result<Self, RunError> {
        let path = folder.join(CONFIG_FILE);
        let bytes = RunError::read(&path, "the report: give folders of finished runs")?;
        let wrong =
            |reason: String| RunError::invalid(&path, "content", "settings of a run", reason.trim_end());
        let config_text = String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
        let config: RunConfig =
            toml::from_str(&config_text).map_err(|error| wrong(toml_reason(&config_text, &error)))?;
        let kind = config.kind().ok_or_else(|| {
            let expected = "that of a run of `train-mapper`, `evaluate`, `finetune-gan`, `reconstruct`, `evaluate-images`, \
                            `interpolate`, `microstim`, `encode`, `pretrain-gan` or `pretrain-clip`";
            RunError::invalid(&path, "section of a command", expected, "none of them")
        })?;
        let last = folder.join(kind.last_file());
        if !file_is_there(&last)? {
            let purpose = format!("the report: the run of `{}` is not finished", kind.command());
            return Err(RunError::missing(last, purpose));
        }
        Ok(Self { folder: folder.to_path_buf(), kind, config, config_text })
    }

    /// The folder's own name.
    pub fn name(&self) -> String {
        folder_name(&self.folder)
    }
}

/// The last part of a path.
pub(super) fn folder_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether a path that a run recorded means this folder: the same place, or one of the same name where nothing is at the recorded
/// place any more, as after a work folder was moved.
pub(super) fn is_same_run(recorded: &Path, folder: &Path) -> bool {
    match (recorded.canonicalize(), folder.canonicalize()) {
        (Ok(recorded), Ok(folder)) => recorded == folder,
        _ => folder_name(recorded) == folder_name(folder),
    }
}

/// Whether the runs are named like those of the subject.
pub(super) fn is_of_subject(name: &str, subject: &str) -> bool {
    const MAPPERS: [&str; 3] = ["train-mapper-image", "train-mapper-caption", "train-mapper-resnet"];
    const OTHERS: [&str; 8] = [
        "pretrain-clip",
        "evaluate",
        "pretrain-gan",
        "finetune-gan",
        "reconstruct",
        "evaluate-images",
        "interpolate",
        "encode",
    ];
    let is_named = |command: &str, ending: &str| {
        name.strip_prefix(command).and_then(|rest| rest.strip_prefix('-')) == Some(ending)
    };
    let control = format!("{subject}-shuffled");
    // No name of a subject has a `+`.
    let from_else = |rest: &str| rest.starts_with(&format!("{subject}+"));
    MAPPERS.iter().any(|command| is_named(command, subject) || is_named(command, &control))
        || OTHERS.iter().any(|command| is_named(command, subject))
        || name.strip_prefix("reconstruct-").is_some_and(from_else)
        || name.starts_with("microstim-")
            && ["excite", "silence"].iter().any(|verb| name.ends_with(&format!("-{verb}-{subject}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_whose_runs_they_are() {
        for name in [
            "train-mapper-image-subj01",
            "train-mapper-caption-subj01-shuffled",
            "evaluate-subj01",
            "evaluate-images-subj01",
            "interpolate-subj01",
            "microstim-floc-faces-excite-subj01",
            "reconstruct-subj01+truth",
        ] {
            assert!(is_of_subject(name, "subj01"), "{name}");
            assert!(!is_of_subject(name, "subj02"), "{name}");
        }
        // Another subject whose name ends alike, and work that is not shown.
        for name in [
            "interpolate-sequence-subj01",
            "reconstruct-a-subj01",
            "pretrain-classifier-subj01",
            "encode-subj01-shuffled",
        ] {
            assert!(!is_of_subject(name, "subj01"), "{name}");
        }
    }

    #[test]
    fn settings_tell_what_a_run_did_and_wrong_ones_are_named() {
        let root = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| std::fs::write(root.path().join(file), text).unwrap();
        let error = || FinishedRun::open(root.path()).unwrap_err().to_string();
        assert!(error().contains("config.toml` is missing; it is needed for the report"), "{}", error());
        write("config.toml", "is_control = 3\n[reconstruct]\n");
        assert!(error().contains("config.toml`: content: found line 1: "), "{}", error());
        write("config.toml", "[prepare]\n");
        assert!(error().contains("section of a command: found none of them"), "{}", error());
        write("config.toml", "is_control = true\n[networks]\nimage_mapper = \"m\"\n[reconstruct]\n");
        assert!(
            error().contains("manifest.json` is missing") && error().contains("not finished"),
            "{}",
            error()
        );
        write("manifest.json", "{}");
        let run = FinishedRun::open(root.path()).unwrap();
        assert!(run.kind == RunKind::Reconstruct && run.config.is_control);
        write("config.toml", "target = \"caption\"\nbetas = \"shuffled\"\nprepared = \"p\"\n[mapper]\n");
        write("summary.json", "{}");
        let run = FinishedRun::open(root.path()).unwrap();
        assert_eq!(
            (run.kind, run.config.target, run.config.betas),
            (RunKind::TrainMapper, MapperTarget::Caption, BetasControl::Shuffled)
        );
        assert_eq!(run.config.prepared(), Some(Path::new("p")));
    }
}
