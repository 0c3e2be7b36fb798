//! How far the chain is: one display for all its steps.

use std::time::Duration;

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
        ChainStep::ControlMapper => "Control: the same from betas that are exchanged between trials.",
        ChainStep::PretrainGan => {
            "A conditional StyleGAN2 learns to draw from noise-perturbed CLIP embeddings, without brains."
        }
        ChainStep::FinetuneGan => {
            "Stage two: the generator is finetuned on the embeddings decoded from betas."
        }
        ChainStep::Reconstruct => "Held-out trials are decoded into pictures.",
        ChainStep::ReconstructControl => "Control: pictures from exchanged betas.",
        ChainStep::Evaluate => "How many held-out images the mappers retrieve, beside ridge regression.",
        ChainStep::EvaluateImages => "Is a picture closer to what was seen than to other images?",
        ChainStep::EvaluateImagesControl => "And without information in the betas?",
        ChainStep::Microstim => "One region is driven or silenced, everything else stays.",
        ChainStep::Encode => "The way back: every voxel's betas from the image's embedding.",
        ChainStep::Score => "What the phantom's author knows, beside what was estimated from its files.",
        ChainStep::Report => "A page of all results.",
    }
}

/// `step 7 of 14: finetune-gan (3 min 00 s so far, about 12 min 00 s left)`.
///
/// `left` is the time of the steps that were done before, and how many are left of which nothing is known.
pub(super) fn headline(
    (step, of): (usize, usize),
    name: &str,
    elapsed: Duration,
    (left, unknown): (Duration, usize),
) -> String {
    let words = |time: Duration| duration(Duration::from_secs(time.as_secs()));
    let mut remarks = Vec::new();
    if elapsed >= Duration::from_secs(1) {
        remarks.push(format!("{} so far", words(elapsed)));
    }
    if left > Duration::ZERO {
        let bound = if unknown > 0 { "at least" } else { "about" };
        remarks.push(format!("{bound} {} left", words(left)));
    }
    let remarks = if remarks.is_empty() { String::new() } else { format!(" ({})", remarks.join(", ")) };
    format!("step {step} of {of}: {name}{remarks}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_says_what_is_known() {
        let seconds = Duration::from_secs;
        let said = |elapsed, left| headline((7, 14), "finetune-gan", elapsed, left);
        assert_eq!(said(seconds(0), (seconds(0), 7)), "step 7 of 14: finetune-gan");
        let all = said(seconds(180), (seconds(720), 0));
        assert_eq!(all, "step 7 of 14: finetune-gan (3 min 00 s so far, about 12 min 00 s left)");
        assert!(said(seconds(180), (seconds(720), 2)).ends_with("at least 12 min 00 s left)"));
    }
}
