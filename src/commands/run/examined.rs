//! A step held against the record: done, interrupted or to do.

use std::path::{Path, PathBuf};

use super::chain::Chain;
use super::decisive::Decisive;
use super::work::Work;
use crate::error::Result;
use crate::pipelines::chain_record::{ChainRecord, FileRecord, Places, StepId, StepRecord, StepState};

/// How far a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// What decides it is as it was, and so are its outputs.
    Done,
    /// A training with a checkpoint, begun `after` the run of that number.
    Interrupted { checkpoint: PathBuf, after: Option<u32> },
    /// Not begun, or on something else, or without its outputs.
    ToDo,
}

/// A step with its command, what decides it, and how far it is.
pub(super) struct Examined {
    pub work: Work,
    pub decisive: Decisive,
    /// The inputs as they are, in the order of `decisive`.
    pub files: Vec<FileRecord>,
    pub identity: String,
    pub standing: Standing,
}

impl Examined {
    /// Looks at the inputs of a step and at what is recorded of it.
    ///
    /// # Errors
    /// Inputs that are missing or cannot be read; a run of it that another process is at work in.
    pub fn of(chain: &Chain, id: &StepId, record: &ChainRecord) -> Result<Self> {
        let project = chain.config().project();
        let places = Places { work: project.work(), nsd: project.paths.nsd.as_deref() };
        let work = chain.work(id)?;
        let decisive = work.decisive()?;
        let mut files = Vec::with_capacity(decisive.inputs.len());
        for input in &decisive.inputs {
            files.push(known_file(&places, &input.path, record, id)?);
        }
        let identity = decisive.identity(id, &files)?;
        let standing = match record.step(id).filter(|known| known.identity == identity) {
            Some(known) => standing(known, &work, &places)?,
            None => Standing::ToDo,
        };
        Ok(Self { work, decisive, files, identity, standing })
    }
}

/// The file as it is now; one of the size and time of the record has its hash.
pub(super) fn known_file(
    places: &Places<'_>,
    path: &Path,
    record: &ChainRecord,
    id: &StepId,
) -> Result<FileRecord> {
    let known = record.file(&places.spelling(path));
    Ok(FileRecord::of(places, path, known, &format!("step `{id}`"))?)
}

fn standing(known: &StepRecord, work: &Work, places: &Places<'_>) -> Result<Standing> {
    match known.state {
        StepState::Done => {
            let is_whole = known.outputs.iter().all(|output| is_unchanged(output, places));
            Ok(if is_whole { Standing::Done } else { Standing::ToDo })
        }
        StepState::Begun { after } => Ok(match work.begun_behind(after)? {
            Some(checkpoint) => Standing::Interrupted { checkpoint, after },
            None => Standing::ToDo,
        }),
        StepState::Skipped { .. } => Ok(Standing::ToDo),
    }
}

/// Whether a file is there as it was recorded. One that cannot be read is not.
fn is_unchanged(output: &FileRecord, places: &Places<'_>) -> bool {
    let now = FileRecord::of(places, &places.work.join(&output.path), Some(output), "");
    now.is_ok_and(|now| now.content() == output.content())
}
