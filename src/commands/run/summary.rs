//! What became of the steps.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::pipelines::chain_record::StepId;
use crate::report::number_format::duration;

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// It was done now.
    Done,
    /// It was done before.
    WasDone,
    /// It is not done for this subject.
    Skipped,
    /// It was not asked for.
    LeftOut,
}

/// A step and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct StepSummary {
    /// Its name.
    pub step: String,
    /// What became of it.
    pub outcome: StepOutcome,
    /// Why it was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its run folder, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<PathBuf>,
    /// Seconds that it took now, from its beginning to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

impl StepSummary {
    /// A step of which no more is known.
    pub(super) fn new(id: &StepId, outcome: StepOutcome) -> Self {
        Self { step: id.to_string(), outcome, reason: None, run: None, seconds: None }
    }
}

/// What `run` did.
#[derive(Clone, Debug, Serialize)]
pub struct RunSummary {
    /// `subj01`, …
    pub subject: String,
    /// The steps in their order.
    pub steps: Vec<StepSummary>,
    /// What is recorded of them.
    pub record: PathBuf,
    /// Duration of this call.
    pub seconds: f64,
}

impl RunSummary {
    /// A line per step.
    pub fn text(&self) -> String {
        let width = self.steps.iter().map(|step| step.step.len()).max().unwrap_or(0);
        let time = |seconds: f64| duration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
        let mut lines: Vec<String> = Vec::new();
        for StepSummary { step, outcome, reason, run, seconds } in &self.steps {
            let what = match outcome {
                StepOutcome::Done => "done",
                StepOutcome::WasDone => "was done",
                StepOutcome::Skipped => "skipped",
                StepOutcome::LeftOut => "left out",
            };
            let seconds = seconds.map_or(String::new(), time);
            let run = run.as_ref().map(|run| run.display().to_string());
            let rest = run.or_else(|| reason.clone()).unwrap_or_default();
            lines.push(format!("{step:<width$}  {what:<8}  {seconds:>12}  {rest}").trim_end().to_string());
        }
        lines.push(format!("{}: {}", self.subject, time(self.seconds)));
        lines.join("\n")
    }
}
