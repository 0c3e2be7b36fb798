//! `mindreader split`: splits that follow from what the images show, stored as files that `split.file` names (docs/runs.md).
//!
//! `cluster`: the images of one k-means cluster of target embeddings are held out. `tau`: near-duplicates, pairs above a cosine, stay on
//! one side, and about a fifth of the images is held out.

mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::rules::{ClusterRule, MOST_CLUSTERS, SplitMaking, TauRule};
use self::rules::{Sides, make};
use crate::commands::train_mapper::TrainMapperConfig;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split_file::{SPLIT_FORMAT, SplitFile};
use crate::error::Error;
use crate::metrics::near_duplicates::largest_cosine;
use crate::models::mapper::MapperTarget;
use crate::pipelines::project::Project;
use crate::pipelines::targets::pixel_targets::PixelTargets;
use crate::pipelines::targets::source::TargetSource;
use crate::pipelines::targets::trial_targets::TrialTargets;
use crate::pipelines::workbench::Workbench;
use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::existing_output::ExistingOutput;
use crate::run::progress::Progress;

/// What says how near two images are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitSpace {
    /// CLIP's image embeddings, as image mappers aim at them.
    #[default]
    Image,
    /// Luminance at 28 × 28, each picture less its own mean: needs no CLIP.
    Pixels,
}

/// Height and width of the pictures of [`SplitSpace::Pixels`].
const PIXEL_SIDE: usize = 28;

/// Which splits to make, and of what.
#[derive(Clone, Debug, Serialize)]
pub struct SplitSettings {
    /// Prepared subject: which images were seen.
    pub prepared: PathBuf,
    /// `nsd_stimuli.hdf5`.
    pub stimuli: PathBuf,
    /// CLIP snapshot; none where pixels decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<PathBuf>,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Where the files go.
    #[serde(skip)]
    pub project: Project,
    /// Form of the embeddings.
    pub mapper: TrainMapperConfig,
    /// The rule.
    pub making: SplitMaking,
    /// Decides what chance decides.
    pub seed: u64,
    /// Whether files that are there give way.
    pub existing: ExistingOutput,
}

impl SplitSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set or no CLIP is there.
    pub fn resolve(
        project: &Project,
        train_mapper: &TrainMapperConfig,
        making: SplitMaking,
        space: SplitSpace,
        existing: ExistingOutput,
    ) -> Result<Self, RunError> {
        Ok(Self {
            prepared: project.prepared(),
            stimuli: NsdTree::new(project.nsd()?).stimuli(),
            clip: match space {
                SplitSpace::Image => Some(project.clip()?),
                SplitSpace::Pixels => None,
            },
            cache: project.cache(),
            device: project.device,
            project: project.clone(),
            mapper: train_mapper.clone(),
            making,
            seed: project.seed,
            existing,
        })
    }
}

/// One split that was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WrittenSplit {
    /// Its name: `split.file` takes it.
    pub name: String,
    /// The file.
    pub file: PathBuf,
    /// Images of training.
    pub num_train_images: usize,
    /// Images that are held out.
    pub num_test_images: usize,
    /// Trials that are held out.
    pub num_test_trials: usize,
    /// Largest cosine between an image of training and one that is held out.
    pub largest_cosine_across: f64,
    /// Digest of the two sides.
    pub sha256: String,
}

/// What was found and written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SplitSummary {
    /// Images that the subject saw.
    pub num_images: usize,
    /// Pairs of near-duplicates, where the rule asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_near_pairs: Option<usize>,
    /// The files.
    pub splits: Vec<WrittenSplit>,
    /// How a command is told to use one.
    pub use_with: String,
}

/// Makes and writes the splits.
///
/// # Errors
/// Numbers of the rule out of range, files that are missing, files that are there already.
pub fn run(settings: &SplitSettings, progress: &mut dyn Progress) -> crate::error::Result<SplitSummary> {
    settings.making.validate()?;
    let (device, _) = device::open(settings.device)?;
    let subject = PreparedSubject::open(&settings.prepared)?;
    let names = settings.making.names();
    let files: Vec<PathBuf> = names.iter().map(|name| settings.project.split_file(name)).collect();
    if let Some(file) = files.iter().find(|file| settings.existing.refuses(file)) {
        let message = format!("`{}` is there already; replace it with `--overwrite`", file.display());
        return Err(Error::bad_input(message));
    }
    let shown = Shown::of(&subject);
    let (vectors, network) =
        vectors(settings, &subject, &shown, &mut Workbench::new(&device, &settings.cache, progress))?;
    let made = make(&settings.making, vectors.view(), &shown.photographs, settings.seed, progress)?;
    progress.start("splits", names.len() as u64);
    let mut splits = Vec::new();
    for ((name, file), sides) in names.into_iter().zip(files).zip(&made.sides) {
        splits.push(write(settings, &shown, &vectors, network.as_deref(), (name, file), sides)?);
        progress.advance(splits.len() as u64, "");
    }
    progress.finish("");
    let first = splits.first().map_or("NAME", |split| &split.name);
    Ok(SplitSummary {
        num_images: shown.images.len(),
        num_near_pairs: made.num_near_pairs,
        use_with: format!("--set split.rule=file --set split.file={first}"),
        splits,
    })
}

/// The images of a subject.
struct Shown {
    subject: String,
    /// Ascending.
    images: Vec<u32>,
    /// First trial of each.
    first_trials: Vec<usize>,
    /// Trials of each.
    num_trials: Vec<usize>,
    /// Photograph of each: crops of one stay together.
    photographs: Vec<u64>,
}

impl Shown {
    fn of(subject: &PreparedSubject) -> Self {
        let mut trials: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (number, trial) in subject.trials().iter().enumerate() {
            trials.entry(trial.nsd_id.0).or_default().push(number);
        }
        let groups = subject.split_groups();
        let first_trials: Vec<usize> = trials.values().map(|trials| trials[0]).collect();
        Self {
            subject: subject.subject().to_string(),
            num_trials: trials.values().map(Vec::len).collect(),
            photographs: first_trials.iter().map(|trial| groups[*trial]).collect(),
            images: trials.into_keys().collect(),
            first_trials,
        }
    }
}

/// A vector for every image, `[images, dimensions]`, and the network that made it.
fn vectors(
    settings: &SplitSettings,
    subject: &PreparedSubject,
    shown: &Shown,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<(Array2<f32>, Option<String>)> {
    let Some(clip) = &settings.clip else {
        let pixels = PixelTargets::load(&settings.stimuli, subject, PIXEL_SIDE, bench.progress)?;
        let mut pictures = pixels.of(&shown.first_trials);
        for mut picture in pictures.rows_mut() {
            let mean = picture.sum() / picture.len().max(1) as f32;
            picture -= mean;
        }
        return Ok((pictures, None));
    };
    let source = TargetSource {
        stimuli: settings.stimuli.clone(),
        captions: PathBuf::new(),
        network: clip.clone(),
        form: settings.mapper.target_form(MapperTarget::Image),
    };
    let targets = TrialTargets::load(source, subject, bench)?;
    Ok((targets.single(&shown.first_trials), Some(targets.network_sha256().to_string())))
}

/// Writes one split.
fn write(
    settings: &SplitSettings,
    shown: &Shown,
    vectors: &Array2<f32>,
    network: Option<&str>,
    (name, file): (String, PathBuf),
    sides: &Sides,
) -> crate::error::Result<WrittenSplit> {
    let of_side = |is_test: bool| -> Vec<usize> {
        (0..shown.images.len()).filter(|image| sides.is_test[*image] == is_test).collect()
    };
    let [train, test] = [of_side(false), of_side(true)];
    if train.is_empty() || test.is_empty() {
        let message = format!("split `{name}`: one side would be empty; choose other numbers of the rule");
        return Err(Error::bad_input(message));
    }
    let [train_vectors, test_vectors] = [&train, &test].map(|side| vectors.select(Axis(0), side));
    let across = largest_cosine(train_vectors.view(), test_vectors.view())?;
    let images = |side: &[usize]| side.iter().map(|image| shown.images[*image]).collect::<Vec<u32>>();
    let (train_images, test_images) = (images(&train), images(&test));
    let mut parameters = settings.making.parameters(&name);
    parameters.insert("seed".into(), Value::from(settings.seed));
    let space = if settings.clip.is_some() { SplitSpace::Image } else { SplitSpace::Pixels };
    parameters.insert("space".into(), serde_json::to_value(space)?);
    let split = SplitFile {
        format: SPLIT_FORMAT.into(),
        subject: shown.subject.clone(),
        rule: settings.making.rule_name().into(),
        parameters,
        network_sha256: network.map(str::to_string),
        sha256: SplitFile::digest(&train_images, &test_images),
        train_images,
        test_images,
        name: name.clone(),
    };
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|error| RunError::unwritable(folder, error))?;
    }
    split.write(&file)?;
    Ok(WrittenSplit {
        name,
        file,
        num_train_images: train.len(),
        num_test_images: test.len(),
        num_test_trials: test.iter().map(|image| shown.num_trials[*image]).sum(),
        largest_cosine_across: across.ok_or_else(|| Error::failure("a side without images"))?,
        sha256: split.sha256,
    })
}
