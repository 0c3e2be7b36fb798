//! The whole phantom: what is decided before the first file is written, and the order in which files follow.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::anatomy::Anatomy;
use super::config::PhantomConfig;
use super::design::ExperimentPlan;
use super::files::annotations::AnnotationBook;
use super::files::marker::{Existing, Marker, PendingTree};
use super::files::sessions::SessionMaps;
use super::files::{behaviour, experiment, stimuli as stimulus_files, truth, volumes};
use super::responses::SessionSimulator;
use super::stimuli::StimulusSet;
use super::tuning::{TunedVoxel, draw_tuning, normalise_drives};
use crate::data::error::DataError;
use crate::data::nsd::tree::NsdTree;
use crate::data::trial::{NsdId, TRIALS_PER_SESSION, Trial};
use crate::interrupt;

/// Part of the work, for progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Rendering images; units are images.
    Stimuli,
    /// Simulating and writing betas; units are sessions.
    Betas,
    /// Computing the noise ceiling; units are brain voxels.
    NoiseCeiling,
}

/// Counts of sessions, images and voxels written, and the noise ceiling that they got.
#[derive(Clone, Debug, PartialEq)]
pub struct PhantomCounts {
    /// Sessions of 750 trials.
    pub sessions: usize,
    /// Distinct images.
    pub images: usize,
    /// Photographs that images were cut from.
    pub photographs: usize,
    /// Voxels in the brain mask.
    pub brain_voxels: usize,
    /// Voxels in nsdgeneral.
    pub nsdgeneral_voxels: usize,
    /// Voxels that images drive.
    pub responsive_voxels: usize,
    /// Median over nsdgeneral of the noise ceiling for means of three trials, in percent, as estimated.
    pub median_noise_ceiling_percent: f64,
}

/// A phantom before its files.
pub struct Phantom {
    config: PhantomConfig,
    plan: ExperimentPlan,
    trials: Vec<Trial>,
    stimuli: StimulusSet,
    anatomy: Anatomy,
    tuned: Vec<TunedVoxel>,
}

impl Phantom {
    /// Decides everything that needs no pixels.
    ///
    /// # Errors
    /// Wrong settings, or a wrong folder of photographs.
    pub fn plan(config: &PhantomConfig) -> Result<Self, DataError> {
        config.validate().map_err(|error| error.within("phantom"))?;
        let plan = ExperimentPlan::draw(config);
        let trials = plan.trials(config.subject, config.num_sessions());
        let mut seen = BTreeSet::new();
        let images: Vec<NsdId> =
            trials.iter().map(|trial| trial.nsd_id).filter(|image| seen.insert(*image)).collect();
        let stimuli = StimulusSet::plan(config, &images)?;
        let anatomy = Anatomy::grow(config);
        let tuned = draw_tuning(config, &anatomy);
        Ok(Self { config: config.clone(), plan, trials, stimuli, anatomy, tuned })
    }

    /// Writes the phantom to `target`, all or nothing; `tick` is told stage, units done and units in all.
    ///
    /// # Errors
    /// [`DataError::unwritable`]; [`DataError::unreadable`] for a photograph.
    pub fn write(
        mut self,
        target: &Path,
        existing: Existing,
        tick: &mut dyn FnMut(Stage, u64, u64),
    ) -> Result<PhantomCounts, DataError> {
        let pending = PendingTree::create(target, existing)?;
        let tree = NsdTree::new(pending.path());
        let config = &self.config;

        let mut book = AnnotationBook::default();
        let features = stimulus_files::write_stimuli(
            &tree,
            &self.stimuli,
            |rendered| book.note(&self.stimuli, rendered),
            &mut |done, total| tick(Stage::Stimuli, done, total),
        )?;
        let grades = book.write(&tree, config.seed, &self.stimuli)?;
        experiment::write_design(&tree, &self.plan)?;
        experiment::write_stimulus_table(&tree, config.seed, &self.plan, &self.stimuli, &features)?;
        behaviour::write_responses(&tree, config, &self.plan, &self.trials)?;
        volumes::write_anatomy(&tree, config.subject, &self.anatomy)?;

        // Needs the features of all images, hence behind the rendering, and before the first session.
        normalise_drives(&mut self.tuned, &features);
        let place: BTreeMap<NsdId, usize> = self
            .stimuli
            .stimuli
            .iter()
            .enumerate()
            .map(|(index, stimulus)| (stimulus.nsd_id, index))
            .collect();
        let simulator = SessionSimulator::new(config, &self.anatomy, &self.tuned);
        let mut maps = SessionMaps::new(self.anatomy.grid, simulator.voxels().to_vec());
        let num_sessions = config.num_sessions() as u64;
        for (index, trials) in self.trials.chunks(TRIALS_PER_SESSION).enumerate() {
            let session = index as u16 + 1;
            interrupt::check()?;
            let betas = simulator.simulate(session, trials, &features, &place);
            maps.write_session(&tree, config, session, &betas)?;
            tick(Stage::Betas, u64::from(session), num_sessions);
        }
        let ncsnr = maps.write_maps(&tree, config, &self.trials, &mut |done, total| {
            tick(Stage::NoiseCeiling, done, total);
        })?;
        let path = pending.path().join("truth.h5");
        let novel = &config.novel_categories;
        truth::write_truth(&path, &self.tuned, &self.stimuli, &features, &grades, novel)?;
        let counts = self.counts(simulator.voxels(), &ncsnr);
        // The last step: until here nothing has appeared under the target's name.
        pending.commit(&Marker::new(self.config.clone()))?;
        Ok(counts)
    }

    fn counts(&self, brain: &[usize], ncsnr: &[f32]) -> PhantomCounts {
        let visual = self.anatomy.cortex.iter().filter(|voxel| voxel.is_visual);
        let mut ceilings: Vec<f64> = visual
            .clone()
            .filter_map(|voxel| brain.binary_search(&voxel.flat_index).ok())
            .map(|index| f64::from(ncsnr[index]))
            .filter(|ratio| ratio.is_finite())
            .map(|ratio| crate::data::nsd::noise_ceiling::noise_ceiling_percent(ratio, 3))
            .collect();
        ceilings.sort_by(f64::total_cmp);
        let mut photographs: Vec<u64> = self
            .stimuli
            .stimuli
            .iter()
            .filter(|stimulus| stimulus.origin != super::stimuli::Origin::Scene)
            .map(|stimulus| stimulus.coco_id)
            .collect();
        photographs.sort_unstable();
        photographs.dedup();
        PhantomCounts {
            sessions: self.config.num_sessions(),
            images: self.stimuli.len(),
            photographs: photographs.len(),
            brain_voxels: brain.len(),
            nsdgeneral_voxels: visual.count(),
            responsive_voxels: self.tuned.iter().filter(|voxel| voxel.ncsnr > 0.0).count(),
            median_noise_ceiling_percent: ceilings.get(ceilings.len() / 2).copied().unwrap_or(0.0),
        }
    }
}
