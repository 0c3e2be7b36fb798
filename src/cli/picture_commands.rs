//! From arguments to the summaries of the commands that draw pictures or measure them.

use std::path::PathBuf;

use serde_json::Value;

use super::dispatch::{Session, value};
use crate::commands::evaluate_images::{self, EvaluateImagesSettings, EvaluateImagesSummary};
use crate::commands::interpolate::sequence::{self, SequenceSummary};
use crate::commands::interpolate::{self, InterpolateSettings, InterpolateSummary};
use crate::commands::microstim::{self, MicrostimSettings};
use crate::commands::reconstruct::{self, ReconstructSettings};
use crate::commands::score;

impl Session<'_> {
    /// Betas to pictures.
    ///
    /// # Errors
    /// The command's own.
    pub(super) fn reconstruct(self) -> crate::error::Result<Value> {
        let settings =
            ReconstructSettings::resolve(&self.project, &self.config.reconstruct, &self.config.train_mapper)?;
        value(reconstruct::run(&settings, self.progress))
    }

    /// Metrics of pictures.
    ///
    /// # Errors
    /// The command's own.
    pub(super) fn evaluate_images(self, run: Option<PathBuf>) -> crate::error::Result<Value> {
        let settings = EvaluateImagesSettings::resolve(&self.project, &self.config.evaluate_images, run)?;
        let summary = evaluate_images::run(&settings, &mut *self.progress)?;
        self.as_text(summary, EvaluateImagesSummary::table)
    }

    /// The way between trials.
    ///
    /// # Errors
    /// The command's own.
    pub(super) fn interpolate(self) -> crate::error::Result<Value> {
        let (project, config) = (&self.project, &self.config);
        let settings = InterpolateSettings::resolve(project, &config.interpolate, &config.train_mapper)?;
        if settings.interpolate.sequence {
            let summary = sequence::run(&settings, &mut *self.progress)?;
            return self.as_text(summary, SequenceSummary::text);
        }
        let summary = interpolate::run(&settings, &mut *self.progress)?;
        self.as_text(summary, InterpolateSummary::text)
    }

    /// A region driven or silenced.
    ///
    /// # Errors
    /// The command's own.
    pub(super) fn microstim(self) -> crate::error::Result<Value> {
        let settings = MicrostimSettings::resolve(&self.project, &self.config.microstim)?;
        if settings.microstim.has_several() {
            let found = microstim::run_regions(&settings, &mut *self.progress)?;
            let runs: Vec<PathBuf> = found.regions.iter().map(|region| region.run.clone()).collect();
            let effects = score::microstim_effects(&runs)?.text();
            return self.as_text(found, |_| effects);
        }
        value(microstim::run(&settings, self.progress))
    }
}
