//! The general path: any layout and any filter, through the library, tile by tile.
//!
//! A tile is one chunk in space; a dataset that is not chunked is read a few trials at a time. Tiles without a selected
//! voxel are skipped.

use std::collections::BTreeMap;

use ndarray::Array2;

use crate::data::error::DataError;
use crate::data::formats::hdf5::H5Dataset;
use crate::data::trial::TRIALS_PER_SESSION;

/// Values held in memory at a time, unless one chunk has more.
const MAX_BLOCK_VALUES: usize = 4 << 20;

/// Reads the selected voxels: `[750, voxels]` as stored, unscaled.
pub(super) fn read(
    dataset: &H5Dataset,
    grid: [usize; 3],
    voxels: &[usize],
) -> Result<Array2<f32>, DataError> {
    let [x_len, y_len, z_len] = grid;
    let chunk = match dataset.handle().chunk() {
        Some(chunk) if chunk.len() == 4 && chunk.iter().all(|size| *size > 0) => chunk,
        // Contiguous: whole volumes lie together, but a plane is enough where only some are needed.
        _ => vec![1, z_len.clamp(1, 8), y_len, x_len],
    };
    let tile = [chunk[1].min(z_len), chunk[2].min(y_len), chunk[3].min(x_len)];
    let mut voxels_of: BTreeMap<[usize; 3], Vec<(usize, usize)>> = BTreeMap::new();
    for (column, voxel) in voxels.iter().enumerate() {
        let [z, y, x] = [voxel / (x_len * y_len), voxel / x_len % y_len, voxel % x_len];
        let corner = [z / tile[0] * tile[0], y / tile[1] * tile[1], x / tile[2] * tile[2]];
        // Tiles at the far edges are smaller.
        let width = tile[2].min(x_len - corner[2]);
        let height = tile[1].min(y_len - corner[1]);
        let inside = ((z - corner[0]) * height + (y - corner[1])) * width + (x - corner[2]);
        // Sorted by corner: each tile is read once, in the order of the file.
        voxels_of.entry(corner).or_default().push((inside, column));
    }

    let tile_values = tile.iter().product::<usize>().max(1);
    // Whole chunks of trials: one that is cut would be unpacked twice.
    let whole_chunks = (MAX_BLOCK_VALUES / (tile_values * chunk[0])).max(1);
    let trials_at_once = (whole_chunks * chunk[0]).min(TRIALS_PER_SESSION);
    let mut betas = Array2::zeros((TRIALS_PER_SESSION, voxels.len()));
    for (corner, members) in &voxels_of {
        let [z, y, x] = *corner;
        let space = [z..(z + tile[0]).min(z_len), y..(y + tile[1]).min(y_len), x..(x + tile[2]).min(x_len)];
        let space_values: usize = space.iter().map(ExactSizeIterator::len).product();
        for first in (0..TRIALS_PER_SESSION).step_by(trials_at_once) {
            let trials = first..(first + trials_at_once).min(TRIALS_PER_SESSION);
            let block = [trials.clone(), space[0].clone(), space[1].clone(), space[2].clone()];
            let values = dataset.read_block::<f32>(&block)?;
            for (row, trial) in values.chunks_exact(space_values).zip(trials) {
                for (inside, column) in members {
                    betas[[trial, *column]] = row[*inside];
                }
            }
        }
    }
    Ok(betas)
}
