//! Writing volumes with exactly the header of NSD's own files.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::affine::Affine;
use super::header::{ElementType, nsd_header_bytes, place};
use crate::data::error::DataError;
use crate::files::AtomicFile;

/// Values of one frame (or, in [`write_volume`], of all frames), x fastest.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    /// Stored as `int16`.
    I16(&'a [i16]),
    /// Stored as `float32`.
    F32(&'a [f32]),
    /// Stored as `float64`.
    F64(&'a [f64]),
}

impl Frame<'_> {
    fn len(&self) -> usize {
        match self {
            Self::I16(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    fn element(&self) -> ElementType {
        match self {
            Self::I16(_) => ElementType::I16,
            Self::F32(_) => ElementType::F32,
            Self::F64(_) => ElementType::F64,
        }
    }

    fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::I16(values) => values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes())),
            Self::F32(values) => values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes())),
            Self::F64(values) => values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes())),
        }
    }
}

enum Sink {
    Plain(BufWriter<AtomicFile>),
    Gzip(Box<GzEncoder<BufWriter<AtomicFile>>>),
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(out) => out.flush(),
        }
    }
}

/// A volume being written frame by frame; the file appears on [`NiftiWriter::finish`].
pub struct NiftiWriter {
    path: PathBuf,
    out: BufWriter<Sink>,
    element: ElementType,
    frame_len: usize,
    frames_left: usize,
}

impl NiftiWriter {
    /// Starts a volume of `dims` = `[X, Y, Z]` or `[X, Y, Z, T]`; gzipped when the name ends in `.gz`.
    ///
    /// # Errors
    /// [`DataError::unwritable`] for a bad size or an output that cannot be created.
    pub fn create(
        path: &Path,
        dims: &[usize],
        element: ElementType,
        voxel_size_mm: f64,
        repetition_time_secs: f64,
    ) -> Result<Self, DataError> {
        Self::start(path, dims, element, None, voxel_size_mm, repetition_time_secs)
    }

    /// As [`NiftiWriter::create`]; voxels lie where `affine` says, or around the origin.
    fn start(
        path: &Path,
        dims: &[usize],
        element: ElementType,
        affine: Option<&Affine>,
        voxel_size_mm: f64,
        repetition_time_secs: f64,
    ) -> Result<Self, DataError> {
        let in_range = |dim: &usize| (1..=i16::MAX as usize).contains(dim);
        if !(3..=4).contains(&dims.len()) || !dims.iter().all(in_range) {
            return Err(DataError::unwritable(
                path,
                format!("a NIfTI volume cannot have the sizes {dims:?}"),
            ));
        }
        let file = BufWriter::with_capacity(1 << 18, AtomicFile::create(path)?);
        let sink = if path.extension().is_some_and(|extension| extension == "gz") {
            Sink::Gzip(Box::new(GzEncoder::new(file, Compression::fast())))
        } else {
            Sink::Plain(file)
        };
        // In front of gzip too: the numbers come one by one.
        let mut out = BufWriter::with_capacity(1 << 16, sink);
        let mut header = nsd_header_bytes(dims, element, voxel_size_mm, repetition_time_secs);
        if let Some(affine) = affine {
            place(&mut header, affine);
        }
        out.write_all(&header).map_err(|error| DataError::unwritable(path, error))?;
        let frames_left = dims.get(3).copied().unwrap_or(1);
        let frame_len = dims[..3].iter().product();
        Ok(Self { path: path.to_path_buf(), out, element, frame_len, frames_left })
    }

    /// Appends one frame.
    ///
    /// # Errors
    /// [`DataError::unwritable`] for a frame of another type or size, one too many, or a failing disk.
    pub fn write_frame(&mut self, frame: Frame<'_>) -> Result<(), DataError> {
        if frame.element() != self.element || frame.len() != self.frame_len || self.frames_left == 0 {
            let reason = format!(
                "a frame of {} {:?} was given where {} {:?} and {} more frames are due",
                frame.len(),
                frame.element(),
                self.frame_len,
                self.element,
                self.frames_left
            );
            return Err(DataError::unwritable(&self.path, reason));
        }
        self.frames_left -= 1;
        frame.write_to(&mut self.out).map_err(|error| DataError::unwritable(&self.path, error))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// [`DataError::unwritable`] when frames are missing or the disk fails.
    pub fn finish(self) -> Result<(), DataError> {
        let Self { path, out, frames_left, .. } = self;
        if frames_left > 0 {
            return Err(DataError::unwritable(&path, format!("{frames_left} frames were never written")));
        }
        let unwritable = |error: io::Error| DataError::unwritable(&path, error);
        let sink = out.into_inner().map_err(|error| unwritable(error.into_error()))?;
        let file = match sink {
            Sink::Plain(file) => file,
            Sink::Gzip(encoder) => encoder.finish().map_err(unwritable)?,
        };
        let file = file.into_inner().map_err(|error| unwritable(error.into_error()))?;
        Ok(file.commit()?)
    }
}

/// Writes a whole volume; `values` hold all frames.
///
/// # Errors
/// [`DataError::unwritable`].
pub fn write_volume(
    path: &Path,
    dims: &[usize],
    values: Frame<'_>,
    voxel_size_mm: f64,
    repetition_time_secs: f64,
) -> Result<(), DataError> {
    write_volume_at(path, dims, values, None, voxel_size_mm, repetition_time_secs)
}

/// As [`write_volume`], with voxels where `affine` says; without one they lie around the origin.
///
/// # Errors
/// [`DataError::unwritable`].
pub fn write_volume_at(
    path: &Path,
    dims: &[usize],
    values: Frame<'_>,
    affine: Option<&Affine>,
    voxel_size_mm: f64,
    repetition_time_secs: f64,
) -> Result<(), DataError> {
    let element = values.element();
    let mut writer = NiftiWriter::start(path, dims, element, affine, voxel_size_mm, repetition_time_secs)?;
    let len = writer.frame_len;
    if values.len() != len * writer.frames_left {
        return Err(DataError::unwritable(path, format!("{} values do not fill {dims:?}", values.len())));
    }
    for frame in 0..writer.frames_left {
        let range = frame * len..(frame + 1) * len;
        writer.write_frame(match values {
            Frame::I16(all) => Frame::I16(&all[range]),
            Frame::F32(all) => Frame::F32(&all[range]),
            Frame::F64(all) => Frame::F64(&all[range]),
        })?;
    }
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::formats::nifti::read_volume;

    #[test]
    fn a_volume_lies_where_it_was_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("placed.nii.gz");
        let affine = Affine { rows: [[-1.5, 0.0, 0.0, 70.5], [0.0, 0.0, 2.5, -3.0], [0.0, 2.0, 0.0, 0.25]] };
        write_volume_at(&path, &[2, 1, 1], Frame::F32(&[4.0, 5.0]), Some(&affine), 1.8, 1.0).unwrap();
        let volume = read_volume(&path, "a test").unwrap();
        assert_eq!((volume.affine, volume.data), (Some(affine), vec![4.0, 5.0]));
        assert_eq!(volume.pixdim[1..=4], [1.5, 2.0, 2.5, 1.0]);
    }
}
