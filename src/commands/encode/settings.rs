//! Everything that a run of `encode` needs.

use std::path::PathBuf;

use serde::Serialize;

use super::config::EncodeConfig;
use crate::commands::train_mapper::{BetasControl, TrainMapperConfig, TrainMapperSettings};
use crate::models::encoder::EncodingSpace;
use crate::models::mapper::MapperTarget;
use crate::pipelines::encoding::latents::{LatentForm, targets_of};
use crate::pipelines::project::Project;
use crate::pipelines::targets::source::TargetSource;
use crate::run::error::RunError;

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct EncodeSettings {
    /// Root of the NSD tree, for the noise ceiling.
    pub nsd: PathBuf,
    /// The models.
    pub encode: EncodeConfig,
    /// Subject, stimuli, split, the network and the form of the embeddings, and the checkpoint to continue from.
    pub data: TrainMapperSettings,
    /// The same for captions, where they are encoded beside the images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub captions: Option<TrainMapperSettings>,
}

impl EncodeSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set or no CLIP is there.
    pub fn resolve(
        project: &Project,
        encode: &EncodeConfig,
        train_mapper: &TrainMapperConfig,
        resume: Option<PathBuf>,
    ) -> Result<Self, RunError> {
        let of = |target, resume| {
            TrainMapperSettings::resolve(project, train_mapper, target, BetasControl::Measured, resume)
        };
        let first = match encode.space {
            EncodingSpace::Image | EncodingSpace::Both => MapperTarget::Image,
            EncodingSpace::Caption => MapperTarget::Caption,
            EncodingSpace::Resnet => MapperTarget::Resnet,
        };
        let has_second = encode.space == EncodingSpace::Both;
        Ok(Self {
            nsd: project.nsd()?,
            encode: encode.clone(),
            data: of(first, resume)?,
            captions: has_second.then(|| of(MapperTarget::Caption, None)).transpose()?,
        })
    }

    /// Where what is encoded comes from, in its order.
    pub(super) fn sources(&self) -> Vec<TargetSource> {
        std::iter::once(&self.data).chain(&self.captions).map(TrainMapperSettings::target_source).collect()
    }

    /// Whether captions are read.
    pub(crate) fn has_captions(&self) -> bool {
        targets_of(self.encode.space).contains(&MapperTarget::Caption)
    }

    /// Whether pictures are read.
    pub(crate) fn has_pictures(&self) -> bool {
        targets_of(self.encode.space).iter().any(|target| *target != MapperTarget::Caption)
    }

    /// Form of what is encoded.
    pub(super) fn latent_form(&self) -> LatentForm {
        let form = self.data.target_source().form;
        LatentForm {
            clamp: form.scale.clamp,
            scaling: form.scale.scaling,
            view: form.view,
            own_targets: self.data.mapper.own_targets && self.data.target == MapperTarget::Image,
        }
    }
}
