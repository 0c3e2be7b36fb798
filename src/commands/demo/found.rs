//! What the steps of the demo's chain left, as its summary and its page say it.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::commands::phantom::PhantomSummary;
use crate::commands::screen_captions::ScreenCaptionsSummary;
use crate::commands::train_mapper::TrainMapperSummary;
use crate::data::prepared::PreparedSubject;
use crate::error::{Context, Error, Result};
use crate::metrics::identification::IdentificationAccuracy;
use crate::pipelines::chain_record::{ChainRecord, ChainStep};
use crate::pipelines::project::Project;
use crate::run::error::RunError;
use crate::run::run_dir::SUMMARY_FILE;

/// What the chain found.
pub(super) struct Found {
    pub phantom: PhantomSummary,
    /// Prepared trials.
    pub num_trials: usize,
    /// Prepared voxels.
    pub num_voxels: usize,
    pub screened: ScreenCaptionsSummary,
    pub mappers: Mappers,
    /// Whether pictures of held-out trials are nearest to their own ground truth.
    pub judged: Vec<IdentificationAccuracy>,
    /// The same where the image mapper knows nothing and steers alone.
    pub judged_control: Vec<IdentificationAccuracy>,
}

/// Image and caption mapper, and the control that learned from exchanged betas.
pub(super) struct Mappers {
    pub image: TrainMapperSummary,
    pub caption: TrainMapperSummary,
    pub control: TrainMapperSummary,
}

/// The part of an evaluation of pictures that the summary repeats.
#[derive(Deserialize)]
struct Evaluation {
    identification: Identification,
}

#[derive(Deserialize)]
struct Identification {
    accuracies: Vec<IdentificationAccuracy>,
}

impl Found {
    /// Reads what the finished chain of a project left.
    ///
    /// # Errors
    /// A result that is not there or cannot be read.
    pub fn read(project: &Project, phantom: PhantomSummary) -> Result<Self> {
        let work = project.work();
        let record = ChainRecord::read(work, project.subject)?.context("no record of the chain")?;
        let file = |step: ChainStep, name: &str| {
            let run = record.runs(work, step).pop();
            Ok::<_, Error>(run.context(format_args!("the chain has no run of `{step}`"))?.join(name))
        };
        let mapper = |step| read(&file(step, SUMMARY_FILE)?, "a summary of train-mapper");
        let judged = |step| {
            let evaluation: Evaluation = read(&file(step, "evaluation.json")?, "an evaluation of pictures")?;
            Ok::<_, Error>(evaluation.identification.accuracies)
        };
        let prepared = PreparedSubject::open(&project.prepared())?;
        Ok(Self {
            phantom,
            num_trials: prepared.num_trials(),
            num_voxels: prepared.num_voxels(),
            screened: read(&project.screening_report(), "a summary of screen-captions")?,
            mappers: Mappers {
                image: mapper(ChainStep::ImageMapper)?,
                caption: mapper(ChainStep::CaptionMapper)?,
                control: mapper(ChainStep::ControlMapper)?,
            },
            judged: judged(ChainStep::EvaluateImages)?,
            judged_control: judged(ChainStep::EvaluateImagesControl)?,
        })
    }
}

/// The content of a JSON file that a step left.
pub(super) fn read<T: DeserializeOwned>(path: &Path, expected: &str) -> Result<T> {
    let bytes = RunError::read(path, "the demo's report")?;
    Ok(serde_json::from_slice(&bytes).map_err(|error| RunError::invalid(path, "content", expected, error))?)
}
