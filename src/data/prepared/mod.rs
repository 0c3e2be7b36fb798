//! The prepared subject: one HDF5 file with the betas of the selected voxels and all that later steps must know.
//!
//! | dataset | type | content |
//! |---|---|---|
//! | `betas` | f32 `[trials, voxels]`, one trial per chunk | responses, scaled as attribute `standardization` says |
//! | `nsd_id` | u32 `[trials]` | image, 0-based |
//! | `session` | u16 `[trials]` | 1-based |
//! | `repeat` | u8 `[trials]` | earlier presentations of the image |
//! | `shared1000` | u8 `[trials]` | 1 where all subjects saw the image |
//! | `is_test` | u8 `[trials]` | 1 where the data's own split holds the trial out; only of imported subjects that have one |
//! | `image_names` | u8 `[bytes]` | JSON: names of the images by number; only of imported subjects |
//! | `coco_id` | u64 `[trials]` | photograph; only when the stimulus table was there |
//! | `flat_index` | u64 `[voxels]` | position in the volume, `x + X·(y + Y·z)`, ascending |
//! | `hemisphere` | u8 `[voxels]` | 1 left, 2 right, 0 unknown |
//! | `noise_ceiling` | f32 `[voxels]` | percent of a single trial's variance, NaN where unknown; only of imported subjects |
//! | `rois/<name>` | i32 `[voxels]` | label in that ROI file; attribute `names` is JSON, label to name |
//!
//! Attributes of the file are text: `format`, `program_version`, `subject`, `resolution`, `betas_version`, `selection`,
//! `standardization`, `voxel_order`, `grid`, `affine` (JSON: millimetres of a voxel, rows x, y, z), `affine_source`, `affine_is_of_betas`, and
//! `sources` (JSON: path below the NSD root, bytes, time of change).

mod read;
mod tables;
#[cfg(test)]
mod tests;
mod write;

pub use read::PreparedSubject;
pub use tables::{
    PreparedChoice, Provenance, RoiLabels, SourceFile, TrialTable, VoxelPosition, VoxelTable, file_name,
};
pub use write::PreparedWriter;
