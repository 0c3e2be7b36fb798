//! MATLAB v5 and v7 files: named numeric arrays as `f64`, of any rank.
//!
//! Format: MathWorks, *MAT-File Format* (level 5). v7 is v5 with every variable deflated. MATLAB stores whole numbers in
//! the narrowest type that holds them, whatever the class of the variable, so payloads of every integer width occur.
//! v7.3 files are HDF5 and are refused by name.

mod layout;
mod read;
mod write;

pub use read::{MatArray, list_arrays, parse_arrays, read_arrays};
pub use write::{encode_arrays, write_arrays};
