//! `mindreader pretrain-classifier`: stimuli and COCO's annotations → a small network that says what a picture shows.
//!
//! It judges what others draw. Only images of the subject's training part are used, so that it never saw the ground truth of
//! a decoded trial; of those, some photographs are set aside for evaluation and the choice of the snapshot.
//! Writes `config.toml`, `metrics.jsonl`, `classifier.safetensors` and `summary.json`.

#[cfg(test)]
mod tests;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::data::error::DataError;
use crate::data::nsd::stim_info::StimInfo;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::models::classifier::{ClassKind, ClassifierConfig, ClassifierSizes};
use crate::pipelines::held_out_photographs::HeldOut;
use crate::pipelines::project::Project;
use crate::pipelines::scene_labels::{frequent_classes, read_scene_labels, shown_classes};
use crate::pipelines::targets::captioned_stimuli::distinct_images;
use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::interrupt;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::training::classifier::config::ClassifierTrainConfig;
use crate::training::classifier::evaluation::{ClassEvaluation, ClassifierEvaluation};
use crate::training::classifier::labelled_images::LabelledImages;
use crate::training::classifier::training::{ClassifierTrainError, ClassifierTraining};

/// Which categories, which network, how trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PretrainClassifierConfig {
    /// Share of the photographs set aside for evaluation, in (0, 1).
    pub held_out_fraction: f64,
    /// Share of an image's area from which on it shows a category, in (0, 1).
    pub min_share: f64,
    /// Training images that must show a category for the network to learn it.
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
}

impl PretrainClassifierSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn resolve(
        project: &Project,
        pretrain_classifier: &PretrainClassifierConfig,
    ) -> Result<Self, RunError> {
        Ok(Self {
            nsd: project.nsd()?,
            prepared: project.prepared(),
            split: project.split.clone(),
            pretrain_classifier: pretrain_classifier.clone(),
            device: project.device,
            runs: project.runs(),
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
) -> anyhow::Result<PretrainClassifierSummary> {
    let config = &settings.pretrain_classifier;
    config.network.validate()?;
    config.train.validate()?;
    if !(config.min_share > 0.0 && config.min_share < 1.0) {
        let known = vec!["a number between 0 and 1".to_string()];
        let name = config.min_share.to_string();
        return Err(DataError::Unknown { what: "`min_share`".into(), name, known }.into());
    }
    let (device, _) = device::open(settings.device)?;
    let prepared = PreparedSubject::open(&settings.prepared)?;
    let tree = NsdTree::new(&settings.nsd);
    let stimuli = Stimuli::open(&tree.stimuli())?;
    let trials = prepared.trials();
    let images = distinct_images(settings.split.split(&prepared)?.train.iter().map(|trial| trials[*trial]));
    let info = StimInfo::read(&tree.stim_info())?;
    let photographs =
        images.iter().map(|image| Ok(info.row(*image)?.coco_id)).collect::<Result<Vec<_>, DataError>>()?;
    let held_out = HeldOut {
        fraction: config.held_out_fraction,
        seed: config.train.seed,
        purpose: "classifier held out",
    }
    .of(&photographs)?;
    let is_held_out = |place: usize| held_out.binary_search(&photographs[place]).is_ok();

    progress.start("reading annotations", 0);
    let shown = read_scene_labels(&tree, &images)?;
    let of_training =
        shown.iter().enumerate().filter(|(place, _)| !is_held_out(*place)).map(|(_, shown)| shown);
    let classes = frequent_classes(of_training, config.min_share, config.min_images);
    if classes.is_empty() {
        let what = format!("the list of categories that at least {} training images show", config.min_images);
        return Err(DataError::empty(
            what,
            "expected instances_*.json and stuff_*.json of their photographs, or a lower `min_images`",
        )
        .into());
    }
    progress.finish(&format!("{} categories", classes.len()));
    let network = ClassifierConfig { sizes: config.network.clone(), min_share: config.min_share, classes };
    network.validate()?;

    let mut sets = [LabelledImages::new(&network), LabelledImages::new(&network)];
    progress.start("reading images", images.len() as u64);
    for (place, image) in images.iter().enumerate() {
        if interrupt::requested() {
            return Err(ClassifierTrainError::Interrupted { snapshot: None }.into());
        }
        let labels = shown_classes(&shown[place], &network);
        sets[usize::from(is_held_out(place))].push(&stimuli.image(*image)?, labels);
        progress.advance(place as u64 + 1, "");
    }
    progress.finish("");
    let [train, held_out] = sets;

    let run = RunDir::create(&settings.runs, &format!("pretrain-classifier-{}", prepared.subject()))?;
    run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    let provenance = json!({
        "subject": prepared.subject().to_string(),
        "split": settings.split,
        "train_images": train.len(),
        "held_out_images": held_out.len(),
    });
    let trained = ClassifierTraining {
        network: &network,
        config: &config.train,
        train: &train,
        held_out: &held_out,
        run: &run,
        provenance: &provenance,
        device: &device,
        interrupted: &interrupt::requested,
    }
    .run(progress)?;
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
    run.write_atomic("summary.json", &serde_json::to_vec_pretty(&summary)?)?;
    summary.classes.clear();
    Ok(summary)
}
