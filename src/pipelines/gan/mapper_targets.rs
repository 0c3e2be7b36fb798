//! What mappers that are finetuned with the GAN aim at, and the betas that they read.

use std::path::Path;

use ndarray::Array2;

use crate::commands::finetune_gan::FinetuneGanSettings;
use crate::data::coco::vetted_captions::VettedCaptions;
use crate::data::error::DataError;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::data::targets::{DEFAULT_THRESHOLD, TargetScale, TargetScaling};
use crate::data::trial::NsdId;
use crate::models::clip::tokenizer::LongText;
use crate::models::mapper::{MapperTarget, RESNET_CENTRE};
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::targets::resnet_vectors::{ResnetSnapshot, ResnetVector, stimulus_vectors};
use crate::pipelines::targets::stimulus_embeddings::embed_sentences;
use crate::pipelines::workbench::Workbench;
use crate::run::error::RunError;
use crate::training::gan::mappers::joint::MapperStart;
use crate::training::mapper::targets::{CaptionChoice, EmbeddingTargets};

/// A mapper as training starts from it.
pub(crate) fn mapper_start(mapper: &LoadedMapper) -> MapperStart<'_> {
    MapperStart {
        network: mapper.network(),
        snapshot: &mapper.snapshot,
        sha256: &mapper.sha256,
        provenance: &mapper.provenance,
    }
}

/// Refuses to finetune a mapper on another split than its own: images that neither may see would be seen by one of them.
///
/// # Errors
/// [`RunError::Invalid`] naming the mapper's file.
pub(crate) fn check_split(path: &Path, mapper: &LoadedMapper, split: &SplitConfig) -> anyhow::Result<()> {
    let trained = &mapper.provenance["settings"]["split"];
    let asked = serde_json::to_value(split)?;
    if trained.is_null() || *trained == asked {
        return Ok(());
    }
    let expected = format!("the split of this finetuning, {asked}");
    Err(RunError::invalid(path, "settings.split", expected, trained).into())
}

/// Unit vectors that the second mapper aims at; nothing where it has no part in the condition. `images` are the distinct images
/// trained on, `image_of_sample` says which of them each sample shows.
///
/// # Errors
/// Captions, images or networks that are missing or do not fit.
pub(crate) fn second_targets(
    settings: &FinetuneGanSettings,
    clip: &ClipSnapshot,
    images: &[NsdId],
    image_of_sample: &[usize],
    bench: &mut Workbench<'_>,
) -> anyhow::Result<Option<EmbeddingTargets>> {
    let config = &settings.finetune_gan;
    if !config.condition.uses()[1] {
        return Ok(None);
    }
    Ok(Some(match config.condition.second_target() {
        MapperTarget::Resnet => {
            let needed = || {
                RunError::missing(
                    "paths.resnet",
                    "the targets of a ResNet mapper: set it with `--resnet FILE`",
                )
            };
            let resnet = ResnetSnapshot::open(settings.resnet.as_deref().ok_or_else(needed)?, bench.device)?;
            let stimuli = NsdTree::new(&settings.nsd).stimuli();
            let vectors = stimulus_vectors(&resnet, ResnetVector::MaxAndMean, &stimuli, images, bench)?;
            let centred = vectors - RESNET_CENTRE as f32;
            let rows: Vec<_> = (0..images.len()).map(|image| image..image + 1).collect();
            let scale = TargetScale { clamp: 0.0, scaling: TargetScaling::UnitNorm };
            EmbeddingTargets::new(&centred, &rows, image_of_sample, CaptionChoice::First, scale)
        }
        MapperTarget::Image | MapperTarget::Caption => {
            let vetted = VettedCaptions::read(&settings.captions)?;
            let (mut sentences, mut rows) = (Vec::new(), Vec::new());
            for image in images {
                let of_image = vetted.of(*image)?;
                rows.push(sentences.len()..sentences.len() + of_image.len());
                sentences.extend(of_image.iter().map(String::as_str));
            }
            let raw = embed_sentences(clip, &sentences, LongText::Error, bench)?;
            let scale = TargetScale { clamp: DEFAULT_THRESHOLD, scaling: TargetScaling::UnitNorm };
            EmbeddingTargets::new(&raw, &rows, image_of_sample, config.mappers.caption_choice, scale)
        }
    }))
}

/// Betas of trials, all of them numbers.
///
/// # Errors
/// [`DataError`] when the file cannot be read or holds a number that is not finite.
pub(crate) fn finite_betas(prepared: &PreparedSubject, trials: &[usize]) -> Result<Array2<f32>, DataError> {
    let betas = prepared.betas_of(trials)?;
    match betas.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(betas),
        Some(((row, voxel), value)) => {
            let field = format!("betas of trial {}, voxel {voxel}", trials[row]);
            let path: &Path = prepared.path();
            Err(DataError::invalid(path, field, "a finite number", value))
        }
    }
}
