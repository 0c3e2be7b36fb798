//! Metrics as JSON lines: one object per tick, epoch or result.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::RunError;

/// Where in its training an event stands. A training has some of these clocks, never all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Phase of a training in phases, from 1.
    pub phase: Option<u64>,
    /// Epoch of its phase, from 0.
    pub epoch: Option<u64>,
    /// Optimiser steps taken.
    pub step: Option<u64>,
    /// Real images that a GAN has seen.
    pub images_seen: Option<u64>,
    /// Report of a GAN, from 0.
    pub tick: Option<u64>,
}

impl Position {
    /// The names that an event gives to these numbers.
    pub const NAMES: [&str; 5] = ["phase", "epoch", "step", "images_seen", "tick"];
}

/// Append-only file of events, each a type that serialises as a JSON object.
#[derive(Debug, Clone)]
pub struct EventLog {
    path: PathBuf,
}

impl EventLog {
    /// A log at `path`; the file is made by the first [`EventLog::append`].
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The file, whether it is there yet or not.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds one line, and returns what stands in it.
    ///
    /// # Errors
    /// [`RunError::unwritable`].
    pub fn append(&self, event: &impl Serialize) -> Result<Value, RunError> {
        // Through `Value`, single precision becomes double before it becomes digits, and what is not finite becomes `null`: lines
        // have one form, whatever type they come from.
        let event = serde_json::to_value(event).map_err(|error| RunError::unwritable(&self.path, error))?;
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)
            .map_err(|error| RunError::unwritable(&self.path, error))?;
        // One write per line: lines of a killed run are whole.
        file.write_all(format!("{event}\n").as_bytes())
            .map_err(|error| RunError::unwritable(&self.path, error))?;
        Ok(event)
    }

    /// All events, each read as an `E`; a last line cut short by a crash is left out. Where a run logs several kinds of events, `E` is
    /// what the reader wants of any of them.
    ///
    /// # Errors
    /// [`RunError::missing`], and [`RunError::invalid`] for a line that is no `E`.
    pub fn read<E: DeserializeOwned>(&self) -> Result<Vec<E>, RunError> {
        Ok(self.lines()?.into_iter().map(|(_, event)| event).collect())
    }

    /// Whole lines with the events in them.
    fn lines<E: DeserializeOwned>(&self) -> Result<Vec<(String, E)>, RunError> {
        let bytes = RunError::read(&self.path, "the metrics of a run")?;
        let text = String::from_utf8_lossy(&bytes);
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        complete
            .lines()
            .enumerate()
            .map(|(number, line)| {
                let event = serde_json::from_str(line).map_err(|error| {
                    RunError::invalid(
                        &self.path,
                        format!("line {}", number + 1),
                        "an event as a JSON object",
                        error,
                    )
                })?;
                Ok((line.to_string(), event))
            })
            .collect()
    }

    /// Drops every event for which `keep` is false: a resumed run first takes back what came after its checkpoint. The other
    /// lines stay as they were written: numbers that are read and written again may lose their last digit.
    ///
    /// # Errors
    /// As [`EventLog::read`], and [`RunError::unwritable`].
    pub fn retain(&self, keep: impl Fn(Position) -> bool) -> Result<(), RunError> {
        // A run that was stopped before its first event has no file yet.
        if !crate::files::file_is_there(&self.path)? {
            return Ok(());
        }
        let kept = self.lines()?.into_iter().filter(|(_, position)| keep(*position));
        let text: String = kept.map(|(line, _)| line + "\n").collect();
        Ok(crate::files::write_atomic(&self.path, text.as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_come_back_and_a_torn_last_line_is_left_out() {
        let root = tempfile::tempdir().unwrap();
        let log = EventLog::new(root.path().join("metrics.jsonl"));
        log.append(&json!({"step": 1})).unwrap();
        log.append(&json!({"step": 2})).unwrap();
        let mut file = OpenOptions::new().append(true).open(log.path()).unwrap();
        file.write_all(b"{\"step\": 3").unwrap();
        assert_eq!(log.read::<Value>().unwrap(), vec![json!({"step": 1}), json!({"step": 2})]);
        log.retain(|position| position.step != Some(3)).unwrap();
        log.append(&json!({"step": 1, "norm": 9.596395459411609})).unwrap();
        log.retain(|position| position.step == Some(1)).unwrap();
        let text = std::fs::read_to_string(log.path()).unwrap();
        assert_eq!(text, "{\"step\":1}\n{\"step\":1,\"norm\":9.596395459411609}\n");
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Epoch {
        epoch: u64,
        train_loss: f32,
        held_out: Option<f64>,
    }

    #[test]
    fn a_typed_event_is_written_as_its_value_and_comes_back() {
        let root = tempfile::tempdir().unwrap();
        let log = EventLog::new(root.path().join("metrics.jsonl"));
        let event = Epoch { epoch: 3, train_loss: 0.1, held_out: None };
        log.append(&event).unwrap();
        let text = std::fs::read_to_string(log.path()).unwrap();
        // The digits of a single-precision number as a double: those that `json!` gives.
        assert_eq!(text, "{\"epoch\":3,\"train_loss\":0.10000000149011612,\"held_out\":null}\n");
        assert_eq!(text.trim_end(), json!({"epoch": 3, "train_loss": 0.1_f32, "held_out": null}).to_string());
        assert_eq!(log.read::<Epoch>().unwrap(), [event]);
        assert_eq!(log.read::<Position>().unwrap(), [Position { epoch: Some(3), ..Position::default() }]);
        log.append(&json!({"epoch": "four"})).unwrap();
        let error = log.read::<Epoch>().unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn the_names_of_positions_are_those_of_the_fields() {
        let fields = serde_json::to_value(Position::default()).unwrap();
        let fields: Vec<&String> = fields.as_object().unwrap().keys().collect();
        assert_eq!(fields, Position::NAMES);
    }
}
