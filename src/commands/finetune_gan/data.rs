//! What the GAN is finetuned on: one sample per training trial, its picture, its decoded conditions.

use ndarray::Array2;

use super::inputs::Inputs;
use super::settings::FinetuneGanSettings;
use crate::data::trial::NsdId;
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperTarget;
use crate::pipelines::gan::data::image_set;
use crate::pipelines::gan::mapper_targets::SecondTargets;
use crate::pipelines::run_folder::{Content, betas_sha256, file_sha256, pictures_sha256};
use crate::pipelines::targets::captioned_stimuli::distinct_images;
use crate::pipelines::workbench::Workbench;
use crate::training::gan::dataset::{GanDataset, SampleSet};
use crate::training::mapper::targets::EmbeddingTargets;

/// Training data.
pub(super) struct FinetuningData {
    pub dataset: GanDataset,
    /// What the second mapper aims at, where it is trained.
    pub second_targets: Option<EmbeddingTargets>,
}

impl FinetuningData {
    /// Reads pictures, and decodes the conditions of mappers that stay as they are.
    ///
    /// # Errors
    /// Images, captions or betas that cannot be read; a cache that cannot be written.
    pub fn read(
        settings: &FinetuneGanSettings,
        inputs: &Inputs<'_>,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<Self> {
        let Inputs { prepared, split, gan, clip, stimuli, .. } = inputs;
        let images = distinct_images(split.train.iter().map(|trial| prepared.trials()[*trial]));
        let image_set =
            image_set(&images, stimuli, clip, settings.stimulus_view, gan.generator.resolution, bench)?;
        let image_of_sample = image_of_sample(inputs, &images)?;
        let second_targets = if settings.finetune_gan.is_joint() {
            let config = &settings.finetune_gan;
            let targets = SecondTargets {
                source: config.condition,
                caption_choice: config.mappers.caption_choice,
                resnet: settings.resnet.as_deref(),
                stimuli,
                captions: &settings.captions,
            };
            targets.read(clip, &images, &image_of_sample, bench)?
        } else {
            None
        };
        let samples = samples(settings, inputs, image_of_sample, bench)?;
        Ok(Self { dataset: GanDataset::new(image_set, samples)?, second_targets })
    }

    /// What the run is begun with, and must be continued with.
    ///
    /// # Errors
    /// Betas or captions that cannot be read.
    pub fn content(
        &self,
        settings: &FinetuneGanSettings,
        inputs: &Inputs<'_>,
    ) -> crate::error::Result<Content> {
        let Inputs { prepared, mappers, clip, resnet, gan, .. } = inputs;
        let reads_captions = self.second_targets.is_some()
            && settings.finetune_gan.condition.second_target() == MapperTarget::Caption;
        let captions = reads_captions.then(|| file_sha256(&settings.captions, "what the mapper aims at"));
        Ok(Content::default()
            .with("betas", betas_sha256(prepared)?)
            .with("photographs", pictures_sha256(&self.dataset))
            .with("image mapper", &mappers.image.sha256)
            .with("second mapper", &mappers.second.sha256)
            .with("CLIP", &clip.sha256)
            .with("GAN that it starts from", &gan.sha256)
            .with_some("ResNet", resnet.as_ref().map(|resnet| resnet.sha256.as_str()))
            .with_some("captions", captions.transpose()?))
    }
}

/// Place among the distinct `images`, which are sorted, of what each training trial shows.
fn image_of_sample(inputs: &Inputs<'_>, images: &[NsdId]) -> crate::error::Result<Vec<usize>> {
    let Inputs { prepared, split, .. } = inputs;
    split
        .train
        .iter()
        .map(|trial| images.binary_search(&prepared.trials()[*trial].nsd_id))
        .collect::<Result<_, _>>()
        .map_err(|_| {
            crate::error::Error::failure("an image of a training trial is not among the training images")
        })
}

fn samples(
    settings: &FinetuneGanSettings,
    inputs: &Inputs<'_>,
    image_of_sample: Vec<usize>,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<SampleSet> {
    let config = &settings.finetune_gan;
    if config.is_joint() {
        // Conditions are decoded batch by batch.
        let image_condition = Array2::zeros((image_of_sample.len(), 0));
        return Ok(SampleSet { image_of_sample, image_condition, caption_condition: None, mixed_with: None });
    }
    let Inputs { prepared, split, mappers, .. } = inputs;
    // A mix is drawn anew at every step, from the two that are mixed.
    let is_mix = config.condition == ConditionSource::Mix;
    let source = if is_mix { ConditionSource::Both } else { config.condition };
    let (first, second) =
        mappers.conditions(prepared, &split.train, source, config.train.seed, bench.progress)?;
    Ok(if is_mix {
        SampleSet {
            image_of_sample,
            image_condition: second.clone(),
            caption_condition: Some(second),
            mixed_with: Some(first),
        }
    } else {
        SampleSet {
            image_of_sample,
            image_condition: first,
            caption_condition: Some(second),
            mixed_with: None,
        }
    })
}
