//! Numbers of the format that reader and writer share.

/// Data types of elements.
pub(super) mod element_type {
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
pub(super) const HEADER_BYTES: usize = 128;

/// Class of a `double` array; 6 to 15 are the numeric classes.
pub(super) const CLASS_DOUBLE: u32 = 6;
pub(super) const CLASS_LAST_NUMERIC: u32 = 15;
