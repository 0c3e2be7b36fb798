//! Reading volumes, frame by frame.

use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::affine::Affine;
use super::header::{ElementType, HEADER_BYTES, Header};
use crate::data::error::DataError;
use crate::data::formats::gzip::{self, GzipReader};
use crate::files::{InputKind, open_input};
use crate::interrupt;

/// Deflate cannot shrink data by more than this factor, so a larger claim is a lie.
const MAX_DEFLATE_RATIO: u64 = 1032;

/// A whole volume in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    /// `[X, Y, Z]` or `[X, Y, Z, T]`; a single frame has no fourth axis, whatever the file says.
    pub dims: Vec<usize>,
    /// Scaled values, x fastest.
    pub data: Vec<f64>,
    /// Header field: voxel edges in millimetres at 1..=3, repetition time at 4.
    pub pixdim: [f32; 8],
    /// Where the voxels lie; nothing when the file does not say.
    pub affine: Option<Affine>,
}

impl Volume {
    /// `[X, Y, Z]`.
    pub fn grid(&self) -> [usize; 3] {
        [self.dims[0], self.dims[1], self.dims[2]]
    }
}

/// Reads a volume whole; meant for masks and maps, not for betas.
///
/// # Errors
/// Those of [`NiftiReader::open`] and [`NiftiReader::read_frame`].
pub fn read_volume(path: &Path, needed_for: &str) -> Result<Volume, DataError> {
    let mut reader = NiftiReader::open(path, needed_for)?;
    let header = reader.header().clone();
    let mut data = Vec::new();
    let mut frame = Vec::new();
    for _ in 0..header.num_frames() {
        reader.read_frame(&mut frame)?;
        data.append(&mut frame);
    }
    let mut dims = header.dims;
    // FSL and nilearn write masks of [x, y, z, 1].
    if dims.get(3) == Some(&1) {
        dims.pop();
    }
    Ok(Volume { dims, data, pixdim: header.pixdim, affine: header.affine })
}

/// Checks that a volume is whole by reading all of it.
///
/// # Errors
/// Those of [`NiftiReader::open`] and [`NiftiReader::read_frame`].
pub fn check_whole(path: &Path, needed_for: &str) -> Result<(), DataError> {
    let mut reader = NiftiReader::open(path, needed_for)?;
    let mut frame = Vec::new();
    (0..reader.header().num_frames()).try_for_each(|_| reader.read_frame(&mut frame))
}

/// Checks that nothing is missing of a volume: its header goes with the length of its values. A gzip file ends with that length
/// (modulo 2^32); only where that does not fit are the values decompressed.
///
/// # Errors
/// Those of [`NiftiReader::open`] and [`NiftiReader::read_frame`].
pub fn check_size(path: &Path, needed_for: &str) -> Result<(), DataError> {
    // The length of a file that is not compressed is checked on opening.
    let reader = NiftiReader::open(path, needed_for)?;
    let header = reader.header();
    let length = header.data_bytes().and_then(|bytes| bytes.checked_add(header.data_offset));
    if !reader.is_gzip || length.map(|length| length as u32) == gzip_length(path) {
        return Ok(());
    }
    check_whole(path, needed_for)
}

/// The last four bytes of a gzip file.
fn gzip_length(path: &Path) -> Option<u32> {
    let mut file = open_input(path, InputKind::Parts).ok()?;
    file.seek(SeekFrom::End(-4)).ok()?;
    let mut bytes = [0_u8; 4];
    file.read_exact(&mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes))
}

/// An open volume; frames come one after the other.
pub struct NiftiReader {
    path: PathBuf,
    header: Header,
    source: Box<dyn Read>,
    is_gzip: bool,
    bytes: Vec<u8>,
    frames_read: usize,
}

impl NiftiReader {
    /// Opens a `.nii` or `.nii.gz` and checks its header against the length of the file.
    ///
    /// # Errors
    /// [`DataError::missing`] with `needed_for`, [`DataError::unreadable`] when it is no NIfTI-1 file or ends early,
    /// [`DataError::Invalid`] naming the header field.
    pub fn open(path: &Path, needed_for: &str) -> Result<Self, DataError> {
        let io = |error: std::io::Error| DataError::from_io(path, needed_for, &error);
        let mut file = open_input(path, InputKind::Parts).map_err(io)?;
        let file_bytes = file.metadata().map_err(io)?.len();
        // Decided by content: a gzip member begins with these two bytes, a NIfTI header never does.
        let mut start = [0_u8; 2];
        let is_gzip = file.read(&mut start).map_err(io)? == 2 && start == gzip::START;
        file.rewind().map_err(io)?;
        let buffered = BufReader::with_capacity(1 << 18, file);
        let mut source: Box<dyn Read> =
            if is_gzip { Box::new(GzipReader::new(path, buffered)) } else { Box::new(buffered) };

        let mut bytes = [0_u8; HEADER_BYTES];
        source.read_exact(&mut bytes).map_err(|error| early_end(path, "the header", &error))?;
        let header = Header::parse(path, &bytes)?;
        check_length(path, &header, file_bytes, is_gzip)?;
        let gap = header.data_offset - HEADER_BYTES as u64;
        let skipped = std::io::copy(&mut source.by_ref().take(gap), &mut std::io::sink()).map_err(io)?;
        if skipped < gap {
            return Err(DataError::invalid(
                path,
                "vox_offset",
                "a position inside the file",
                header.data_offset,
            ));
        }
        Ok(Self { path: path.to_path_buf(), header, source, is_gzip, bytes: Vec::new(), frames_read: 0 })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Reads the next frame into `frame` (cleared first): `X·Y·Z` scaled values, x fastest.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when the file ends early or no frame is left; [`DataError::unreadable`] for compressed values that are
    /// damaged, which may show on the last frame only: the checksum is behind it.
    pub fn read_frame(&mut self, frame: &mut Vec<f64>) -> Result<(), DataError> {
        if self.frames_read == self.header.num_frames() {
            let frames = self.header.num_frames();
            return Err(DataError::invalid(&self.path, "number of frames", frames + 1, frames));
        }
        let len = self.header.frame_len() * self.header.element.size();
        self.bytes.clear();
        // `take` grows with what is really there, so a lying header costs no memory.
        self.source
            .by_ref()
            .take(len as u64)
            .read_to_end(&mut self.bytes)
            .map_err(|error| early_end(&self.path, "the values", &error))?;
        if self.bytes.len() < len {
            let frame = format!("values of frame {}", self.frames_read);
            let found = format!("cut off after {} bytes", self.bytes.len());
            return Err(DataError::invalid(&self.path, frame, format!("{len} bytes"), found));
        }
        self.frames_read += 1;
        frame.clear();
        decode(&self.bytes, &self.header, frame);
        if self.is_gzip && self.frames_read == self.header.num_frames() { self.read_to_end() } else { Ok(()) }
    }

    /// Reads what is behind the values, so that checksum and length of a gzip stream are held against them.
    fn read_to_end(&mut self) -> Result<(), DataError> {
        let mut bytes = vec![0; 1 << 16];
        loop {
            interrupt::check()?;
            match self.source.read(&mut bytes) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(early_end(&self.path, "the checksum of its gzip stream", &error)),
            }
        }
    }
}

fn early_end(path: &Path, part: &str, error: &std::io::Error) -> DataError {
    if error.kind() == ErrorKind::UnexpectedEof {
        DataError::unreadable(path, format!("the file ends inside {part}"))
    } else {
        DataError::unreadable(path, format!("{part}: {error}"))
    }
}

fn check_length(path: &Path, header: &Header, file_bytes: u64, is_gzip: bool) -> Result<(), DataError> {
    let needed = header.data_bytes().and_then(|bytes| bytes.checked_add(header.data_offset));
    // gzip does not say how much it holds: the most that deflate can shrink is the bound.
    let available = if is_gzip { file_bytes.saturating_mul(MAX_DEFLATE_RATIO) } else { file_bytes };
    match needed {
        Some(needed) if needed <= available => Ok(()),
        _ => Err(DataError::invalid(
            path,
            "dim",
            format!("sizes that fit into {file_bytes} bytes of file"),
            format!("{:?} of {} bytes each", header.dims, header.element.size()),
        )),
    }
}

fn decode(bytes: &[u8], header: &Header, values: &mut Vec<f64>) {
    macro_rules! numbers {
        ($number:ty) => {
            values.extend(bytes.chunks_exact(size_of::<$number>()).map(|chunk| {
                let mut array = [0_u8; size_of::<$number>()];
                array.copy_from_slice(chunk);
                let number = if header.big_endian {
                    <$number>::from_be_bytes(array)
                } else {
                    <$number>::from_le_bytes(array)
                };
                number as f64
            }))
        };
    }
    match header.element {
        ElementType::U8 => numbers!(u8),
        ElementType::I8 => numbers!(i8),
        ElementType::I16 => numbers!(i16),
        ElementType::U16 => numbers!(u16),
        ElementType::I32 => numbers!(i32),
        ElementType::U32 => numbers!(u32),
        ElementType::I64 => numbers!(i64),
        ElementType::U64 => numbers!(u64),
        ElementType::F32 => numbers!(f32),
        ElementType::F64 => numbers!(f64),
    }
    if (header.slope, header.intercept) != (1.0, 0.0) {
        for value in values {
            // In double precision: the product is not rounded before the sum.
            *value = *value * header.slope + header.intercept;
        }
    }
}
