//! Where a project's files are: the NSD tree, the folders of the work folder, what the newest finished run wrote.

use std::path::{Path, PathBuf};

use super::{Project, ProjectConfig};
use crate::commands::prepare::PrepareSettings;
use crate::run::error::RunError;
use crate::run::run_dir::RunDir;

impl Project {
    /// Root of the NSD tree.
    ///
    /// # Errors
    /// [`RunError::Missing`] when it is not set.
    pub fn nsd(&self) -> Result<PathBuf, RunError> {
        self.config
            .paths
            .nsd
            .clone()
            .ok_or_else(|| RunError::missing("paths.nsd", "this command: set it with `--nsd DIR`"))
    }

    pub(super) fn work(&self) -> &Path {
        self.config.paths.work.as_deref().unwrap_or(Path::new("work"))
    }

    /// Folder of the runs.
    pub fn runs(&self) -> PathBuf {
        self.work().join("runs")
    }

    /// The prepared subject.
    pub fn prepared(&self) -> PathBuf {
        let ProjectConfig { subject, resolution, prepare, .. } = &self.config;
        self.work().join("prepared").join(PrepareSettings::file_name(*subject, *resolution, &prepare.roi))
    }

    /// The vetted captions.
    pub fn captions(&self) -> PathBuf {
        self.work().join("captions").join(format!("{}.json", self.config.subject))
    }

    /// Every caption with its probability.
    pub fn caption_probabilities(&self) -> PathBuf {
        self.work().join("captions").join(format!("{}-probabilities.json", self.config.subject))
    }

    pub(super) fn cache(&self) -> PathBuf {
        self.work().join("cache")
    }

    /// The file of the newest finished run of `kind` of the subject, or the configured one.
    pub(super) fn newest(
        &self,
        configured: Option<&PathBuf>,
        kind: &str,
        file: &str,
        command: &str,
    ) -> Result<PathBuf, RunError> {
        if let Some(path) = configured {
            return Ok(path.clone());
        }
        let description = format!("{kind}-{}", self.config.subject);
        RunDir::newest(&self.runs(), &description, file).ok_or_else(|| {
            let path = self.runs().join(format!("*-{description}")).join(file);
            RunError::missing(path, format!("this command; run `mindreader {command}` first"))
        })
    }
}
