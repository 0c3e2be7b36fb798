//! What a training tells of its course: `metrics.jsonl` for programs, event files for TensorBoard.

use serde::Serialize;
use serde_json::Value;

use super::error::RunError;
use super::event_log::{EventLog, Position};
use super::run_dir::RunDir;
use super::tensorboard::EventFile;

/// Both logs of one start of a training.
#[derive(Debug, Clone)]
pub struct TrainingLog {
    events: EventLog,
    board: EventFile,
}

impl TrainingLog {
    /// Logs in the run's folder; `first_step` is the first step that will be told of (0 in a new run).
    ///
    /// # Errors
    /// [`RunError::unwritable`].
    pub fn start(dir: &RunDir, first_step: u64) -> Result<Self, RunError> {
        Ok(Self { events: dir.events(), board: EventFile::start(dir.path(), first_step)? })
    }

    /// One event: a line of the metrics, and every number in it as a point at `step`, but those of its [`Position`], which say
    /// where it stands and not how training goes.
    ///
    /// # Errors
    /// [`RunError::unwritable`].
    pub fn append(&self, step: u64, event: &impl Serialize) -> Result<(), RunError> {
        let event = self.events.append(event)?;
        let mut numbers = Vec::new();
        collect_numbers(&event, "", &mut numbers);
        numbers.retain(|(tag, _)| !Position::NAMES.contains(&tag.as_str()));
        self.board.scalars(step, &numbers)
    }

    /// A picture: an RGB PNG and its `[width, height]`.
    ///
    /// # Errors
    /// [`RunError::unwritable`].
    pub fn image(&self, step: u64, tag: &str, png: &[u8], size: [u32; 2]) -> Result<(), RunError> {
        self.board.image(step, tag, png, size)
    }
}

/// Numbers inside objects, named by their path.
fn collect_numbers(value: &Value, path: &str, found: &mut Vec<(String, f64)>) {
    match value {
        Value::Number(number) => found.extend(number.as_f64().map(|number| (path.to_string(), number))),
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                collect_numbers(member, &path, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_named_by_their_path() {
        let mut found = Vec::new();
        collect_numbers(
            &json!({"loss": 0.5, "is_best": true, "validation": {"count": 3, "none": null}}),
            "",
            &mut found,
        );
        assert_eq!(found, [("loss".to_string(), 0.5), ("validation/count".to_string(), 3.0)]);
    }
}
