//! The steps of a chain, one after the other, each recorded when it is begun and when it is done.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::chain::{Chain, PlannedStep};
use super::display::{StepProgress, headline, purpose};
use super::estimates::Estimates;
use super::examined::{Examined, Standing, known_file};
use super::outlook::{Outlook, settings_sha256};
use super::selection::{Selection, Wish};
use super::step_needs::needs;
use super::summary::{StepOutcome, StepSummary};
use crate::commands::config::ProjectConfig;
use crate::error::{Error, ErrorClass, Result};
use crate::interrupt;
use crate::pipelines::chain_record::{ChainRecord, ChainStep, Places, StepId, StepRecord, StepState};
use crate::run::memory::PeakMemory;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;

/// Seconds by estimate from which on the user is asked.
const LONGEST: f64 = 24.0 * 3600.0;
/// How a chain goes on after it was stopped.
pub const STEPS_STAY_DONE: &str = "give the same command again: steps that are done are not done again";
/// The same of one that was to do steps again.
pub const ONCE_WAS_ENOUGH: &str =
    "give the command again without `--from` and `--only`: steps that are done are not done again";

/// A chain under way.
pub(super) struct Execution<'a> {
    pub chain: Chain,
    pub record: ChainRecord,
    pub selection: Selection,
    pub estimates: Estimates,
    pub progress: &'a mut dyn Progress,
    started: Instant,
    /// Steps that are done, or not for this subject.
    reached: BTreeSet<ChainStep>,
    summaries: Vec<StepSummary>,
}

impl<'a> Execution<'a> {
    /// A chain of which nothing has been looked at.
    pub fn new(
        chain: Chain,
        record: ChainRecord,
        selection: Selection,
        progress: &'a mut dyn Progress,
    ) -> Self {
        let estimates = Estimates::read(chain.config().project().work(), &record);
        let (reached, summaries) = (BTreeSet::new(), vec![]);
        Self { chain, record, selection, estimates, progress, started: Instant::now(), reached, summaries }
    }

    /// Does what is wanted.
    ///
    /// # Errors
    /// That of the first step that fails; those before it stay done.
    pub fn run(mut self) -> Result<(Vec<StepSummary>, Duration)> {
        let mut steps = self.chain.steps()?;
        self.refuse_long(&steps)?;
        self.forget()?;
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            let is_first = step.id.step == ChainStep::Prepare;
            self.step(&steps, at)?;
            if is_first {
                // Now the regions are known.
                steps = self.chain.steps()?;
            }
            at += 1;
        }
        Ok((self.summaries, self.started.elapsed()))
    }

    /// Refuses what takes days, unless the user has said that it may.
    fn refuse_long(&self, steps: &[PlannedStep]) -> Result<()> {
        let config = self.chain.config();
        let outlook = Outlook::of(config);
        let is_to_do = |step: &&PlannedStep| match self.selection.wish(step.id.step) {
            Wish::Again => step.left_out.is_none(),
            // A step that was done with other settings is done again.
            Wish::Complete if step.left_out.is_some() => false,
            Wish::Complete => {
                let known = self.record.step(&step.id);
                self.may_come(step)
                    || known.is_some_and(|known| known.settings != outlook.settings_sha256(step.id.step))
            }
            Wish::LeaveAsItIs | Wish::LeaveOut => false,
        };
        let to_do = steps.iter().filter(is_to_do).map(|step| &step.id);
        let total = self.estimates.total_at_most(to_do, &outlook);
        match total.words() {
            Some(time) if total.seconds > LONGEST && !config.run.accept_long => Err(too_long(config, &time)),
            _ => Ok(()),
        }
    }

    /// What is to be done again does not count as done, even if this call is interrupted before it comes to it.
    fn forget(&mut self) -> Result<()> {
        let Some((first, last)) = self.selection.again_from() else { return Ok(()) };
        self.record.steps.retain(|step| !(first..=last).contains(&step.id.step));
        self.record.write(self.work())
    }

    fn step(&mut self, steps: &[PlannedStep], at: usize) -> Result<()> {
        let PlannedStep { id, left_out } = &steps[at];
        let wish = self.selection.wish(id.step);
        if wish == Wish::LeaveOut {
            self.summaries.push(StepSummary::new(id, StepOutcome::LeftOut));
            return Ok(());
        }
        if let Some(reason) = left_out {
            return self.skip(id, reason, wish);
        }
        if wish == Wish::LeaveAsItIs {
            self.leave(id);
            return Ok(());
        }
        let place = place(steps, at, &self.selection);
        let done = self.require_needed(id).and_then(|()| self.complete(steps, at, place));
        done.map_err(|error| self.explained(error, id, place))
    }

    fn skip(&mut self, id: &StepId, reason: &str, wish: Wish) -> Result<()> {
        self.reached.insert(id.step);
        self.summaries
            .push(StepSummary { reason: Some(reason.into()), ..StepSummary::new(id, StepOutcome::Skipped) });
        if wish == Wish::LeaveAsItIs {
            return Ok(());
        }
        self.record.set(StepRecord::new(id.clone(), StepState::Skipped { reason: reason.into() }));
        self.record.write(self.work())
    }

    /// Takes what is there of a step that is not to be touched.
    fn leave(&mut self, id: &StepId) {
        let known = self.record.step(id).filter(|known| known.state == StepState::Done).cloned();
        let Some(known) = known else { return };
        let run = self.taken(&known);
        self.summaries.push(StepSummary { run, ..StepSummary::new(id, StepOutcome::WasDone) });
    }

    /// Lets later steps have what a step left; its run folder.
    fn taken(&mut self, known: &StepRecord) -> Option<PathBuf> {
        self.reached.insert(known.id.step);
        let run = known.run.as_ref().map(|run| self.work().join(run));
        self.chain.take(known, run.as_deref());
        run
    }

    /// Refuses a step whose inputs are not made and are not to be made.
    fn require_needed(&self, id: &StepId) -> Result<()> {
        match needs(id.step).iter().find(|needed| !self.reached.contains(needed)) {
            None => Ok(()),
            Some(needed) => {
                let message =
                    format!("`{needed}`, which it takes the result of, is not done; leave out `--only`");
                Err(Error::bad_input(message))
            }
        }
    }

    /// Does a step unless it is done.
    fn complete(&mut self, steps: &[PlannedStep], at: usize, place: (usize, usize)) -> Result<()> {
        interrupt::check()?;
        let id = &steps[at].id;
        let examined = Examined::of(&self.chain, id, &self.record)?;
        let known = self.record.step(id).filter(|_| examined.standing == Standing::Done).cloned();
        if let Some(known) = known {
            let run = self.taken(&known);
            self.summaries.push(StepSummary { run, ..StepSummary::new(id, StepOutcome::WasDone) });
            return Ok(());
        }
        let left = steps[at..].iter().filter(|step| self.may_come(step)).map(|step| &step.id);
        let left = self.estimates.total(left, &Outlook::of(self.chain.config()));
        let headline = headline(place, &id.to_string(), self.started.elapsed(), &left);
        self.progress.note(&format!("{headline}. {}", purpose(id.step)));
        let known = self.perform(id, examined, place)?;
        let run = self.taken(&known);
        let seconds = known.seconds;
        self.summaries.push(StepSummary { run, seconds, ..StepSummary::new(id, StepOutcome::Done) });
        Ok(())
    }

    /// Whether a step that is still to come is not known to be done.
    fn may_come(&self, step: &PlannedStep) -> bool {
        let is_done = self.record.step(&step.id).is_some_and(|known| known.state == StepState::Done);
        step.left_out.is_none() && !is_done && self.selection.wish(step.id.step) != Wish::LeaveOut
    }

    /// Does a step, or goes on with it; what is recorded of it then.
    fn perform(&mut self, id: &StepId, examined: Examined, place: (usize, usize)) -> Result<StepRecord> {
        let Examined { work, files, identity, standing, .. } = examined;
        let project = self.chain.config().project();
        let (after, work, is_whole) = match standing {
            Standing::Interrupted { checkpoint, after } => {
                self.progress.note(&format!("Goes on from `{}`.", checkpoint.display()));
                (after, work.resumed(checkpoint), false)
            }
            _ => (RunDir::highest(&project.runs())?, work, true),
        };
        let begun = StepRecord {
            identity,
            settings: settings_sha256(id.step, self.chain.config()),
            inputs: files,
            ..StepRecord::new(id.clone(), StepState::Begun { after })
        };
        self.record.set(begun.clone());
        self.record.write(project.work())?;
        let (memory, started) = (PeakMemory::from_now(), Instant::now());
        let outcome = work.run(&mut StepProgress { progress: &mut *self.progress, place })?;
        let seconds = is_whole.then(|| started.elapsed().as_secs_f64());
        let places = Places { work: project.work(), nsd: project.paths.nsd.as_deref() };
        let outputs = outcome.outputs.iter().map(|path| known_file(&places, path, &self.record, id));
        let done = StepRecord {
            state: StepState::Done,
            run: outcome.run.as_deref().map(|run| places.spelling(run)),
            outputs: outputs.collect::<Result<_>>()?,
            seconds,
            peak_bytes: memory.bytes(),
            ..begun
        };
        self.record.set(done.clone());
        self.record.write(project.work())?;
        Ok(done)
    }

    /// The error with the step that it arose in, and with how the chain goes on.
    fn explained(&self, error: Error, id: &StepId, (step, of): (usize, usize)) -> Error {
        if error.class() != ErrorClass::Interrupted {
            return error.context(format!("step `{id}`"));
        }
        let hint = match self.selection.again_from() {
            None => STEPS_STAY_DONE,
            Some(_) => ONCE_WAS_ENOUGH,
        };
        Error::interrupted(format!("stopped in step {step} of {of}, `{id}`")).or_hint(hint)
    }

    fn work(&self) -> &Path {
        self.chain.config().paths.work.as_deref().unwrap_or(Path::new("work"))
    }
}

/// Nothing is begun; what else there is.
fn too_long(config: &ProjectConfig, time: &str) -> Error {
    let message = format!(
        "`run` would take {time} for {} on this device, more than {} hours; nothing was begun: `--yes`, or `run.accept_long = true`, allows it",
        config.subject,
        LONGEST / 3600.0
    );
    Error::bad_input(message).or_hint(match config.subject.is_own() {
        true => {
            "`--dry-run` lists the time of every step; smaller networks are configured as in `configs/digits69.toml`, and `import --overwrite` \
             writes sizes that fit the data"
        }
        false => {
            "`--dry-run` lists the time of every step; `--clip FILE` and `--gan DIR` take networks that are trained, `--config FILE` smaller ones"
        }
    })
}

/// The place of a step among those that are done for the subject, from 1, and how many these are.
fn place(steps: &[PlannedStep], at: usize, selection: &Selection) -> (usize, usize) {
    let counts = |step: &&PlannedStep| {
        let wish = selection.wish(step.id.step);
        step.left_out.is_none() && matches!(wish, Wish::Complete | Wish::Again)
    };
    (steps[..=at].iter().filter(counts).count(), steps.iter().filter(counts).count())
}
