//! Settings of the commands before stage one: recordings, captions, networks that know nothing of brains.

use std::path::PathBuf;

use super::Project;
use crate::commands::doctor::DoctorSettings;
use crate::commands::phantom::PhantomSettings;
use crate::commands::prepare::{ExistingOutput, PrepareSettings};
use crate::commands::pretrain_classifier::PretrainClassifierSettings;
use crate::commands::pretrain_clip::PretrainClipSettings;
use crate::commands::score::ScoreSettings;
use crate::commands::screen_captions::ScreenCaptionsSettings;
use crate::run::error::RunError;

impl Project {
    /// Settings of `doctor`.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn doctor(&self) -> Result<DoctorSettings, RunError> {
        Ok(DoctorSettings {
            nsd_root: self.nsd()?,
            subject: self.config.subject,
            resolution: self.config.resolution,
        })
    }

    /// Settings of `phantom`.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn phantom(&self, existing: ExistingOutput) -> Result<PhantomSettings, RunError> {
        Ok(PhantomSettings {
            config: self.config.phantom.clone(),
            out: self.nsd()?,
            overwrite: existing == ExistingOutput::Replace,
        })
    }

    /// Settings of `prepare`.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn prepare(&self, existing: ExistingOutput) -> Result<PrepareSettings, RunError> {
        Ok(PrepareSettings {
            nsd_root: self.nsd()?,
            subject: self.config.subject,
            resolution: self.config.resolution,
            prepare: self.config.prepare.clone(),
            out: self.prepared(),
            existing,
        })
    }

    /// Settings of `pretrain-clip`.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn pretrain_clip(&self, resume: Option<PathBuf>) -> Result<PretrainClipSettings, RunError> {
        Ok(PretrainClipSettings {
            nsd: self.nsd()?,
            prepared: self.prepared(),
            split: self.config.split.clone(),
            pretrain_clip: self.config.pretrain_clip.clone(),
            device: self.config.device,
            runs: self.runs(),
            resume,
        })
    }

    /// Settings of `pretrain-classifier`.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn pretrain_classifier(&self) -> Result<PretrainClassifierSettings, RunError> {
        Ok(PretrainClassifierSettings {
            nsd: self.nsd()?,
            prepared: self.prepared(),
            split: self.config.split.clone(),
            pretrain_classifier: self.config.pretrain_classifier.clone(),
            device: self.config.device,
            runs: self.runs(),
        })
    }

    /// Settings of `screen-captions`.
    ///
    /// # Errors
    /// When the NSD root is not set or no CLIP is there.
    pub fn screen_captions(&self) -> Result<ScreenCaptionsSettings, RunError> {
        Ok(ScreenCaptionsSettings {
            nsd: self.nsd()?,
            prepared: self.prepared(),
            clip: self.clip()?,
            screen_captions: self.config.screen_captions.clone(),
            cache: self.cache(),
            output: self.captions(),
            probabilities: self.caption_probabilities(),
            report: self.work().join("captions").join(format!("{}-screening.json", self.config.subject)),
            device: self.config.device,
        })
    }

    /// Settings of `score`.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn score(&self, evaluation: Option<PathBuf>) -> Result<ScoreSettings, RunError> {
        Ok(ScoreSettings {
            nsd: self.nsd()?,
            prepared: self.prepared(),
            probabilities: self.caption_probabilities(),
            evaluation,
        })
    }
}
