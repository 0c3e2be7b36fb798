//! `--dry-run`: what would be done, from what, and what it would take.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use super::chain::{Chain, PlannedStep};
use super::estimates::{Estimate, Estimates, TotalTime};
use super::examined::{Examined, Standing};
use super::outlook::Outlook;
use super::selection::{Selection, Wish};
use super::step_needs::needs;
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
    /// Of the steps that would be done.
    pub total: TotalTime,
}

impl PlanRow {
    /// Whether the step would be done.
    fn is_open(&self) -> bool {
        !["done", "skipped", "left out", "cannot"].iter().any(|state| self.state.starts_with(state))
    }
}

impl ChainPlan {
    /// With the time of all steps that would be done.
    pub(super) fn new(subject: String, steps: Vec<PlanRow>) -> Self {
        let mut total = TotalTime::default();
        steps.iter().filter(|row| row.is_open()).for_each(|row| total.add(row.seconds.as_ref()));
        Self { subject, steps, total }
    }

    /// What all steps that would be done take together.
    fn total_line(&self) -> Option<String> {
        let open = self.steps.iter().filter(|row| row.is_open()).count();
        let TotalTime { with_other_settings, rough, unknown, .. } = self.total;
        let counted: Vec<String> = [
            (rough, "by rough arithmetic"),
            (with_other_settings, "as with other settings"),
            (unknown, "unknown"),
        ]
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        let counted = if counted.is_empty() { String::new() } else { format!(" ({})", counted.join(", ")) };
        let time = self.total.words().unwrap_or_else(|| "unknown time".into());
        let steps = if open == 1 { "step" } else { "steps" };
        (open > 0).then(|| format!("{open} {steps} to do: {time}{counted}"))
    }

    /// A row per step, its inputs and outputs below it.
    pub fn text(&self) -> String {
        let width = self.steps.iter().map(|row| row.step.chars().count()).max().unwrap_or(0);
        let mut lines = vec![self.subject.clone()];
        for row in &self.steps {
            let takes = if row.is_open() { format!("   {}", takes(row)) } else { String::new() };
            lines.push(format!("{:<width$}  {}{takes}", row.step, row.state));
            for (what, files) in [("from", &row.inputs), ("to", &row.outputs)] {
                lines.extend(files.iter().map(|file| format!("{:width$}    {what:<4} {file}", "")));
            }
        }
        lines.extend(self.total_line());
        lines.join("\n")
    }
}

fn takes(row: &PlanRow) -> String {
    let time = row.seconds.as_ref().map_or("unknown".into(), |Estimate { value, source, .. }| {
        format!("{} ({source})", duration(Duration::try_from_secs_f64(*value).unwrap_or_default()))
    });
    let memory = row.memory.as_ref().map_or("unknown".into(), |Estimate { value, source, .. }| {
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
        let config = self.chain.config().clone();
        let outlook = Outlook::of(&config);
        Ok(steps.iter().map(|step| self.row(step, &outlook)).collect())
    }

    fn row(&mut self, step: &PlannedStep, outlook: &Outlook<'_>) -> PlanRow {
        let id = &step.id;
        let wish = self.selection.wish(id.step);
        let mut row = PlanRow {
            step: id.to_string(),
            state: String::new(),
            inputs: vec![],
            outputs: vec![],
            seconds: self.estimates.seconds(id, outlook),
            memory: self.estimates.memory(id, None, outlook),
        };
        if let Some(reason) = &step.left_out {
            self.reached.insert(id.step);
            row.state = format!("skipped because {reason}");
        } else if wish == Wish::LeaveOut {
            row.state = "left out".into();
        } else if wish == Wish::LeaveAsItIs {
            row.state = self.left_as_it_is(id).into();
        } else {
            self.complete(id, wish, outlook, &mut row);
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
    fn complete(&mut self, id: &StepId, wish: Wish, outlook: &Outlook<'_>, row: &mut PlanRow) {
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
        row.memory = self.estimates.memory(id, Some(&examined.work), outlook);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::run::estimates::Basis;

    #[test]
    fn the_whole_has_a_time_and_says_of_how_many_steps_it_is_not_known() {
        let row = |state: &str, estimate: Option<(f64, Basis)>| PlanRow {
            step: "encode".into(),
            state: state.into(),
            inputs: vec![],
            outputs: vec![],
            seconds: estimate.map(|(value, basis)| Estimate { value, source: "source".into(), basis }),
            memory: None,
        };
        let rows = vec![
            row("done", Some((900.0, Basis::SameSettings))),
            row("skipped because", Some((900.0, Basis::SameSettings))),
            row("to do", Some((60.0, Basis::SameSettings))),
            row("again", Some((30.0, Basis::OtherSettings))),
            row("to do", Some((30.0, Basis::Arithmetic))),
        ];
        let last = |rows: &[PlanRow]| {
            let text = ChainPlan::new("subj01".into(), rows.to_vec()).text();
            text.lines().last().map(String::from).unwrap()
        };
        let expected =
            "4 steps to do: at least 2 min 00 s (1 by rough arithmetic, 1 as with other settings, 1 unknown)";
        assert_eq!(last(&[rows.clone(), vec![row("to do", None)]].concat()), expected);
        assert!(last(&rows).starts_with("3 steps to do: roughly 2 min 00 s ("));
        assert_eq!(last(&rows[2..3]), "1 step to do: about 1 min 00 s");
        assert!(!last(&rows[..2]).contains("to do"));
    }
}
