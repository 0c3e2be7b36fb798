//! Where the targets of a mapper come from, and the form in which a mapper meets them.

use std::path::PathBuf;

use crate::data::image::stimulus_view::StimulusView;
use crate::data::targets::TargetScale;
use crate::models::mapper::MapperTarget;
use crate::pipelines::targets::resnet_vectors::ResnetVector;
use crate::training::mapper::targets::CaptionChoice;

/// Files that targets are computed from, and their form.
#[derive(Clone, Debug)]
pub(crate) struct TargetSource {
    /// `nsd_stimuli.hdf5`; not read for caption targets.
    pub stimuli: PathBuf,
    /// Vetted captions of `screen-captions`; read for caption targets only.
    pub captions: PathBuf,
    /// Snapshot of the network that computes them: CLIP, or ResNet-50 for [`MapperTarget::Resnet`].
    pub network: PathBuf,
    /// Their form.
    pub form: TargetForm,
}

/// Everything but the files that decides the targets of a trial.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TargetForm {
    /// What is aimed at.
    pub target: MapperTarget,
    /// Which vector of an image; matters to [`MapperTarget::Resnet`] only.
    pub vector: ResnetVector,
    /// What CLIP is given of a stimulus; matters to [`MapperTarget::Image`] only.
    pub view: StimulusView,
    /// Which of an image's captions; matters to [`MapperTarget::Caption`] only.
    pub caption_choice: CaptionChoice,
    /// Clamp and scaling.
    pub scale: TargetScale,
    /// Decides which caption a validation trial aims at.
    pub seed: u64,
}

impl TargetForm {
    /// Which of the rows of an image a trial aims at: an image itself has one only.
    pub fn choice(&self) -> CaptionChoice {
        match self.target {
            MapperTarget::Image | MapperTarget::Resnet => CaptionChoice::First,
            MapperTarget::Caption => self.caption_choice,
        }
    }

    /// Whether trials of both have the same targets.
    pub fn is_same(&self, other: &Self) -> bool {
        let decisive = |form: &Self| {
            let TargetForm { target, vector, view, scale, seed, .. } = *form;
            // What does not matter to a target must not tell two of them apart.
            let view = (target == MapperTarget::Image).then_some(view);
            let seed = (form.choice() == CaptionChoice::Random).then_some(seed);
            (target, vector, view, form.choice(), scale.clamp.to_bits(), scale.scaling, seed)
        };
        decisive(self) == decisive(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::image::stimulus_view::ResizeChain;
    use crate::data::targets::TargetScaling;

    #[test]
    fn a_choice_of_captions_decides_caption_targets_only() {
        let scale = TargetScale { clamp: 1.5, scaling: TargetScaling::UnitNorm };
        let form = |target, caption_choice| TargetForm {
            target,
            vector: ResnetVector::ChannelAverage,
            view: StimulusView::default(),
            caption_choice,
            scale,
            seed: 1,
        };
        let same = |target| form(target, CaptionChoice::Mean).is_same(&form(target, CaptionChoice::Random));
        assert!(same(MapperTarget::Image) && !same(MapperTarget::Caption));
        let image = form(MapperTarget::Image, CaptionChoice::First);
        assert!(image.is_same(&TargetForm { seed: 2, ..image }), "nothing is drawn");
        let drawn = form(MapperTarget::Caption, CaptionChoice::Random);
        assert!(!drawn.is_same(&TargetForm { seed: 2, ..drawn }));
        let wider = TargetScale { clamp: 0.0, ..scale };
        assert!(!image.is_same(&TargetForm { scale: wider, ..image }));
        let view = StimulusView { chain: ResizeChain::Direct, antialias: false };
        assert!(!image.is_same(&TargetForm { view, ..image }));
        let caption = form(MapperTarget::Caption, CaptionChoice::First);
        assert!(caption.is_same(&TargetForm { view, ..caption }), "captions are not resized");
    }
}
