//! How far the chain is: one display for all its steps.

use std::time::Duration;

use super::estimates::TotalTime;
use crate::pipelines::chain_record::ChainStep;
use crate::report::number_format::duration;
use crate::run::progress::Progress;

/// Progress of a step, with its place in the chain in front of every task.
pub(super) struct StepProgress<'a> {
    pub progress: &'a mut dyn Progress,
    /// Which step, from 1, and how many there are.
    pub place: (usize, usize),
}

impl Progress for StepProgress<'_> {
    fn start(&mut self, what: &str, total: u64) {
        let (step, of) = self.place;
        self.progress.start(&format!("[{step}/{of}] {what}"), total);
    }

    fn advance(&mut self, done: u64, message: &str) {
        self.progress.advance(done, message);
    }

    fn finish(&mut self, message: &str) {
        self.progress.finish(message);
    }

    fn line(&mut self, text: &str) {
        self.progress.line(text);
    }

    fn note(&mut self, text: &str) {
        self.progress.note(text);
    }

    fn warning(&mut self, text: &str) {
        self.progress.warning(text);
    }
}

/// What a step is for, in a sentence.
pub(super) fn purpose(step: ChainStep) -> &'static str {
    match step {
        ChainStep::Prepare => "Betas of the visual voxels, z-scored within each session.",
        ChainStep::PretrainClip => {
            "A small CLIP learns the joint space of pictures and captions from the training images."
        }
        ChainStep::ScreenCaptions => "Of an image's captions those are kept that CLIP finds fitting.",
        ChainStep::ImageMapper => "Stage one: from betas to CLIP's image space.",
        ChainStep::CaptionMapper => "Stage one: from betas to CLIP's caption space.",
        ChainStep::ControlMapper => "Control: the image mapper from betas that are exchanged between trials.",
        ChainStep::ControlCaptionMapper => "Control: the caption mapper from the same exchanged betas.",
        ChainStep::PretrainGan => {
            "A conditional StyleGAN2 learns to draw from noise-perturbed CLIP embeddings, without brains."
        }
        ChainStep::FinetuneGan => {
            "Stage two: the generator is finetuned on the embeddings decoded from betas."
        }
        ChainStep::Reconstruct => "Held-out trials are decoded into pictures.",
        ChainStep::ReconstructControl => "Control: pictures from exchanged betas.",
        ChainStep::ReconstructTruth => "Ceiling: pictures from the true embeddings by the same generator.",
        ChainStep::ReconstructNearest => "Memory: the training images nearest to what is decoded.",
        ChainStep::Evaluate => "How many held-out images the mappers retrieve, beside ridge regression.",
        ChainStep::EvaluateImages => "Is a picture closer to what was seen than to other images?",
        ChainStep::EvaluateImagesControl => "And without information in the betas?",
        ChainStep::EvaluateImagesTruth => "And with embeddings that are right?",
        ChainStep::EvaluateImagesNearest => "And with training images in place of pictures?",
        ChainStep::Microstim => "One region is driven or silenced, everything else stays.",
        ChainStep::Encode => "The way back: every voxel's betas from the image's embedding.",
        ChainStep::Score => "What the phantom's author knows, beside what was estimated from its files.",
        ChainStep::Report => "A page of all results.",
    }
}

/// `step 7 of 14: finetune-gan (3 min 00 s so far, about 12 min 00 s left)`; `left` is the time of this step and those behind it.
pub(super) fn headline(
    (step, of): (usize, usize),
    name: &str,
    elapsed: Duration,
    left: &TotalTime,
) -> String {
    let mut remarks = Vec::new();
    if elapsed >= Duration::from_secs(1) {
        remarks.push(format!("{} so far", duration(Duration::from_secs(elapsed.as_secs()))));
    }
    remarks.extend(left.words().map(|left| format!("{left} left")));
    let remarks = if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join(", ")) };
    format!("step {step} of {of}: {name}{remarks}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_says_what_is_known() {
        let said =
            |elapsed, left: &TotalTime| headline((7, 14), "finetune-gan", Duration::from_secs(elapsed), left);
        let nothing = TotalTime { unknown: 7, ..TotalTime::default() };
        assert_eq!(said(0, &nothing), "step 7 of 14: finetune-gan");
        let known = TotalTime { seconds: 720.0, ..TotalTime::default() };
        let all = said(180, &known);
        assert_eq!(all, "step 7 of 14: finetune-gan (3 min 00 s so far, about 12 min 00 s left)");
        let first = TotalTime { rough: 8, ..known };
        assert_eq!(said(0, &first), "step 7 of 14: finetune-gan (roughly 12 min 00 s left)");
        assert!(said(180, &TotalTime { unknown: 2, ..known }).ends_with("at least 12 min 00 s left)"));
    }
}
