//! `mindreader evaluate-images`: Fréchet distance and n-way identification of reconstructed pictures
//! (docs/spec/metrics.md §1 and §2).
//!
//! Writes `config.toml` and `evaluation.json`. Without an Inception snapshot a scene classifier or any CLIP serves as feature
//! network; the numbers then carry another name. With a classifier the evaluation also says what can be named.

mod classes;
mod config;
mod distances;
mod identification;
mod naming;
mod numbers;
mod reconstructed;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::Path;

use ndarray::Array2;

pub use classes::ClassSummary;
pub use config::{EvaluateImagesConfig, EvaluateImagesSettings, IdentifiedTrials, RealSets};
pub use naming::{NamedKind, NamingSummary};
pub use numbers::{JudgedPictureSet, beside};
pub use summary::{
    EvaluateImagesSummary, FeatureNetworkSummary, FrechetSummary, IdentificationSummary, PictureRanking,
    RankedPicture,
};

use self::classes::Classed;
use self::distances::ComparedSets;
use self::identification::identify;
use self::naming::Scored;
use self::reconstructed::Reconstructed;
use crate::data::import::classes::ImageClasses;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::trial::NsdId;
use crate::metrics::identification::OwnPicture;
use crate::pipelines::measured::NUMBERS_FILE;
pub use crate::pipelines::pictures::picture_features::FeatureSource;
use crate::pipelines::pictures::picture_features::{FeatureNetwork, PictureSet, picture_features};
use crate::pipelines::pictures::stimulus_features::{StimulusSet, stimulus_features};
use crate::pipelines::scene_labels::has_scene_annotations;
use crate::pipelines::targets::captioned_stimuli::distinct_images;
use crate::pipelines::workbench::Workbench;
use crate::run::device;
use crate::run::memory::WorkingMemory;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Device;

/// Measures the pictures of a run and writes `evaluation.json`.
///
/// # Errors
/// A run, picture or snapshot that is missing or does not fit; features that are not finite.
pub fn run(
    settings: &EvaluateImagesSettings,
    progress: &mut dyn Progress,
) -> crate::error::Result<EvaluateImagesSummary> {
    let config = &settings.evaluate_images;
    config.validate()?;
    let (device, _) = device::open(settings.device)?;
    let reconstructed = Reconstructed::open(&settings.evaluated)?;
    let network = settings.features.open(config.preprocessing, &device)?;
    let evaluation =
        Evaluation { settings, reconstructed: &reconstructed, network: &network, device: &device };

    let entries = &reconstructed.entries;
    need(entries.len(), network.width(), config.real).check()?;
    let generated_files: Vec<String> = entries.iter().map(|entry| entry.file.clone()).collect();
    let truth_files: Vec<String> = entries.iter().map(|entry| entry.ground_truth.clone()).collect();
    let generated = evaluation.of_files("generated pictures", &generated_files, progress)?;
    let truth = evaluation.of_files("ground truth", &truth_files, progress)?;
    let train = match config.real {
        RealSets::Test => None,
        RealSets::TestAndTrain => Some(evaluation.of_training_stimuli(progress)?),
    };
    let sets = ComparedSets { generated, truth, train };
    let frechet = sets.distances(network.kind().distance_name(), config.divisor, progress)?;
    let ids: Vec<u64> = entries.iter().map(|entry| u64::from(entry.nsd_id)).collect();
    let (identification, own) = identify(&sets.generated, &sets.truth, &ids, config)?;
    let pictures = ranked(own, &generated_files);
    let naming = match &settings.classifier {
        Some(path) => evaluation.naming(path, [&generated_files, &truth_files], progress)?,
        None => None,
    };
    let classes = evaluation.classes(&sets, progress)?;

    let run = RunDir::create(&settings.runs, &format!("evaluate-images-{}", reconstructed.subject))?;
    run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    let summary = EvaluateImagesSummary {
        run: run.path().to_path_buf(),
        subject: reconstructed.subject.clone(),
        seed: reconstructed.seed,
        source: reconstructed.settings.reconstruct.source,
        presentations: reconstructed.presentations(),
        evaluated: settings.evaluated.clone(),
        decoded: reconstructed.settings.reconstruct.trials,
        noise: reconstructed.settings.reconstruct.noise,
        num_pictures: entries.len(),
        num_images: ids.iter().collect::<BTreeSet<_>>().len(),
        split_record: reconstructed.split_record.clone(),
        inference: reconstructed.inference(&device)?,
        features: evaluation.features(sets.generated.ncols()),
        frechet,
        identification,
        pictures,
        naming,
        classes,
    };
    run.write_atomic(NUMBERS_FILE, &summary.numbers().csv()?)?;
    run.write_atomic("evaluation.json", &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

fn ranked(own: Vec<(usize, OwnPicture)>, files: &[String]) -> Vec<RankedPicture> {
    own.into_iter().map(|(row, own)| RankedPicture { file: files[row].clone(), own }).collect()
}

/// The least that the distances hold: the features of both sides in f32, and for each set and the root of a product a matrix in f64.
fn need(num_pictures: usize, width: usize, real: RealSets) -> WorkingMemory {
    let (num_pictures, width) = (num_pictures as u128, width as u128);
    let num_matrices = if real == RealSets::Test { 3 } else { 4 };
    WorkingMemory {
        key: "evaluate_images",
        what: format!("features of {width} numbers for {num_pictures} pictures and as many originals"),
        bytes: 8 * num_pictures * width + 8 * num_matrices * width * width,
        advice: "fewer pictures (`reconstruct.limit`), or another network for the features (`--inception`, `--classifier`), need less",
    }
}

struct Evaluation<'a> {
    settings: &'a EvaluateImagesSettings,
    reconstructed: &'a Reconstructed,
    network: &'a FeatureNetwork,
    device: &'a Device,
}

impl Evaluation<'_> {
    /// The network, whose features have `width` numbers.
    fn features(&self, width: usize) -> FeatureNetworkSummary {
        FeatureNetworkSummary {
            kind: self.network.kind(),
            snapshot: self.settings.features.path().to_path_buf(),
            sha256: self.network.sha256().to_string(),
            preprocessing: self.network.preprocessing(),
            width,
        }
    }

    /// Features of pictures of the run, in the order of `files`.
    fn of_files(
        &self,
        name: &str,
        files: &[String],
        progress: &mut dyn Progress,
    ) -> crate::error::Result<Array2<f32>> {
        let run = self.reconstructed;
        let identities = files.iter().map(|file| run.identity(file)).collect::<Result<Vec<_>, _>>()?;
        let mut load = |index: usize| Ok(run.picture(&files[index])?);
        let set = PictureSet { name, identities: &identities, load: &mut load };
        picture_features(self.network, set, &mut Workbench::new(self.device, &self.settings.cache, progress))
    }

    /// What a classifier names in generated pictures and in their ground truth; none where the tree has no annotations to name by.
    fn naming(
        &self,
        path: &Path,
        files: [&[String]; 2],
        progress: &mut dyn Progress,
    ) -> crate::error::Result<Option<NamingSummary>> {
        let run = self.reconstructed;
        let tree = match NsdTree::of_stimuli(&run.settings.stimuli) {
            Some(tree) if has_scene_annotations(&tree)? => Some(tree),
            _ => None,
        };
        let Some(tree) = tree else {
            progress.note("Nothing is named: the NSD tree has no COCO annotations of things or stuff.");
            return Ok(None);
        };
        // Features are in the cache if the distance was measured in them.
        let network = FeatureNetwork::open_classifier(path, self.device)?;
        let FeatureNetwork::Classifier(classifier) = &network else { return Ok(None) };
        let Evaluation { settings, reconstructed, device, .. } = *self;
        let namer = Evaluation { settings, reconstructed, network: &network, device };
        let generated = namer.of_files("generated pictures", files[0], progress)?;
        let truth = namer.of_files("ground truth", files[1], progress)?;
        let images: Vec<NsdId> = run.entries.iter().map(|entry| NsdId(entry.nsd_id)).collect();
        let scored = Scored {
            config: &classifier.config,
            generated: classifier.logits(&generated, self.device),
            truth: classifier.logits(&truth, self.device),
            images: &images,
        };
        Ok(Some(scored.summary(&tree, path, &classifier.sha256)?))
    }

    /// Features of the distinct training stimuli at the size of the generated pictures, and the row of every training trial.
    fn of_training_stimuli(
        &self,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<(Array2<f32>, Vec<usize>)> {
        let run = self.reconstructed;
        let prepared = PreparedSubject::open(&run.settings.prepared)?;
        let trials = run.settings.split.split(&prepared)?.train;
        let images = self.training_images(&prepared)?;
        let rows = trials
            .iter()
            .map(|trial| images.binary_search(&prepared.trials()[*trial].nsd_id))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| {
                crate::error::Error::failure("an image of a training trial is not among the training images")
            })?;
        Ok((self.of_stimuli(&images, progress)?, rows))
    }

    /// The distinct training images, ascending.
    fn training_images(&self, prepared: &PreparedSubject) -> crate::error::Result<Vec<NsdId>> {
        let trials = self.reconstructed.settings.split.split(prepared)?.train;
        Ok(distinct_images(trials.iter().map(|trial| prepared.trials()[*trial])))
    }

    /// Features of training stimuli at the size of the generated pictures.
    fn of_stimuli(&self, images: &[NsdId], progress: &mut dyn Progress) -> crate::error::Result<Array2<f32>> {
        let run = self.reconstructed;
        let side = run.picture(&run.entries[0].ground_truth)?.width();
        let set = StimulusSet { name: "training stimuli", stimuli: &run.settings.stimuli, images, side };
        stimulus_features(self.network, set, &mut Workbench::new(self.device, &self.settings.cache, progress))
    }

    /// What of the pictures is their class; none where the data say nothing of classes.
    fn classes(
        &self,
        sets: &ComparedSets,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<Option<ClassSummary>> {
        let run = self.reconstructed;
        let Some(tree) = NsdTree::of_stimuli(&run.settings.stimuli) else { return Ok(None) };
        let Some(classes) = ImageClasses::read(tree.root())? else { return Ok(None) };
        let train_images = self.training_images(&PreparedSubject::open(&run.settings.prepared)?)?;
        let computed;
        let train = match &sets.train {
            Some((features, _)) => features,
            None => {
                computed = self.of_stimuli(&train_images, progress)?;
                &computed
            }
        };
        let images: Vec<NsdId> = run.entries.iter().map(|entry| NsdId(entry.nsd_id)).collect();
        let (generated, truth) = (&sets.generated, &sets.truth);
        let classed = Classed {
            classes: &classes,
            generated,
            truth,
            images: &images,
            train,
            train_images: &train_images,
        };
        Ok(classed.summary())
    }
}
