//! The record that closes a zip archive and says where its directory is.

use super::byte_fields::{u16_at, u32_at, u64_at};
use crate::weights::error::Fault;

const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const END_64_LOCATOR: &[u8] = b"PK\x06\x07";
const END_LEN: usize = 22;
const LOCATOR_LEN: usize = 20;
const MAX_COMMENT: usize = 0xffff;
/// Stands for a size or position that needs 64 bits.
pub(super) const WIDER: u64 = 0xffff_ffff;

/// Where the directory is.
pub(super) struct End {
    /// First byte after which no directory can be.
    pub at: usize,
    pub count: u64,
    pub size: u64,
    pub offset: u64,
}

impl End {
    /// The end record closes the file; its comment may follow.
    pub fn find(bytes: &[u8]) -> Result<Self, Fault> {
        let first = bytes.len().saturating_sub(END_LEN + MAX_COMMENT);
        let at = (first..(bytes.len() + 1).saturating_sub(END_LEN)).rev().find(|&at| {
            bytes[at..].starts_with(END)
                && u16_at(bytes, at + 20).map(usize::from) == Some(bytes.len() - at - END_LEN)
        });
        let missing = || Fault::new("zip archive", "an end record", "none: cut off or not a zip");
        let at = at.ok_or_else(missing)?;
        let field = |offset| u16_at(bytes, at + offset).map(u64::from).ok_or_else(missing);
        let wide = |offset| u32_at(bytes, at + offset).map(u64::from).ok_or_else(missing);
        let mut end = Self { at, count: field(10)?, size: wide(12)?, offset: wide(16)? };
        let mut disks = field(4)? | field(6)?;
        let needs_64 = end.count == 0xffff || end.size == WIDER || end.offset == WIDER;
        if needs_64 || disks == 0xffff {
            let wrong = || Fault::new("zip archive", "a 64-bit end record", "none where it should be");
            let locator = at.checked_sub(LOCATOR_LEN).filter(|&at| bytes[at..].starts_with(END_64_LOCATOR));
            let at_64 = locator.and_then(|locator| u64_at(bytes, locator + 8)).ok_or_else(wrong)?;
            let at_64 = usize::try_from(at_64)
                .ok()
                .filter(|&at_64| at_64 < at && bytes[at_64..].starts_with(END_64))
                .ok_or_else(wrong)?;
            let long = |offset| u64_at(bytes, at_64 + offset).ok_or_else(wrong);
            end = Self { at: at_64, count: long(32)?, size: long(40)?, offset: long(48)? };
            disks = long(16)?;
        }
        if disks != 0 {
            return Err(Fault::new("zip archive", "one on a single disk", "one of several parts"));
        }
        Ok(end)
    }
}
