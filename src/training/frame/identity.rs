//! What a run is: its settings as JSON text, compared when a checkpoint is continued from.
//!
//! Learning rates may be other ones: a training that diverged is continued at a lower one.

use std::path::Path;

use serde_json::Value;
use tracing::info;

use crate::files::SAID;
use crate::run::error::RunError;

/// What a learning rate is called, in whatever section.
const RATE: &str = "learning_rate";

/// Refuses a checkpoint whose settings are not this run's, and names the first that differs. Both are text: a number that went
/// through JSON may differ in its last bit from one that did not.
pub(crate) fn require_same_identity(path: &Path, now: &str, then: &str) -> Result<(), RunError> {
    let parsed = |text: &str| {
        serde_json::from_str::<Value>(text)
            .map_err(|error| RunError::invalid(path, "settings", "JSON", error))
    };
    refuse_other_settings(path, "settings", &parsed(now)?, &parsed(then)?)
}

/// Names the first setting that differs between this run and the checkpoint's, but for learning rates.
pub(crate) fn refuse_other_settings(
    path: &Path,
    key: &str,
    now: &Value,
    then: &Value,
) -> Result<(), RunError> {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            for (name, now) in now {
                let key = format!("{key}.{name}");
                let Some(then) = then.get(name) else {
                    let expected = format!("{now} as in this run");
                    return Err(RunError::invalid(
                        path,
                        key,
                        expected,
                        "missing, as older versions leave it",
                    ));
                };
                if name == RATE && now.is_number() && then.is_number() {
                    say_other_rate(&key, now, then);
                    continue;
                }
                refuse_other_settings(path, &key, now, then)?;
            }
            match then.iter().find(|(name, _)| !now.contains_key(*name)) {
                None => Ok(()),
                Some((name, then)) => {
                    let expected = "nothing, as this run has no such setting";
                    Err(RunError::invalid(path, format!("{key}.{name}"), expected, then))
                }
            }
        }
        _ if now == then => Ok(()),
        _ => Err(RunError::invalid(path, key, format!("{now} as in this run"), then)),
    }
}

fn say_other_rate(key: &str, now: &Value, then: &Value) {
    if now != then {
        info!(target: SAID, "`{key}`: {now} from here on, in place of {then}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_setting_that_differs_is_named() {
        let now = json!({"train": {"seed": 42, "phase1": {"epochs": 3}}});
        assert!(refuse_other_settings(Path::new("c.mpk"), "settings", &now, &now.clone()).is_ok());
        let then = json!({"train": {"seed": 42, "phase1": {"epochs": 4}}});
        let error = require_same_identity(Path::new("c.mpk"), &now.to_string(), &then.to_string());
        let text = error.unwrap_err().to_string();
        assert_eq!(text, "`c.mpk`: settings.train.phase1.epochs: found 4, expected 3 as in this run");
    }

    #[test]
    fn a_setting_that_one_side_does_not_have_is_named_alone() {
        let compare = |now: Value, then: Value| {
            let error = require_same_identity(Path::new("c.mpk"), &now.to_string(), &then.to_string());
            error.unwrap_err().to_string()
        };
        let newer = json!({"clamp": 1.5, "resize_chain": "direct", "train": {"seed": 42}});
        let older = json!({"clamp": 1.5, "train": {"seed": 42}});
        assert_eq!(
            compare(newer.clone(), older.clone()),
            "`c.mpk`: settings.resize_chain: found missing, as older versions leave it, expected \"direct\" as in this run"
        );
        let error = compare(older, newer);
        assert!(error.contains("settings.resize_chain: found \"direct\", expected nothing"), "{error}");
    }

    #[test]
    fn a_learning_rate_may_be_lowered_and_nothing_beside_it() {
        let settings = |rate: Value, beta: f64| json!({"train": {"optimiser": {"learning_rate": rate, "beta_1": beta}, "learning_rate": rate}});
        let compare = |now: Value, then: Value| {
            require_same_identity(Path::new("c.mpk"), &now.to_string(), &then.to_string())
        };
        assert!(compare(settings(json!(1e-4), 0.9), settings(json!(1e-3), 0.9)).is_ok());
        let error = compare(settings(json!(1e-4), 0.9), settings(json!(1e-3), 0.8)).unwrap_err().to_string();
        assert!(error.contains("beta_1"), "{error}");
        let error =
            compare(settings(json!(1e-4), 0.9), settings(json!("none"), 0.9)).unwrap_err().to_string();
        assert!(error.contains("learning_rate"), "{error}");
    }
}
