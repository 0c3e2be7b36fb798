//! `--dry-run`: what would be done, from what, and what it would take.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use super::chain::{Chain, PlannedStep, needs};
use super::estimates::{Estimate, Estimates};
use super::examined::{Examined, Standing};
use super::selection::{Selection, Wish};
use crate::error::Result;
use crate::pipelines::chain_record::{ChainRecord, ChainStep, StepId, StepState};
use crate::report::number_format::duration;

/// A step as it would be done.
#[derive(Clone, Debug, Serialize)]
pub struct PlanRow {
    /// Its name.
    pub step: String,
    /// `done`, `to do`, `again`, `interrupted, goes on from …`, `skipped because …`, `left out`, `cannot be done: …`.
    pub state: String,
    /// What it reads: name and file, or the step that makes it.
    pub inputs: Vec<String>,
    /// What it writes, or has written.
    pub outputs: Vec<String>,
    /// Seconds.
    pub seconds: Option<Estimate<f64>>,
    /// Bytes of memory.
    pub memory: Option<Estimate<u64>>,
}

/// The steps as they would be done.
#[derive(Clone, Debug, Serialize)]
pub struct ChainPlan {
    /// `subj01`, …
    pub subject: String,
    /// In their order.
    pub steps: Vec<PlanRow>,
}

impl ChainPlan {
    /// A row per step, its inputs and outputs below it.
    pub fn text(&self) -> String {
        let width = self.steps.iter().map(|row| row.step.chars().count()).max().unwrap_or(0);
        let mut lines = vec![self.subject.clone()];
        for row in &self.steps {
            let is_open = !["done", "skipped", "left out"].iter().any(|state| row.state.starts_with(state));
            let takes = if is_open { format!("   {}", takes(row)) } else { String::new() };
            lines.push(format!("{:<width$}  {}{takes}", row.step, row.state));
            for (what, files) in [("from", &row.inputs), ("to", &row.outputs)] {
                lines.extend(files.iter().map(|file| format!("{:width$}    {what:<4} {file}", "")));
            }
        }
        lines.join("\n")
    }
}

fn takes(row: &PlanRow) -> String {
    let time = row.seconds.as_ref().map_or("unknown".into(), |Estimate { value, source }| {
        format!("{} ({source})", duration(Duration::try_from_secs_f64(*value).unwrap_or_default()))
    });
    let memory = row.memory.as_ref().map_or("unknown".into(), |Estimate { value, source }| {
        format!("{:.1} GB ({source})", *value as f64 / 1e9)
    });
    format!("time {time}, memory {memory}")
}

/// The plan of a chain; nothing is done.
pub(super) struct Planning<'a> {
    pub chain: Chain,
    pub record: &'a ChainRecord,
    pub selection: Selection,
    pub estimates: Estimates,
    /// Steps whose results are there, or that are not done for this subject.
    pub reached: BTreeSet<ChainStep>,
}

impl Planning<'_> {
    /// All rows.
    ///
    /// # Errors
    /// A prepared file or record that cannot be read.
    pub fn rows(mut self) -> Result<Vec<PlanRow>> {
        let steps = self.chain.steps()?;
        Ok(steps.iter().map(|step| self.row(step)).collect())
    }

    fn row(&mut self, step: &PlannedStep) -> PlanRow {
        let id = &step.id;
        let wish = self.selection.wish(id.step);
        let mut row = PlanRow {
            step: id.to_string(),
            state: String::new(),
            inputs: vec![],
            outputs: vec![],
            seconds: self.estimates.seconds(id),
            memory: self.estimates.memory(id, None),
        };
        if let Some(reason) = &step.left_out {
            self.reached.insert(id.step);
            row.state = format!("skipped because {reason}");
        } else if wish == Wish::LeaveOut {
            row.state = "left out".into();
        } else if wish == Wish::LeaveAsItIs {
            row.state = self.left_as_it_is(id).into();
        } else {
            self.complete(id, wish, &mut row);
        }
        row
    }

    fn left_as_it_is(&mut self, id: &StepId) -> &'static str {
        let Some(known) = self.record.step(id).filter(|known| known.state == StepState::Done) else {
            return "left out, not done";
        };
        let run = known.run.as_ref().map(|run| self.chain.config().project().work().join(run));
        self.chain.take(known, run.as_deref());
        self.reached.insert(id.step);
        "done"
    }

    /// How far a step is that would be completed.
    fn complete(&mut self, id: &StepId, wish: Wish, row: &mut PlanRow) {
        let missing: Vec<&ChainStep> =
            needs(id.step).iter().filter(|needed| !self.reached.contains(needed)).collect();
        if !missing.is_empty() {
            row.state = if wish == Wish::Again { "again" } else { "to do" }.into();
            row.inputs = missing.iter().map(|needed| format!("what `{needed}` makes")).collect();
            return;
        }
        let examined = match Examined::of(&self.chain, id, self.record) {
            Ok(examined) => examined,
            Err(error) => {
                row.state = format!("cannot be done: {error}");
                return;
            }
        };
        row.inputs = examined
            .decisive
            .inputs
            .iter()
            .map(|input| format!("{}: {}", input.role, input.path.display()))
            .collect();
        shorten(&mut row.inputs);
        row.memory = self.estimates.memory(id, Some(&examined.work));
        row.state = match examined.standing {
            _ if wish == Wish::Again => "again".into(),
            Standing::Done => {
                row.outputs = self.outputs(id);
                self.left_as_it_is(id).into()
            }
            Standing::Interrupted { checkpoint, .. } => {
                format!("interrupted, goes on from `{}`", checkpoint.display())
            }
            Standing::ToDo => "to do".into(),
        };
        if row.outputs.is_empty() {
            row.outputs = vec![examined.work.place()];
        }
    }

    /// What a step that is done has written.
    fn outputs(&self, id: &StepId) -> Vec<String> {
        let Some(known) = self.record.step(id) else { return vec![] };
        let work = self.chain.config().project().work().to_path_buf();
        match &known.run {
            Some(run) => vec![work.join(run).display().to_string()],
            None => known.outputs.iter().map(|file| work.join(&file.path).display().to_string()).collect(),
        }
    }
}

/// Most files that a row lists.
const MOST_FILES: usize = 8;

/// Leaves out what is beyond the first few: pictures, sessions.
fn shorten(files: &mut Vec<String>) {
    if files.len() > MOST_FILES {
        let more = files.len() - MOST_FILES + 1;
        files.truncate(MOST_FILES - 1);
        files.push(format!("and {more} files more"));
    }
}
