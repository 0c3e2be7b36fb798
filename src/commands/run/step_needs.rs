//! What is known of the steps of a chain without a subject: what they are about, what they take.

use crate::pipelines::chain_record::ChainStep;

/// Whether a step needs a CLIP that another one has not trained.
pub(super) fn takes_clip(step: ChainStep) -> bool {
    use ChainStep::{CaptionMapper, ControlCaptionMapper, ControlMapper, Encode, ImageMapper};
    matches!(step, ImageMapper | CaptionMapper | ControlMapper | ControlCaptionMapper | Encode)
        || is_about_pictures(step)
}

/// Whether a step is about a GAN and what it draws.
pub(super) fn is_about_pictures(step: ChainStep) -> bool {
    use ChainStep::{
        EvaluateImages, EvaluateImagesControl, EvaluateImagesNearest, EvaluateImagesTruth, FinetuneGan,
        Microstim, PretrainGan, Reconstruct, ReconstructControl, ReconstructNearest, ReconstructTruth,
    };
    matches!(
        step,
        PretrainGan
            | FinetuneGan
            | Reconstruct
            | ReconstructControl
            | ReconstructTruth
            | ReconstructNearest
            | EvaluateImages
            | EvaluateImagesControl
            | EvaluateImagesTruth
            | EvaluateImagesNearest
            | Microstim
    )
}

/// The steps whose results a step takes.
pub(super) fn needs(step: ChainStep) -> &'static [ChainStep] {
    use ChainStep::{
        CaptionMapper, ControlCaptionMapper, ControlMapper, FinetuneGan, ImageMapper, Prepare, PretrainClip,
        PretrainGan, Reconstruct, ReconstructControl, ReconstructNearest, ReconstructTruth, ScreenCaptions,
    };
    match step {
        Prepare => &[],
        PretrainClip => &[Prepare],
        ScreenCaptions | ImageMapper | ControlMapper | ChainStep::Encode => &[Prepare, PretrainClip],
        CaptionMapper | ControlCaptionMapper => &[Prepare, PretrainClip, ScreenCaptions],
        PretrainGan => &[Prepare, PretrainClip, ScreenCaptions],
        FinetuneGan => &[Prepare, PretrainClip, ImageMapper, CaptionMapper, PretrainGan],
        Reconstruct | ReconstructTruth | ReconstructNearest | ChainStep::Microstim => {
            &[Prepare, ImageMapper, CaptionMapper, FinetuneGan]
        }
        ReconstructControl => &[Prepare, ControlMapper, CaptionMapper, ControlCaptionMapper, FinetuneGan],
        ChainStep::Evaluate => {
            &[Prepare, PretrainClip, ImageMapper, CaptionMapper, ControlMapper, ControlCaptionMapper]
        }
        ChainStep::EvaluateImages => &[Reconstruct],
        ChainStep::EvaluateImagesControl => &[ReconstructControl],
        ChainStep::EvaluateImagesTruth => &[ReconstructTruth],
        ChainStep::EvaluateImagesNearest => &[ReconstructNearest],
        ChainStep::Score => &[Prepare, ScreenCaptions],
        ChainStep::Report => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_takes_the_results_of_earlier_steps_alone() {
        for step in ChainStep::ALL {
            assert!(needs(step).iter().all(|needed| *needed < step), "{step}");
        }
    }
}
