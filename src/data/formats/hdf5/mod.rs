//! HDF5 files: datasets by name with checked shapes and types in, new files written atomically out.
//!
//! Shapes and blocks are in file order (C order, last axis fastest), as h5py shows them. The library reports errors
//! through return values only; it never prints.

mod elsewhere;
mod read;
mod words;
mod write;

pub use read::{H5Dataset, H5File};
pub use write::{H5Output, H5Writer};
