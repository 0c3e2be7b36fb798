//! The folder of a training: a new one, or that of the checkpoint which is continued on the data that it was begun with.

mod content;

use std::path::Path;

use serde::Serialize;

pub(crate) use self::content::{
    Content, ContentHash, betas_sha256, file_sha256, photographs_sha256, pictures_sha256,
};
use crate::files::{file_is_there, warn_once};
use crate::run::error::RunError;
use crate::run::run_dir::RunDir;

/// What the training reads, by hash; beside the checkpoint.
const CONTENT_FILE: &str = "inputs.json";

/// Where a training runs.
pub(crate) struct RunPlace<'a> {
    /// Checkpoint to continue from, in its own folder.
    pub resume: Option<&'a Path>,
    /// Folder of new runs.
    pub runs: &'a Path,
    /// What a new run's name says behind its number.
    pub description: &'a str,
}

impl RunPlace<'_> {
    /// The folder of the checkpoint, if the run was begun on the same `content`; or a new one with the `settings` in `config.toml`.
    ///
    /// # Errors
    /// A folder that is not there, cannot be made, or is in use by another process; a run that was begun on other data.
    pub fn open(&self, settings: &impl Serialize, content: &Content) -> crate::error::Result<RunDir> {
        let content = &content.of_run(self.description);
        if let Some(checkpoint) = self.resume {
            let run = RunDir::of_checkpoint(checkpoint)?;
            if file_is_there(checkpoint)? {
                require_same_content(&run, checkpoint, content)?;
            }
            return Ok(run);
        }
        let run = RunDir::create(self.runs, self.description)?;
        run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
        run.write_atomic(CONTENT_FILE, &serde_json::to_vec_pretty(content)?)?;
        Ok(run)
    }
}

/// Refuses to continue a run on other data than it was begun with. Runs of older versions do not say what that was: from now on
/// they do.
fn require_same_content(run: &RunDir, checkpoint: &Path, now: &Content) -> crate::error::Result<()> {
    let path = run.join(CONTENT_FILE);
    if !file_is_there(&path)? {
        warn_once(&format!(
            "`{}` does not say on which data its run was begun: make sure that they are the same",
            checkpoint.display()
        ));
        run.write_atomic(CONTENT_FILE, &serde_json::to_vec_pretty(now)?)?;
        return Ok(());
    }
    let bytes = RunError::read(&path, "`--resume`")?;
    let then: Content = serde_json::from_slice(&bytes)
        .map_err(|error| RunError::invalid(&path, "content", "hashes by name", error))?;
    match now.first_difference(&then) {
        None => Ok(()),
        Some(difference) => Err(difference.at(checkpoint).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorClass;

    #[test]
    fn what_tells_most_is_compared_before_contents() {
        let root = tempfile::tempdir().unwrap();
        let content = |kind: &str, target: &str, betas: &str| {
            Content::default().told("kind", kind).told("target", target).with("betas", betas)
        };
        let place = |resume, description| {
            RunPlace { resume, runs: root.path(), description }
                .open(&toml::Table::new(), &content("residual", "image", "11"))
        };
        let run = place(None, "train-mapper").unwrap();
        let checkpoint = run.write_atomic("checkpoint.mpk", b"state").unwrap();
        drop(run);
        let resume = |content: &Content, description| {
            let place = RunPlace { resume: Some(&checkpoint), runs: root.path(), description };
            place.open(&toml::Table::new(), content).map(drop).map_err(|error| error.to_string())
        };
        let same = content("residual", "image", "11");
        assert_eq!(resume(&same, "train-mapper"), Ok(()));
        // A name is no data.
        assert_eq!(resume(&same, "another-name"), Ok(()));
        for (content, expected) in [
            (
                content("paper", "caption", "22"),
                "checkpoint.mpk`: kind: found `residual`, of which the checkpoint is, expected `paper`, which this command asks for",
            ),
            (
                content("residual", "caption", "22"),
                "checkpoint.mpk`: target: found `image`, of which the checkpoint is, expected `caption`, which this command asks for",
            ),
        ] {
            let error = resume(&content, "train-mapper").unwrap_err();
            assert!(error.ends_with(expected), "{error}");
        }
        let other = Content::default().with("pictures", "33");
        let error = resume(&other, "pretrain-gan-subj01").unwrap_err();
        assert!(
            error.contains(
                "run: found `train-mapper`, of which the checkpoint is, expected `pretrain-gan-subj01`"
            ),
            "{error}"
        );
        // A run of an older version tells nothing but hashes.
        std::fs::write(checkpoint.with_file_name(CONTENT_FILE), r#"{"betas": "11"}"#).unwrap();
        assert_eq!(resume(&content("paper", "image", "11"), "train-mapper"), Ok(()));
        assert!(
            resume(&content("paper", "image", "22"), "x").unwrap_err().contains("betas: found SHA-256 11")
        );
    }

    #[test]
    fn a_run_is_continued_on_its_own_data_only() {
        let root = tempfile::tempdir().unwrap();
        let content = |betas: &str| Content::default().with("betas", betas).with("captions", "22222222aa");
        let place = |resume| RunPlace { resume, runs: root.path(), description: "x" };
        let run = place(None).open(&toml::Table::new(), &content("11111111aa")).unwrap();
        let checkpoint = run.write_atomic("checkpoint.mpk", b"state").unwrap();
        drop(run);
        let resume = |content: &Content| place(Some(&checkpoint)).open(&toml::Table::new(), content);
        drop(resume(&content("11111111aa")).unwrap());
        let error = resume(&content("33333333aa")).unwrap_err();
        let expected = "checkpoint.mpk`: betas: found SHA-256 11111111…, those that the run was begun with, expected SHA-256 \
                        33333333…, those of this command";
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(error.hint().unwrap().contains("new run"));
        // One more, or one less.
        let more = content("11111111aa").with("photographs", "4");
        assert!(resume(&more).unwrap_err().to_string().contains("photographs: found none"));
        let less = Content::default().with("betas", "11111111aa");
        assert!(resume(&less).unwrap_err().to_string().contains("captions: found SHA-256 22222222"));
        // Of an older version: taken at its word, once.
        std::fs::remove_file(checkpoint.with_file_name(CONTENT_FILE)).unwrap();
        drop(resume(&content("33333333aa")).unwrap());
        assert!(resume(&content("11111111aa")).is_err());
        std::fs::write(checkpoint.with_file_name(CONTENT_FILE), "[").unwrap();
        let error = resume(&content("11111111aa")).unwrap_err();
        assert!(error.to_string().contains("inputs.json`: content"), "{error}");
        assert_eq!(error.class(), ErrorClass::BadInput);
    }
}
