//! The file in words: every key with what it is, every missing one with the command that makes it.

use std::path::Path;

use super::summary::{InitEntry, InitSummary};
use crate::data::subject::{Resolution, SubjectId};
use crate::error::one_cause;
use crate::run::error::RunError;

/// The text of `mindreader.toml`.
///
/// # Errors
/// A path that is no UTF-8 text.
pub(super) fn settings_text(
    summary: &InitSummary,
    subject: SubjectId,
    resolution: Resolution,
) -> Result<String, RunError> {
    let mut lines: Vec<String> = vec![
        "# Settings of this folder: every command that is typed here reads them, unless `--config` names".into(),
        "# another file; `--config none` reads none. Flags and `--set` win over them. Paths are relative to this".into(),
        "# folder. `mindreader config` prints every key with its value.".into(),
        String::new(),
        "# NSD subject, 1 to 8, or the name of an imported one; `--subject N` names another.".into(),
        format!("subject = {}", toml_subject(subject)),
    ];
    if resolution != Resolution::default() {
        lines.extend(["# Functional volumes.".into(), format!("resolution = \"{resolution}\"")]);
    }
    lines.extend([String::new(), "[paths]".into()]);
    for entry in &summary.paths {
        lines.extend(entry_lines(entry)?);
    }
    if !summary.obstacles.is_empty() {
        lines.extend([String::new(), "# In the NSD tree (`mindreader doctor` says more):".into()]);
        lines.extend(summary.obstacles.iter().map(|obstacle| comment(obstacle)));
    }
    lines.extend([
        String::new(),
        format!(
            "# Next: `{}`. After `prepare` follow `train-mapper`, `finetune-gan`, `reconstruct` and",
            summary.next
        ),
        "# `microstim --roi floc-faces`, each without any other argument.".into(),
        String::new(),
    ]);
    Ok(lines.join("\n"))
}

fn entry_lines(entry: &InitEntry) -> Result<Vec<String>, RunError> {
    let mut lines = vec![comment(entry.what)];
    lines.extend(entry.note.as_deref().map(comment));
    lines.push(match &entry.value {
        Some(path) => format!("{} = {}", entry.key, quoted(path)?),
        None => format!("# {} = \"\"", entry.key),
    });
    Ok(lines)
}

fn toml_subject(subject: SubjectId) -> String {
    match subject {
        SubjectId::Nsd(subject) => subject.number().to_string(),
        SubjectId::Own(name) => toml::Value::String(name.name().into()).to_string(),
    }
}

/// One line, whatever it repeats of files.
fn comment(text: &str) -> String {
    format!("# {}", one_cause(text))
}

/// The path as a TOML string.
fn quoted(path: &Path) -> Result<String, RunError> {
    let text = path.to_str().ok_or_else(|| {
        let expected = "a path of UTF-8 text; a link of such a name may lead to it";
        RunError::invalid(path, "name", expected, path.display())
    })?;
    Ok(toml::Value::String(text.into()).to_string())
}
