//! `mindreader evaluate-images`: Fréchet distance and n-way identification of reconstructed pictures (metrics.md 1 and 2).
//!
//! Writes `config.toml` and `evaluation.json`. Without an Inception snapshot a scene classifier or any CLIP serves as feature
//! network; the numbers then carry another name. With a classifier the evaluation also says what can be named.

mod naming;
mod reconstructed;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

pub use naming::{NamedKind, NamingSummary};
pub use summary::{
    EvaluateImagesSummary, FeatureNetworkSummary, FrechetSummary, IdentificationSummary, RankedPicture,
};

use self::naming::Scored;
use self::reconstructed::Reconstructed;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::trial::NsdId;
use crate::metrics::feature_stats::CovarianceDivisor;
use crate::metrics::identification::{Identification, IdentificationConfig, OwnPicture};
use crate::models::inception::InceptionPreprocessing;
use crate::pipelines::captioned_stimuli::distinct_images;
use crate::pipelines::picture_distance::SetStatistics;
pub use crate::pipelines::picture_features::FeatureSource;
use crate::pipelines::picture_features::{FeatureNetwork, PictureSet, picture_features};
use crate::pipelines::scene_labels::has_scene_annotations;
use crate::pipelines::stimulus_features::{StimulusSet, stimulus_features};
use crate::run::device::{self, DeviceChoice};
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Device;

/// Which decoded trials are identified (OQ-33).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentifiedTrials {
    /// The first decoded trial of every image: the paper's count.
    #[default]
    FirstOfImage,
    /// Every decoded trial.
    All,
}

/// Which real pictures the generated ones are compared with (OQ-32).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RealSets {
    /// Their own ground truth, and the stimuli of all training trials.
    #[default]
    TestAndTrain,
    /// Their own ground truth only.
    Test,
}

/// Protocol of the evaluation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateImagesConfig {
    /// Which real pictures the distance is taken to.
    pub real: RealSets,
    /// How pictures enter the Inception.
    pub preprocessing: InceptionPreprocessing,
    /// What sums of squares are divided by.
    pub divisor: CovarianceDivisor,
    /// Which decoded trials are identified.
    pub trials: IdentifiedTrials,
    /// How they are identified.
    pub identification: IdentificationConfig,
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct EvaluateImagesSettings {
    /// Folder of a finished `reconstruct` run.
    pub evaluated: PathBuf,
    /// Scene classifier that names what pictures show; without one nothing is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classifier: Option<PathBuf>,
    /// Where the features come from.
    pub features: FeatureSource,
    /// Protocol.
    pub evaluate_images: EvaluateImagesConfig,
    /// Folder of cached features.
    pub cache: PathBuf,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of the runs.
    pub runs: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// A run, picture or snapshot that is missing or does not fit; features that are not finite.
pub fn run(
    settings: &EvaluateImagesSettings,
    progress: &mut dyn Progress,
) -> anyhow::Result<EvaluateImagesSummary> {
    let config = &settings.evaluate_images;
    let (device, _) = device::open(settings.device)?;
    let reconstructed = Reconstructed::open(&settings.evaluated)?;
    let network = settings.features.open(config.preprocessing, &device)?;
    let evaluation =
        Evaluation { settings, reconstructed: &reconstructed, network: &network, device: &device };

    let entries = &reconstructed.entries;
    let files = |of: fn(&crate::commands::reconstruct::ManifestEntry) -> &String| {
        entries.iter().map(of).cloned().collect::<Vec<String>>()
    };
    let (generated_files, truth_files) = (files(|entry| &entry.file), files(|entry| &entry.ground_truth));
    let generated = evaluation.of_files("generated pictures", &generated_files, progress)?;
    let truth = evaluation.of_files("ground truth", &truth_files, progress)?;
    let train = match config.real {
        RealSets::Test => None,
        RealSets::TestAndTrain => Some(evaluation.of_training_stimuli(progress)?),
    };

    progress.start("distances", 3);
    let stats =
        |features: &Array2<f32>| SetStatistics::of_rows(features, 0..features.nrows(), config.divisor);
    let (generated_stats, truth_stats) = (stats(&generated)?, stats(&truth)?);
    let test = truth_stats.distance(&generated_stats)?;
    progress.advance(1, "");
    let (of_train, floor) = match &train {
        Some((features, rows)) => {
            let train_stats = SetStatistics::of_rows(features, rows.iter().copied(), config.divisor)?;
            progress.advance(2, "");
            (Some(train_stats.distance(&generated_stats)?), Some(train_stats.distance(&truth_stats)?))
        }
        None => (None, None),
    };
    progress.finish("");
    let ids: Vec<u64> = entries.iter().map(|entry| u64::from(entry.nsd_id)).collect();
    let (identification, own) = identify(&generated, &truth, &ids, config)?;
    let ranked = |(row, own): (usize, OwnPicture)| RankedPicture { file: generated_files[row].clone(), own };
    let pictures = own.into_iter().map(ranked).collect();
    let naming = match &settings.classifier {
        Some(path) => evaluation.naming(path, [&generated_files, &truth_files], progress)?,
        None => None,
    };

    let run = RunDir::create(&settings.runs, &format!("evaluate-images-{}", reconstructed.subject))?;
    run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    let summary = EvaluateImagesSummary {
        run: run.path().to_path_buf(),
        evaluated: settings.evaluated.clone(),
        decoded: reconstructed.settings.reconstruct.trials,
        noise: reconstructed.settings.reconstruct.noise,
        num_pictures: entries.len(),
        num_images: ids.iter().collect::<BTreeSet<_>>().len(),
        features: FeatureNetworkSummary {
            kind: network.kind(),
            snapshot: settings.features.path().to_path_buf(),
            sha256: network.sha256().to_string(),
            preprocessing: network.preprocessing(),
            width: generated.ncols(),
        },
        frechet: FrechetSummary {
            name: network.kind().distance_name(),
            test,
            train: of_train,
            train_floor: floor,
        },
        identification,
        pictures,
        naming,
    };
    run.write_atomic("evaluation.json", &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

struct Evaluation<'a> {
    settings: &'a EvaluateImagesSettings,
    reconstructed: &'a Reconstructed,
    network: &'a FeatureNetwork,
    device: &'a Device,
}

impl Evaluation<'_> {
    /// Features of pictures of the run, in the order of `files`.
    fn of_files(
        &self,
        name: &str,
        files: &[String],
        progress: &mut dyn Progress,
    ) -> anyhow::Result<Array2<f32>> {
        let run = self.reconstructed;
        let identities = files.iter().map(|file| run.identity(file)).collect::<Result<Vec<_>, _>>()?;
        let mut load = |index: usize| Ok(run.picture(&files[index])?);
        let set = PictureSet { name, identities: &identities, load: &mut load };
        picture_features(self.network, set, &self.settings.cache, self.device, progress)
    }

    /// What a classifier names in generated pictures and in their ground truth; none where the tree has no annotations to name by.
    fn naming(
        &self,
        path: &Path,
        files: [&[String]; 2],
        progress: &mut dyn Progress,
    ) -> anyhow::Result<Option<NamingSummary>> {
        let run = self.reconstructed;
        let Some(tree) = NsdTree::of_stimuli(&run.settings.stimuli).filter(has_scene_annotations) else {
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
    fn of_training_stimuli(&self, progress: &mut dyn Progress) -> anyhow::Result<(Array2<f32>, Vec<usize>)> {
        let run = self.reconstructed;
        let side = run.picture(&run.entries[0].ground_truth)?.width();
        let prepared = PreparedSubject::open(&run.settings.prepared)?;
        let trials = run.settings.split.split(&prepared)?.train;
        let images = distinct_images(trials.iter().map(|trial| prepared.trials()[*trial]));
        let rows = trials
            .iter()
            .map(|trial| images.binary_search(&prepared.trials()[*trial].nsd_id))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| anyhow::anyhow!("an image of a training trial is not among the training images"))?;
        let set =
            StimulusSet { name: "training stimuli", stimuli: &run.settings.stimuli, images: &images, side };
        let features = stimulus_features(self.network, set, &self.settings.cache, self.device, progress)?;
        Ok((features, rows))
    }
}

fn identify(
    generated: &Array2<f32>,
    truth: &Array2<f32>,
    ids: &[u64],
    config: &EvaluateImagesConfig,
) -> anyhow::Result<(IdentificationSummary, Vec<(usize, OwnPicture)>)> {
    let mut seen = BTreeSet::new();
    let rows: Vec<usize> = (0..ids.len())
        .filter(|row| seen.insert(ids[*row]) || config.trials == IdentifiedTrials::All)
        .collect();
    let ids: Vec<u64> = rows.iter().map(|row| ids[*row]).collect();
    let num_images = seen.len();
    let (ways, skipped_ways): (Vec<usize>, Vec<usize>) =
        config.identification.ways.iter().partition(|ways| **ways <= num_images);
    let protocol = IdentificationConfig { ways, ..config.identification.clone() };
    let (generated, truth) = (generated.select(Axis(0), &rows), truth.select(Axis(0), &rows));
    let compared = Identification::new(generated.view(), truth.view(), &ids, protocol.distractors)?;
    let own = compared.own_pictures();
    let num_trials = rows.len();
    let own = rows.into_iter().zip(own).collect();
    let summary = IdentificationSummary {
        trials: config.trials,
        num_trials,
        repeats: protocol.repeats,
        accuracies: compared.accuracies(&ids, &protocol)?,
        skipped_ways,
    };
    Ok((summary, own))
}
