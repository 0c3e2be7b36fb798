//! The 348 bytes in front of the values: checked on reading, written as NSD writes them.
//!
//! NSD's files were made by `make_nii`/`save_nii`: one file, little endian, `scl_slope` 0 ("do not scale"),
//! `qform_code` 0, `sform_code` 1, origin in the centre of the grid, no units.

use std::path::Path;

use nifti::{Endianness, NiftiHeader};

use super::affine::Affine;
use crate::data::error::DataError;

/// Bytes of the header proper.
pub(super) const HEADER_BYTES: usize = 348;
/// Where the values of a single-file volume begin: header and four bytes that say "no extensions".
pub(super) const DATA_OFFSET: u64 = 352;

/// Type of the stored numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ElementType {
    U8,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl ElementType {
    /// NIfTI's `datatype` code and this type, for all ten.
    const CODES: [(i16, Self); 10] = [
        (2, Self::U8),
        (4, Self::I16),
        (8, Self::I32),
        (16, Self::F32),
        (64, Self::F64),
        (256, Self::I8),
        (512, Self::U16),
        (768, Self::U32),
        (1024, Self::I64),
        (1280, Self::U64),
    ];

    fn from_code(code: i16) -> Option<Self> {
        Self::CODES.iter().find(|(known, _)| *known == code).map(|(_, element)| *element)
    }

    fn code(self) -> i16 {
        Self::CODES.iter().find(|(_, element)| *element == self).map_or(0, |(code, _)| *code)
    }

    /// Whether it has numbers that single precision does not hold.
    pub fn needs_double(self) -> bool {
        matches!(self, Self::I32 | Self::U32 | Self::I64 | Self::U64 | Self::F64)
    }

    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

/// What a reader needs of the header.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// `[X, Y, Z]`, or `[X, Y, Z, T]` when the file has more than one frame or says it is four-dimensional.
    pub dims: Vec<usize>,
    /// Type of the stored numbers.
    pub element: ElementType,
    /// Edges of a voxel in millimetres, then the repetition time, as the header states them.
    pub pixdim: [f32; 8],
    /// Multiplier of the stored numbers; 1 where the file says 0 ("do not scale").
    pub slope: f64,
    /// Added after multiplying; 0 where the file's slope is 0.
    pub intercept: f64,
    /// Where the voxels lie; nothing when the file does not say.
    pub affine: Option<Affine>,
    /// First byte of the values.
    pub data_offset: u64,
    /// Whether numbers are stored most significant byte first.
    pub big_endian: bool,
}

impl Header {
    /// `[X, Y, Z]`.
    pub fn grid(&self) -> [usize; 3] {
        [self.dims[0], self.dims[1], self.dims[2]]
    }

    /// Number of frames: 1 for a three-dimensional volume.
    pub fn num_frames(&self) -> usize {
        self.dims.get(3).copied().unwrap_or(1)
    }

    /// Values of one frame.
    pub fn frame_len(&self) -> usize {
        self.dims[..3].iter().product()
    }

    /// Bytes of all values.
    pub(super) fn data_bytes(&self) -> Option<u64> {
        self.dims.iter().try_fold(self.element.size() as u64, |product, dim| product.checked_mul(*dim as u64))
    }

    pub(super) fn parse(path: &Path, bytes: &[u8; HEADER_BYTES]) -> Result<Self, DataError> {
        let raw = NiftiHeader::from_reader(bytes.as_slice())
            .map_err(|error| DataError::unreadable(path, format!("not a NIfTI-1 file: {error}")))?;
        if raw.sizeof_hdr != HEADER_BYTES as i32 {
            return Err(DataError::invalid(path, "sizeof_hdr", HEADER_BYTES, raw.sizeof_hdr));
        }
        if raw.magic != *b"n+1\0" {
            let found = String::from_utf8_lossy(&raw.magic[..3]).into_owned();
            return Err(DataError::invalid(path, "magic", "n+1 (header and values in one file)", found));
        }
        let dims = dims(path, &raw.dim)?;
        let element = ElementType::from_code(raw.datatype)
            .ok_or_else(|| DataError::invalid(path, "datatype", "a real numeric type", raw.datatype))?;
        if usize::from(raw.bitpix.unsigned_abs()) != element.size() * 8 {
            let expected = format!("{} for datatype {}", element.size() * 8, raw.datatype);
            return Err(DataError::invalid(path, "bitpix", expected, raw.bitpix));
        }
        if !(raw.vox_offset >= DATA_OFFSET as f32 && raw.vox_offset < 1e9) {
            return Err(DataError::invalid(path, "vox_offset", "352 or more", raw.vox_offset));
        }
        // The standard: a slope of 0 means that no scaling is wanted; a slope that is no number is read likewise everywhere.
        let (slope, intercept) = if raw.scl_slope == 0.0 || !raw.scl_slope.is_finite() {
            (1.0, 0.0)
        } else if raw.scl_inter.is_finite() {
            (f64::from(raw.scl_slope), f64::from(raw.scl_inter))
        } else {
            return Err(DataError::invalid(path, "scl_inter", "a finite number", raw.scl_inter));
        };
        Ok(Self {
            dims,
            element,
            pixdim: raw.pixdim,
            slope,
            intercept,
            affine: Affine::of_header(&raw),
            data_offset: raw.vox_offset as u64,
            big_endian: raw.endianness == Endianness::Big,
        })
    }
}

fn dims(path: &Path, raw: &[u16; 8]) -> Result<Vec<usize>, DataError> {
    let shown = || format!("{raw:?}");
    let num = usize::from(raw[0]);
    if !(1..=7).contains(&num) || raw[1..=num].iter().any(|dim| *dim == 0 || *dim > i16::MAX as u16) {
        return Err(DataError::invalid(path, "dim", "[n, n sizes from 1 to 32767]", shown()));
    }
    let mut dims: Vec<usize> = raw[1..=num].iter().map(|dim| usize::from(*dim)).collect();
    // Trailing axes of length 1 say nothing.
    while dims.len() > 4 && dims.last() == Some(&1) {
        dims.pop();
    }
    dims.resize(dims.len().max(3), 1);
    if dims.len() > 4 {
        return Err(DataError::invalid(path, "dim", "three or four axes", shown()));
    }
    Ok(dims)
}

/// Puts voxels where `affine` says, in a header of [`nsd_header_bytes`].
pub(super) fn place(header: &mut [u8; DATA_OFFSET as usize], affine: &Affine) {
    let mut put = |at: usize, value: f64| header[at..at + 4].copy_from_slice(&(value as f32).to_le_bytes());
    for (row, values) in affine.rows.iter().enumerate() {
        for (column, value) in values.iter().enumerate() {
            put(280 + 16 * row + 4 * column, *value);
        }
    }
    for (axis, edge) in affine.voxel_edges().into_iter().enumerate() {
        put(80 + 4 * axis, edge);
    }
}

/// The header and its four trailing bytes as NSD's export writes them.
///
/// `dims` has three or four members; `voxel_size_mm` and `repetition_time_secs` go to `pixdim`.
pub(super) fn nsd_header_bytes(
    dims: &[usize],
    element: ElementType,
    voxel_size_mm: f64,
    repetition_time_secs: f64,
) -> [u8; DATA_OFFSET as usize] {
    let mut bytes = [0_u8; DATA_OFFSET as usize];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    let float = |value: f64| (value as f32).to_le_bytes();

    put(0, &(HEADER_BYTES as i32).to_le_bytes());
    put(40, &(dims.len() as i16).to_le_bytes());
    for axis in 0..7 {
        let size = dims.get(axis).copied().unwrap_or(1) as i16;
        put(42 + 2 * axis, &size.to_le_bytes());
    }
    put(70, &element.code().to_le_bytes());
    put(72, &(element.size() as i16 * 8).to_le_bytes());
    // pixdim[0] stays 0, as make_nii leaves it.
    for axis in 1..=3 {
        put(76 + 4 * axis, &float(voxel_size_mm));
    }
    put(92, &float(repetition_time_secs));
    for axis in 5..=7 {
        put(76 + 4 * axis, &float(1.0));
    }
    put(108, &float(DATA_OFFSET as f64));
    put(254, &1_i16.to_le_bytes());
    for (axis, row) in [280_usize, 296, 312].into_iter().enumerate() {
        put(row + 4 * axis, &float(voxel_size_mm));
        // The origin of NSD's volumes is the middle of the grid (docs/spec/nsd-format.md §1.4).
        let centre = (dims[axis] as f64 - 1.0) / 2.0;
        put(row + 12, &float(-centre * voxel_size_mm));
    }
    put(344, b"n+1\0");
    bytes
}
