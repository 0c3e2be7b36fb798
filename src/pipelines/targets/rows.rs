//! What a mapper aims at, before clamp and scaling, for every image that a subject saw.

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{Array2, Axis};

use crate::commands::train_mapper::TrainMapperSettings;
use crate::data::coco::vetted_captions::VettedCaptions;
use crate::data::prepared::PreparedSubject;
use crate::data::trial::NsdId;
use crate::models::clip::tokenizer::LongText;
use crate::models::mapper::MapperTarget;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::targets::resnet_vectors::{ResnetSnapshot, stimulus_vectors};
use crate::pipelines::targets::stimulus_embeddings::{embed_sentences, embed_stimuli};
use crate::pipelines::workbench::Workbench;

/// Embeddings and the network that made them.
pub(crate) struct RawTargets {
    /// Embeddings.
    pub rows: TargetRows,
    /// The network.
    pub clip: ClipSnapshot,
}

/// Embeddings and how they belong to trials.
pub(crate) struct TargetRows {
    /// `[rows, embed_dim]`
    pub embeddings: Array2<f32>,
    /// Rows of each image: one, or one per caption.
    pub rows_of_image: Vec<Range<usize>>,
    /// Image of each trial, as an index into `rows_of_image`.
    pub image_of_trial: Vec<usize>,
}

/// Whatever the mapper of `settings` aims at, before clamp and scaling, and the SHA-256 of the network that made it.
pub(crate) fn raw_targets(
    settings: &TrainMapperSettings,
    subject: &PreparedSubject,
    bench: &mut Workbench<'_>,
) -> anyhow::Result<(TargetRows, String)> {
    match settings.target {
        MapperTarget::Image => {
            let RawTargets { rows, clip } = image_embeddings(settings, subject, bench)?;
            Ok((rows, clip.sha256))
        }
        MapperTarget::Caption => {
            let RawTargets { rows, clip } = caption_embeddings(settings, subject, bench)?;
            Ok((rows, clip.sha256))
        }
        MapperTarget::Resnet => resnet_vectors(settings, subject, bench),
    }
}

/// One embedding per image.
pub(crate) fn image_embeddings(
    settings: &TrainMapperSettings,
    subject: &PreparedSubject,
    bench: &mut Workbench<'_>,
) -> anyhow::Result<RawTargets> {
    let clip = ClipSnapshot::open(&settings.target_network, bench.device)?;
    let (images, image_of_trial) = images(subject);
    let embeddings = embed_stimuli(&clip, &settings.stimuli, &images, bench)?;
    let rows_of_image = (0..images.len()).map(|image| image..image + 1).collect();
    Ok(RawTargets { rows: TargetRows { embeddings, rows_of_image, image_of_trial }, clip })
}

/// One ResNet vector per image, and the network's identity.
pub(crate) fn resnet_vectors(
    settings: &TrainMapperSettings,
    subject: &PreparedSubject,
    bench: &mut Workbench<'_>,
) -> anyhow::Result<(TargetRows, String)> {
    let resnet = ResnetSnapshot::open(&settings.target_network, bench.device)?;
    let (images, image_of_trial) = images(subject);
    let vector = settings.mapper.resnet.vector;
    let embeddings = stimulus_vectors(&resnet, vector, &settings.stimuli, &images, bench)?;
    let rows_of_image = (0..images.len()).map(|image| image..image + 1).collect();
    Ok((TargetRows { embeddings, rows_of_image, image_of_trial }, resnet.sha256))
}

/// One embedding per vetted caption.
pub(crate) fn caption_embeddings(
    settings: &TrainMapperSettings,
    subject: &PreparedSubject,
    bench: &mut Workbench<'_>,
) -> anyhow::Result<RawTargets> {
    let vetted = VettedCaptions::read(&settings.captions)?;
    let (images, image_of_trial) = images(subject);
    let (mut captions, mut rows_of_image) = (Vec::new(), Vec::new());
    for image in &images {
        let of_image = vetted.of(*image)?;
        rows_of_image.push(captions.len()..captions.len() + of_image.len());
        captions.extend(of_image.iter().map(String::as_str));
    }
    let clip = ClipSnapshot::open(&settings.target_network, bench.device)?;
    let embeddings = embed_sentences(&clip, &captions, LongText::Error, bench)?;
    Ok(RawTargets { rows: TargetRows { embeddings, rows_of_image, image_of_trial }, clip })
}

impl TargetRows {
    /// Gives each of `trials` a row of its own, `rows[i]` to `trials[i]`.
    pub fn replace(&mut self, trials: &[usize], rows: &Array2<f32>) -> anyhow::Result<()> {
        for (row, trial) in trials.iter().enumerate() {
            let position = self.embeddings.nrows() + row;
            self.image_of_trial[*trial] = self.rows_of_image.len();
            self.rows_of_image.push(position..position + 1);
        }
        Ok(self.embeddings.append(Axis(0), rows.view())?)
    }
}

/// The distinct images of a subject, ascending, and which of them each trial showed.
fn images(subject: &PreparedSubject) -> (Vec<NsdId>, Vec<usize>) {
    let mut index: BTreeMap<NsdId, usize> = subject.trials().iter().map(|trial| (trial.nsd_id, 0)).collect();
    for (position, value) in index.values_mut().enumerate() {
        *value = position;
    }
    let of_trial = subject.trials().iter().map(|trial| index[&trial.nsd_id]).collect();
    (index.into_keys().collect(), of_trial)
}
