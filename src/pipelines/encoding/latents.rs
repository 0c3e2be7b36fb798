//! What an encoder reads of a trial: the embeddings that mappers aim at, one behind the other.

use ndarray::{Array2, Axis, concatenate};
use serde::{Deserialize, Serialize};

use crate::data::image::stimulus_view::StimulusView;
use crate::data::prepared::PreparedSubject;
use crate::data::targets::{TargetScale, TargetScaling};
use crate::models::encoder::EncodingSpace;
use crate::models::mapper::MapperTarget;
use crate::pipelines::targets::source::TargetSource;
use crate::pipelines::targets::trial_targets::TrialTargets;
use crate::pipelines::workbench::Workbench;

/// Form of the embeddings that an encoder reads; its snapshot tells it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatentForm {
    /// Clamp θ of the components; 0: none.
    pub clamp: f32,
    /// Scaling behind the clamp.
    pub scaling: TargetScaling,
    /// What CLIP is given of a picture.
    pub view: StimulusView,
    /// Whether they are embeddings of one's own in place of CLIP's.
    pub own_targets: bool,
}

impl LatentForm {
    /// Clamp and scaling.
    pub fn scale(&self) -> TargetScale {
        TargetScale { clamp: self.clamp, scaling: self.scaling }
    }
}

/// The targets of mappers that a space is made of, in its order.
pub(crate) fn targets_of(space: EncodingSpace) -> &'static [MapperTarget] {
    match space {
        EncodingSpace::Image => &[MapperTarget::Image],
        EncodingSpace::Caption => &[MapperTarget::Caption],
        EncodingSpace::Both => &[MapperTarget::Image, MapperTarget::Caption],
        EncodingSpace::Resnet => &[MapperTarget::Resnet],
    }
}

/// What an encoder reads of every trial of a list.
pub(crate) struct Latents {
    /// `[trials, embed_dim]`; of several captions the mean.
    pub rows: Array2<f32>,
    /// SHA-256 of the networks that made them, in the order of their columns.
    pub networks_sha256: Vec<String>,
}

impl Latents {
    /// Computes or finds them for `trials`, in their order.
    ///
    /// # Errors
    /// As [`TrialTargets::load`].
    pub fn load(
        sources: Vec<TargetSource>,
        subject: &PreparedSubject,
        trials: &[usize],
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<Self> {
        let (mut parts, mut networks_sha256) = (Vec::new(), Vec::new());
        for source in sources {
            let targets = TrialTargets::load(source, subject, bench)?;
            networks_sha256.push(targets.network_sha256().to_string());
            parts.push(targets.single(trials));
        }
        let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
        Ok(Self { rows: concatenate(Axis(1), &views)?, networks_sha256 })
    }
}
