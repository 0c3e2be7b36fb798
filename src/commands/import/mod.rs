//! `mindreader import`: data of one's own -> a prepared subject, with pictures and captions where later commands look for them.
//!
//! Every file is opened and held against the others before the first beta is read; betas then pass in blocks.

mod config;
mod replaced;
mod sizes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

pub use self::config::{ImportConfig, ImportSettings, StandardizeBy};
use self::replaced::remove_derived;
use self::sizes::FittingSizes;
use super::prepare::{RoiCount, roi_counts};
use crate::data::error::DataError;
use crate::data::import::array::ArrayInput;
use crate::data::import::array_name::ArrayName;
use crate::data::import::betas::BetaFiles;
use crate::data::import::classes::ImageClasses;
use crate::data::import::pictures::Pictures;
use crate::data::import::regions::{Regions, read_noise_ceiling};
use crate::data::import::stimulus_files::{Captions, read_captions, write_stimuli};
use crate::data::import::targets::{read_targets, write_targets};
use crate::data::import::trials::TrialList;
use crate::data::import::voxels::VoxelPlaces;
use crate::data::import::writing::BetasToWrite;
use crate::data::prepared::{PreparedWriter, Provenance, SourceFile, TrialTable, VoxelTable};
use crate::data::standardize::Standardization;
use crate::data::subject::{Resolution, SubjectId};
use crate::error::Error;
use crate::files::{PendingFolder, write_atomic};
use crate::interrupt::Shelter;
use crate::pipelines::project::SIZES_FILE;
use crate::run::progress::Progress;
use crate::run::run_dir::this_process;

/// What was brought in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImportSummary {
    /// The prepared file (HDF5).
    pub out: PathBuf,
    /// Size of the file in bytes.
    pub out_bytes: u64,
    /// Folder of pictures and captions.
    pub folder: PathBuf,
    /// The subject.
    pub subject: SubjectId,
    /// Sessions among the trials.
    pub num_sessions: usize,
    /// Trials: rows of the betas.
    pub num_trials: usize,
    /// Trials that the data hold out; none where they say nothing of it, and then other splits do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_test_trials: Option<usize>,
    /// Distinct pictures.
    pub num_images: usize,
    /// Edge at which the pictures are kept, in pixels.
    pub image_side: usize,
    /// Captions of the pictures; without any, only what needs none can be run.
    pub num_captions: usize,
    /// Classes of the pictures; none where the data say nothing of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_classes: Option<usize>,
    /// Width of the embeddings that came along, for `train_mapper.own_targets`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_width: Option<usize>,
    /// Sizes of networks that fit the data, as a settings file that every command for the subject takes.
    pub sizes: PathBuf,
    /// Voxels: columns of the betas.
    pub num_voxels: usize,
    /// Voxels that are constant in at least one session.
    pub num_constant_voxels: usize,
    /// Whether the voxels have places in space; without, there are no volumes and no views of the brain.
    pub has_places: bool,
    /// Whether a noise ceiling came along.
    pub has_noise_ceiling: bool,
    /// Scaling of the betas.
    pub standardization: Standardization,
    /// Counts per region.
    pub rois: BTreeMap<String, RoiCount>,
    /// Screened captions and splits of an earlier subject of this name, which are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<PathBuf>,
}

/// What is read before the first beta, each file held against the others.
struct Plan {
    betas: BetaFiles,
    places: VoxelPlaces,
    pictures: Pictures,
    trials: TrialList,
    captions: Option<Captions>,
    classes: Option<ImageClasses>,
    targets: Option<Array2<f32>>,
    table: VoxelTable,
    image_side: usize,
    standardization: Standardization,
}

/// Writes the prepared file of a subject, its pictures and captions, whole or not at all.
///
/// # Errors
/// [`DataError`] for everything the user can put right; nothing is left half written.
pub fn run(settings: &ImportSettings, progress: &mut dyn Progress) -> crate::error::Result<ImportSummary> {
    let ImportSettings { subject, out, folder, .. } = settings;
    refuse_existing(settings)?;
    progress.start(&format!("looking through the files of {subject}"), 0);
    let mut plan = advised_plan(settings)?;
    progress.finish("");
    say(&plan, progress);
    let sizes = fitting_sizes(settings, &plan);
    progress.note(&format!("Sizes: {}; all in `{}`.", sizes.words(), folder.join(SIZES_FILE).display()));
    let pending = PendingFolder::create(folder, &this_process())?;
    // Once more: another process may have brought the subject in since.
    refuse_existing(settings)?;
    let images = &plan.trials.images;
    progress.start("pictures", images.len() as u64);
    let mut pictures_done = |done: usize| progress.advance(done as u64, "");
    let captions = plan.captions.as_ref();
    write_stimuli(pending.path(), images, &mut plan.pictures, plan.image_side, captions, &mut pictures_done)?;
    if let Some(classes) = &plan.classes {
        classes.write(pending.path())?;
    }
    if let Some(targets) = &plan.targets {
        write_targets(pending.path(), targets)?;
    }
    write_atomic(&pending.path().join(SIZES_FILE), sizes.text(*subject).as_bytes())?;
    progress.finish("");
    let mut summary = summary(settings, &plan);
    let trials = trial_table(&plan);
    let provenance = provenance(settings, &plan)?;
    let mut writer = PreparedWriter::create(out, &provenance, &trials, &plan.table)?;
    let Plan { betas, places, trials, table, standardization, .. } = plan;
    let steps = if standardization == Standardization::None { 1 } else { 2 };
    progress.start("betas", steps * betas.num_trials() as u64);
    let allow_constant = settings.import.allow_constant;
    let to_write = BetasToWrite {
        betas,
        places: &places,
        trials: &trials,
        standardization,
        allow_constant,
        table: &table,
    };
    summary.num_constant_voxels =
        to_write.write(&mut writer, &mut |done| progress.advance(done as u64, ""))?;
    // Outside of the shelter, which is for a moment.
    writer.sync()?;
    {
        let _shelter = Shelter::new();
        // The older pictures, if there were any, go, and what was made of them.
        drop(pending.commit(|| writer.finish())?);
        summary.removed = remove_derived(settings)?;
    }
    summary.out_bytes = std::fs::metadata(out).map_or(0, |metadata| metadata.len());
    progress.finish(&format!("{} trials of {} voxels", summary.num_trials, summary.num_voxels));
    Ok(summary)
}

/// What is to be imported; where it cannot be, with the advice of the settings.
fn advised_plan(settings: &ImportSettings) -> crate::error::Result<Plan> {
    plan(&settings.import).map_err(|error| {
        let error = Error::from(error);
        match settings.import.advice() {
            Some(advice) => error.or_hint(advice),
            None => error,
        }
    })
}

/// Sizes of networks that the pictures and the device allow.
fn fitting_sizes(settings: &ImportSettings, plan: &Plan) -> FittingSizes {
    FittingSizes {
        num_images: plan.trials.images.len(),
        image_side: plan.image_side,
        has_gpu: settings.device.is_gpu(),
    }
}

/// Complains of a subject that is there.
fn refuse_existing(settings: &ImportSettings) -> Result<(), DataError> {
    match [&settings.out, &settings.folder].into_iter().find(|path| settings.existing.refuses(path)) {
        None => Ok(()),
        Some(path) => Err(DataError::unwritable(path, "it is there already; allow it with `--overwrite`")),
    }
}

/// Opens every file and holds it against the others.
fn plan(import: &ImportConfig) -> Result<Plan, DataError> {
    let mask = import.mask.as_deref().map(VoxelPlaces::of_mask).transpose()?;
    let names: Vec<ArrayName> = import.betas.iter().chain(&import.test_betas).cloned().collect();
    let betas = BetaFiles::open(&names, mask.as_ref().and_then(|mask| mask.mask.as_ref()))?;
    let num_test_files = import.test_betas.len();
    let first_test = (num_test_files > 0).then(|| {
        let files = &betas.files()[..names.len() - num_test_files];
        files.iter().map(|file| file.num_trials()).sum()
    });
    let places = match (mask, &import.coordinates, &import.affine) {
        (Some(mask), ..) => mask,
        (None, Some(coordinates), Some(affine)) => {
            VoxelPlaces::of_coordinates(coordinates, affine, betas.num_voxels())?
        }
        _ => VoxelPlaces::unknown(betas.num_voxels()),
    };
    let mut pictures = Pictures::open(&import.images, import.image_order)?;
    let trials = trials(import, &pictures, &betas, first_test)?;
    let classes = classes(import, &trials)?;
    let captions = captions(import, &trials, &pictures, classes.as_deref())?;
    let targets = import.targets.as_ref();
    let targets = targets
        .map(|name| read_targets(name, import.target_names.as_deref(), &trials.images, &pictures))
        .transpose()?;
    let Regions { rois, hemisphere } = Regions::read(&import.rois, &places)?;
    let ceiling = import.noise_ceiling.as_ref().map(|name| read_noise_ceiling(name, &places)).transpose()?;
    let flat_index = places.flat_index.clone();
    let table = VoxelTable { flat_index, hemisphere, rois, noise_ceiling: ceiling };
    let usual = if trials.is_test.is_some() { StandardizeBy::Train } else { StandardizeBy::Session };
    let standardization = import.standardize.unwrap_or(usual).into();
    let image_side = pictures.common_side(&trials.images)?;
    let classes = classes.as_deref().map(ImageClasses::new);
    Ok(Plan {
        betas,
        places,
        pictures,
        trials,
        captions,
        classes,
        targets,
        table,
        image_side,
        standardization,
    })
}

/// The trials, whose pictures are all there.
fn trials(
    import: &ImportConfig,
    pictures: &Pictures,
    betas: &BetaFiles,
    first_test: Option<usize>,
) -> Result<TrialList, DataError> {
    let Some(path) = &import.trials else {
        let Some((count, name)) = pictures.count() else {
            return Err(DataError::missing(
                "--trials",
                "pictures of a folder: it tells which one a trial showed",
            ));
        };
        return TrialList::in_order(count, name, betas, first_test);
    };
    let trials = TrialList::read(path, betas, first_test)?;
    for (number, name) in trials.images.iter().enumerate() {
        if !pictures.has(name)? {
            let row = trials.trials.iter().position(|trial| trial.nsd_id.row() == number).unwrap_or(0);
            let found = format!("`{}`", crate::error::one_line(name));
            let field = format!("column `image`, row {}", row + 1);
            return Err(DataError::invalid(path, field, pictures.expected_name(), found));
        }
    }
    Ok(trials)
}

/// The captions of every picture, from their table or by their classes.
fn captions(
    import: &ImportConfig,
    trials: &TrialList,
    pictures: &Pictures,
    classes: Option<&[String]>,
) -> Result<Option<Captions>, DataError> {
    if let Some(path) = &import.captions {
        return read_captions(path, &trials.images, pictures).map(Some);
    }
    let of_class = |class: &String| match import.label_captions.get(class) {
        Some(captions) => captions.clone(),
        None => vec![format!("a picture of {class}")],
    };
    Ok(classes.map(|classes| classes.iter().map(of_class).collect()))
}

/// The class of every picture: from the column of the table, or by the numbers of `import.labels`.
fn classes(import: &ImportConfig, trials: &TrialList) -> Result<Option<Vec<String>>, DataError> {
    if import.labels.is_empty() {
        return Ok(trials.classes.clone());
    }
    if let (Some(table), Some(_)) = (&trials.table, &trials.classes) {
        return Err(DataError::invalid(table, "column `class`", "none beside `import.labels`", "there"));
    }
    let mut labels = Vec::new();
    for name in &import.labels {
        let mut array = ArrayInput::open(name, &[1, 2], "the classes of the trials")?;
        labels.extend(array.all()?);
    }
    let first = import.labels[0].shown();
    if labels.len() != trials.trials.len() {
        let expected = format!("{}, one a trial", trials.trials.len());
        return Err(DataError::invalid(first, "number of labels", expected, labels.len()));
    }
    let mut classes = vec![String::new(); trials.images.len()];
    for (row, (trial, label)) in trials.trials.iter().zip(&labels).enumerate() {
        let class = label.to_string();
        let wrong = |expected: String| {
            DataError::invalid(&first, format!("label of row {}", row + 1), expected, label)
        };
        if !import.label_captions.contains_key(&class) {
            let known: Vec<&String> = import.label_captions.keys().collect();
            return Err(wrong(format!("one of `import.label_captions`: {known:?}")));
        }
        let of_picture = &mut classes[trial.nsd_id.row()];
        if !of_picture.is_empty() && *of_picture != class {
            return Err(wrong("that of the other trials of its picture".into()));
        }
        *of_picture = class;
    }
    Ok(Some(classes))
}

/// What the user should know before it is used.
fn say(plan: &Plan, progress: &mut dyn Progress) {
    progress.note(&format!("Betas: {}.", plan.standardization.description()));
    if plan.captions.is_none() {
        progress.note("No captions: what needs none can be run (image mapper, `evaluate`, `encode`).");
    }
    if plan.places.position.is_none() {
        progress.note("No places of the voxels: no volumes and no views of the brain.");
    }
}

fn trial_table(plan: &Plan) -> TrialTable {
    TrialTable {
        trials: plan.trials.trials.clone(),
        is_shared: vec![false; plan.trials.trials.len()],
        coco_ids: None,
        is_test: plan.trials.is_test.clone(),
        image_names: Some(plan.trials.images.clone()),
    }
}

fn summary(settings: &ImportSettings, plan: &Plan) -> ImportSummary {
    let mut sessions: Vec<u16> = plan.trials.trials.iter().map(|trial| trial.session).collect();
    sessions.sort_unstable();
    sessions.dedup();
    let is_test = plan.trials.is_test.as_ref();
    ImportSummary {
        out: settings.out.clone(),
        out_bytes: 0,
        folder: settings.folder.clone(),
        subject: settings.subject,
        num_sessions: sessions.len(),
        num_trials: plan.trials.trials.len(),
        num_test_trials: is_test.map(|flags| flags.iter().filter(|is_test| **is_test).count()),
        num_images: plan.trials.images.len(),
        image_side: plan.image_side,
        num_captions: plan.captions.iter().flatten().map(Vec::len).sum(),
        num_classes: plan.classes.as_ref().map(|classes| classes.names().len()),
        target_width: plan.targets.as_ref().map(Array2::ncols),
        sizes: settings.folder.join(SIZES_FILE),
        num_voxels: plan.places.num_voxels(),
        num_constant_voxels: 0,
        has_places: plan.places.position.is_some(),
        has_noise_ceiling: plan.table.noise_ceiling.is_some(),
        standardization: plan.standardization,
        rois: roi_counts(&plan.table),
        removed: Vec::new(),
    }
}

fn provenance(settings: &ImportSettings, plan: &Plan) -> Result<Provenance, DataError> {
    let ImportConfig { mask, trials, captions, rois, coordinates, affine, noise_ceiling, .. } =
        &settings.import;
    let tables = [mask, trials, captions, coordinates, affine].into_iter().flatten().chain(rois);
    let mut paths: Vec<PathBuf> = plan.betas.files().iter().map(|file| file.path().into()).collect();
    paths.extend(tables.chain(noise_ceiling.iter().map(|name| &name.path)).cloned());
    paths.extend(settings.import.images.iter().map(|name| name.path.clone()));
    paths.dedup();
    Ok(Provenance {
        subject: settings.subject,
        // NSD's two resolutions say nothing of other data; what lies where is told by `position`.
        resolution: Resolution::default(),
        betas_version: "imported".into(),
        selection: vec!["all voxels".into()],
        standardization: plan.standardization,
        grid: plan.places.grid,
        position: plan.places.position.clone(),
        sources: paths.iter().map(|path| source(path)).collect::<Result<_, _>>()?,
        program_version: env!("CARGO_PKG_VERSION").into(),
    })
}

/// A file by its name, size and age.
fn source(path: &Path) -> Result<SourceFile, DataError> {
    let metadata = std::fs::metadata(path).map_err(|error| DataError::from_io(path, "its record", &error))?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok(SourceFile {
        path: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        bytes: metadata.len(),
        modified_unix_secs: modified.map_or(0, |time| time.as_secs()),
    })
}
