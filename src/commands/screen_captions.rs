//! `mindreader screen-captions`: captions → those that CLIP finds fitting (docs/spec/mapper.md §2.3).
//!
//! Writes two JSON objects by NSD image (0-based): the kept captions, and beside them every caption with its
//! probability. A third, small file is the summary: how many captions survive, and examples.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data::coco::vetted_captions::VettedCaptions;
use crate::data::image::stimulus_view::StimulusView;
use crate::data::nsd::tree::{AnnotationKind, NsdTree};
use crate::data::prepared::PreparedSubject;
use crate::error::{Context, SettingError};
use crate::files::write_atomic;
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::share::share_interval;
use crate::models::clip::tokenizer::LongText;
use crate::pipelines::caption_screen::{ScreenConfig, ScreenedCaptions, screen_captions};
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::gan::sample_sheet::evenly_spread;
use crate::pipelines::project::Project;
use crate::pipelines::targets::captioned_stimuli::{CaptionedStimuli, distinct_images};
use crate::pipelines::targets::sentences::{CaptionSource, SentencesByImage};
use crate::pipelines::targets::stimulus_embeddings::embed_stimuli;
use crate::pipelines::workbench::Workbench;
use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::progress::Progress;

/// Images shown as examples.
const NUM_EXAMPLES: usize = 5;

/// Which captions are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScreenCaptionsConfig {
    /// When a caption is kept.
    pub screen: ScreenConfig,
    /// What to do with captions longer than CLIP's context; the paper's stage one refuses them.
    pub long_captions: LongText,
}

impl ScreenCaptionsConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.screen.validate().map_err(|error| error.within("screen_captions.screen"))
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct ScreenCaptionsSettings {
    /// Root of the NSD tree: images, stimulus table, captions.
    pub nsd: PathBuf,
    /// Prepared subject: which images were seen.
    pub prepared: PathBuf,
    /// CLIP snapshot.
    pub clip: PathBuf,
    /// Which captions are kept.
    pub screen_captions: ScreenCaptionsConfig,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// The kept captions: `{"clip_sha256": "…", "<nsd id>": ["…", …], …}`.
    pub output: PathBuf,
    /// Every caption with its probability: `{"<nsd id>": [{"caption", "probability", "kept"}, …], …}`.
    pub probabilities: PathBuf,
    /// The summary.
    pub report: PathBuf,
    /// Where to compute.
    pub device: DeviceChoice,
    /// What CLIP is given of a stimulus.
    pub stimulus_view: StimulusView,
}

impl ScreenCaptionsSettings {
    /// Settings of the command where captions are not screened yet and can be: the tree holds COCO's captions.
    ///
    /// # Errors
    /// As [`ScreenCaptionsSettings::resolve`]; captions that are there and cannot be looked at.
    pub fn of_unscreened(
        project: &Project,
        screen_captions: &ScreenCaptionsConfig,
    ) -> Result<Option<Self>, RunError> {
        if project.captions().symlink_metadata().is_ok() {
            return Ok(None);
        }
        match NsdTree::new(project.nsd()?).annotations_present(AnnotationKind::Captions)?.is_empty() {
            true => Ok(None),
            false => Self::resolve(project, screen_captions).map(Some),
        }
    }

    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set or no CLIP is there.
    pub fn resolve(project: &Project, screen_captions: &ScreenCaptionsConfig) -> Result<Self, RunError> {
        Ok(Self {
            nsd: project.nsd()?,
            prepared: project.prepared(),
            clip: project.clip()?,
            screen_captions: screen_captions.clone(),
            cache: project.cache(),
            output: project.captions(),
            probabilities: project.caption_probabilities(),
            report: project.screening_report(),
            device: project.device,
            stimulus_view: project.stimulus_view,
        })
    }
}

/// One caption and what CLIP thinks of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgedCaption {
    /// The sentence.
    pub caption: String,
    /// Its probability among the captions of the image.
    pub probability: f64,
    /// Whether it was kept.
    pub kept: bool,
}

/// The captions of an image that lost some.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScreenedExample {
    /// NSD image, 0-based.
    pub image: u32,
    /// All its captions, best first.
    pub captions: Vec<JudgedCaption>,
}

/// What was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScreenCaptionsSummary {
    /// Images screened.
    pub num_images: usize,
    /// Captions before.
    pub num_captions: usize,
    /// Captions kept.
    pub num_kept: usize,
    /// Mean number kept per image.
    pub mean_kept: f64,
    /// Images by the number of captions that they kept.
    pub images_by_kept: BTreeMap<usize, usize>,
    /// Share of the images that kept one to three captions, as the paper reports of most.
    pub share_of_one_to_three: f64,
    /// The same share with its 95 % interval over resampled images.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub interval_of_one_to_three: Option<Interval>,
    /// Images that lost captions, evenly spread.
    pub examples: Vec<ScreenedExample>,
    /// exp(logit scale) of the network.
    pub logit_scale: f64,
    /// The kept captions.
    pub output: PathBuf,
    /// Every caption with its probability.
    pub probabilities: PathBuf,
    /// This summary.
    pub report: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When an input is missing or does not fit, an image has no caption, or an output cannot be written.
pub fn run(
    settings: &ScreenCaptionsSettings,
    progress: &mut dyn Progress,
) -> crate::error::Result<ScreenCaptionsSummary> {
    let config = &settings.screen_captions;
    config.validate()?;
    let (device, _) = device::open(settings.device)?;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    let stimuli = CaptionedStimuli::open(&settings.nsd)?;
    let images = distinct_images(prepared.trials().iter().copied());
    // Every complaint about captions comes before the first embedding.
    let captions = images.iter().map(|image| stimuli.captions(*image)).collect::<Result<Vec<_>, _>>()?;
    let clip = ClipSnapshot::open(&settings.clip, &device)?;
    let logit_scale = clip.logit_scale();

    let sentences: SentencesByImage = captions.iter().copied().collect();
    let mut bench = Workbench::new(&device, &settings.cache, progress);
    let cure = "`--set screen_captions.long_captions=truncate` cuts such captions";
    let source =
        CaptionSource { file: stimuli.annotations(), image: &|image| images[image].to_string(), cure };
    let of_texts = sentences.embed(&clip, config.long_captions, &source, &mut bench)?;
    let of_images =
        embed_stimuli(&clip, stimuli.stimuli_path(), &images, settings.stimulus_view, &mut bench)?;

    let mut judged: BTreeMap<u32, Vec<JudgedCaption>> = BTreeMap::new();
    for (index, image) in images.iter().enumerate() {
        let rows = sentences.rows_of_image()[index].clone();
        let texts = of_texts.slice(ndarray::s![rows, ..]);
        let screened = screen_captions(of_images.row(index), texts, logit_scale, &config.screen)
            .context(format_args!("captions of {image}"))?;
        judged.insert(image.0, verdicts(captions[index], &screened));
    }
    let kept: BTreeMap<u32, Vec<&str>> =
        judged.iter().map(|(image, captions)| (*image, kept(captions))).collect();
    write_atomic(&settings.probabilities, &serde_json::to_vec_pretty(&judged)?)?;
    write_atomic(&settings.output, &VettedCaptions::to_json(&kept, &clip.sha256)?)?;
    let summary = summarise(settings, &judged, logit_scale);
    write_atomic(&settings.report, &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// What became of each caption of an image.
fn verdicts(captions: &[String], screened: &ScreenedCaptions) -> Vec<JudgedCaption> {
    let verdicts = captions.iter().zip(&screened.probabilities).enumerate();
    let verdicts = verdicts.map(|(position, (caption, probability))| JudgedCaption {
        caption: caption.clone(),
        probability: *probability,
        kept: screened.kept.contains(&position),
    });
    verdicts.collect()
}

fn kept(captions: &[JudgedCaption]) -> Vec<&str> {
    captions.iter().filter(|caption| caption.kept).map(|caption| caption.caption.as_str()).collect()
}

fn summarise(
    settings: &ScreenCaptionsSettings,
    judged: &BTreeMap<u32, Vec<JudgedCaption>>,
    logit_scale: f64,
) -> ScreenCaptionsSummary {
    let mut images_by_kept = BTreeMap::new();
    for captions in judged.values() {
        *images_by_kept.entry(kept(captions).len()).or_insert(0) += 1;
    }
    let one_to_three: usize = images_by_kept.range(1..=3).map(|(_, images)| images).sum();
    let num_kept = images_by_kept.iter().map(|(kept, images)| kept * images).sum();
    ScreenCaptionsSummary {
        num_images: judged.len(),
        num_captions: judged.values().map(Vec::len).sum(),
        num_kept,
        mean_kept: num_kept as f64 / judged.len().max(1) as f64,
        images_by_kept,
        share_of_one_to_three: one_to_three as f64 / judged.len().max(1) as f64,
        interval_of_one_to_three: share_interval(
            &(0..judged.len()).map(|image| image < one_to_three).collect::<Vec<_>>(),
            &(0..judged.len() as u64).collect::<Vec<_>>(),
            &BootstrapConfig::default(),
        ),
        examples: examples(judged),
        logit_scale,
        output: settings.output.clone(),
        probabilities: settings.probabilities.clone(),
        report: settings.report.clone(),
    }
}

/// At most [`NUM_EXAMPLES`] images that lost captions.
fn examples(judged: &BTreeMap<u32, Vec<JudgedCaption>>) -> Vec<ScreenedExample> {
    let losers: Vec<_> =
        judged.iter().filter(|(_, captions)| captions.iter().any(|caption| !caption.kept)).collect();
    evenly_spread(losers.len(), NUM_EXAMPLES)
        .into_iter()
        .map(|index| {
            let (image, captions) = losers[index];
            let mut captions = captions.clone();
            captions.sort_by(|one, other| other.probability.total_cmp(&one.probability));
            ScreenedExample { image: *image, captions }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_lost_captions_and_show_the_best_first() {
        let caption = |probability, kept| JudgedCaption { caption: "a".into(), probability, kept };
        // Even images keep all.
        let judged: BTreeMap<u32, Vec<JudgedCaption>> =
            (0..40).map(|image| (image, vec![caption(0.1, image % 2 == 0), caption(0.9, true)])).collect();
        let found = examples(&judged);
        let images: Vec<u32> = found.iter().map(|example| example.image).collect();
        assert_eq!(images, [1, 9, 17, 25, 33]);
        assert_eq!(found[0].captions, [caption(0.9, true), caption(0.1, false)]);
        assert!(examples(&BTreeMap::new()).is_empty());
    }
}
