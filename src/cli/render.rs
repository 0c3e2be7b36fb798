//! Results as text on stdout, the only place that prints them; errors and hints as what is said on stderr.

use std::io::{self, ErrorKind, Write};

use serde_json::{Map, Value};

use super::logging::SAID;
use crate::commands::doctor::{DoctorReport, Need};
use crate::error::{Classified, ErrorClass, one_cause, one_line, printable};
use crate::weights::inspect::WeightsDescription;

/// The work is done, but its result could not be printed.
#[derive(Debug, thiserror::Error)]
#[error("standard output cannot be written: {0}")]
pub struct OutputError(io::Error);

impl Classified for OutputError {
    fn class(&self) -> ErrorClass {
        ErrorClass::Failure
    }
}

/// A result on stdout. Only a closed pipe (`mindreader … | head`) is no reason to fail.
///
/// # Errors
/// [`OutputError`] when not all of it could be written.
pub fn to_stdout(text: &str) -> Result<(), OutputError> {
    heard(write_line(&mut io::stdout().lock(), &printable(text)))
}

/// What clap prints for `--help` and `--version`, in colour where it has colours.
///
/// # Errors
/// As [`to_stdout`].
pub fn help(text: &clap::Error) -> Result<(), OutputError> {
    heard(text.print().and_then(|()| io::stdout().lock().flush()))
}

/// The line and everything before it: what waits in a buffer has not been written yet.
fn write_line(stream: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(stream, "{text}")?;
    stream.flush()
}

/// A closed pipe means that nobody listens; the exit code still tells.
fn heard(written: io::Result<()>) -> Result<(), OutputError> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(OutputError(error)),
        _ => Ok(()),
    }
}

/// One line for the error with its causes, one for the hint.
pub fn error(error: &crate::error::Error) {
    let mut text = String::from("error: ");
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain() {
        let cause = one_cause(cause.to_string());
        if !said.iter().any(|earlier| earlier.contains(&cause)) {
            if !said.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
            said.push(cause);
        }
    }
    tracing::error!(target: SAID, "{text}");
    if let Some(hint) = error.hint() {
        tracing::error!(target: SAID, "hint: {}", one_cause(hint));
    }
}

/// Lines of a summary that are printed; what is behind them is in the run's files and in `--json`.
const MOST_LINES: usize = 20;
/// Items of a list that are printed.
const MOST_ITEMS: usize = 6;

/// A summary: JSON on request, else a line per field or group of figures, as many as a person reads.
///
/// # Errors
/// As [`to_stdout`].
pub fn summary(value: &Value, as_json: bool) -> Result<(), OutputError> {
    match as_json {
        true => to_stdout(&value.to_string()),
        false => to_stdout(&readable(value).join("\n")),
    }
}

/// The summary of one of several subjects, whose name stands in front of every line; of each as many lines as of one alone.
///
/// # Errors
/// As [`to_stdout`].
pub fn summary_of(subject: &str, value: &Value) -> Result<(), OutputError> {
    let lines = readable(value).into_iter().map(|line| format!("{subject}, {line}"));
    to_stdout(&lines.collect::<Vec<_>>().join("\n"))
}

/// The summary in lines, few enough to be read. Where some are left out, they are those of groups: a field of one value, such as
/// the file to open next, stays.
fn readable(value: &Value) -> Vec<String> {
    let Some(fields) = value.as_object() else { return shortened(grouped(value, "")) };
    // They were said when they arose.
    let fields: Map<String, Value> = fields
        .iter()
        .filter(|(name, _)| *name != "warnings")
        .map(|(name, field)| (name.clone(), field.clone()))
        .collect();
    let value = &Value::Object(fields.clone());
    let is_single = |field: &Value| !field.is_object() && !field.is_array();
    let num_single = fields.values().filter(|field| is_single(field)).count();
    let lines = grouped(value, "");
    if lines.len() <= MOST_LINES || num_single >= MOST_LINES {
        return shortened(lines);
    }
    let mut room = MOST_LINES - 1 - num_single;
    let (mut kept, mut first_left_out, num_lines) = (Vec::new(), None, lines.len());
    for (name, field) in &fields {
        let mut of_field = grouped(field, &name.replace('_', " "));
        if !is_single(field) {
            let shown = of_field.len().min(room);
            if shown < of_field.len() {
                first_left_out.get_or_insert(kept.len() + shown);
            }
            of_field.truncate(shown);
            room -= shown;
        }
        kept.extend(of_field);
    }
    if let Some(place) = first_left_out {
        kept.insert(place, more_lines(num_lines - kept.len()));
    }
    kept
}

/// As many lines as are printed.
fn shortened(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > MOST_LINES {
        let more = more_lines(lines.len() - MOST_LINES + 1);
        lines.truncate(MOST_LINES - 1);
        lines.push(more);
    }
    lines
}

fn more_lines(count: usize) -> String {
    format!("and {count} lines more, with `--json`")
}

/// A line per field; figures of a group, a mean and its interval stand together.
fn grouped(value: &Value, prefix: &str) -> Vec<String> {
    match value {
        Value::Object(fields) if prefix.is_empty() || in_one_line(value).is_none() => {
            let named = |name: &String| {
                let name = name.replace('_', " ");
                if prefix.is_empty() { name } else { format!("{prefix}, {name}") }
            };
            fields.iter().flat_map(|(name, field)| grouped(field, &named(name))).collect()
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let shown = items.iter().take(MOST_ITEMS).zip(1..);
            let mut lines: Vec<String> =
                shown.flat_map(|(item, number)| grouped(item, &format!("{prefix} {number}"))).collect();
            if items.len() > MOST_ITEMS {
                lines.push(format!("{prefix}: {} in all, with `--json`", items.len()));
            }
            lines
        }
        value => {
            let text = in_one_line(value).filter(|text| !text.is_empty());
            vec![format!("{prefix}: {}", text.unwrap_or_else(|| "none".into()))]
        }
    }
}

/// A value that fits a line: a number, a list of them, an interval, or a group of such values.
fn in_one_line(value: &Value) -> Option<String> {
    match value {
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => None,
        Value::Array(items) => {
            let mut shown: Vec<String> = items.iter().take(MOST_ITEMS).map(plain).collect();
            if items.len() > MOST_ITEMS {
                shown.push(format!("… ({})", items.len()));
            }
            Some(shown.join(", "))
        }
        Value::Object(fields) => {
            if let [Some(mean), Some(low), Some(high)] = ["mean", "low", "high"].map(|name| fields.get(name))
                && fields.len() == 3
            {
                return Some(format!("{} ({} to {})", plain(mean), plain(low), plain(high)));
            }
            let of_field = |(name, field): (&String, &Value)| {
                let is_list = field.is_array() || field.is_object() && !is_interval(field);
                (!is_list).then(|| Some(format!("{} {}", name.replace('_', " "), in_one_line(field)?)))?
            };
            let fields: Option<Vec<String>> = fields.iter().map(of_field).collect();
            fields.map(|fields| fields.join(", "))
        }
        other => Some(plain(other)),
    }
}

fn is_interval(value: &Value) -> bool {
    value.as_object().is_some_and(|fields| fields.len() == 3 && fields.contains_key("mean"))
}

/// What of NSD is there: a line per file, then what can be run.
///
/// # Errors
/// As [`to_stdout`].
pub fn doctor(report: &DoctorReport) -> Result<(), OutputError> {
    to_stdout(&doctor_lines(report).join("\n"))
}

fn doctor_lines(report: &DoctorReport) -> Vec<String> {
    let DoctorReport { nsd_root, subject, resolution, sessions, num_sessions_released, .. } = report;
    let mut lines = vec![format!("{subject}, {resolution}, in `{}`", nsd_root.display())];
    for finding in &report.findings {
        if let Some(problem) = &finding.problem {
            lines.push(format!("   BROKEN  {problem}  ({})", finding.needed_for));
            continue;
        }
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
        lines.push(match capability.can_run() {
            true => format!("can run: {}", capability.task),
            false => format!("cannot run: {}; {}", capability.task, capability.obstacles()),
        });
    }
    lines
}

/// What files of weights hold.
///
/// # Errors
/// As [`to_stdout`].
pub fn weights(files: &[WeightsDescription]) -> Result<(), OutputError> {
    to_stdout(&files.iter().flat_map(weights_lines).collect::<Vec<_>>().join("\n"))
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
    one_line(text)
}

fn lines_of(value: &Value, prefix: &str) -> Vec<String> {
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

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => one_cause(text),
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
                {"path": "c", "bytes": 9, "needed_for": "z", "need": "optional", "problem": "`c` is cut off"},
            ],
            "sessions": [1], "num_sessions_released": 40, "rois": ["nsdgeneral"],
            "capabilities": [{"task": "prepare", "missing": ["b"]}],
        }))
        .unwrap();
        let lines = doctor_lines(&report).join("\n");
        for needle in [
            "2.00 KiB  a  (x)",
            "MISSING  b  (y)",
            "1 of 40",
            "BROKEN  `c` is cut off  (z)",
            "cannot run: prepare; missing b",
        ] {
            assert!(lines.contains(needle), "{needle} in {lines}");
        }
    }

    /// Takes some bytes and then fails, at once or when it is flushed.
    struct Full(usize, ErrorKind);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken > 0 { Ok(taken) } else { Err(self.1.into()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_a_closed_pipe_is_no_reason_to_fail() {
        let write = |room, kind, text| heard(write_line(&mut Full(room, kind), text));
        assert!(write(3, ErrorKind::StorageFull, "ab").is_ok());
        assert!(write(2, ErrorKind::BrokenPipe, "ab").is_ok());
        let error = write(2, ErrorKind::StorageFull, "ab").unwrap_err();
        assert_eq!(error.class(), ErrorClass::Failure);
        assert!(error.to_string().starts_with("standard output cannot be written: "), "{error}");
        // A buffer fails when it is flushed.
        let mut late = io::BufWriter::new(Full(0, ErrorKind::StorageFull));
        assert!(heard(write_line(&mut late, "ab")).is_err());
    }

    #[test]
    fn figures_of_a_group_stand_in_a_line_and_few_lines_are_printed() {
        let count = json!({"first_batch": 9, "over_batches": {"mean": 9.5, "low": 3.08, "high": 12.0}});
        let value = json!({
            "run": "w/runs/3", "training": {"steps": 500, "loss": 1.5},
            "retrieval": {"batch_size": 10, "forward": count},
            "regions": {}, "views": [], "phases": [{"phase": "R1", "runs": 3}], "ids": [1, 2, 3, 4, 5, 6, 7, 8], "none": null,
        });
        let expected = [
            "run: w/runs/3",
            "training: steps 500, loss 1.50",
            "retrieval, batch size: 10",
            "retrieval, forward: first batch 9, over batches 9.50 (3.08 to 12)",
            "phases 1: phase R1, runs 3",
            "ids: 1, 2, 3, 4, 5, 6, … (8)",
            "none: none",
            "regions: none",
            "views: none",
        ];
        let mut sorted = readable(&value);
        sorted.sort();
        let mut expected = expected.map(String::from);
        expected.sort();
        assert_eq!(sorted, expected);
        let many: serde_json::Map<String, Value> =
            (0..90).map(|field| (format!("field {field}"), json!(1))).collect();
        let lines = readable(&Value::Object(many));
        assert_eq!((lines.len(), lines[19].as_str()), (20, "and 71 lines more, with `--json`"));
        // What to open next stays; of groups as much as there is room for.
        let group: serde_json::Map<String, Value> =
            (0..30).map(|field| (format!("f{field}"), json!([{"a": 1}]))).collect();
        let lines = readable(&json!({"device": "cpu", "found": group, "report": "report.html"}));
        assert_eq!((lines.len(), lines[17].as_str()), (20, "found, f16 1: a 1"));
        assert_eq!(lines[18..], ["and 13 lines more, with `--json`", "report: report.html"]);
    }

    #[test]
    fn a_description_reads_as_lines() {
        let value =
            json!({"num_trials": 750, "loss": 0.123456, "roi": {"V1": 3}, "ids": [1, 2], "none": null});
        assert_eq!(
            lines_of(&value, ""),
            ["num trials: 750", "loss: 0.123", "roi, V1: 3", "ids: 1, 2", "none: none"]
        );
    }
}
