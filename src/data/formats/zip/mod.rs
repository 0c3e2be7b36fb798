//! Zip archives, read strictly.
//!
//! The `zip` crate is not used here: it keeps the last of two entries of one name, accepts entries that overlap
//! and searches the whole file for an end record. Accepted are archives on one disk, without encryption, with entries
//! that are stored or deflated, each in bytes of its own.

mod archive;
mod directory;
mod end;
mod entry_reader;

pub use archive::ZipArchive;
pub(crate) use directory::ZipDirectory;
pub(crate) use end::End;
pub(crate) use entry_reader::fault_of_io;
