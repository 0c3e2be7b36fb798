//! `mindreader run`: the pipeline of a subject from its files to its report, step by step.
//!
//! What decides a step is hashed, settings and input files. A step that is done with the same hash is not done again; a training
//! that was interrupted goes on from its checkpoint. `chain/subj01.json` of the work folder is the record
//! ([`crate::pipelines::chain_record`]).

mod chain;
pub mod config;
mod decisive;
mod display;
mod estimates;
mod examined;
mod execution;
mod outlook;
mod plan_table;
mod regions;
mod selection;
mod step_needs;
mod summary;
mod work;

use std::collections::BTreeSet;

use self::chain::Chain;
pub use self::config::RunConfig;
use self::estimates::Estimates;
pub use self::estimates::{Basis, Estimate, TotalTime};
use self::execution::Execution;
pub use self::execution::{ONCE_WAS_ENOUGH, STEPS_STAY_DONE};
use self::plan_table::Planning;
pub use self::plan_table::{ChainPlan, PlanRow};
pub use self::selection::Selection;
pub use self::summary::{RunSummary, StepOutcome, StepSummary};
use super::config::ProjectConfig;
use crate::error::Result;
use crate::files::FolderLock;
use crate::pipelines::chain_record::ChainRecord;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::run::run_dir::this_process;

/// The settings of every step, and which steps are wanted.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// Settings of all commands.
    pub config: ProjectConfig,
    /// Which steps.
    pub selection: Selection,
    /// Further flags of the commands that the report names, such as `--config FILE`.
    pub flags: Vec<String>,
}

/// Does the steps that are wanted and not done.
///
/// # Errors
/// That of the first step that fails; another process that is at work on the same chain; a record that cannot be read.
pub fn run(settings: &RunSettings, progress: &mut dyn Progress) -> Result<RunSummary> {
    let project = settings.config.project();
    let (work, subject) = (project.work(), project.subject);
    let chain = Chain::new(&settings.config)?.with_flags(settings.flags.clone());
    let folder = work.join("chain").join(subject.to_string());
    std::fs::create_dir_all(&folder).map_err(|error| RunError::unwritable(&folder, error))?;
    let _lock = FolderLock::take(&folder, &this_process())?;
    let record = ChainRecord::read(work, subject)?.unwrap_or_else(|| ChainRecord::new(subject));
    if let Some(text) = chain.want_of_clip() {
        progress.warning(&text);
    }
    let (steps, time) = Execution::new(chain, record, settings.selection, progress).run()?;
    let record = ChainRecord::path(work, subject);
    Ok(RunSummary { subject: subject.to_string(), steps, record, seconds: time.as_secs_f64() })
}

/// What [`run`] would do; does nothing.
///
/// # Errors
/// A record or prepared file that cannot be read.
pub fn plan(settings: &RunSettings) -> Result<ChainPlan> {
    let project = settings.config.project();
    let (work, subject) = (project.work(), project.subject);
    let record = ChainRecord::read(work, subject)?.unwrap_or_else(|| ChainRecord::new(subject));
    let planning = Planning {
        chain: Chain::new(&settings.config)?,
        estimates: Estimates::read(work, &record),
        record: &record,
        selection: settings.selection,
        reached: BTreeSet::new(),
    };
    Ok(ChainPlan::new(subject.to_string(), planning.rows()?))
}
