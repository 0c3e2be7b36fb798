//! Metrics as JSON lines: one object per tick, epoch or result.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::error::RunError;

/// Append-only file of JSON objects.
#[derive(Debug, Clone)]
pub struct EventLog {
    path: PathBuf,
}

impl EventLog {
    /// A log at `path`; the file is made by the first [`EventLog::append`].
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds one line, and returns what stands in it.
    ///
    /// # Errors
    /// [`RunError::Unwritable`].
    pub fn append(&self, event: &impl Serialize) -> Result<Value, RunError> {
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

    /// All events; a last line cut short by a crash is left out.
    ///
    /// # Errors
    /// [`RunError::Missing`] and [`RunError::Invalid`].
    pub fn read(&self) -> Result<Vec<Value>, RunError> {
        Ok(self.lines()?.into_iter().map(|(_, event)| event).collect())
    }

    /// Whole lines with the events in them.
    fn lines(&self) -> Result<Vec<(String, Value)>, RunError> {
        let bytes = RunError::read(&self.path, "the metrics of a run")?;
        let text = String::from_utf8_lossy(&bytes);
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        complete
            .lines()
            .enumerate()
            .map(|(number, line)| {
                let event = serde_json::from_str(line).map_err(|error| {
                    RunError::invalid(&self.path, format!("line {}", number + 1), "a JSON object", error)
                })?;
                Ok((line.to_string(), event))
            })
            .collect()
    }

    /// Drops every event for which `keep` is false: a resumed run first takes back what came after its checkpoint. The other
    /// lines stay as they were written: numbers that are read and written again may lose their last digit.
    ///
    /// # Errors
    /// As [`EventLog::read`], and [`RunError::Unwritable`].
    pub fn retain(&self, keep: impl Fn(&Value) -> bool) -> Result<(), RunError> {
        if !self.path.is_file() {
            return Ok(());
        }
        let kept = self.lines()?.into_iter().filter(|(_, event)| keep(event));
        let text: String = kept.map(|(line, _)| line + "\n").collect();
        super::run_dir::write_atomic(&self.path, text.as_bytes())
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
        assert_eq!(log.read().unwrap(), vec![json!({"step": 1}), json!({"step": 2})]);
        log.retain(|event| event["step"] != 3).unwrap();
        log.append(&json!({"step": 1, "norm": 9.596395459411609})).unwrap();
        log.retain(|event| event["step"] == 1).unwrap();
        let text = std::fs::read_to_string(log.path()).unwrap();
        assert_eq!(text, "{\"step\":1}\n{\"step\":1,\"norm\":9.596395459411609}\n");
    }
}
