//! The record that closes a zip archive and says where its directory is.

use crate::data::formats::byte_fields::{u16_at, u32_at, u64_at};
use crate::error::Fault;

const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const END_64_LOCATOR: &[u8] = b"PK\x06\x07";
const END_LEN: usize = 22;
const END_64_LEN: usize = 56;
const LOCATOR_LEN: usize = 20;
const MAX_COMMENT: usize = 0xffff;
/// Stands for a size or position that needs 64 bits.
pub(super) const WIDER: u64 = 0xffff_ffff;

/// Where the directory is.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// First byte after which no directory can be.
    at: u64,
    pub count: u64,
    pub size: u64,
    pub offset: u64,
}

impl End {
    /// Bytes at the end of a file among which the record is.
    pub const TAIL: usize = END_LEN + MAX_COMMENT + LOCATOR_LEN + END_64_LEN;

    /// The end record closes the file; its comment may follow. `tail` are the last bytes of the file, from `tail_at` on: all of
    /// it, or at least [`End::TAIL`].
    pub fn find(tail: &[u8], tail_at: u64) -> Result<Self, Fault> {
        let first = tail.len().saturating_sub(END_LEN + MAX_COMMENT);
        // From the end: the record is the one whose comment reaches exactly to the end of the file.
        let at = (first..(tail.len() + 1).saturating_sub(END_LEN)).rev().find(|&at| {
            tail[at..].starts_with(END)
                && u16_at(tail, at + 20).map(usize::from) == Some(tail.len() - at - END_LEN)
        });
        let missing = || Fault::new("zip archive", "an end record", "none: cut off or not a zip");
        let at = at.ok_or_else(missing)?;
        let field = |offset| u16_at(tail, at + offset).map(u64::from).ok_or_else(missing);
        let wide = |offset| u32_at(tail, at + offset).map(u64::from).ok_or_else(missing);
        let mut end = Self { at: tail_at + at as u64, count: field(10)?, size: wide(12)?, offset: wide(16)? };
        let mut disks = field(4)? | field(6)?;
        let needs_64 = end.count == 0xffff || end.size == WIDER || end.offset == WIDER;
        if needs_64 || disks == 0xffff {
            let wrong = || Fault::new("zip archive", "a 64-bit end record", "none where it should be");
            let locator = at.checked_sub(LOCATOR_LEN).filter(|&at| tail[at..].starts_with(END_64_LOCATOR));
            let at_64 = locator.and_then(|locator| u64_at(tail, locator + 8)).ok_or_else(wrong)?;
            // An absolute position; only one within the bytes at hand counts.
            let in_tail = at_64
                .checked_sub(tail_at)
                .and_then(|at_64| usize::try_from(at_64).ok())
                .filter(|&in_tail| in_tail < at && tail[in_tail..].starts_with(END_64))
                .ok_or_else(wrong)?;
            let long = |offset| u64_at(tail, in_tail + offset).ok_or_else(wrong);
            end = Self { at: at_64, count: long(32)?, size: long(40)?, offset: long(48)? };
            disks = long(16)?;
        }
        if disks != 0 {
            return Err(Fault::new("zip archive", "one on a single disk", "one of several parts"));
        }
        let ends_before = end.offset.checked_add(end.size).is_some_and(|last| last <= end.at);
        if !ends_before {
            let found = format!("{} bytes at {}", end.size, end.offset);
            return Err(Fault::new("zip directory", format!("one before byte {}", end.at), found));
        }
        Ok(end)
    }
}
