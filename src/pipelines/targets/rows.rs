//! What a mapper aims at, before clamp and scaling, for every image that a subject saw.

use std::collections::BTreeMap;
use std::ops::Range;

use ndarray::{Array2, Axis};

use crate::data::coco::vetted_captions::VettedCaptions;
use crate::data::prepared::PreparedSubject;
use crate::data::trial::NsdId;
use crate::models::clip::tokenizer::LongText;
use crate::models::mapper::MapperTarget;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::targets::own_targets::OwnTargets;
use crate::pipelines::targets::resnet_vectors::{ResnetSnapshot, stimulus_vectors};
use crate::pipelines::targets::sentences::{CaptionSource, SHORTEN, SentencesByImage};
use crate::pipelines::targets::source::TargetSource;
use crate::pipelines::targets::stimulus_embeddings::embed_stimuli;
use crate::pipelines::workbench::Workbench;
use crate::training::mapper::targets::{CaptionChoice, EmbeddingTargets};

/// Raw targets and the network that computed them.
pub(crate) struct RawTargets {
    /// The targets.
    pub rows: TargetRows,
    /// The network.
    pub network: TargetNetwork,
}

/// The network that computed targets.
pub(crate) enum TargetNetwork {
    /// CLIP.
    Clip(Box<ClipSnapshot>),
    /// A ResNet-50, by the SHA-256 of its kind, configuration and tensors.
    Resnet(String),
    /// None: embeddings that were imported, by the SHA-256 of them all.
    Own(String),
}

/// Raw targets and how they belong to trials.
pub(crate) struct TargetRows {
    /// `[rows, embed_dim]`
    embeddings: Array2<f32>,
    /// Rows of each image: one, or one per caption.
    rows_of_image: Vec<Range<usize>>,
    /// Image of each trial, as an index into `rows_of_image`.
    image_of_trial: Vec<usize>,
}

impl TargetSource {
    /// Computes or finds the raw targets of all trials of `subject`.
    ///
    /// # Errors
    /// A file or network that is missing or of another kind; an image without captions; a cache that cannot be written.
    pub fn raw_targets(
        &self,
        subject: &PreparedSubject,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<RawTargets> {
        match self.form.target {
            MapperTarget::Image => self.image_embeddings(subject, bench),
            MapperTarget::Caption => self.caption_embeddings(subject, bench),
            MapperTarget::Resnet => self.resnet_vectors(subject, bench),
        }
    }

    /// One embedding per image.
    fn image_embeddings(
        &self,
        subject: &PreparedSubject,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<RawTargets> {
        let (images, image_of_trial) = images(subject);
        if OwnTargets::are_in(&self.network) {
            let OwnTargets { rows, sha256 } = OwnTargets::read(&self.network, &images)?;
            let rows = TargetRows::one_per_image(rows, image_of_trial);
            return Ok(RawTargets { rows, network: TargetNetwork::Own(sha256) });
        }
        let clip = ClipSnapshot::open(&self.network, bench.device)?;
        let embeddings = embed_stimuli(&clip, &self.stimuli, &images, self.form.view, bench)?;
        let rows = TargetRows::one_per_image(embeddings, image_of_trial);
        Ok(RawTargets { rows, network: TargetNetwork::Clip(Box::new(clip)) })
    }

    /// One embedding per vetted caption.
    fn caption_embeddings(
        &self,
        subject: &PreparedSubject,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<RawTargets> {
        let vetted = VettedCaptions::read(&self.captions)?;
        let (images, image_of_trial) = images(subject);
        let sentences =
            images.iter().map(|image| vetted.of(*image)).collect::<Result<SentencesByImage, _>>()?;
        let clip = ClipSnapshot::open(&self.network, bench.device)?;
        vetted.warn_of_other_clip(&clip.sha256);
        let image = |image: usize| images[image].to_string();
        let source = CaptionSource { file: &self.captions, image: &image, cure: SHORTEN };
        let embeddings = sentences.embed(&clip, LongText::Error, &source, bench)?;
        let rows_of_image = sentences.rows_of_image().to_vec();
        let rows = TargetRows { embeddings, rows_of_image, image_of_trial };
        Ok(RawTargets { rows, network: TargetNetwork::Clip(Box::new(clip)) })
    }

    /// One ResNet vector per image.
    fn resnet_vectors(
        &self,
        subject: &PreparedSubject,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<RawTargets> {
        let resnet = ResnetSnapshot::open(&self.network, bench.device)?;
        let (images, image_of_trial) = images(subject);
        let vectors = stimulus_vectors(&resnet, self.form.vector, &self.stimuli, &images, bench)?;
        let rows = TargetRows::one_per_image(vectors, image_of_trial);
        Ok(RawTargets { rows, network: TargetNetwork::Resnet(resnet.sha256) })
    }
}

impl TargetNetwork {
    /// SHA-256 of its kind, configuration and tensors.
    pub fn sha256(&self) -> &str {
        match self {
            Self::Clip(clip) => &clip.sha256,
            Self::Resnet(sha256) | Self::Own(sha256) => sha256,
        }
    }
}

impl TargetRows {
    fn one_per_image(embeddings: Array2<f32>, image_of_trial: Vec<usize>) -> Self {
        let rows_of_image = (0..embeddings.nrows()).map(|image| image..image + 1).collect();
        Self { embeddings, rows_of_image, image_of_trial }
    }

    /// Gives each of `trials` a row of its own, `rows[i]` to `trials[i]`.
    ///
    /// # Errors
    /// Rows of another width.
    pub fn replace(&mut self, trials: &[usize], rows: &Array2<f32>) -> crate::error::Result<()> {
        for (row, trial) in trials.iter().enumerate() {
            // Behind the others, which stay: trials of training may aim at them.
            let position = self.embeddings.nrows() + row;
            self.image_of_trial[*trial] = self.rows_of_image.len();
            self.rows_of_image.push(position..position + 1);
        }
        Ok(self.embeddings.append(Axis(0), rows.view())?)
    }

    /// The targets of `source`'s form; of an image's captions those of `choice`.
    pub fn finished(&self, source: &TargetSource, choice: CaptionChoice) -> EmbeddingTargets {
        let Self { embeddings, rows_of_image, image_of_trial } = self;
        EmbeddingTargets::new(embeddings, rows_of_image, image_of_trial, choice, source.form.scale)
    }
}

/// The distinct images of a subject, ascending, and which of them each trial showed.
pub(super) fn images(subject: &PreparedSubject) -> (Vec<NsdId>, Vec<usize>) {
    let mut index: BTreeMap<NsdId, usize> = subject.trials().iter().map(|trial| (trial.nsd_id, 0)).collect();
    // Positions ascend with the images: the map walks its keys in order.
    for (position, value) in index.values_mut().enumerate() {
        *value = position;
    }
    let of_trial = subject.trials().iter().map(|trial| index[&trial.nsd_id]).collect();
    (index.into_keys().collect(), of_trial)
}
