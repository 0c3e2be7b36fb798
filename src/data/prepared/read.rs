//! Reading, with every table checked against the size of the betas.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hdf5_metno::H5Type;
use hdf5_metno::types::{FloatSize, TypeDescriptor};
use ndarray::Array2;
use sha2::{Digest, Sha256};

use super::tables::{FORMAT, Provenance, RoiLabels, TrialTable, VoxelPosition, VoxelTable};
use crate::data::error::DataError;
use crate::data::formats::hdf5::{H5Dataset, H5File};
use crate::data::nsd::betas::named_voxel;
use crate::data::nsd::roi_pattern::{RoiSelection, RoiTables, parts_of};
use crate::data::nsd::space::VolumeSpace;
use crate::data::nsd::tree::Hemisphere;
use crate::data::subject::SubjectId;
use crate::data::trial::{CocoId, NsdId, Trial};
use crate::files::say_used;

/// Most voxels of a volume that are taken for meant: 512 along each axis, where NSD's finest grid has 186 at most.
const LARGEST_GRID: usize = 1 << 27;

/// An open prepared subject: tables in memory, betas on disk.
#[derive(Debug)]
pub struct PreparedSubject {
    path: PathBuf,
    provenance: Provenance,
    trials: TrialTable,
    voxels: VoxelTable,
    betas: H5Dataset,
}

impl PreparedSubject {
    /// Opens a file and reads all but the betas.
    ///
    /// # Errors
    /// [`DataError::missing`], [`DataError::unreadable`], or [`DataError::Invalid`] naming dataset or attribute.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let file = H5File::open(path, &needed_for(path))?;
        let format = file.text_attribute("format")?;
        if format != FORMAT {
            return Err(DataError::invalid(path, "attribute `format`", FORMAT, format!("`{format}`")));
        }
        let provenance = provenance(&file)?;
        let betas = file.dataset("betas")?;
        if betas.element()? != TypeDescriptor::Float(FloatSize::U4) {
            return Err(betas.invalid("type", "float32", betas.element()?));
        }
        let shape = betas.require_axes(2)?;
        if shape.contains(&0) {
            return Err(betas.invalid("shape", "at least one trial and one voxel", format!("{shape:?}")));
        }
        // Before anything of that size is made: a header may claim any.
        betas.require_plausible_size::<f32>()?;
        let trials = trials(&file, shape[0])?;
        let voxels = voxels(&file, shape[1])?;
        check_positions(&file, &voxels.flat_index, provenance.grid)?;
        say_used("the prepared subject", path);
        Ok(Self { path: path.to_path_buf(), provenance, trials, voxels, betas })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the data came from.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Whose brain.
    pub fn subject(&self) -> SubjectId {
        self.provenance.subject
    }

    /// Number of rows.
    pub fn num_trials(&self) -> usize {
        self.trials.trials.len()
    }

    /// Number of columns.
    pub fn num_voxels(&self) -> usize {
        self.voxels.flat_index.len()
    }

    /// Session, image and repetition of every row.
    pub fn trials(&self) -> &[Trial] {
        &self.trials.trials
    }

    /// Whether all subjects saw the image, for every row.
    pub fn is_shared(&self) -> &[bool] {
        &self.trials.is_shared
    }

    /// The photograph of every row, when the stimulus table was there.
    pub fn coco_ids(&self) -> Option<&[CocoId]> {
        self.trials.coco_ids.as_deref()
    }

    /// Whether the split that came with the data holds a row out.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when none came with them.
    pub fn require_is_test(&self) -> Result<&[bool], DataError> {
        self.trials.is_test.as_deref().ok_or_else(|| {
            let expected =
                "there for `split.rule = \"given\"`: a column `split` of the trials that were imported";
            DataError::invalid(&self.path, "dataset `/is_test`", expected, "missing")
        })
    }

    /// Whether the file at `path` is a prepared subject with a split of its own. What is wrong with a file, whoever opens it says.
    pub fn has_given_split(path: &Path) -> bool {
        path.is_file() && H5File::open(path, "a prepared subject").is_ok_and(|file| file.has("is_test"))
    }

    /// The name of an image: that of an imported picture, or NSD's number.
    pub fn image_name(&self, image: NsdId) -> String {
        let names = self.trials.image_names.as_ref();
        names.and_then(|names| names.get(image.row()).cloned()).unwrap_or_else(|| image.to_string())
    }

    /// Percent of a single trial's variance that a model of the image could explain at best, by column, NaN where it is not known;
    /// of imported subjects that came with it.
    pub fn noise_ceiling(&self) -> Option<&[f32]> {
        self.voxels.noise_ceiling.as_deref()
    }

    /// Whether the voxels have places in a volume: those of imported arrays have none, unless they came with coordinates.
    pub fn has_volume(&self) -> bool {
        !self.provenance.subject.is_own() || self.provenance.position.is_some()
    }

    /// One number per row that is equal for trials which must stay on one side of a split: the photograph, or the image
    /// where photographs are not known.
    pub fn split_groups(&self) -> Vec<u64> {
        match self.coco_ids() {
            Some(ids) => ids.iter().map(|id| id.0).collect(),
            None => self.trials().iter().map(|trial| u64::from(trial.nsd_id.0)).collect(),
        }
    }

    /// Position of every column in the volume, `x + X·(y + Y·z)`.
    pub fn flat_index(&self) -> &[usize] {
        &self.voxels.flat_index
    }

    /// SHA-256 of the grid and of [`PreparedSubject::flat_index`], in hexadecimal: which voxels they are.
    pub fn voxels_sha256(&self) -> String {
        let mut hash = Sha256::new();
        for number in self.provenance.grid.iter().chain(&self.voxels.flat_index) {
            hash.update((*number as u64).to_le_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The order of voxels that other volumes of the subject are brought into.
    pub fn space(&self) -> VolumeSpace {
        let Provenance { grid, position, .. } = &self.provenance;
        VolumeSpace {
            path: self.path.clone(),
            grid: *grid,
            affine: position.as_ref().map(|position| position.affine),
            is_of_betas: position.as_ref().is_some_and(|position| position.is_of_betas),
        }
    }

    /// Half of the brain of every column, where a file says so.
    pub fn hemispheres(&self) -> &[Option<Hemisphere>] {
        &self.voxels.hemisphere
    }

    /// All betas.
    ///
    /// # Shapes
    /// - output: `[trials, voxels]`
    ///
    /// # Errors
    /// [`DataError::unreadable`] for damage; [`DataError::Invalid`] naming trial and voxel of a number that is not finite.
    pub fn betas(&self) -> Result<Array2<f32>, DataError> {
        let values = self.betas.read_all::<f32>()?;
        let betas = Array2::from_shape_vec((self.num_trials(), self.num_voxels()), values)
            .map_err(|error| self.betas.unreadable(&error))?;
        self.finite(betas, |row| row)
    }

    /// The betas of some trials, in the order given.
    ///
    /// # Shapes
    /// - output: `[rows, voxels]`
    ///
    /// # Errors
    /// [`DataError::Invalid`] for a row that is not there, and naming trial and voxel of a number that is not finite;
    /// [`DataError::unreadable`] for damage.
    pub fn betas_of(&self, rows: &[usize]) -> Result<Array2<f32>, DataError> {
        let num_voxels = self.num_voxels();
        let mut betas = Array2::zeros((rows.len(), num_voxels));
        let mut next = 0;
        while next < rows.len() {
            let first = rows[next];
            // Rows that follow each other in the file are read together.
            let together =
                rows[next..].iter().zip(first..).take_while(|(row, wanted)| *row == wanted).count();
            let values = self.betas.read_block::<f32>(&[first..first + together, 0..num_voxels])?;
            for (mut row, values) in
                betas.rows_mut().into_iter().skip(next).zip(values.chunks_exact(num_voxels))
            {
                row.iter_mut().zip(values).for_each(|(beta, value)| *beta = *value);
            }
            next += together;
        }
        self.finite(betas, |row| rows[row])
    }

    /// The betas, if all are numbers; `trial_of` tells which trial a row shows.
    fn finite(
        &self,
        betas: Array2<f32>,
        trial_of: impl Fn(usize) -> usize,
    ) -> Result<Array2<f32>, DataError> {
        // Checked at every reading: one NaN would spread through a whole batch.
        match betas.indexed_iter().find(|(_, value)| !value.is_finite()) {
            None => Ok(betas),
            Some(((row, voxel), value)) => {
                let voxel = named_voxel(self.voxels.flat_index[voxel], self.provenance.grid);
                let field = format!("betas of trial {}, {voxel}", trial_of(row));
                Err(DataError::invalid(&self.path, field, "a finite number", value))
            }
        }
    }

    /// Names of the ROI files.
    pub fn rois(&self) -> Vec<&str> {
        self.voxels.rois.keys().map(String::as_str).collect()
    }

    /// Labels of one ROI file.
    pub fn roi(&self, name: &str) -> Option<&RoiLabels> {
        self.voxels.rois.get(name)
    }

    /// Columns, ascending, of the voxels that a pattern names: `floc-faces`, `FFA-1`, `V1`, `lh.floc-faces`,
    /// `streams:early` (see `data::nsd::roi_pattern`), or several joined by `+`.
    ///
    /// # Errors
    /// [`DataError::Unknown`] listing the known names; [`DataError::Empty`] when this subject has no such voxel.
    pub fn select(&self, pattern: &str) -> Result<Vec<usize>, DataError> {
        let mut columns = BTreeSet::new();
        for part in parts_of(pattern) {
            columns.extend(self.select_one(&part)?);
        }
        Ok(columns.into_iter().collect())
    }

    fn select_one(&self, pattern: &str) -> Result<Vec<usize>, DataError> {
        let tables: RoiTables =
            self.voxels.rois.iter().map(|(name, roi)| (name.clone(), roi.names.clone())).collect();
        let selection = RoiSelection::resolve(pattern, &tables)?;
        let labels = &self.voxels.rois[&selection.file].labels;
        let columns: Vec<usize> = labels
            .iter()
            .zip(&self.voxels.hemisphere)
            .enumerate()
            .filter(|(_, (label, side))| selection.holds(**label, **side))
            .map(|(column, _)| column)
            .collect();
        if columns.is_empty() {
            let what = format!("the ROI `{pattern}` of {}", self.subject());
            return Err(DataError::empty(what, "none of the prepared voxels lies in it; choose another"));
        }
        Ok(columns)
    }
}

/// What stands in the error where the file is not there: others may be, of other regions, sessions or scalings.
fn needed_for(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let subject = name.split('-').next().unwrap_or_default();
    let entries = std::fs::read_dir(path.parent().unwrap_or(Path::new(".")));
    let mut others: Vec<String> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|other| other.starts_with(&format!("{subject}-")) && other.ends_with(".h5"))
        .collect();
    others.sort();
    if others.is_empty() {
        return "a prepared subject; `mindreader prepare` writes it".into();
    }
    format!(
        "the regions, sessions and betas of these settings (`prepare.*`); `mindreader prepare` writes it; there are {}",
        others.iter().map(|other| format!("`{other}`")).collect::<Vec<_>>().join(", ")
    )
}

fn parse_attribute<T: serde::de::DeserializeOwned>(file: &H5File, name: &str) -> Result<T, DataError> {
    let text = file.text_attribute(name)?;
    serde_json::from_str(&text).map_err(|error| {
        DataError::invalid(file.path(), format!("attribute `{name}`"), "what `prepare` writes", error)
    })
}

fn provenance(file: &H5File) -> Result<Provenance, DataError> {
    let invalid = |name: &str, error: &dyn std::fmt::Display| {
        DataError::invalid(file.path(), format!("attribute `{name}`"), "what `prepare` writes", error)
    };
    let text = |name: &str| file.text_attribute(name);
    let standardization = text("standardization")?;
    Ok(Provenance {
        subject: text("subject")?.parse().map_err(|error| invalid("subject", &error))?,
        resolution: text("resolution")?.parse().map_err(|error| invalid("resolution", &error))?,
        betas_version: text("betas_version")?,
        selection: parse_attribute(file, "selection")?,
        standardization: serde_json::from_value(serde_json::Value::String(standardization))
            .map_err(|error| invalid("standardization", &error))?,
        grid: parse_attribute(file, "grid")?,
        position: position(file)?,
        sources: parse_attribute(file, "sources")?,
        program_version: text("program_version")?,
    })
}

/// Where the voxels lie; nothing in files of earlier versions, and where no file told it.
fn position(file: &H5File) -> Result<Option<VoxelPosition>, DataError> {
    if !file.has_attribute("affine") {
        return Ok(None);
    }
    Ok(Some(VoxelPosition {
        affine: parse_attribute(file, "affine")?,
        source: file.text_attribute("affine_source")?,
        is_of_betas: parse_attribute(file, "affine_is_of_betas")?,
    }))
}

/// A one-dimensional dataset with one value per row or column of the betas.
fn column<T: H5Type>(file: &H5File, name: &str, len: usize) -> Result<Vec<T>, DataError> {
    let dataset = file.dataset(name)?;
    dataset.require_shape(&[len])?;
    dataset.read_all()
}

fn trials(file: &H5File, len: usize) -> Result<TrialTable, DataError> {
    let nsd_ids = column::<u32>(file, "nsd_id", len)?;
    let sessions = column::<u16>(file, "session", len)?;
    let repetitions = column::<u8>(file, "repeat", len)?;
    let trials: Vec<Trial> = nsd_ids
        .into_iter()
        .zip(sessions)
        .zip(repetitions)
        .map(|((nsd_id, session), repetition)| Trial { nsd_id: NsdId(nsd_id), session, repetition })
        .collect();
    let is_shared = column::<u8>(file, "shared1000", len)?.into_iter().map(|flag| flag != 0).collect();
    let coco_ids = if file.has("coco_id") {
        Some(column::<u64>(file, "coco_id", len)?.into_iter().map(CocoId).collect())
    } else {
        None
    };
    let is_test = if file.has("is_test") {
        Some(column::<u8>(file, "is_test", len)?.into_iter().map(|flag| flag != 0).collect())
    } else {
        None
    };
    let image_names = if file.has("image_names") { Some(image_names(file, &trials)?) } else { None };
    Ok(TrialTable { trials, is_shared, coco_ids, is_test, image_names })
}

/// Names of the images by number, at least one for every image of the trials.
fn image_names(file: &H5File, trials: &[Trial]) -> Result<Vec<String>, DataError> {
    let dataset = file.dataset("image_names")?;
    dataset.require_axes(1)?;
    let names: Vec<String> = serde_json::from_slice(&dataset.read_all::<u8>()?)
        .map_err(|error| dataset.invalid("content", "names as JSON", error))?;
    match trials.iter().find(|trial| trial.nsd_id.row() >= names.len()) {
        None => Ok(names),
        Some(trial) => {
            let expected = format!("more than {} (an image of the trials)", trial.nsd_id.row());
            Err(dataset.invalid("number of names", expected, names.len()))
        }
    }
}

/// Refuses positions that leave the volume or do not ascend: they are indices into volumes that other steps make.
fn check_positions(file: &H5File, flat_index: &[usize], grid: [usize; 3]) -> Result<(), DataError> {
    let num_voxels = grid.iter().try_fold(1, |all: usize, axis| all.checked_mul(*axis));
    let Some(num_voxels) = num_voxels.filter(|count| (1..=LARGEST_GRID).contains(count)) else {
        let expected = format!("three axes of 1 to {LARGEST_GRID} voxels together");
        return Err(DataError::invalid(file.path(), "attribute `grid`", expected, format!("{grid:?}")));
    };
    let outside = flat_index.iter().find(|position| **position >= num_voxels);
    let falling = flat_index.windows(2).find(|pair| pair[0] >= pair[1]).map(|pair| &pair[1]);
    match outside.or(falling) {
        Some(position) => {
            let expected = format!("ascending positions below {num_voxels}, in the grid {grid:?}");
            Err(DataError::invalid(file.path(), "dataset `/flat_index`", expected, position))
        }
        None => Ok(()),
    }
}

fn voxels(file: &H5File, len: usize) -> Result<VoxelTable, DataError> {
    let flat_index =
        column::<u64>(file, "flat_index", len)?.into_iter().map(|index| index as usize).collect();
    let hemisphere = column::<u8>(file, "hemisphere", len)?
        .into_iter()
        // 0 is neither: no file tells the half of the brain.
        .map(|side| match side {
            1 => Some(Hemisphere::Left),
            2 => Some(Hemisphere::Right),
            _ => None,
        })
        .collect();
    let mut rois = BTreeMap::new();
    for name in file.members("rois")? {
        let path = format!("rois/{name}");
        let labels = column::<i32>(file, &path, len)?;
        let dataset = file.dataset(&path)?;
        let names = serde_json::from_str(&dataset.text_attribute("names")?)
            .map_err(|error| dataset.invalid("attribute `names`", "label names as JSON", error))?;
        rois.insert(name, RoiLabels { labels, names });
    }
    let noise_ceiling =
        if file.has("noise_ceiling") { Some(column::<f32>(file, "noise_ceiling", len)?) } else { None };
    Ok(VoxelTable { flat_index, hemisphere, rois, noise_ceiling })
}
