//! Where a project's files are: the NSD tree, the folders of the work folder, what the newest finished run wrote.

use std::path::{Path, PathBuf};

use super::Project;
use super::finished::listed;
use super::paths::SIZES_FILE;
use crate::data::import::targets::TARGETS_FILE;
use crate::data::prepared;
use crate::data::subject::OwnSubject;
use crate::error::FileError;
use crate::files::{file_is_there, folder_is_there};
use crate::run::error::RunError;
use crate::run::run_dir::NewestRun;

impl Project {
    /// Root of the NSD tree; for an imported subject the folder in which `import` laid its pictures and captions as NSD has them.
    ///
    /// # Errors
    /// [`RunError::missing`] when it is not set.
    pub fn nsd(&self) -> Result<PathBuf, RunError> {
        if self.subject.is_own() {
            return Ok(self.imported());
        }
        self.paths
            .nsd
            .clone()
            .ok_or_else(|| RunError::missing("paths.nsd", "this command: set it with `--nsd DIR`"))
    }

    /// Folder of prepared subjects, captions, caches and runs.
    pub fn work(&self) -> &Path {
        self.paths.work.as_deref().unwrap_or(Path::new("work"))
    }

    /// Folder of what `import` writes of an imported subject beside its betas.
    pub fn imported(&self) -> PathBuf {
        self.work().join("imported").join(self.subject.to_string())
    }

    /// Settings that `import` wrote for the subject: sizes of networks that fit its data.
    pub fn sizes(&self) -> PathBuf {
        self.imported().join(SIZES_FILE)
    }

    /// The embeddings that were imported with the pictures.
    ///
    /// # Errors
    /// [`RunError::missing`] where none were.
    pub fn imported_targets(&self) -> Result<PathBuf, RunError> {
        let path = self.imported().join(TARGETS_FILE);
        match file_is_there(&path)? {
            true => Ok(path),
            false => Err(RunError::missing(
                path,
                "`train_mapper.own_targets`; `mindreader import --targets FILE` writes it",
            )),
        }
    }

    /// The imported subjects that are prepared, by name.
    ///
    /// # Errors
    /// [`RunError::File`] for a folder of prepared subjects that is there and cannot be listed.
    pub fn imported_subjects(&self) -> Result<Vec<OwnSubject>, RunError> {
        let folder = self.work().join("prepared");
        if !folder_is_there(&folder)? {
            return Ok(Vec::new());
        }
        let entries = std::fs::read_dir(&folder).map_err(|error| FileError::unreadable(&folder, error))?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| FileError::unreadable(&folder, error))?.file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".h5"));
            names.extend(stem.and_then(|stem| stem.parse::<OwnSubject>().ok()));
        }
        // A folder has no order.
        names.sort_unstable();
        Ok(names)
    }

    /// Folder of the runs.
    pub fn runs(&self) -> PathBuf {
        self.work().join("runs")
    }

    /// The prepared subject.
    pub fn prepared(&self) -> PathBuf {
        let Self { subject, resolution, choice, .. } = self;
        self.work().join("prepared").join(prepared::file_name(*subject, *resolution, choice))
    }

    /// The vetted captions.
    pub fn captions(&self) -> PathBuf {
        self.work().join("captions").join(format!("{}.json", self.subject))
    }

    /// Every caption with its probability.
    pub fn caption_probabilities(&self) -> PathBuf {
        self.work().join("captions").join(format!("{}-probabilities.json", self.subject))
    }

    /// Where the caption screening says how many captions survived.
    pub fn screening_report(&self) -> PathBuf {
        self.work().join("captions").join(format!("{}-screening.json", self.subject))
    }

    /// Folder of the stored splits of all subjects.
    pub fn splits(&self) -> PathBuf {
        self.work().join("splits")
    }

    /// The stored split of a name.
    pub fn split_file(&self, name: &str) -> PathBuf {
        self.splits().join(format!("{}-{name}.json", self.subject))
    }

    /// Folder of cached embeddings and features.
    pub fn cache(&self) -> PathBuf {
        self.work().join("cache")
    }

    /// The file of the newest finished run of `kind` of the subject, or the configured one.
    ///
    /// # Errors
    /// [`RunError::missing`] that names `command`, which writes such a file.
    pub fn newest(
        &self,
        configured: Option<&PathBuf>,
        kind: &str,
        file: &str,
        command: &str,
    ) -> Result<PathBuf, RunError> {
        if let Some(path) = configured {
            return Ok(path.clone());
        }
        let description = format!("{kind}-{}", self.subject);
        let newest = self.newest_finished(&description, file)?;
        let path = self.runs().join(format!("*-{description}")).join(file);
        match newest {
            NewestRun { file: Some(file), .. } => Ok(file),
            NewestRun { unfinished, .. } if unfinished.is_empty() => {
                Err(RunError::missing(path, format!("this command; run `mindreader {command}` first")))
            }
            newest => Err(RunError::missing(
                path,
                format!(
                    "this command; not finished yet: {}; continue with `--resume CHECKPOINT`, or run \
                     `mindreader {command}`",
                    listed(&newest)
                ),
            )),
        }
    }
}
