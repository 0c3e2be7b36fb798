//! Writing, session by session.

use std::ops::Range;
use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::tables::{FORMAT, Provenance, TrialTable, VOXEL_ORDER, VoxelPosition, VoxelTable};
use crate::data::error::DataError;
use crate::data::formats::hdf5::{H5Output, H5Writer};
use crate::data::nsd::tree::Hemisphere;

/// A prepared subject being written; it appears on [`PreparedWriter::finish`].
#[derive(Debug)]
pub struct PreparedWriter {
    // Dropped before the file is closed.
    betas: H5Output,
    writer: H5Writer,
    path: PathBuf,
    rows_written: usize,
    num_trials: usize,
    num_voxels: usize,
}

impl PreparedWriter {
    /// Starts the file with everything but the betas.
    ///
    /// # Errors
    /// [`DataError::unwritable`], also when tables differ in length.
    pub fn create(
        path: &Path,
        provenance: &Provenance,
        trials: &TrialTable,
        voxels: &VoxelTable,
    ) -> Result<Self, DataError> {
        let num_trials = trials.trials.len();
        let num_voxels = voxels.flat_index.len();
        let lengths_agree = num_trials > 0
            && num_voxels > 0
            && trials.is_shared.len() == num_trials
            && trials.coco_ids.as_ref().is_none_or(|ids| ids.len() == num_trials)
            && trials.is_test.as_ref().is_none_or(|flags| flags.len() == num_trials)
            && voxels.hemisphere.len() == num_voxels
            && voxels.noise_ceiling.as_ref().is_none_or(|percent| percent.len() == num_voxels)
            && voxels.rois.values().all(|roi| roi.labels.len() == num_voxels);
        if !lengths_agree {
            let reason = format!("{num_trials} trials and {num_voxels} voxels with tables of other lengths");
            return Err(DataError::unwritable(path, reason));
        }
        let writer = H5Writer::create(path)?;
        write_attributes(&writer, path, provenance)?;
        write_trials(&writer, path, trials)?;
        write_voxels(&writer, path, voxels)?;
        // One trial a chunk: the training reads trials, never single voxels.
        let betas = writer.dataset::<f32>("betas", &[num_trials, num_voxels], Some(&[1, num_voxels]))?;
        Ok(Self { betas, writer, path: path.to_path_buf(), rows_written: 0, num_trials, num_voxels })
    }

    /// Appends the trials of one session.
    ///
    /// # Shapes
    /// - `betas`: `[trials of the session, voxels]`
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn append(&mut self, betas: &Array2<f32>) -> Result<(), DataError> {
        let end = self.rows_written + betas.nrows();
        if betas.ncols() != self.num_voxels || end > self.num_trials {
            let reason = format!("betas {:?} do not fit after row {}", betas.dim(), self.rows_written);
            return Err(DataError::unwritable(&self.path, reason));
        }
        let values: Vec<f32> = betas.iter().copied().collect();
        self.betas.write_block(&[self.rows_written..end, 0..self.num_voxels], &values)?;
        self.rows_written = end;
        Ok(())
    }

    /// Columns.
    pub fn num_voxels(&self) -> usize {
        self.num_voxels
    }

    /// Reads trials back that were appended.
    ///
    /// # Shapes
    /// - output: `[rows, voxels]`
    ///
    /// # Errors
    /// [`DataError::unwritable`], also for rows that were not.
    pub fn written(&self, rows: Range<usize>) -> Result<Array2<f32>, DataError> {
        let num_rows = rows.len();
        let values = self.betas.read_block::<f32>(&[rows, 0..self.num_voxels])?;
        Array2::from_shape_vec((num_rows, self.num_voxels), values)
            .map_err(|error| DataError::unwritable(&self.path, error))
    }

    /// Puts other values in the place of trials that were appended, from row `first` on.
    ///
    /// # Errors
    /// [`DataError::unwritable`], also for rows that were not.
    pub fn replace(&mut self, first: usize, betas: &Array2<f32>) -> Result<(), DataError> {
        let end = first + betas.nrows();
        if betas.ncols() != self.num_voxels || end > self.rows_written {
            let reason = format!("betas {:?} do not fit at row {first}", betas.dim());
            return Err(DataError::unwritable(&self.path, reason));
        }
        let values: Vec<f32> = betas.iter().copied().collect();
        self.betas.write_block(&[first..end, 0..self.num_voxels], &values)
    }

    /// Brings what was written so far to the disk: what is left to do at the end then takes a moment.
    ///
    /// # Errors
    /// [`DataError::unwritable`].
    pub fn sync(&self) -> Result<(), DataError> {
        self.writer.sync()
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// [`DataError::unwritable`], also when trials are missing.
    pub fn finish(self) -> Result<(), DataError> {
        if self.rows_written != self.num_trials {
            let reason = format!("{} of {} trials were written", self.rows_written, self.num_trials);
            return Err(DataError::unwritable(&self.path, reason));
        }
        drop(self.betas);
        self.writer.finish()
    }
}

fn json<T: serde::Serialize>(path: &Path, value: &T) -> Result<String, DataError> {
    serde_json::to_string(value).map_err(|error| DataError::unwritable(path, error))
}

fn write_attributes(writer: &H5Writer, path: &Path, provenance: &Provenance) -> Result<(), DataError> {
    for (name, text) in [
        ("format", FORMAT),
        ("program_version", &provenance.program_version),
        ("subject", &provenance.subject.to_string()),
        ("resolution", &provenance.resolution.to_string()),
        ("betas_version", &provenance.betas_version),
        ("selection", &json(path, &provenance.selection)?),
        ("standardization", &json(path, &provenance.standardization)?.replace('"', "")),
        ("standardization_note", provenance.standardization.description()),
        ("voxel_order", VOXEL_ORDER),
        ("grid", &json(path, &provenance.grid)?),
        ("sources", &json(path, &provenance.sources)?),
    ] {
        writer.text_attribute(name, text)?;
    }
    if let Some(VoxelPosition { affine, source, is_of_betas }) = &provenance.position {
        writer.text_attribute("affine", &json(path, affine)?)?;
        writer.text_attribute("affine_source", source)?;
        writer.text_attribute("affine_is_of_betas", &json(path, is_of_betas)?)?;
    }
    Ok(())
}

fn write_trials(writer: &H5Writer, path: &Path, table: &TrialTable) -> Result<(), DataError> {
    let shape = [table.trials.len()];
    let column =
        |pick: fn(&crate::data::trial::Trial) -> u32| table.trials.iter().map(pick).collect::<Vec<_>>();
    writer.write("nsd_id", &shape, &column(|trial| trial.nsd_id.0))?;
    let sessions: Vec<u16> = table.trials.iter().map(|trial| trial.session).collect();
    writer.write("session", &shape, &sessions)?;
    let repetitions: Vec<u8> = table.trials.iter().map(|trial| trial.repetition).collect();
    writer.write("repeat", &shape, &repetitions)?;
    let shared: Vec<u8> = table.is_shared.iter().map(|is_shared| u8::from(*is_shared)).collect();
    writer.write("shared1000", &shape, &shared)?;
    if let Some(ids) = &table.coco_ids {
        let ids: Vec<u64> = ids.iter().map(|id| id.0).collect();
        writer.write("coco_id", &shape, &ids)?;
    }
    if let Some(flags) = &table.is_test {
        let flags: Vec<u8> = flags.iter().map(|is_test| u8::from(*is_test)).collect();
        writer.write("is_test", &shape, &flags)?;
    }
    if let Some(names) = &table.image_names {
        // As numbers: an attribute holds 64 KiB at most.
        let names = json(path, names)?.into_bytes();
        writer.write("image_names", &[names.len()], &names)?;
    }
    Ok(())
}

fn write_voxels(writer: &H5Writer, path: &Path, table: &VoxelTable) -> Result<(), DataError> {
    let shape = [table.flat_index.len()];
    let indices: Vec<u64> = table.flat_index.iter().map(|index| *index as u64).collect();
    writer.write("flat_index", &shape, &indices)?;
    let sides: Vec<u8> = table
        .hemisphere
        .iter()
        .map(|side| match side {
            None => 0,
            Some(Hemisphere::Left) => 1,
            Some(Hemisphere::Right) => 2,
        })
        .collect();
    writer.write("hemisphere", &shape, &sides)?;
    if let Some(percent) = &table.noise_ceiling {
        writer.write("noise_ceiling", &shape, percent)?;
    }
    writer.group("rois")?;
    for (name, roi) in &table.rois {
        let output = writer.write(&format!("rois/{name}"), &shape, &roi.labels)?;
        output.text_attribute("names", &json(path, &roi.names)?)?;
    }
    Ok(())
}
