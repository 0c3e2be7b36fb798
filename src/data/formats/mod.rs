//! Readers and writers that know a file format and nothing of NSD.

pub mod atomic;
pub mod csv;
pub mod hdf5;
pub mod mat5;
pub mod nifti;
