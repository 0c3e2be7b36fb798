//! `mindreader screen-captions`: captions → those that CLIP finds fitting (mapper §2.3).
//!
//! Writes two JSON objects by NSD image (0-based): the kept captions, and beside them every caption with its
//! probability.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::data::error::DataError;
use crate::data::prepared::PreparedSubject;
use crate::data::trial::NsdId;
use crate::models::clip::tokenizer::LongText;
use crate::pipelines::caption_screen::{ScreenConfig, screen_captions};
use crate::pipelines::captioned_stimuli::{CaptionedStimuli, distinct_images};
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::feature_cache::file_identity;
use crate::run::device::{self, DeviceChoice};
use crate::run::progress::Progress;
use crate::run::run_dir::write_atomic;

/// Which captions are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScreenCaptionsConfig {
    /// When a caption is kept.
    pub screen: ScreenConfig,
    /// What to do with captions longer than CLIP's context; the paper's stage one refuses them.
    pub long_captions: LongText,
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct ScreenCaptionsSettings {
    /// Root of the NSD tree: images, stimulus table, captions.
    pub nsd: PathBuf,
    /// Prepared subject: which images were seen.
    pub prepared: PathBuf,
    /// CLIP snapshot.
    pub clip: PathBuf,
    /// Which captions are kept.
    pub screen_captions: ScreenCaptionsConfig,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// The kept captions: `{"<nsd id>": ["…", …], …}`.
    pub output: PathBuf,
    /// Every caption with its probability: `{"<nsd id>": [{"caption", "probability", "kept"}, …], …}`.
    pub probabilities: PathBuf,
    /// Where to compute.
    pub device: DeviceChoice,
}

/// One caption and what CLIP thinks of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgedCaption {
    /// The sentence.
    pub caption: String,
    /// Its probability among the captions of the image.
    pub probability: f64,
    /// Whether it was kept.
    pub kept: bool,
}

/// What was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScreenCaptionsSummary {
    /// Images screened.
    pub num_images: usize,
    /// Captions before.
    pub num_captions: usize,
    /// Captions kept.
    pub num_kept: usize,
    /// Mean number kept per image.
    pub mean_kept: f64,
    /// Images by the number of captions that they kept.
    pub images_by_kept: BTreeMap<usize, usize>,
    /// exp(logit scale) of the network.
    pub logit_scale: f64,
    /// The kept captions.
    pub output: PathBuf,
    /// Every caption with its probability.
    pub probabilities: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When an input is missing or does not fit, an image has no caption, or an output cannot be written.
pub fn run(
    settings: &ScreenCaptionsSettings,
    progress: &mut dyn Progress,
) -> anyhow::Result<ScreenCaptionsSummary> {
    let config = &settings.screen_captions;
    let (device, _) = device::open(settings.device)?;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    let stimuli = CaptionedStimuli::open(&settings.nsd)?;
    let images = distinct_images(prepared.trials().iter().copied());
    // Every complaint about captions comes before the first embedding.
    let captions = images.iter().map(|image| stimuli.captions(*image)).collect::<Result<Vec<_>, _>>()?;
    let clip = ClipSnapshot::open(&settings.clip, &device)?;
    let encoder = clip.encoder(config.long_captions, &device);
    let logit_scale = clip.logit_scale();

    let sentences: Vec<&str> =
        captions.iter().flat_map(|of_image| of_image.iter().map(String::as_str)).collect();
    progress.start("embedding captions", sentences.len() as u64);
    let text_embeddings = encoder
        .embed_captions(&settings.cache, &sentences, &mut |done, _| progress.advance(done, ""))
        .context("captions of the subject's images")?;
    progress.finish("");
    let ids: Vec<u64> = images.iter().map(|image| u64::from(image.0)).collect();
    let source = file_identity(stimuli.stimuli_path())?;
    let mut load = |id: u64| -> Result<_, DataError> {
        let number = u32::try_from(id)
            .map_err(|_| DataError::invalid(stimuli.stimuli_path(), "image", "a 32-bit number", id))?;
        stimuli.image(NsdId(number))
    };
    progress.start("embedding images", ids.len() as u64);
    let image_embeddings =
        encoder.embed_images(&settings.cache, &source, &ids, &mut load, &mut |done, _| {
            progress.advance(done, "");
        })?;
    progress.finish("");

    let mut judged: BTreeMap<u32, Vec<JudgedCaption>> = BTreeMap::new();
    let mut start = 0;
    for ((image, of_image), embedding) in images.iter().zip(&captions).zip(image_embeddings.rows()) {
        let texts = text_embeddings.slice(ndarray::s![start..start + of_image.len(), ..]);
        start += of_image.len();
        let screened = screen_captions(embedding, texts, logit_scale, &config.screen)
            .with_context(|| format!("captions of {image}"))?;
        let verdicts = of_image.iter().zip(&screened.probabilities).enumerate();
        let verdicts = verdicts.map(|(position, (caption, probability))| JudgedCaption {
            caption: caption.clone(),
            probability: *probability,
            kept: screened.kept.contains(&position),
        });
        judged.insert(image.0, verdicts.collect());
    }
    let kept: BTreeMap<u32, Vec<&str>> =
        judged.iter().map(|(image, captions)| (*image, kept(captions))).collect();
    write_atomic(&settings.probabilities, &serde_json::to_vec_pretty(&judged)?)?;
    write_atomic(&settings.output, &serde_json::to_vec_pretty(&kept)?)?;
    Ok(summarise(settings, &judged, logit_scale))
}

fn kept(captions: &[JudgedCaption]) -> Vec<&str> {
    captions.iter().filter(|caption| caption.kept).map(|caption| caption.caption.as_str()).collect()
}

fn summarise(
    settings: &ScreenCaptionsSettings,
    judged: &BTreeMap<u32, Vec<JudgedCaption>>,
    logit_scale: f64,
) -> ScreenCaptionsSummary {
    let mut images_by_kept = BTreeMap::new();
    for captions in judged.values() {
        *images_by_kept.entry(kept(captions).len()).or_insert(0) += 1;
    }
    let num_kept = images_by_kept.iter().map(|(kept, images)| kept * images).sum();
    ScreenCaptionsSummary {
        num_images: judged.len(),
        num_captions: judged.values().map(Vec::len).sum(),
        num_kept,
        mean_kept: num_kept as f64 / judged.len().max(1) as f64,
        images_by_kept,
        logit_scale,
        output: settings.output.clone(),
        probabilities: settings.probabilities.clone(),
    }
}
