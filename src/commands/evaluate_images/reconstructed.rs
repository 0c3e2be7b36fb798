//! A finished run of `reconstruct`: which pictures it drew, of which trials, with which settings.

use std::path::{Path, PathBuf};

use image::RgbImage;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::commands::reconstruct::ReconstructConfig;
use crate::data::prepared::PreparedSubject;
use crate::data::split::{SplitConfig, SplitRecord};
use crate::error::toml_reason;
use crate::files::file_is_there;
use crate::pipelines::brain_decoder::{DecoderPaths, LoadedMapper};
use crate::pipelines::drawing_manifest::{MANIFEST_FILE, Manifest, ManifestEntry};
use crate::pipelines::inference::{Inference, of_epochs};
use crate::pipelines::measured::Presentations;
use crate::pipelines::trial_choice::Repeats;
use crate::run::error::RunError;
use crate::run::snapshot::hex;
use crate::tensor_ops::backend::Device;

/// The part of a run's `config.toml` that an evaluation needs.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct RunSettings {
    /// Prepared subject whose trials were decoded.
    pub prepared: PathBuf,
    /// `nsd_stimuli.hdf5`, for the training stimuli.
    pub stimuli: PathBuf,
    /// The networks that drew.
    #[serde(default)]
    pub networks: Option<DecoderPaths>,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Which trials were decoded, and how.
    pub reconstruct: ReconstructConfig,
}

/// A run with one picture per decoded trial: the first sample under the first condition.
pub(super) struct Reconstructed {
    folder: PathBuf,
    /// `subj01`, …
    pub subject: String,
    /// Decides z and noise; unknown in manifests of older versions.
    pub seed: Option<u64>,
    /// Which pictures were held out, where its manifest tells.
    pub split_record: Option<SplitRecord>,
    /// What its `config.toml` says.
    pub settings: RunSettings,
    /// In order of the trials.
    pub entries: Vec<ManifestEntry>,
}

impl Reconstructed {
    /// Reads manifest and settings.
    ///
    /// # Errors
    /// [`RunError`] that names the file and what is wrong with it.
    pub fn open(folder: &Path) -> Result<Self, RunError> {
        let purpose = "`evaluate-images`: give the folder of a finished `reconstruct` run";
        let manifest = Manifest::read(folder, purpose)?;
        let path = folder.join("config.toml");
        let bytes = RunError::read(&path, "`evaluate-images`")?;
        let settings: RunSettings = std::str::from_utf8(&bytes)
            .map_err(|error| error.to_string())
            .and_then(|text| toml::from_str(text).map_err(|error| toml_reason(text, &error)))
            .map_err(|error| {
                RunError::invalid(&path, "settings", "settings of `reconstruct`", error.trim_end())
            })?;
        // Of several conditions the first: it is drawn like the only one of other runs.
        let condition = settings.reconstruct.all_conditions().first().copied();
        let is_evaluated = |entry: &ManifestEntry| {
            entry.sample == 0 && (entry.condition.is_none() || entry.condition == condition)
        };
        let mut entries: Vec<ManifestEntry> = manifest.images.into_iter().filter(is_evaluated).collect();
        entries.sort_by(|a, b| a.trials.cmp(&b.trials));
        if entries.is_empty() {
            let path = folder.join(MANIFEST_FILE);
            return Err(RunError::invalid(&path, "images", "at least one", "none"));
        }
        let Manifest { subject, seed, split_record, .. } = manifest;
        Ok(Self { folder: folder.to_path_buf(), subject, seed, split_record, settings, entries })
    }

    /// Whether a picture is of one trial or of the mean over an image's presentations.
    pub fn presentations(&self) -> Presentations {
        match self.settings.reconstruct.repeats {
            Repeats::Single | Repeats::First => Presentations::Single,
            Repeats::Average => {
                let trials: usize = self.entries.iter().map(|entry| entry.trials.len()).sum();
                Presentations::Averaged(trials as f64 / self.entries.len().max(1) as f64)
            }
        }
    }

    /// Decodes a picture of the run.
    ///
    /// # Errors
    /// [`RunError`] when the file is missing or is no picture.
    pub fn picture(&self, file: &str) -> Result<RgbImage, RunError> {
        let path = self.folder.join(file);
        let bytes = RunError::read(&path, "`evaluate-images`: the run's manifest names it")?;
        let picture = image::load_from_memory(&bytes)
            .map_err(|error| RunError::invalid(&path, "picture", "a PNG", error))?;
        Ok(picture.into_rgb8())
    }

    /// Whether held-out trials had a part in what was drawn of them; unknown where subject or mappers are gone.
    ///
    /// # Errors
    /// Files that are there and cannot be read.
    pub fn inference(&self, device: &Device) -> crate::error::Result<Option<Inference>> {
        let Some(networks) = &self.settings.networks else { return Ok(None) };
        let mappers = [&networks.image_mapper, &networks.second_mapper];
        for path in [&self.settings.prepared, mappers[0], mappers[1]] {
            if !file_is_there(path)? {
                return Ok(None);
            }
        }
        let mut chosen = Vec::new();
        for path in mappers {
            let mapper = LoadedMapper::open(path, device)?;
            chosen.extend(of_epochs(path, &mapper.snapshot, &mapper.provenance)?);
        }
        let subject = PreparedSubject::open(&self.settings.prepared)?;
        Ok(Some(Inference::of_betas(&subject, self.settings.split.rule, chosen)))
    }

    /// SHA-256 of the picture's file.
    ///
    /// # Errors
    /// [`RunError`] when the file is missing.
    pub fn identity(&self, file: &str) -> Result<String, RunError> {
        let bytes =
            RunError::read(&self.folder.join(file), "`evaluate-images`: the run's manifest names it")?;
        Ok(hex(&Sha256::digest(&bytes)))
    }
}
