//! The fast path: read the chunks of the selected voxels straight from the file.
//!
//! In NSD's files every voxel is one uncompressed chunk. Reading through the library costs one look-up and one small read
//! per voxel; here the chunk addresses are listed in one pass, and neighbours in the file are fetched together.

use std::io::{Read, Seek, SeekFrom};

use hdf5_metno::dataset::Layout;
use hdf5_metno::datatype::ByteOrder;
use hdf5_metno::types::{FloatSize, IntSize, TypeDescriptor};
use ndarray::Array2;

use crate::data::error::DataError;
use crate::data::formats::hdf5::{H5Dataset, H5File};
use crate::data::trial::TRIALS_PER_SESSION;
use crate::files::{InputKind, open_input};

/// Chunks closer than this are fetched by one read; skipping costs more than copying.
const MAX_GAP_BYTES: u64 = 32 << 10;
/// Largest single read.
const MAX_READ_BYTES: u64 = 4 << 20;
const NOT_SELECTED: u32 = u32::MAX;
/// How the library prints a zero.
const ZEROS: [&str; 2] = ["0", "0.0"];

/// Where the values of every selected voxel lie.
pub(super) struct ChunkPlan {
    /// `(address, column)`, ascending by address. Columns without a chunk were never written and are 0.
    chunks: Vec<(u64, u32)>,
    decode: fn(&[u8], &mut [f32]),
    chunk_bytes: u64,
    num_columns: usize,
}

/// Plans direct reading; none when the dataset is not stored one voxel per plain chunk.
pub(super) fn plan(
    file: &H5File,
    dataset: &H5Dataset,
    grid: [usize; 3],
    voxels: &[usize],
) -> Result<Option<ChunkPlan>, DataError> {
    let handle = dataset.handle();
    let is_plain = handle.layout() == Layout::Chunked
        && handle.chunk() == Some(vec![TRIALS_PER_SESSION, 1, 1, 1])
        && handle.filters().is_empty()
        && file.userblock() == 0
        // Addresses hold in the file that the dataset lies in; a link may have led to another.
        && dataset.lies_in(file)
        // Never-written chunks read as the fill value, which is 0 here and in NSD.
        && handle.fill_value().is_ok_and(|fill| fill.is_none_or(|fill| ZEROS.contains(&fill.to_string().as_str())));
    let Some((decode, element_bytes)) = decoder(dataset)?.filter(|_| is_plain) else { return Ok(None) };

    let [x_len, y_len, z_len] = grid;
    let mut column_of = vec![NOT_SELECTED; x_len * y_len * z_len];
    for (column, voxel) in (0..).zip(voxels) {
        column_of[*voxel] = column;
    }
    let chunk_bytes = (TRIALS_PER_SESSION * element_bytes) as u64;
    let mut chunks = Vec::with_capacity(voxels.len());
    let mut strange = None;
    handle
        .chunks_visit(|chunk| {
            let voxel = match chunk.offset {
                // A chunk that begins at trial 0.
                [0, z, y, x] => (*x as usize) + x_len * (*y as usize + y_len * *z as usize),
                _ => usize::MAX,
            };
            match column_of.get(voxel) {
                Some(&NOT_SELECTED) => {}
                Some(column) if chunk.size == chunk_bytes => chunks.push((chunk.addr, *column)),
                _ => strange = Some(format!("at {:?} with {} bytes", chunk.offset, chunk.size)),
            }
            0
        })
        .map_err(|error| dataset.broken(&error))?;
    if let Some(found) = strange {
        return Err(dataset.invalid("chunk", format!("one voxel, {chunk_bytes} bytes"), found));
    }
    chunks.sort_unstable();
    Ok(Some(ChunkPlan { chunks, decode, chunk_bytes, num_columns: voxels.len() }))
}

impl ChunkPlan {
    /// Reads the planned chunks: `[750, voxels]` as stored, unscaled.
    pub(super) fn read(&self, dataset: &H5Dataset) -> Result<Array2<f32>, DataError> {
        let truncated = |error: std::io::Error| dataset.unreadable(&format!("a chunk: {error}"));
        let mut file = open_input(dataset.path(), InputKind::Parts).map_err(truncated)?;
        // Voxel by voxel as in the file; turned round at the end.
        let mut by_voxel = vec![0.0_f32; self.num_columns * TRIALS_PER_SESSION];
        let mut buffer = Vec::new();
        let mut rest = self.chunks.as_slice();
        while let Some((start, _)) = rest.first().copied() {
            // Addresses ascend, but chunks of a hostile file may overlap: `end` never goes back.
            let mut end = start + self.chunk_bytes;
            let together = 1 + rest[1..]
                .iter()
                .take_while(|(address, _)| {
                    let new_end = address.saturating_add(self.chunk_bytes);
                    let is_near = *address <= end + MAX_GAP_BYTES && new_end - start <= MAX_READ_BYTES;
                    if is_near {
                        end = new_end.max(end);
                    }
                    is_near
                })
                .count();
            let (now, later) = rest.split_at(together);
            rest = later;
            buffer.resize((end - start) as usize, 0);
            file.seek(SeekFrom::Start(start))
                .and_then(|_| file.read_exact(&mut buffer))
                .map_err(truncated)?;
            for (address, column) in now {
                let at = (address - start) as usize;
                let values = &mut by_voxel[*column as usize * TRIALS_PER_SESSION..][..TRIALS_PER_SESSION];
                (self.decode)(&buffer[at..at + self.chunk_bytes as usize], values);
            }
        }
        Ok(transpose(&by_voxel, self.num_columns))
    }
}

/// `[voxels, 750]` to `[750, voxels]`, in tiles that fit the cache.
fn transpose(by_voxel: &[f32], num_columns: usize) -> Array2<f32> {
    const TILE: usize = 32;
    let mut betas = Array2::zeros((TRIALS_PER_SESSION, num_columns));
    for first in (0..num_columns).step_by(TILE) {
        let columns = first..(first + TILE).min(num_columns);
        for (trial, mut row) in betas.rows_mut().into_iter().enumerate() {
            for column in columns.clone() {
                row[column] = by_voxel[column * TRIALS_PER_SESSION + trial];
            }
        }
    }
    betas
}

/// How to turn the bytes of a chunk into numbers, and the bytes of one number; none for rarer types.
#[allow(clippy::type_complexity)]
fn decoder(dataset: &H5Dataset) -> Result<Option<(fn(&[u8], &mut [f32]), usize)>, DataError> {
    let order = dataset.handle().dtype().map(|dtype| dtype.byte_order());
    let is_little = match order {
        Ok(ByteOrder::LittleEndian) => true,
        Ok(ByteOrder::BigEndian) => false,
        _ => return Ok(None),
    };
    Ok(match (dataset.element()?, is_little) {
        (TypeDescriptor::Integer(IntSize::U2), true) => {
            Some((|bytes, out| decode(bytes, out, |b| f32::from(i16::from_le_bytes(b))), 2))
        }
        (TypeDescriptor::Integer(IntSize::U2), false) => {
            Some((|bytes, out| decode(bytes, out, |b| f32::from(i16::from_be_bytes(b))), 2))
        }
        (TypeDescriptor::Float(FloatSize::U4), true) => {
            Some((|bytes, out| decode(bytes, out, f32::from_le_bytes), 4))
        }
        (TypeDescriptor::Float(FloatSize::U4), false) => {
            Some((|bytes, out| decode(bytes, out, f32::from_be_bytes), 4))
        }
        _ => None,
    })
}

fn decode<const N: usize>(bytes: &[u8], out: &mut [f32], number: impl Fn([u8; N]) -> f32) {
    for (value, chunk) in out.iter_mut().zip(bytes.chunks_exact(N)) {
        let mut array = [0_u8; N];
        array.copy_from_slice(chunk);
        *value = number(array);
    }
}
