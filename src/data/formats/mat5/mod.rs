//! MATLAB v5 and v7 files: named numeric arrays as `f64`, of any rank.
//!
//! Format: MathWorks, *MAT-File Format* (level 5). v7 is v5 with every variable deflated. MATLAB stores whole numbers in
//! the narrowest type that holds them, whatever the class of the variable, so payloads of every integer width occur.
//! v7.3 files are HDF5 and are refused by name.

mod read;
mod write;

pub use read::{MatArray, parse_arrays, read_arrays};
pub use write::{encode_arrays, write_arrays};

/// Data types of elements.
mod element_type {
    pub const I8: u32 = 1;
    pub const U8: u32 = 2;
    pub const I16: u32 = 3;
    pub const U16: u32 = 4;
    pub const I32: u32 = 5;
    pub const U32: u32 = 6;
    pub const F32: u32 = 7;
    pub const F64: u32 = 9;
    pub const I64: u32 = 12;
    pub const U64: u32 = 13;
    pub const MATRIX: u32 = 14;
    pub const COMPRESSED: u32 = 15;
}

/// Length of the file header.
const HEADER_BYTES: usize = 128;

/// Class of a `double` array; 6 to 15 are the numeric classes.
const CLASS_DOUBLE: u32 = 6;
const CLASS_LAST_NUMERIC: u32 = 15;
