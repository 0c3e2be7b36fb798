//! The only place that prints: results to stdout; progress, errors and hints to stderr.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::usage_error::UsageError;
use crate::commands::doctor::{DoctorReport, Need};
use crate::run::progress::Progress;
use crate::weights::error::ForeignError;
use crate::weights::import_error::ImportError;
use crate::weights::inspect::WeightsDescription;

/// Without a terminal, a line this often is enough to see that work goes on.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// How much the program says on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Progress too.
    Normal,
}

/// Progress bars on a terminal, plain lines elsewhere.
pub struct Terminal {
    verbosity: Verbosity,
    is_terminal: bool,
    what: String,
    total: u64,
    bar: Option<ProgressBar>,
    started: Instant,
    last_line: Instant,
    first: Option<(Instant, u64)>,
}

impl Terminal {
    /// Progress on stderr.
    pub fn new(verbosity: Verbosity) -> Self {
        let now = Instant::now();
        Self {
            verbosity,
            is_terminal: std::io::stderr().is_terminal(),
            what: String::new(),
            total: 0,
            bar: None,
            started: now,
            last_line: now,
            first: None,
        }
    }

    fn print(&self, text: &str) {
        if self.verbosity == Verbosity::Normal {
            to_stderr(text);
        }
    }
}

impl Progress for Terminal {
    fn start(&mut self, what: &str, total: u64) {
        self.what = what.into();
        self.total = total;
        self.started = Instant::now();
        self.last_line = self.started;
        self.first = None;
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        if !self.is_terminal {
            return self.print(&format!("{what} ..."));
        }
        let template = match total {
            0 => "{spinner} {prefix}  {wide_msg} {elapsed}",
            _ => "{prefix} [{bar:28}] {pos}/{len}  {wide_msg} {per_sec}, {elapsed}, {eta} left",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = if total == 0 { ProgressBar::new_spinner() } else { ProgressBar::new(total) };
        bar.set_style(style.progress_chars("=> "));
        bar.set_prefix(self.what.clone());
        bar.enable_steady_tick(Duration::from_millis(250));
        self.bar = Some(bar);
    }

    fn advance(&mut self, done: u64, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            if !message.is_empty() {
                bar.set_message(message.to_string());
            }
            return;
        }
        // A resumed task begins with work done elsewhere.
        let (begun, already) = *self.first.get_or_insert((Instant::now(), done));
        if self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            let of_total = if self.total > 0 { format!("/{}", self.total) } else { String::new() };
            let pace = pace(done - already.min(done), self.total.saturating_sub(done), begun.elapsed());
            let parts = [format!("{}: {done}{of_total}", self.what), message.into(), pace];
            let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            self.print(&parts.join(", "));
        }
    }

    fn finish(&mut self, message: &str) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let seconds = self.started.elapsed().as_secs_f64();
        let result = if message.is_empty() { "done" } else { message };
        self.print(&format!("{}: {result} ({seconds:.1} s)", self.what));
    }

    fn line(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => self.print(text),
        }
    }

    fn note(&mut self, text: &str) {
        self.print(&format!("\n{text}"));
    }
}

/// `3.1/s, 42 seconds left`; work that is slower than one a second in seconds.
fn pace(done: u64, left: u64, elapsed: Duration) -> String {
    if done == 0 {
        return String::new();
    }
    let each = elapsed.as_secs_f64() / done as f64;
    let speed =
        if each < 1.0 { format!("{:.1}/s", 1.0 / each.max(1e-9)) } else { format!("{each:.1} s each") };
    match left {
        0 => speed,
        _ => {
            format!("{speed}, {} left", indicatif::HumanDuration(Duration::from_secs_f64(each * left as f64)))
        }
    }
}

/// A result on stdout.
pub fn to_stdout(text: &str) {
    write_line(&mut std::io::stdout().lock(), text);
}

/// A message on stderr.
pub fn to_stderr(text: &str) {
    write_line(&mut std::io::stderr().lock(), text);
}

/// A closed pipe (`mindreader … | head`) is no reason to fail.
fn write_line(stream: &mut impl Write, text: &str) {
    if writeln!(stream, "{text}").is_err() {
        // Nobody listens; the exit code still tells.
    }
}

/// One line for the error with its causes, one for the hint.
pub fn error(error: &anyhow::Error) {
    let mut text = String::from("error: ");
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !said.iter().any(|earlier| earlier.contains(&cause)) {
            if !said.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
            said.push(cause);
        }
    }
    to_stderr(&text);
    let hint = error.chain().find_map(|cause| {
        let usage = cause.downcast_ref::<UsageError>().and_then(|error| error.hint.clone());
        let import = || cause.downcast_ref::<ImportError>().and_then(ImportError::hint);
        let foreign = || cause.downcast_ref::<ForeignError>()?.hint().map(str::to_string);
        usage.or_else(import).or_else(foreign)
    });
    if let Some(hint) = hint {
        to_stderr(&format!("hint: {hint}"));
    }
}

/// A summary: JSON on request, else one `name: value` line per field.
pub fn summary(value: &serde_json::Value, as_json: bool) {
    if as_json {
        to_stdout(&value.to_string());
    } else {
        for line in lines_of(value, "") {
            to_stdout(&line);
        }
    }
}

/// What of NSD is there: a line per file, then what can be run.
pub fn doctor(report: &DoctorReport) {
    for line in doctor_lines(report) {
        to_stdout(&line);
    }
}

fn doctor_lines(report: &DoctorReport) -> Vec<String> {
    let DoctorReport { nsd_root, subject, resolution, sessions, num_sessions_released, .. } = report;
    let mut lines = vec![format!("{subject}, {resolution}, in `{}`", nsd_root.display())];
    for finding in &report.findings {
        let state = match (finding.bytes, finding.need) {
            (Some(bytes), _) => format!("{:>9}", indicatif::HumanBytes(bytes).to_string()),
            (None, Need::Required) => "  MISSING".into(),
            (None, Need::Optional) => "  missing".into(),
        };
        lines.push(format!("{state}  {}  ({})", finding.path, finding.needed_for));
    }
    lines.push(format!("sessions with betas: {} of {num_sessions_released}", sessions.len()));
    lines.push(format!("ROI files: {}", report.rois.join(", ")));
    for capability in &report.capabilities {
        lines.push(match capability.missing.as_slice() {
            [] => format!("can run: {}", capability.task),
            missing => format!("cannot run: {}; missing {}", capability.task, missing.join(", ")),
        });
    }
    lines
}

/// What files of weights hold.
pub fn weights(files: &[WeightsDescription]) {
    for line in files.iter().flat_map(weights_lines) {
        to_stdout(&line);
    }
}

fn weights_lines(file: &WeightsDescription) -> Vec<String> {
    let size = indicatif::HumanBytes(file.size_bytes);
    let mut lines = vec![format!(
        "`{}`: {}, {size}, SHA-256 {}",
        file.path.display(),
        plain(&file.container),
        file.sha256
    )];
    for network in &file.networks {
        let name = match (network.name.as_str(), &network.class_name) {
            ("", None) => String::new(),
            ("", Some(class)) => format!("{} ", shown(class)),
            (name, _) => format!("`{}`, ", shown(name)),
        };
        let kind = network.kind.as_deref().unwrap_or("no known network");
        let (tensors, values) = (network.num_tensors, network.num_values);
        lines.push(format!("  {name}{kind}: {tensors} tensors, {values} values"));
        if let Some(config) = &network.config {
            lines.extend(lines_of(config, "").into_iter().map(|line| format!("    {line}")));
        }
        lines.extend(network.unclear.iter().map(|reason| format!("    unclear: {}", shown(reason))));
        lines.extend(network.assumed.iter().map(|text| format!("    assumed: {text}")));
        lines.extend(network.tensors.iter().map(|tensor| {
            let dtype = format!("{:?}", tensor.dtype).to_lowercase();
            format!("    {} {dtype} {:?}", shown(&tensor.name), tensor.shape)
        }));
    }
    if let Some(provenance) = &file.provenance {
        lines.push("  provenance".into());
        lines.extend(lines_of(provenance, "").into_iter().map(|line| format!("    {}", shown(&line))));
    }
    lines
}

/// Names of a foreign file must not command the terminal.
fn shown(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect()
}

fn lines_of(value: &serde_json::Value, prefix: &str) -> Vec<String> {
    use serde_json::Value;
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| {
                let name = name.replace('_', " ");
                let name = if prefix.is_empty() { name } else { format!("{prefix}, {name}") };
                lines_of(field, &name)
            })
            .collect(),
        Value::Array(items) if items.iter().any(Value::is_object) => items
            .iter()
            .enumerate()
            .flat_map(|(number, item)| lines_of(item, &format!("{prefix} {}", number + 1)))
            .collect(),
        Value::Array(items) => {
            vec![format!("{prefix}: {}", items.iter().map(plain).collect::<Vec<_>>().join(", "))]
        }
        other => vec![format!("{prefix}: {}", plain(other))],
    }
}

fn plain(value: &serde_json::Value) -> String {
    use serde_json::Value;
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".into(),
        Value::Number(number) if number.is_f64() => {
            crate::report::number_format::number(number.as_f64().unwrap_or(f64::NAN))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn doctor_says_what_is_missing_and_what_for() {
        let report: DoctorReport = serde_json::from_value(json!({
            "nsd_root": "nsd", "subject": 1, "resolution": "func1pt8mm",
            "findings": [
                {"path": "a", "bytes": 2048, "needed_for": "x", "need": "required"},
                {"path": "b", "bytes": null, "needed_for": "y", "need": "required"},
            ],
            "sessions": [1], "num_sessions_released": 40, "rois": ["nsdgeneral"],
            "capabilities": [{"task": "prepare", "missing": ["b"]}],
        }))
        .unwrap();
        let lines = doctor_lines(&report).join("\n");
        for needle in ["2.00 KiB  a  (x)", "MISSING  b  (y)", "1 of 40", "cannot run: prepare; missing b"] {
            assert!(lines.contains(needle), "{needle} in {lines}");
        }
    }

    #[test]
    fn a_summary_reads_as_lines() {
        let value =
            json!({"num_trials": 750, "loss": 0.123456, "roi": {"V1": 3}, "ids": [1, 2], "none": null});
        assert_eq!(
            lines_of(&value, ""),
            ["num trials: 750", "loss: 0.123", "roi, V1: 3", "ids: 1, 2", "none: none"]
        );
    }
}
