//! `mindreader pretrain-classifier`: stimuli and COCO's annotations → a small network that says what a picture shows.
//!
//! It judges what others draw. Only images of the subject's training part are used, so that it never saw the ground truth of
//! a decoded trial; of those, some photographs are set aside for evaluation and the choice of the snapshot.
//! Writes `config.toml`, `metrics.jsonl`, `checkpoint.mpk`, `classifier.safetensors` and `summary.json`.

#[cfg(test)]
mod tests;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data::coco::crop_shares::ShownCategories;
use crate::data::error::DataError;
use crate::data::nsd::stim_info::StimInfo;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::data::trial::NsdId;
use crate::error::{SettingError, between, in_range, limits};
use crate::interrupt;
use crate::models::classifier::{ClassKind, ClassifierConfig, ClassifierSizes, SceneClass};
use crate::pipelines::held_out_photographs::{HeldOut, check_held_out_fraction};
use crate::pipelines::project::Project;
use crate::pipelines::run_folder::{Content, ContentHash, RunPlace};
use crate::pipelines::scene_labels::{frequent_classes, read_scene_labels, shown_classes};
use crate::pipelines::targets::captioned_stimuli::distinct_images;
use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::memory::Need;
use crate::run::progress::Progress;
use crate::run::run_dir::SUMMARY_FILE;
use crate::training::classifier::config::ClassifierTrainConfig;
use crate::training::classifier::evaluation::{ClassEvaluation, ClassifierEvaluation};
use crate::training::classifier::labelled_images::LabelledImages;
use crate::training::classifier::training::ClassifierTraining;

/// Which categories, which network, how trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainClassifierConfig {
    /// Share of the photographs set aside for evaluation, in (0, 1).
    pub held_out_fraction: f64,
    /// Share of an image's area from which on it shows a category, in (0, 1).
    pub min_share: f64,
    /// Training images that must show a category for the network to learn it, 1 to 1e6.
    pub min_images: usize,
    /// Sizes of the network.
    pub network: ClassifierSizes,
    /// How it is trained.
    pub train: ClassifierTrainConfig,
}

impl Default for PretrainClassifierConfig {
    fn default() -> Self {
        Self {
            held_out_fraction: 0.1,
            min_share: 0.005,
            min_images: 20,
            network: ClassifierSizes::default(),
            train: ClassifierTrainConfig::default(),
        }
    }
}

/// Keys of sizes that decide the memory.
const MEMORY_KEYS: [&str; 2] = ["pretrain_classifier.network", "pretrain_classifier.train.batch_size"];

/// The least that the training holds.
fn need(config: &PretrainClassifierConfig, num_images: usize) -> Need {
    let PretrainClassifierConfig { network, train, .. } = config;
    Need {
        parameters: network.least_values(),
        activations: network.least_activations() * num_images.min(train.batch_size) as u128,
        images: num_images as u128 * 3 * (network.side as u128).pow(2),
    }
}

impl PretrainClassifierConfig {
    /// Checks every range that does not depend on the data.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let check = || {
            check_held_out_fraction(self.held_out_fraction)?;
            in_range("min_share", self.min_share, between(0.0, 1.0))?;
            in_range("min_images", self.min_images, 1..=limits::ITEMS)?;
            self.network.validate().map_err(|error| error.within("network"))?;
            self.train.validate().map_err(|error| error.within("train"))
        };
        check().map_err(|error| error.within("pretrain_classifier"))
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct PretrainClassifierSettings {
    /// Root of the NSD tree: images, stimulus table, COCO's annotations.
    pub nsd: PathBuf,
    /// Prepared subject: which images were seen.
    pub prepared: PathBuf,
    /// Which trials belong to training and validation.
    pub split: SplitConfig,
    /// Which categories, which network, how trained.
    pub pretrain_classifier: PretrainClassifierConfig,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of the runs.
    pub runs: PathBuf,
    /// Checkpoint to continue from.
    pub resume: Option<PathBuf>,
}

impl PretrainClassifierSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn resolve(
        project: &Project,
        pretrain_classifier: &PretrainClassifierConfig,
        resume: Option<PathBuf>,
    ) -> Result<Self, RunError> {
        Ok(Self {
            nsd: project.nsd()?,
            prepared: project.prepared(),
            split: project.split.clone(),
            pretrain_classifier: pretrain_classifier.clone(),
            device: project.device,
            runs: project.runs(),
            resume,
        })
    }
}

/// What came out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PretrainClassifierSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// The snapshot with the lowest held-out loss.
    pub snapshot: PathBuf,
    /// Images trained on.
    pub train_images: usize,
    /// Images set aside.
    pub held_out_images: usize,
    /// Things that it tells.
    pub num_things: usize,
    /// Stuffs that it tells.
    pub num_stuff: usize,
    /// Optimiser steps.
    pub steps: u64,
    /// Mean training loss of the last epoch, in nats.
    pub train_loss: f64,
    /// Epoch of the snapshot, from 1.
    pub best_epoch: u64,
    /// The snapshot's figures on the images set aside.
    pub held_out: ClassifierEvaluation,
    /// The same of every category.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<ClassEvaluation>,
}

/// Runs the command; the list of categories is in `summary.json` only.
///
/// # Errors
/// When an input is missing or does not fit, a setting is out of range, or the run is interrupted.
pub fn run(
    settings: &PretrainClassifierSettings,
    progress: &mut dyn Progress,
) -> crate::error::Result<PretrainClassifierSummary> {
    let config = &settings.pretrain_classifier;
    config.validate()?;
    let (device, _) = device::open(settings.device)?;
    let inputs = Inputs::open(settings)?;
    let shown = inputs.read_labels(progress)?;
    need(config, shown.len()).check(MEMORY_KEYS, settings.device)?;
    let network = ClassifierConfig {
        sizes: config.network.clone(),
        min_share: config.min_share,
        classes: inputs.learnable_classes(&shown, config)?,
    };
    progress.finish(&format!("{} categories", network.classes.len()));
    network.validate()?;
    let [train, held_out] = inputs.read_images(&shown, &network, progress)?;

    let description = format!("pretrain-classifier-{}", inputs.subject);
    let PretrainClassifierSettings { resume, runs, .. } = settings;
    let place = RunPlace { resume: resume.as_deref(), runs, description: &description };
    let run = place.open(settings, &content([&train, &held_out]))?;
    let provenance = serde_json::to_value(TrainedOn {
        subject: &inputs.subject,
        split: &settings.split,
        train_images: train.len(),
        held_out_images: held_out.len(),
    })?;
    let training = ClassifierTraining {
        network: &network,
        config: &config.train,
        train: &train,
        held_out: &held_out,
        run: &run,
        provenance: &provenance,
        device: &device,
        interrupted: &interrupt::requested,
    };
    let trained = training.run(resume.as_deref(), progress)?;
    let mut summary = PretrainClassifierSummary {
        run: run.path().to_path_buf(),
        snapshot: trained.snapshot,
        train_images: train.len(),
        held_out_images: held_out.len(),
        num_things: network.range(ClassKind::Thing).len(),
        num_stuff: network.range(ClassKind::Stuff).len(),
        steps: trained.steps,
        train_loss: trained.train_loss,
        best_epoch: trained.best_epoch,
        held_out: trained.best,
        classes: trained.classes,
    };
    run.write_atomic(SUMMARY_FILE, &serde_json::to_vec_pretty(&summary)?)?;
    summary.classes.clear();
    Ok(summary)
}

/// What a snapshot's provenance says of the images.
#[derive(Serialize)]
struct TrainedOn<'a> {
    subject: &'a str,
    split: &'a SplitConfig,
    train_images: usize,
    held_out_images: usize,
}

/// The images of the subject's training part.
struct Inputs {
    subject: String,
    tree: NsdTree,
    stimuli: Stimuli,
    images: Vec<NsdId>,
    /// For each image, whether its photograph is set aside for evaluation.
    is_held_out: Vec<bool>,
}

impl Inputs {
    fn open(settings: &PretrainClassifierSettings) -> Result<Self, DataError> {
        let prepared = PreparedSubject::open(&settings.prepared)?;
        let tree = NsdTree::new(&settings.nsd);
        let stimuli = Stimuli::open(&tree.stimuli())?;
        let (trials, split) = (prepared.trials(), settings.split.split(&prepared)?);
        let images = distinct_images(split.train.iter().map(|trial| trials[*trial]));
        let info = StimInfo::read(&tree.stim_info())?;
        let photographs = images
            .iter()
            .map(|image| Ok(info.row(*image)?.coco_id))
            .collect::<Result<Vec<_>, DataError>>()?;
        let PretrainClassifierConfig { held_out_fraction, train, .. } = &settings.pretrain_classifier;
        let held_out =
            HeldOut { fraction: *held_out_fraction, seed: train.seed, purpose: "classifier held out" }
                .of(&photographs)?;
        let is_held_out =
            photographs.iter().map(|photograph| held_out.binary_search(photograph).is_ok()).collect();
        Ok(Self { subject: prepared.subject().to_string(), tree, stimuli, images, is_held_out })
    }

    /// What every image shows, by COCO's annotations.
    fn read_labels(&self, progress: &mut dyn Progress) -> Result<Vec<ShownCategories>, DataError> {
        progress.start("reading annotations", 0);
        read_scene_labels(&self.tree, &self.images)
    }

    /// Categories that enough training images show.
    fn learnable_classes(
        &self,
        shown: &[ShownCategories],
        config: &PretrainClassifierConfig,
    ) -> Result<Vec<SceneClass>, DataError> {
        let of_training = shown
            .iter()
            .zip(&self.is_held_out)
            .filter(|(_, is_held_out)| !**is_held_out)
            .map(|(shown, _)| shown);
        let classes = frequent_classes(of_training, config.min_share, config.min_images);
        if classes.is_empty() {
            let count = config.min_images;
            return Err(DataError::empty(
                format!("the list of categories that at least {count} training images show"),
                "expected instances_*.json and stuff_*.json of their photographs, or a lower `min_images`",
            ));
        }
        Ok(classes)
    }

    /// Images to train on and images set aside, with their labels.
    fn read_images(
        &self,
        shown: &[ShownCategories],
        network: &ClassifierConfig,
        progress: &mut dyn Progress,
    ) -> Result<[LabelledImages; 2], DataError> {
        let mut sets = [LabelledImages::new(network), LabelledImages::new(network)];
        progress.start("reading images", self.images.len() as u64);
        for (place, image) in self.images.iter().enumerate() {
            let labels = shown_classes(&shown[place], network);
            sets[usize::from(self.is_held_out[place])].push(&self.stimuli.image(*image)?, labels);
            interrupt::check()?;
            progress.advance(place as u64 + 1, "");
        }
        progress.finish("");
        Ok(sets)
    }
}

/// What the run is begun with, and must be continued with: images and their labels, trained on and set aside.
fn content(sets: [&LabelledImages; 2]) -> Content {
    let (mut photographs, mut labels) = (ContentHash::default(), ContentHash::default());
    for images in sets {
        photographs.bytes(images.pixels_u8_hwc());
        let kinds = [ClassKind::Thing, ClassKind::Stuff];
        for (image, kind) in (0..images.len()).flat_map(|image| kinds.map(|kind| (image, kind))) {
            // An image that nobody annotated is not one that shows nothing.
            let shown = images.shown(image, kind).map_or_else(
                || vec![2],
                |shown| shown.iter().map(|is_shown| usize::from(*is_shown)).collect(),
            );
            labels.places(shown);
        }
    }
    Content::default().with("photographs", photographs.finish()).with("annotations", labels.finish())
}
