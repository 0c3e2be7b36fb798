//! `chain/subj01.json` of the work folder: which steps of a subject's chain are done, by what they were decided, and where their
//! results are.
//!
//! Paths of the record are relative to the work folder where they lie below it, so that the folder can be moved.

mod file_record;

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::file_record::FileRecord;
pub(crate) use self::file_record::Places;
use crate::files::{file_is_there, warn_once, write_atomic};
use crate::pipelines::stimulation::Stimulation;
use crate::run::error::RunError;

/// Goes up when a step computes other numbers from the same settings and inputs: what was done before is then done again.
pub const CHAIN_FORMAT: u32 = 1;

/// The steps of a chain, in the order in which they are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChainStep {
    /// Betas of the visual voxels in one file.
    Prepare,
    /// A CLIP of the subject's stimuli and captions, where none is named.
    PretrainClip,
    /// The captions that fit their images.
    ScreenCaptions,
    /// The mapper into CLIP's image space.
    ImageMapper,
    /// The mapper into CLIP's caption space.
    CaptionMapper,
    /// The image mapper that learned from exchanged betas.
    ControlMapper,
    /// The caption mapper that learned from exchanged betas.
    ControlCaptionMapper,
    /// The GAN without brains, where none is named.
    PretrainGan,
    /// The GAN on decoded embeddings.
    FinetuneGan,
    /// Pictures of held-out trials.
    Reconstruct,
    /// The same by the mapper that learned from exchanged betas.
    ReconstructControl,
    /// The same from the true embeddings through the same generator: the ceiling.
    ReconstructTruth,
    /// The training images nearest to what is decoded, in place of pictures.
    ReconstructNearest,
    /// Counts of the mappers and of ridge regression.
    Evaluate,
    /// Whether the pictures are nearest to their own ground truth.
    EvaluateImages,
    /// The same of the pictures of the control.
    EvaluateImagesControl,
    /// The same of the pictures of the true embeddings.
    EvaluateImagesTruth,
    /// The same of the nearest training images.
    EvaluateImagesNearest,
    /// One region driven or silenced.
    Microstim,
    /// Betas from embeddings, voxel by voxel.
    Encode,
    /// Estimates beside the truth of a phantom.
    Score,
    /// The page of all results.
    Report,
}

impl ChainStep {
    /// All of them, in their order.
    pub const ALL: [Self; 22] = [
        Self::Prepare,
        Self::PretrainClip,
        Self::ScreenCaptions,
        Self::ImageMapper,
        Self::CaptionMapper,
        Self::ControlMapper,
        Self::ControlCaptionMapper,
        Self::PretrainGan,
        Self::FinetuneGan,
        Self::Reconstruct,
        Self::ReconstructControl,
        Self::ReconstructTruth,
        Self::ReconstructNearest,
        Self::Evaluate,
        Self::EvaluateImages,
        Self::EvaluateImagesControl,
        Self::EvaluateImagesTruth,
        Self::EvaluateImagesNearest,
        Self::Microstim,
        Self::Encode,
        Self::Score,
        Self::Report,
    ];

    /// As the record and the command line write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::PretrainClip => "pretrain-clip",
            Self::ScreenCaptions => "screen-captions",
            Self::ImageMapper => "image-mapper",
            Self::CaptionMapper => "caption-mapper",
            Self::ControlMapper => "control-mapper",
            Self::ControlCaptionMapper => "control-caption-mapper",
            Self::PretrainGan => "pretrain-gan",
            Self::FinetuneGan => "finetune-gan",
            Self::Reconstruct => "reconstruct",
            Self::ReconstructControl => "reconstruct-control",
            Self::ReconstructTruth => "reconstruct-truth",
            Self::ReconstructNearest => "reconstruct-nearest",
            Self::Evaluate => "evaluate",
            Self::EvaluateImages => "evaluate-images",
            Self::EvaluateImagesControl => "evaluate-images-control",
            Self::EvaluateImagesTruth => "evaluate-images-truth",
            Self::EvaluateImagesNearest => "evaluate-images-nearest",
            Self::Microstim => "microstim",
            Self::Encode => "encode",
            Self::Score => "score",
            Self::Report => "report",
        }
    }
}

impl Display for ChainStep {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A region and what is done to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StimulatedRegion {
    /// As `microstim --roi` takes it.
    pub roi: String,
    /// Driven or silenced.
    pub action: Stimulation,
}

/// A step by name; of microstimulation there is one for every region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepId {
    /// What is done.
    pub step: ChainStep,
    /// The region of [`ChainStep::Microstim`]; of no other step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<StimulatedRegion>,
}

impl From<ChainStep> for StepId {
    fn from(step: ChainStep) -> Self {
        Self { step, region: None }
    }
}

impl Display for StepId {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match &self.region {
            None => write!(out, "{}", self.step),
            Some(StimulatedRegion { roi, action: Stimulation::Excite }) => write!(out, "{} {roi}", self.step),
            Some(StimulatedRegion { roi, action: Stimulation::Silence }) => {
                write!(out, "{} {roi} (silenced)", self.step)
            }
        }
    }
}

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum StepState {
    /// It was begun; if it has a run folder, that has a higher number than any run had `after` which it was begun.
    Begun {
        /// The highest number of a run then; none where there was no run.
        after: Option<u32>,
    },
    /// Its outputs are whole.
    Done,
    /// It cannot be done for this subject, or need not be.
    Skipped {
        /// Why, in words.
        reason: String,
    },
}

/// A step that was begun, done or skipped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Which one.
    #[serde(flatten)]
    pub id: StepId,
    /// How far it is.
    pub state: StepState,
    /// SHA-256 of everything that decides the result, in hexadecimal; empty for a step that was skipped.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub identity: String,
    /// SHA-256 of the settings that decide how long it takes, in hexadecimal; empty in records of older versions.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub settings: String,
    /// Its run folder, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<PathBuf>,
    /// The files that decided it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<FileRecord>,
    /// The files that it wrote and that later steps or readers need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<FileRecord>,
    /// Seconds that it took; none for one that was interrupted on the way, or is not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Most memory that the program held during the step, in bytes, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_bytes: Option<u64>,
}

impl StepRecord {
    /// A step of which nothing is known but how far it is.
    pub fn new(id: StepId, state: StepState) -> Self {
        let (inputs, outputs) = (vec![], vec![]);
        Self {
            id,
            state,
            identity: String::new(),
            settings: String::new(),
            run: None,
            inputs,
            outputs,
            seconds: None,
            peak_bytes: None,
        }
    }
}

/// What `mindreader run` has done for a subject.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainRecord {
    /// [`CHAIN_FORMAT`] of the program that wrote it.
    pub format: u32,
    /// `subj01`, …
    pub subject: String,
    /// The steps that were begun, done or skipped, each once.
    pub steps: Vec<StepRecord>,
}

impl ChainRecord {
    /// A record of nothing.
    pub fn new(subject: impl Display) -> Self {
        Self { format: CHAIN_FORMAT, subject: subject.to_string(), steps: vec![] }
    }

    /// Where the record of a subject lies below the work folder.
    pub fn path(work: &Path, subject: impl Display) -> PathBuf {
        work.join("chain").join(format!("{subject}.json"))
    }

    /// Reads the record of a subject; none where there is none, or where it is of another [`CHAIN_FORMAT`].
    ///
    /// # Errors
    /// A file that is there and is no record of this subject's chain.
    pub fn read(work: &Path, subject: impl Display) -> Result<Option<Self>, RunError> {
        let path = Self::path(work, &subject);
        if !file_is_there(&path)? {
            return Ok(None);
        }
        let invalid = |field: &str, expected: String, found: String| {
            Err(RunError::invalid(
                &path,
                field,
                format!("{expected}; without the file every step is done again"),
                found,
            ))
        };
        let bytes = RunError::read(&path, "what is done of the chain")?;
        // First the format: a record of another one may have other fields.
        match serde_json::from_slice::<Format>(&bytes) {
            Ok(Format { format }) if format != CHAIN_FORMAT => {
                warn_once(&format!(
                    "`{}` is of format {format}, not {CHAIN_FORMAT}: another version of the program wrote it, and every step is done again",
                    path.display()
                ));
                return Ok(None);
            }
            Ok(_) => {}
            Err(error) => {
                return invalid("content", "a record of `mindreader run`".into(), error.to_string());
            }
        }
        let record: Self = match serde_json::from_slice(&bytes) {
            Ok(record) => record,
            Err(error) => {
                return invalid("content", "a record of `mindreader run`".into(), error.to_string());
            }
        };
        if record.subject != subject.to_string() {
            return invalid("subject", subject.to_string(), record.subject);
        }
        let mut seen = BTreeSet::new();
        if let Some(twice) = record.steps.iter().find(|step| !seen.insert(step.id.to_string())) {
            return invalid("steps", "each once".into(), format!("`{}` twice", twice.id));
        }
        Ok(Some(record))
    }

    /// Writes the record in one step.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, work: &Path) -> crate::error::Result<()> {
        write_atomic(&Self::path(work, &self.subject), &serde_json::to_vec_pretty(self)?)?;
        Ok(())
    }

    /// What is known of a step.
    pub fn step(&self, id: &StepId) -> Option<&StepRecord> {
        self.steps.iter().find(|step| step.id == *id)
    }

    /// Steps of a kind that are done: one, or one for every region.
    pub fn done(&self, kind: ChainStep) -> impl Iterator<Item = &StepRecord> {
        self.steps.iter().filter(move |step| step.id.step == kind && step.state == StepState::Done)
    }

    /// The run folders of the steps of a kind that are done, as paths to open.
    pub fn runs(&self, work: &Path, kind: ChainStep) -> Vec<PathBuf> {
        self.done(kind).filter_map(|step| step.run.as_ref()).map(|run| work.join(run)).collect()
    }

    /// Puts a step in the place of what was known of it.
    pub fn set(&mut self, step: StepRecord) {
        match self.steps.iter_mut().find(|known| known.id == step.id) {
            Some(known) => *known = step,
            None => self.steps.push(step),
        }
    }

    /// What was recorded of the file at a path, as the record spells it.
    pub(crate) fn file(&self, path: &Path) -> Option<&FileRecord> {
        let files = self.steps.iter().rev().flat_map(|step| step.outputs.iter().chain(&step.inputs));
        files.into_iter().find(|file| file.path == path)
    }
}

/// The part of a record that every version has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(id: StepId, run: &str) -> StepRecord {
        let known = StepRecord::new(id, StepState::Done);
        StepRecord { identity: "ab".into(), run: Some(run.into()), seconds: Some(1.5), ..known }
    }

    fn faces(action: Stimulation) -> StepId {
        StepId {
            step: ChainStep::Microstim,
            region: Some(StimulatedRegion { roi: "floc-faces".into(), action }),
        }
    }

    #[test]
    fn a_record_says_which_run_is_whose_and_survives_its_file() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(ChainRecord::read(root.path(), "subj01").unwrap(), None);
        let mut record = ChainRecord::new("subj01");
        record.set(done(ChainStep::ImageMapper.into(), "runs/00000-x"));
        record.set(done(faces(Stimulation::Excite), "runs/00001-x"));
        record.set(done(faces(Stimulation::Silence), "/elsewhere/00002-x"));
        record.set(done(ChainStep::ImageMapper.into(), "runs/00003-x"));
        let mut begun = done(ChainStep::Encode.into(), "runs/00004-x");
        begun.state = StepState::Begun { after: Some(3) };
        record.set(begun);
        record.write(root.path()).unwrap();
        let read = ChainRecord::read(root.path(), "subj01").unwrap().unwrap();
        assert_eq!(read, record);
        assert_eq!(read.runs(root.path(), ChainStep::ImageMapper), [root.path().join("runs/00003-x")]);
        let regions = read.runs(root.path(), ChainStep::Microstim);
        assert_eq!(regions, [root.path().join("runs/00001-x"), PathBuf::from("/elsewhere/00002-x")]);
        assert!(read.runs(root.path(), ChainStep::Encode).is_empty());
        assert_eq!(faces(Stimulation::Silence).to_string(), "microstim floc-faces (silenced)");
    }

    #[test]
    fn names_are_those_of_the_file() {
        for step in ChainStep::ALL {
            assert_eq!(serde_json::to_value(step).unwrap(), step.name());
        }
        assert!(ChainStep::ALL.is_sorted());
    }

    #[test]
    fn what_is_no_record_is_named_and_one_of_another_format_is_none() {
        let root = tempfile::tempdir().unwrap();
        let path = ChainRecord::path(root.path(), "subj01");
        let read = |text: &str| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            ChainRecord::read(root.path(), "subj01")
        };
        let error = |text: &str| read(text).unwrap_err().to_string();
        let step = r#"{"step": "prepare", "state": "done"}"#;
        for (text, expected) in [
            ("[".to_string(), "subj01.json`: content"),
            ("{}".into(), "subj01.json`: content"),
            (
                r#"{"format": 1, "subject": "subj02", "steps": []}"#.into(),
                "subject: found subj02, expected subj01",
            ),
            (
                r#"{"format": 1, "subject": "subj01", "steps": [{"step": "x", "state": "done"}]}"#.into(),
                "content",
            ),
            (
                format!(r#"{{"format": 1, "subject": "subj01", "steps": [{step}, {step}]}}"#),
                "`prepare` twice",
            ),
            (r#"{"format": 1, "subject": "subj01", "steps": [], "more": 1}"#.into(), "content"),
        ] {
            let error = error(&text);
            assert!(error.contains(expected) && error.contains("done again"), "{error}");
        }
        assert_eq!(read(r#"{"format": 0, "anything": 1}"#).unwrap(), None);
        let whole =
            read(&format!(r#"{{"format": 1, "subject": "subj01", "steps": [{step}]}}"#)).unwrap().unwrap();
        assert_eq!(whole.done(ChainStep::Prepare).count(), 1);
    }
}
