//! `mindreader pretrain-gan`: a conditional GAN on images and noise-perturbed CLIP embeddings, without brains.
//!
//! Specification: gan-training.md 10. Only images of training trials are used. Writes `config.toml`, `metrics.jsonl`,
//! `samples/*.png`, `generator.safetensors` (averaged), `discriminator.safetensors`, `checkpoint.mpk`.

use std::path::PathBuf;

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::gan_grid::{NUM_SAMPLES, SampleSheet, evenly_spread};
use super::gan_images::{clamped_units, image_set, low_level_resnet};
use crate::data::coco::vetted_captions::VettedCaptions;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::data::trial::NsdId;
use crate::models::clip::tokenizer::LongText;
use crate::models::stylegan2::{ConditionHeads, GanSizes};
use crate::pipelines::captioned_stimuli::distinct_images;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::picture::pictures;
use crate::pipelines::stimulus_embeddings::embed_sentences;
use crate::run::device::{self, DeviceChoice};
use crate::run::interrupt;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Device;
use crate::training::gan_config::GanTrainConfig;
use crate::training::gan_dataset::{GanDataset, SampleSet};
use crate::training::gan_trainer::{GanTrainSummary, GanTraining, StartingPoint};
use crate::training::image_view::FrozenClip;

/// Where the second head's conditions come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecondCondition {
    /// Embeddings of the vetted captions, one sample per caption (OQ-54).
    #[default]
    Captions,
    /// A pseudo condition made of the image embedding, with noise of its own.
    Pseudo,
}

/// Networks, conditions and training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainGanConfig {
    /// Sizes of the networks.
    pub network: GanSizes,
    /// Where the second head's conditions come from.
    pub second_condition: SecondCondition,
    /// How they are trained.
    pub train: GanTrainConfig,
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct PretrainGanSettings {
    /// Root of the NSD tree.
    pub nsd: PathBuf,
    /// Prepared subject: which images were seen.
    pub prepared: PathBuf,
    /// CLIP snapshot.
    pub clip: PathBuf,
    /// ResNet-50 snapshot; read for the low-level term only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resnet: Option<PathBuf>,
    /// Vetted captions of `screen-captions`; read for two heads only.
    pub captions: PathBuf,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Networks, conditions and training.
    pub pretrain_gan: PretrainGanConfig,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Checkpoint to continue from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<PathBuf>,
}

/// What came out.
#[derive(Clone, Debug, Serialize)]
pub struct PretrainGanSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// Distinct images trained on.
    pub num_images: usize,
    /// Images with conditions trained on.
    pub num_samples: usize,
    /// The training.
    pub training: GanTrainSummary,
}

/// Runs the command.
///
/// # Errors
/// Data, snapshots or settings that do not fit, an interruption, gradients that are not finite.
pub fn run(
    settings: &PretrainGanSettings,
    progress: &mut dyn Progress,
) -> anyhow::Result<PretrainGanSummary> {
    let mut settings = settings.clone();
    let noise = &mut settings.pretrain_gan.train.condition_noise;
    noise.mixing_probability.get_or_insert(1.0);
    let pseudo = settings.pretrain_gan.second_condition == SecondCondition::Pseudo;
    noise.second_mixing_probability.get_or_insert(if pseudo { 1.0 } else { 0.0 });
    let settings = &settings;
    let config = &settings.pretrain_gan;

    let (device, _) = device::open(settings.device)?;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    let split = settings.split.split(&prepared)?;
    let images = distinct_images(split.train.iter().map(|trial| prepared.trials()[*trial]));
    let clip = ClipSnapshot::open(&settings.clip, &device)?;
    let (generator, discriminator) = config.network.configs(clip.config.embed_dim);
    let stimuli = NsdTree::new(&settings.nsd).stimuli();
    let images_with_embeddings =
        image_set(&images, &stimuli, &clip, &settings.cache, generator.resolution, &device, progress)?;
    let samples = match (generator.heads, config.second_condition) {
        (ConditionHeads::TwoByMaximum, SecondCondition::Captions) => captioned_samples(
            settings,
            &images,
            &images_with_embeddings.embeddings,
            &clip,
            &device,
            progress,
        )?,
        (heads, _) => SampleSet {
            image_of_sample: (0..images.len()).collect(),
            image_condition: images_with_embeddings.embeddings.clone(),
            caption_condition: (heads == ConditionHeads::TwoByMaximum)
                .then(|| images_with_embeddings.embeddings.clone()),
            mixed_with: None,
        },
    };
    let data = GanDataset::new(images_with_embeddings, samples)?;

    let run = match &settings.resume {
        Some(checkpoint) => RunDir::of_checkpoint(checkpoint)?,
        None => RunDir::create(&settings.runs, &format!("pretrain-gan-{}", prepared.subject()))?,
    };
    if settings.resume.is_none() {
        run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    }
    let shown = data.batch(&evenly_spread(data.len(), NUM_SAMPLES), generator.heads, &device);
    let sheet = SampleSheet {
        ground_truth: pictures(shown.pixels_pm1),
        condition: shown.condition,
        z_dim: generator.z_dim,
        seed: config.train.seed,
    };
    let resnet = low_level_resnet(settings.resnet.as_deref(), &config.train, &device)?;
    let provenance = json!({
        "subject": prepared.subject().to_string(),
        "split": settings.split,
        "images": data.num_images(),
        "samples": data.len(),
        "clip_sha256": clip.sha256,
        "resnet_sha256": resnet.as_ref().map(|(_, sha256)| sha256),
    });
    let encoder = FrozenClip::new(clip.clip, clip.config.image_size, clip.config.embed_dim);
    let training = GanTraining {
        generator: &generator,
        discriminator: &discriminator,
        config: &config.train,
        data: &data,
        encoder: Some(&encoder),
        resnet: resnet.as_ref().map(|(resnet, _)| resnet),
        start: &StartingPoint::Scratch,
        run: &run,
        provenance: &provenance,
        device: &device,
        interrupted: &interrupt::requested,
    };
    let training = training
        .run(settings.resume.as_deref(), progress, &mut |tick| sheet.write(tick, &run, &device))
        .map_err(super::gan_error)?;
    let summary = PretrainGanSummary {
        run: run.path().to_path_buf(),
        num_images: data.num_images(),
        num_samples: data.len(),
        training,
    };
    run.write_atomic("summary.json", &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// One sample per vetted caption.
fn captioned_samples(
    settings: &PretrainGanSettings,
    images: &[NsdId],
    image_embeddings: &Array2<f32>,
    clip: &ClipSnapshot,
    device: &Device,
    progress: &mut dyn Progress,
) -> anyhow::Result<SampleSet> {
    let vetted = VettedCaptions::read(&settings.captions)?;
    let (mut image_of_sample, mut captions) = (vec![], vec![]);
    for (index, image) in images.iter().enumerate() {
        for caption in vetted.of(*image)? {
            image_of_sample.push(index);
            captions.push(caption.as_str());
        }
    }
    let embeddings = embed_sentences(clip, &captions, LongText::Error, &settings.cache, device, progress)?;
    Ok(SampleSet {
        image_condition: image_embeddings.select(Axis(0), &image_of_sample),
        image_of_sample,
        caption_condition: Some(clamped_units(embeddings)),
        mixed_with: None,
    })
}
