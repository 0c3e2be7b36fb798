//! What NSD means, in its own words: paths, trial order, betas, ROIs, stimuli, behaviour, noise ceiling.
//!
//! Ids are 0-based from here on; the 1-based numbers of the files are converted in `design`, `responses` and nowhere
//! else. Voxels are numbered in NIfTI order, x fastest ("flat index" `x + X·(y + Y·z)`). The files are described in
//! docs/spec/nsd-format.md.
//!
//! The betas of a region, from the files:
//!
//! ```
//! use mindreader::data::formats::hdf5::H5Writer;
//! use mindreader::data::formats::nifti::{Frame, write_volume};
//! use mindreader::data::nsd::{betas, roi::RoiVolume, space::VolumeSpace, tree::NsdTree};
//! use mindreader::data::subject::{Resolution, NsdSubject};
//!
//! # let folder = tempfile::tempdir()?;
//! # let root = folder.path();
//! let tree = NsdTree::new(root);
//! let (subject, resolution, version) =
//!     (NsdSubject::new(1)?, Resolution::Func1pt8mm, "betas_fithrf_GLMdenoise_RR");
//! let region = tree.roi(subject, resolution, "nsdgeneral", None);
//! # // A brain of 3 × 2 × 1 voxels, a session in which voxel v has the stored value 300 · v.
//! # std::fs::create_dir_all(region.parent().ok_or("no folder")?)?;
//! # write_volume(&region, &[3, 2, 1], Frame::F64(&[-1.0, 0.0, 1.0, 1.0, 0.0, -1.0]), 1.8, 1.0)?;
//! # let session = tree.betas_hdf5(subject, resolution, version, 1);
//! # std::fs::create_dir_all(session.parent().ok_or("no folder")?)?;
//! # let stored: Vec<i16> = (0..750 * 6).map(|position| 300 * (position % 6)).collect();
//! # let writer = H5Writer::create(&session)?;
//! # drop(writer.write("betas", &[750, 1, 2, 3], &stored)?);
//! # writer.finish()?;
//!
//! let sessions = betas::find_sessions(&tree, subject, resolution, version)?;
//! // HDF5 does not say where voxels lie; the `ncsnr` volume beside the betas does, where there is one.
//! let space = VolumeSpace::of_betas(&tree, subject, resolution, version, &sessions)?;
//! let volume = RoiVolume::read(&region, space.as_ref())?;
//! let voxels: Vec<usize> = (0..volume.labels.len()).filter(|voxel| volume.labels[*voxel] > 0).collect();
//! let percent_change = betas::read_session(&sessions[0], volume.space.grid, &voxels)?;
//!
//! assert_eq!(voxels, [2, 3]);
//! assert_eq!(percent_change.dim(), (750, 2));
//! assert_eq!(percent_change.row(749).to_vec(), [2.0, 3.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod betas;
mod betas_chunks;
mod betas_hyperslabs;
pub mod constant_voxels;
pub mod ctab;
pub mod design;
pub mod noise_ceiling;
pub mod region_atlas;
pub mod responses;
pub mod roi;
pub mod roi_pattern;
pub mod space;
pub mod stim_info;
pub mod stimuli;
pub mod tree;
pub mod voxel_selection;
