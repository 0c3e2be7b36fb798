//! `mindreader demo`: the whole chain on a small phantom, from an empty folder to a report.

pub mod report;
pub mod shipped_networks;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::config::ProjectConfig;
use super::encode::{self, EncodeSettings};
use super::evaluate_images::{self, EvaluateImagesSettings, EvaluateImagesSummary, RealSets};
use super::finetune_gan::{self, FinetuneGanSettings};
use super::microstim::{self, MicrostimSettings};
use super::phantom::{self, PhantomSettings};
use super::prepare::{self, PrepareSettings};
use super::pretrain_clip::{self, PretrainClipSettings};
use super::pretrain_gan::{self, PretrainGanSettings};
use super::reconstruct::{self, ReconstructSettings};
use super::score::{self, ScoreSettings};
use super::screen_captions::{self, ScreenCaptionsSettings};
use super::train_mapper::{self, BetasControl, TrainMapperSettings};
use crate::metrics::identification::IdentificationAccuracy;
use crate::metrics::retrieval::RetrievalSummary;
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperTarget;
use crate::phantom::StimulusSource;
use crate::pipelines::project::Project;
use crate::pipelines::stimulation::Stimulation;
use crate::report::number_format::{duration, number};
use crate::run::device;
use crate::run::existing_output::ExistingOutput;
use crate::run::progress::Progress;
use report::ReportSettings;
use shipped_networks::ShippedNetworks;

/// Settings of the demo: small networks, a phantom with a clear signal.
pub const CONFIGURATION: &str = include_str!("../../../configs/demo.toml");

/// Regions that the demo drives or silences.
const STIMULATIONS: [(&str, Stimulation); 6] = [
    ("floc-faces", Stimulation::Excite),
    ("floc-bodies", Stimulation::Excite),
    ("floc-places", Stimulation::Excite),
    ("floc-words", Stimulation::Excite),
    ("streams:early", Stimulation::Silence),
    ("streams:ventral + streams:lateral + streams:parietal", Stimulation::Silence),
];

/// Where the demo's CLIP and pretrained GAN come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DemoNetworks {
    /// From the program: trained on another phantom.
    Shipped,
    /// Trained within the demo, on its own phantom.
    Trained,
}

/// A project whose files go below one folder.
#[derive(Clone, Debug)]
pub struct DemoSettings {
    /// Where CLIP and pretrained GAN come from.
    pub networks: DemoNetworks,
    /// The configuration; its paths are set by the demo.
    pub config: ProjectConfig,
    /// Folder of phantom, runs and report.
    pub out: PathBuf,
}

/// What the demo found.
#[derive(Clone, Debug, Serialize)]
pub struct DemoSummary {
    /// Where it was computed.
    pub device: String,
    /// Voxels and trials of the phantom.
    pub num_voxels: usize,
    /// Trials of the phantom.
    pub num_trials: usize,
    /// Retrieval of held-out images by the image mapper.
    pub image_retrieval: RetrievalSummary,
    /// Retrieval of held-out images by the caption mapper.
    pub caption_retrieval: RetrievalSummary,
    /// The same as the first with betas exchanged between trials.
    pub control_retrieval: RetrievalSummary,
    /// Whether held-out pictures are closest to their own ground truth.
    pub identification: Vec<IdentificationAccuracy>,
    /// The same where the image mapper learned from exchanged betas, and steers alone.
    pub control_identification: Vec<IdentificationAccuracy>,
    /// Duration in seconds.
    pub seconds: f64,
    /// The page to open.
    pub report: PathBuf,
}

/// Runs the demo.
///
/// # Errors
/// When the folder cannot be written or a command fails.
pub fn run(settings: &DemoSettings, progress: &mut dyn Progress) -> crate::error::Result<DemoSummary> {
    let started = Instant::now();
    let mut config = settings.config.clone();
    config.paths.nsd = Some(settings.out.join("nsd"));
    config.paths.work = Some(settings.out.join("work"));
    if config.phantom.photographs.is_some() {
        config.phantom.source = StimulusSource::Both;
    }
    let (_, device_name) = device::open(config.device)?;
    let mut project = config.project();

    progress.note("A synthetic brain sees pictures. Its files are laid out as NSD's; its tuning is known.");
    let phantom = phantom::run(
        &PhantomSettings::resolve(&project, &config.phantom, ExistingOutput::Replace)?,
        progress,
    )?;
    progress.note("Betas of the visual voxels (nsdgeneral), z-scored within each session.");
    let prepared = prepare::run(
        &PrepareSettings::resolve(&project, &config.prepare, ExistingOutput::Replace)?,
        progress,
    )?;
    let shipped = (settings.networks == DemoNetworks::Shipped)
        .then(|| ShippedNetworks::write(&settings.out.join("networks")))
        .transpose()?;
    let clip = match &shipped {
        Some(networks) => {
            progress.note(
                "A small CLIP and a conditional StyleGAN2 come with the program: they know the phantom's world of scenes, \
                 but have seen none of this subject's pictures.",
            );
            config.paths.clip = Some(networks.clip.clone());
            config.paths.pretrained_gan = Some(networks.gan.clone());
            config.paths.classifier = Some(networks.classifier.clone());
            project = config.project();
            None
        }
        None => {
            progress.note(
                "A small CLIP learns the joint space of pictures and captions from the training images.",
            );
            Some(
                pretrain_clip::run(
                    &PretrainClipSettings::resolve(&project, &config.pretrain_clip, None)?,
                    progress,
                )?
                .run,
            )
        }
    };
    progress.note("Caption screening: keep captions more than half as probable as an image's best one.");
    let screened =
        screen_captions::run(&ScreenCaptionsSettings::resolve(&project, &config.screen_captions)?, progress)?;
    progress.note("Stage one: two mappers from betas to CLIP's image and caption space.");
    let mut train = |target, betas| {
        let settings = TrainMapperSettings::resolve(&project, &config.train_mapper, target, betas, None)?;
        train_mapper::run(&settings, &mut *progress)
    };
    let image = train(MapperTarget::Image, BetasControl::Measured)?;
    let caption = train(MapperTarget::Caption, BetasControl::Measured)?;
    let control = train(MapperTarget::Image, BetasControl::Shuffled)?;
    let mut gan_runs = vec![];
    if shipped.is_none() {
        progress.note(
            "A conditional StyleGAN2 learns to draw from noise-perturbed CLIP embeddings, without brains.",
        );
        let pretrained = pretrain_gan::run(
            &PretrainGanSettings::resolve(&project, &config.pretrain_gan, None)?,
            progress,
        )?;
        gan_runs.push(("GAN, pretraining".into(), pretrained.run));
    }
    progress.note("Stage two: the generator is finetuned on the embeddings decoded from betas.");
    let finetuned =
        finetune_gan::run(&FinetuneGanSettings::resolve(&project, &config.finetune_gan, None)?, progress)?;
    gan_runs.push(("GAN, finetuning".into(), finetuned.run));
    progress.note("Held-out trials are decoded into pictures.");
    let reconstructed =
        reconstruct::run(&ReconstructSettings::resolve(&project, &config.reconstruct)?, progress)?;
    progress.note(
        "Is a picture closer to what was seen than to other images? And without information in the betas?",
    );
    let identified = identify(&project, &config, reconstructed.run.clone(), progress)?;
    let control_drawn = draw_control(&project, &config, &control.snapshot, progress)?;
    let control_identified = identify(&project, &config, control_drawn, progress)?;
    progress.note("Microstimulation: one region is driven or silenced, everything else stays.");
    let mut microstim_runs = Vec::new();
    for (roi, action) in STIMULATIONS {
        let mut stimulation = MicrostimSettings::resolve(&project, &config.microstim)?;
        stimulation.microstim.roi = roi.into();
        stimulation.microstim.action = action;
        microstim_runs.push(microstim::run(&stimulation, progress)?.run);
    }

    progress.note("The way back: every voxel's betas from the image's embedding, beside its noise ceiling.");
    let encoded =
        encode::run(&EncodeSettings::resolve(&project, &config.encode, &config.train_mapper)?, progress)?;
    progress.note("What the phantom's author knows, beside what was estimated from its files.");
    let score = score::run(&ScoreSettings::resolve(&project, None)?, progress)?;

    let out = settings.out.join("report.html");
    let elapsed = started.elapsed();
    report::run(
        &ReportSettings {
            title: "A synthetic brain, decoded".into(),
            lead: "What mindreader's demo decoded from the betas of a phantom: a subject that does not exist, stored \
                   as NSD stores one."
                .into(),
            introduction: introduction(settings.networks),
            facts: vec![
                ("stimuli".into(), format!("{} images, {} photographs among their sources", phantom.images, phantom.photographs)),
                ("signal".into(), format!("{} × NSD's", number(config.phantom.signal))),
                ("trials".into(), prepared.num_trials.to_string()),
                ("images".into(), prepared.num_images.to_string()),
                ("voxels".into(), format!("{} in {}", prepared.num_voxels, config.prepare.roi.join(" + "))),
                ("held-out trials".into(), image.num_validation_trials.to_string()),
                ("captions kept per image".into(), number(screened.mean_kept)),
                ("device".into(), device_name.clone()),
                ("time".into(), duration(Duration::from_secs(elapsed.as_secs()))),
            ],
            clip_run: clip,
            captions: Some(project.caption_probabilities()),
            mapper_runs: vec![
                ("image mapper".into(), image.run_dir),
                ("caption mapper".into(), caption.run_dir),
                ("control: exchanged betas".into(), control.run_dir),
            ],
            gan_runs,
            identification: vec![
                ("decoded".into(), identified.identification.accuracies.clone()),
                ("control: exchanged betas".into(), control_identified.identification.accuracies.clone()),
            ],
            identified_by: Some(identified.features.kind),
            naming: [("decoded", identified.naming), ("control: exchanged betas", control_identified.naming)]
                .into_iter()
                .filter_map(|(name, naming)| naming.map(|naming| (name.to_string(), naming)))
                .collect(),
            reconstruct_run: Some(reconstructed.run),
            ranking_run: Some(identified.run.clone()),
            microstim_runs,
            encode_run: Some(encoded.run),
            score: Some(score),
            commands: vec![command(settings)],
            configuration: toml::to_string(&config)?,
            out: out.clone(),
        },
        progress,
    )?;
    Ok(DemoSummary {
        device: device_name,
        num_voxels: prepared.num_voxels,
        num_trials: prepared.num_trials,
        image_retrieval: image.retrieval,
        caption_retrieval: caption.retrieval,
        control_retrieval: control.retrieval,
        identification: identified.identification.accuracies,
        control_identification: control_identified.identification.accuracies,
        seconds: started.elapsed().as_secs_f64(),
        report: out,
    })
}

fn command(settings: &DemoSettings) -> String {
    let flag = if settings.networks == DemoNetworks::Trained { " --train-all" } else { "" };
    format!("mindreader demo --out {}{flag}", settings.out.display())
}

/// Pictures of every held-out image that a mapper without information steers alone; their run.
fn draw_control(
    project: &Project,
    config: &ProjectConfig,
    mapper: &Path,
    progress: &mut dyn Progress,
) -> crate::error::Result<PathBuf> {
    let mut drawing = ReconstructSettings::resolve(project, &config.reconstruct)?;
    drawing.reconstruct.samples = 1;
    drawing.networks.image_mapper = mapper.to_path_buf();
    drawing.reconstruct.condition = ConditionSource::Image;
    Ok(reconstruct::run(&drawing, progress)?.run)
}

/// Identifies the pictures of a run.
fn identify(
    project: &Project,
    config: &ProjectConfig,
    drawn: PathBuf,
    progress: &mut dyn Progress,
) -> crate::error::Result<EvaluateImagesSummary> {
    let mut evaluation = EvaluateImagesSettings::resolve(project, &config.evaluate_images, Some(drawn))?;
    evaluation.evaluate_images.real = RealSets::Test;
    evaluate_images::run(&evaluation, progress)
}

fn introduction(networks: DemoNetworks) -> Vec<String> {
    let origin = match networks {
        DemoNetworks::Shipped => {
            "CLIP and the pretrained generator come with the program and have seen none of these images; mappers and \
             finetuning were trained within this demo. The networks are small, so the pictures are coarse. "
        }
        DemoNetworks::Trained => {
            "The networks are small and were trained within this demo, so the pictures are coarse. "
        }
    };
    vec![
        "The phantom's brain is known: retinotopic voxels respond to contrast and colour in their receptive field, \
         category voxels to faces, bodies, places and words, others to mixtures, some to nothing; every voxel has noise, \
         drift and gain. The decoder sees only the files."
            .into(),
        format!(
            "{origin}What counts is whether they follow the brain: compare retrieval and identification with chance and with \
             the control before you trust a picture."
        ),
    ]
}
