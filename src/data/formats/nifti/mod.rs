//! NIfTI-1 volumes (`.nii`, `.nii.gz`): any numeric type and byte order in, NSD's own header out.
//!
//! Values run x fastest, then y, z and time, as in the file. The header is parsed by the `nifti` crate; values are
//! streamed frame by frame, so that a session of betas never has to fit into memory, and every size is checked
//! against the length of the file before anything is allocated.

mod affine;
mod header;
mod read;
mod write;

pub use affine::{Affine, Turn};
pub use header::{ElementType, Header};
pub use read::{NiftiReader, Volume, check_size, check_whole, read_volume};
pub use write::{Frame, NiftiWriter, write_volume, write_volume_at};
