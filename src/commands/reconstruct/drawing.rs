//! Draws the chosen trials, batch by batch, and writes every picture beside its ground truth.

use image::RgbImage;

use super::config::ReconstructConfig;
use super::grid::ShownTrial;
use super::material::{Material, SourceReader};
use crate::data::image::resize::{Filter, resize_pil};
use crate::data::nsd::stimuli::Stimuli;
use crate::data::prepared::PreparedSubject;
use crate::error::Result;
use crate::interrupt;
use crate::models::condition_source::ConditionSource;
use crate::pipelines::brain_decoder::{BrainDecoder, DrawOptions};
use crate::pipelines::drawing_manifest::ManifestEntry;
use crate::pipelines::trial_choice::ChosenTrial;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;

/// What every batch of trials is drawn with.
pub(super) struct Drawing<'a> {
    pub config: &'a ReconstructConfig,
    /// Decides z and noise.
    pub seed: u64,
    pub prepared: &'a PreparedSubject,
    pub stimuli: &'a Stimuli,
    pub decoder: &'a BrainDecoder,
    /// What is drawn.
    pub material: &'a Material,
    /// Where pictures are written.
    pub run: &'a RunDir,
}

impl Drawing<'_> {
    /// Draws every chosen trial; the list of the pictures, and those of the trials that the grid shows.
    ///
    /// # Errors
    /// When betas or a stimulus cannot be read, or a picture cannot be written.
    pub fn draw_all(
        &self,
        chosen: &[ChosenTrial],
        progress: &mut dyn Progress,
    ) -> Result<(Vec<ManifestEntry>, Vec<ShownTrial>)> {
        let is_shown = self.config.grid.shown(chosen);
        let (mut manifest, mut shown) = (Vec::new(), Vec::new());
        progress.start("reconstruct", chosen.len() as u64);
        let mut done = 0;
        for trials in chosen.chunks(self.config.batch.max(1)) {
            interrupt::check()?;
            let drawn = self.draw(trials)?;
            for (row, trial) in trials.iter().enumerate() {
                // One per line, as the lines stand below each other in the grid.
                let drawn = drawn.iter().map(|pictures| pictures[row].clone()).collect();
                let pictures = self.write(trial, drawn, &mut manifest)?;
                if is_shown[done + row] {
                    shown.push(pictures);
                }
            }
            done += trials.len();
            progress.advance(done as u64, "");
        }
        Ok((manifest, shown))
    }

    fn samples(&self) -> usize {
        self.config.samples.max(1)
    }

    /// Pictures of a batch: those of a condition and z behind each other, one per trial.
    fn draw(&self, trials: &[ChosenTrial]) -> Result<Vec<Vec<RgbImage>>> {
        let (conditions, samples) = (self.config.all_conditions(), self.samples());
        let source = SourceReader {
            material: self.material,
            prepared: self.prepared,
            stimuli: self.stimuli,
            decoder: self.decoder,
            seed: self.seed,
        };
        let Some(embeddings) = source.steering(trials)? else {
            let condition = conditions.first().copied().unwrap_or_default();
            let of_trials = source.training_images(trials, condition, samples)?;
            return Ok((0..samples)
                .map(|sample| of_trials.iter().map(|pictures| pictures[sample].clone()).collect())
                .collect());
        };
        let draw = |(condition, sample)| {
            let options = DrawOptions {
                source: condition,
                truncation_psi: self.config.truncation_psi,
                noise: self.config.noise,
                seed: self.seed,
            };
            let positions: Vec<u64> = trials.iter().map(|trial| trial.position(samples, sample)).collect();
            self.decoder.draw(&embeddings, &positions, &options)
        };
        Ok(lines(&conditions, samples).map(draw).collect())
    }

    /// Writes the pictures of one trial beside its ground truth and lists them.
    fn write(
        &self,
        trial: &ChosenTrial,
        drawn: Vec<RgbImage>,
        manifest: &mut Vec<ManifestEntry>,
    ) -> Result<ShownTrial> {
        let side = self.decoder.resolution() as u32;
        let truth = resize_pil(&self.stimuli.image(trial.nsd_id)?, side, side, Filter::Bicubic);
        let ground_truth = format!("images/nsd{:05}-truth.png", trial.nsd_id.0);
        self.run.write_png(&ground_truth, &truth)?;
        let (conditions, samples) = (self.config.all_conditions(), self.samples());
        for ((condition, sample), picture) in lines(&conditions, samples).zip(&drawn) {
            let name = if conditions.len() > 1 { format!("-{condition}") } else { String::new() };
            let file = format!("images/{}{name}-z{sample}.png", trial.label());
            self.run.write_png(&file, picture)?;
            let trials = self.prepared.trials();
            manifest.push(ManifestEntry {
                file,
                trials: trial.trials.clone(),
                nsd_id: trial.nsd_id.0,
                repetitions: trial.trials.iter().map(|trial| trials[*trial].repetition).collect(),
                condition: Some(condition),
                sample,
                position: trial.position(samples, sample),
                ground_truth: ground_truth.clone(),
            });
        }
        Ok(ShownTrial { nsd_id: trial.nsd_id.0, truth, drawn })
    }
}

/// Every condition with every z, in the order in which they are drawn and shown.
fn lines(
    conditions: &[ConditionSource],
    samples: usize,
) -> impl Iterator<Item = (ConditionSource, usize)> + use<'_> {
    conditions.iter().flat_map(move |condition| (0..samples).map(move |sample| (*condition, sample)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_condition_is_drawn_with_every_z() {
        let (image, both) = (ConditionSource::Image, ConditionSource::Both);
        let drawn: Vec<_> = lines(&[both, image], 2).collect();
        assert_eq!(drawn, [(both, 0), (both, 1), (image, 0), (image, 1)]);
    }
}
