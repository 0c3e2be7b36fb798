//! Images and conditions of `pretrain-gan`: the subject's training stimuli, or a folder of images (gan-training.md 1.2 and 10).

use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};
use serde::Serialize;
use serde_json::{Value, json};

use super::gan_images::{clamped_units, image_set};
use super::pretrain_gan::SecondCondition;
use crate::data::captioned_folder::CaptionedFolder;
use crate::data::coco::vetted_captions::VettedCaptions;
use crate::data::error::DataError;
use crate::data::image::resize::{Filter, resize_and_center_crop};
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::models::clip::tokenizer::LongText;
use crate::models::stylegan2::ConditionHeads;
use crate::pipelines::captioned_stimuli::distinct_images;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::feature_cache::file_identity;
use crate::pipelines::stimulus_embeddings::{embed_pictures, embed_sentences};
use crate::run::progress::Progress;
use crate::tensor_ops::backend::Device;
use crate::training::gan_dataset::{GanDataset, ImageSet, SampleSet};

/// Bytes of pixels that may be held in memory.
const LARGEST_PIXELS: u64 = 32 << 30;

/// What the GAN is pretrained on.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PretrainImages {
    /// Stimuli of the subject's training trials.
    Stimuli {
        /// Root of the NSD tree.
        nsd: PathBuf,
        /// Prepared subject: which images were seen.
        prepared: PathBuf,
        /// Vetted captions of `screen-captions`; read for two heads only.
        captions: PathBuf,
        /// Which trials belong to training and validation.
        split: SplitConfig,
    },
    /// All images of a folder, with captions beside them; see [`CaptionedFolder`].
    Folder(PathBuf),
}

impl PretrainImages {
    /// What a snapshot says of the images.
    pub(super) fn provenance(&self, name: &str) -> Value {
        match self {
            Self::Stimuli { split, .. } => json!({"subject": name, "split": split}),
            Self::Folder(folder) => {
                json!({"folder": folder.file_name().map(|name| name.to_string_lossy().into_owned())})
            }
        }
    }
}

/// What decides the conditions.
pub(super) struct ConditionChoice {
    pub heads: ConditionHeads,
    pub second: SecondCondition,
    /// What becomes of captions longer than CLIP's context.
    pub long_captions: LongText,
}

/// Images with their captions, in one order.
struct Captioned {
    images: ImageSet,
    captions: Option<Vec<Vec<String>>>,
    name: String,
}

/// The training data and the name that a run on them has.
///
/// # Errors
/// An image or caption that cannot be read; more pixels than memory should hold; a cache that cannot be written.
pub(super) fn pretraining_data(
    source: &PretrainImages,
    choice: &ConditionChoice,
    resolution: usize,
    clip: &ClipSnapshot,
    cache: &Path,
    device: &Device,
    progress: &mut dyn Progress,
) -> anyhow::Result<(GanDataset, String)> {
    let needs_captions =
        choice.heads == ConditionHeads::TwoByMaximum && choice.second == SecondCondition::Captions;
    let Captioned { images, captions, name } = match source {
        PretrainImages::Stimuli { nsd, prepared, captions, split } => {
            let prepared = PreparedSubject::open(prepared)?;
            let trials = split.split(&prepared)?.train;
            let ids = distinct_images(trials.iter().map(|trial| prepared.trials()[*trial]));
            let images =
                image_set(&ids, &NsdTree::new(nsd).stimuli(), clip, cache, resolution, device, progress)?;
            let of_images = || -> anyhow::Result<Vec<Vec<String>>> {
                let vetted = VettedCaptions::read(captions)?;
                ids.iter().map(|image| Ok(vetted.of(*image)?.to_vec())).collect()
            };
            let captions = needs_captions.then(of_images).transpose()?;
            Captioned { images, captions, name: prepared.subject().to_string() }
        }
        PretrainImages::Folder(path) => {
            let folder = CaptionedFolder::open(path)?;
            // Captions first: a missing one is found before hours of embedding.
            let captions = needs_captions
                .then(|| {
                    (0..folder.files().len()).map(|index| folder.captions(index)).collect::<Result<_, _>>()
                })
                .transpose()?;
            let images = folder_images(&folder, resolution, clip, cache, device, progress)?;
            Captioned { images, captions, name: "images".into() }
        }
    };
    let samples = match captions {
        Some(captions) => {
            let image_of_sample: Vec<usize> = captions
                .iter()
                .enumerate()
                .flat_map(|(image, captions)| std::iter::repeat_n(image, captions.len()))
                .collect();
            let captions: Vec<&str> = captions.iter().flatten().map(String::as_str).collect();
            let embeddings = embed_sentences(clip, &captions, choice.long_captions, cache, device, progress)?;
            SampleSet {
                image_condition: images.embeddings.select(Axis(0), &image_of_sample),
                image_of_sample,
                caption_condition: Some(clamped_units(embeddings)),
                mixed_with: None,
            }
        }
        None => SampleSet {
            image_of_sample: (0..images.embeddings.nrows()).collect(),
            image_condition: images.embeddings.clone(),
            caption_condition: (choice.heads == ConditionHeads::TwoByMaximum)
                .then(|| images.embeddings.clone()),
            mixed_with: None,
        },
    };
    Ok((GanDataset::new(images, samples)?, name))
}

/// Central squares of the images of a folder at the GAN's resolution, and CLIP's embeddings of the images.
fn folder_images(
    folder: &CaptionedFolder,
    resolution: usize,
    clip: &ClipSnapshot,
    cache: &Path,
    device: &Device,
    progress: &mut dyn Progress,
) -> anyhow::Result<ImageSet> {
    let files = folder.files();
    let image_bytes = 3 * resolution * resolution;
    let bytes = files.len() as u64 * image_bytes as u64;
    if bytes > LARGEST_PIXELS {
        let most = LARGEST_PIXELS / image_bytes as u64;
        let expected =
            format!("at most {most} images of {resolution} × {resolution} (all are held in memory)");
        return Err(DataError::invalid(folder.root(), "number of images", expected, files.len()).into());
    }
    progress.start("reading images", files.len() as u64);
    let mut pixels_u8 = Vec::with_capacity(bytes as usize);
    for index in 0..files.len() {
        let picture = resize_and_center_crop(&folder.image(index)?, resolution as u32, Filter::Bicubic);
        for channel in 0..3 {
            pixels_u8.extend(picture.pixels().map(|pixel| pixel.0[channel]));
        }
        progress.advance(index as u64 + 1, "");
    }
    progress.finish("");
    let source = files.iter().map(|file| file_identity(file)).collect::<Result<Vec<_>, _>>()?.join("\n");
    let mut load = |index: usize| folder.image(index);
    let embeddings: Array2<f32> =
        embed_pictures(clip, &source, files.len(), &mut load, cache, device, progress)?;
    Ok(ImageSet { resolution, pixels_u8, embeddings: clamped_units(embeddings) })
}
