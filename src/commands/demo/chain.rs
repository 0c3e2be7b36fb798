//! The chain of the demo: one command after the other on the files of the last.

use std::path::{Path, PathBuf};

use super::shipped_networks::{DemoNetworks, ShippedNetworks};
use crate::commands::config::ProjectConfig;
use crate::commands::encode::{self, EncodeSettings, EncodeSummary};
use crate::commands::evaluate_images::{self, EvaluateImagesSettings, EvaluateImagesSummary, RealSets};
use crate::commands::finetune_gan::{self, FinetuneGanSettings};
use crate::commands::microstim::{self, MicrostimSettings};
use crate::commands::phantom::{self, PhantomSettings, PhantomSummary};
use crate::commands::prepare::{self, PrepareSettings, PrepareSummary};
use crate::commands::pretrain_clip::{self, PretrainClipSettings};
use crate::commands::pretrain_gan::{self, PretrainGanSettings};
use crate::commands::reconstruct::{self, ReconstructSettings};
use crate::commands::screen_captions::{self, ScreenCaptionsSettings, ScreenCaptionsSummary};
use crate::commands::train_mapper::{self, BetasControl, TrainMapperSettings, TrainMapperSummary};
use crate::error::Result;
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperTarget;
use crate::phantom::StimulusSource;
use crate::pipelines::project::Project;
use crate::pipelines::stimulation::Stimulation;
use crate::run::existing_output::ExistingOutput;
use crate::run::progress::Progress;

/// Regions that the demo drives or silences.
const STIMULATIONS: [(&str, Stimulation); 6] = [
    ("floc-faces", Stimulation::Excite),
    ("floc-bodies", Stimulation::Excite),
    ("floc-places", Stimulation::Excite),
    ("floc-words", Stimulation::Excite),
    ("streams:early", Stimulation::Silence),
    ("streams:ventral + streams:lateral + streams:parietal", Stimulation::Silence),
];

/// What the commands of the chain found, in their order.
pub(super) struct Found {
    pub subject: Subject,
    /// Run of `pretrain-clip`, where CLIP was trained here.
    pub clip_run: Option<PathBuf>,
    pub screened: ScreenCaptionsSummary,
    pub mappers: Mappers,
    /// Runs of the GAN.
    pub gan_runs: Vec<PathBuf>,
    pub pictures: Pictures,
    /// Runs of `microstim`, one per region.
    pub microstim_runs: Vec<PathBuf>,
    pub encoded: EncodeSummary,
}

/// The synthetic subject and what was prepared of it.
pub(super) struct Subject {
    pub phantom: PhantomSummary,
    pub prepared: PrepareSummary,
}

/// Image and caption mapper, and the control that learned from exchanged betas.
pub(super) struct Mappers {
    pub image: TrainMapperSummary,
    pub caption: TrainMapperSummary,
    pub control: TrainMapperSummary,
}

/// Pictures of held-out trials, and whether they are nearest to their own ground truth.
pub(super) struct Pictures {
    pub identified: EvaluateImagesSummary,
    /// The same where the image mapper knows nothing and steers alone.
    pub control: EvaluateImagesSummary,
}

/// The settings of the commands, and what tells how far they are.
pub(super) struct Chain<'a> {
    pub config: ProjectConfig,
    pub project: Project,
    pub progress: &'a mut dyn Progress,
}

impl<'a> Chain<'a> {
    /// A chain whose files go below the folder `out`.
    pub fn new(mut config: ProjectConfig, out: &Path, progress: &'a mut dyn Progress) -> Self {
        config.paths.nsd = Some(out.join("nsd"));
        config.paths.work = Some(out.join("work"));
        if config.phantom.photographs.is_some() {
            config.phantom.source = StimulusSource::Both;
        }
        let project = config.project();
        Self { config, project, progress }
    }

    /// Runs every command; shipped networks are written into `folder`.
    ///
    /// # Errors
    /// That of the first command that fails.
    pub fn run(&mut self, networks: DemoNetworks, folder: &Path) -> Result<Found> {
        let subject = self.subject()?;
        let clip_run = self.clip(networks, folder)?;
        let screened = self.screened_captions()?;
        let mappers = self.mappers()?;
        let gan_runs = self.generator(networks)?;
        let pictures = self.pictures(&mappers.control.snapshot)?;
        let microstim_runs = self.microstimulations()?;
        let encoded = self.encoding_model()?;
        Ok(Found { subject, clip_run, screened, mappers, gan_runs, pictures, microstim_runs, encoded })
    }

    fn subject(&mut self) -> Result<Subject> {
        let existing = ExistingOutput::Replace;
        self.progress
            .note("A synthetic brain sees pictures. Its files are laid out as NSD's; its tuning is known.");
        let settings = PhantomSettings::resolve(&self.project, &self.config.phantom, existing)?;
        let phantom = phantom::run(&settings, self.progress)?;
        self.progress.note("Betas of the visual voxels (nsdgeneral), z-scored within each session.");
        let settings = PrepareSettings::resolve(&self.project, &self.config.prepare, existing)?;
        let prepared = prepare::run(&settings, self.progress)?;
        Ok(Subject { phantom, prepared })
    }

    /// The CLIP that every later command takes: one that is shipped, with GAN and judge, or one trained here; that one's run.
    fn clip(&mut self, networks: DemoNetworks, folder: &Path) -> Result<Option<PathBuf>> {
        if networks == DemoNetworks::Trained {
            self.progress.note(
                "A small CLIP learns the joint space of pictures and captions from the training images.",
            );
            let settings = PretrainClipSettings::resolve(&self.project, &self.config.pretrain_clip, None)?;
            return Ok(Some(pretrain_clip::run(&settings, self.progress)?.run));
        }
        let shipped = ShippedNetworks::write(folder)?;
        self.progress.note(
            "A small CLIP and a conditional StyleGAN2 come with the program: they know the phantom's world of scenes, \
             but have seen none of this subject's pictures.",
        );
        let paths = &mut self.config.paths;
        paths.clip = Some(shipped.clip);
        paths.pretrained_gan = Some(shipped.gan);
        paths.classifier = Some(shipped.classifier);
        self.project = self.config.project();
        Ok(None)
    }

    fn screened_captions(&mut self) -> Result<ScreenCaptionsSummary> {
        self.progress
            .note("Caption screening: keep captions more than half as probable as an image's best one.");
        let settings = ScreenCaptionsSettings::resolve(&self.project, &self.config.screen_captions)?;
        screen_captions::run(&settings, self.progress)
    }

    fn mappers(&mut self) -> Result<Mappers> {
        self.progress.note("Stage one: two mappers from betas to CLIP's image and caption space.");
        Ok(Mappers {
            image: self.mapper(MapperTarget::Image, BetasControl::Measured)?,
            caption: self.mapper(MapperTarget::Caption, BetasControl::Measured)?,
            control: self.mapper(MapperTarget::Image, BetasControl::Shuffled)?,
        })
    }

    fn mapper(&mut self, target: MapperTarget, betas: BetasControl) -> Result<TrainMapperSummary> {
        let config = &self.config.train_mapper;
        let settings = TrainMapperSettings::resolve(&self.project, config, target, betas, None)?;
        train_mapper::run(&settings, self.progress)
    }

    /// Runs of the GAN: pretrained here unless one is shipped, then finetuned.
    fn generator(&mut self, networks: DemoNetworks) -> Result<Vec<PathBuf>> {
        let mut runs = vec![];
        if networks == DemoNetworks::Trained {
            self.progress.note(
                "A conditional StyleGAN2 learns to draw from noise-perturbed CLIP embeddings, without brains.",
            );
            let settings = PretrainGanSettings::resolve(&self.project, &self.config.pretrain_gan, None)?;
            let pretrained = pretrain_gan::run(&settings, self.progress)?;
            runs.push(pretrained.run);
        }
        self.progress.note("Stage two: the generator is finetuned on the embeddings decoded from betas.");
        let settings = FinetuneGanSettings::resolve(&self.project, &self.config.finetune_gan, None)?;
        let finetuned = finetune_gan::run(&settings, self.progress)?;
        runs.push(finetuned.run);
        Ok(runs)
    }

    /// Draws held-out trials, and those of the mapper without information, and judges both.
    fn pictures(&mut self, uninformed_mapper: &Path) -> Result<Pictures> {
        self.progress.note("Held-out trials are decoded into pictures.");
        let settings = ReconstructSettings::resolve(&self.project, &self.config.reconstruct)?;
        let run = reconstruct::run(&settings, self.progress)?.run;
        self.progress.note(
            "Is a picture closer to what was seen than to other images? And without information in the betas?",
        );
        let identified = self.identify(run)?;
        let control = self.draw_control(uninformed_mapper)?;
        let control = self.identify(control)?;
        Ok(Pictures { identified, control })
    }

    /// Pictures of every held-out image that a mapper without information steers alone; their run.
    fn draw_control(&mut self, mapper: &Path) -> Result<PathBuf> {
        let mut drawing = ReconstructSettings::resolve(&self.project, &self.config.reconstruct)?;
        drawing.reconstruct.samples = 1;
        drawing.networks.image_mapper = mapper.to_path_buf();
        drawing.reconstruct.condition = Some(ConditionSource::Image);
        drawing.is_control = true;
        Ok(reconstruct::run(&drawing, self.progress)?.run)
    }

    /// Identifies the pictures of a run.
    fn identify(&mut self, drawn: PathBuf) -> Result<EvaluateImagesSummary> {
        let config = &self.config.evaluate_images;
        let mut evaluation = EvaluateImagesSettings::resolve(&self.project, config, Some(drawn))?;
        evaluation.evaluate_images.real = RealSets::Test;
        evaluate_images::run(&evaluation, self.progress)
    }

    /// Runs of `microstim`, one per region.
    fn microstimulations(&mut self) -> Result<Vec<PathBuf>> {
        self.progress.note("Microstimulation: one region is driven or silenced, everything else stays.");
        let mut runs = Vec::new();
        for (roi, action) in STIMULATIONS {
            let mut stimulation = MicrostimSettings::resolve(&self.project, &self.config.microstim)?;
            stimulation.microstim.roi = roi.into();
            stimulation.microstim.action = action;
            runs.push(microstim::run(&stimulation, self.progress)?.run);
        }
        Ok(runs)
    }

    fn encoding_model(&mut self) -> Result<EncodeSummary> {
        self.progress
            .note("The way back: every voxel's betas from the image's embedding, beside its noise ceiling.");
        let ProjectConfig { encode, train_mapper, .. } = &self.config;
        let settings = EncodeSettings::resolve(&self.project, encode, train_mapper)?;
        encode::run(&settings, self.progress)
    }
}
