//! Readers and writers that know a file format and nothing of NSD.

pub(crate) mod byte_fields;
pub mod csv;
pub mod element;
mod gzip;
pub mod hdf5;
pub mod mat5;
pub mod nifti;
pub mod npy;
pub mod zip;
