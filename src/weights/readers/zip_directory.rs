//! The directory of a zip archive that is wholly in memory, read strictly.
//!
//! The `zip` crate is not used here: it keeps the last of two entries of one name, accepts entries that overlap
//! and searches the whole file for an end record. Only what PyTorch writes is accepted: one disk, no encryption,
//! entries stored or deflated.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::budget::Budget;
use super::byte_fields::{u16_at, u32_at, u64_at};
use super::zip_end::{End, WIDER};
use crate::weights::error::Fault;

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
const CENTRAL_LEN: usize = 46;
const LOCAL_LEN: usize = 30;
const ENCRYPTED: u16 = 1;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// One entry, not yet unpacked.
#[derive(Clone, Debug)]
struct Entry {
    method: u16,
    flags: u16,
    crc: u32,
    packed: Range<usize>,
    size: u64,
}

/// Entries by name.
#[derive(Debug)]
pub(super) struct ZipDirectory<'a> {
    bytes: &'a [u8],
    entries: HashMap<&'a str, Entry>,
}

impl<'a> ZipDirectory<'a> {
    /// Reads the directory and checks that all entries are apart, inside the file and named once.
    ///
    /// # Errors
    /// A fault that names the record or the entry.
    pub fn read(bytes: &'a [u8], budget: &mut Budget) -> Result<Self, Fault> {
        let end = End::find(bytes)?;
        let directory = usize::try_from(end.offset).ok().zip(usize::try_from(end.size).ok());
        let directory = directory
            .and_then(|(offset, size)| Some(offset..offset.checked_add(size)?))
            .filter(|range| range.end <= end.at)
            .ok_or_else(|| {
                let found = format!("{} bytes at {}", end.size, end.offset);
                Fault::new("zip directory", format!("one before byte {}", end.at), found)
            })?;
        let mut entries = HashMap::new();
        let mut spans = Vec::new();
        let mut rest = &bytes[directory.clone()];
        while !rest.is_empty() {
            budget.work("zip directory", 1)?;
            let (name, entry, header_at, used) = entry(bytes, rest, directory.start)?;
            spans.push((header_at, entry.packed.end, name));
            if entries.insert(name, entry).is_some() {
                return Err(Fault::new(format!("zip entry `{name}`"), "one of this name", "several"));
            }
            rest = &rest[used..];
        }
        if entries.len() as u64 != end.count {
            return Err(Fault::new("zip directory", format!("{} entries", end.count), entries.len()));
        }
        spans.sort_unstable();
        for pair in spans.windows(2) {
            if pair[0].1 > pair[1].0 {
                let found = format!("one that overlaps `{}`", pair[0].2);
                return Err(Fault::new(format!("zip entry `{}`", pair[1].2), "an entry of its own", found));
            }
        }
        Ok(Self { bytes, entries })
    }

    /// Every name, in no order.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.keys().copied()
    }

    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// The unpacked bytes of an entry, checked against its length and checksum.
    ///
    /// # Errors
    /// A fault that names the entry.
    pub fn unpack(&self, name: &str, budget: &mut Budget) -> Result<Cow<'a, [u8]>, Fault> {
        let field = format!("zip entry `{name}`");
        let entry = self.entries.get(name).ok_or_else(|| Fault::new(&field, "an entry", "missing"))?;
        if entry.flags & ENCRYPTED != 0 {
            return Err(Fault::new(&field, "an open entry", "encrypted"));
        }
        let packed = &self.bytes[entry.packed.clone()];
        let wrong_size = |found: usize| {
            Fault::new(
                &field,
                format!("{} bytes, as the directory says", entry.size),
                format!("{found} bytes"),
            )
        };
        let unpacked = match entry.method {
            STORED if packed.len() as u64 != entry.size => return Err(wrong_size(packed.len())),
            STORED => Cow::Borrowed(packed),
            DEFLATED => {
                // Counted before the first byte is unpacked; one byte more than announced is enough to refuse.
                budget.bytes(&field, entry.size)?;
                let mut unpacked = Vec::new();
                DeflateDecoder::new(packed)
                    .take(entry.size.saturating_add(1))
                    .read_to_end(&mut unpacked)
                    .map_err(|error| Fault::new(&field, "deflated bytes", error))?;
                if unpacked.len() as u64 != entry.size {
                    return Err(wrong_size(unpacked.len()));
                }
                Cow::Owned(unpacked)
            }
            other => {
                return Err(Fault::new(&field, "stored or deflated", format!("packed by method {other}"))
                    .hint("write the archive again with PyTorch"));
            }
        };
        let mut crc = Crc::new();
        crc.update(&unpacked);
        // PyTorch can be told to leave checksums out.
        if entry.crc != 0 && crc.sum() != entry.crc {
            let found = format!("damaged: its bytes have {:08x}", crc.sum());
            return Err(Fault::new(&field, format!("CRC-32 {:08x}", entry.crc), found)
                .hint("fetch or write the file again"));
        }
        Ok(unpacked)
    }
}

/// Name, entry, position of its local header and length of its record in the directory.
fn entry<'a>(
    bytes: &'a [u8],
    rest: &'a [u8],
    directory_at: usize,
) -> Result<(&'a str, Entry, usize, usize), Fault> {
    let cut = || Fault::new("zip directory", "whole records", "one that is cut off or damaged");
    if !rest.starts_with(CENTRAL_HEADER) {
        return Err(cut());
    }
    let short = |at| u16_at(rest, at).ok_or_else(cut);
    let long = |at| u32_at(rest, at).map(u64::from).ok_or_else(cut);
    let name_len = usize::from(short(28)?);
    let extra_len = usize::from(short(30)?);
    let used = CENTRAL_LEN + name_len + extra_len + usize::from(short(32)?);
    if used > rest.len() {
        return Err(cut());
    }
    let name_bytes = &rest[CENTRAL_LEN..][..name_len];
    let name = std::str::from_utf8(name_bytes).map_err(|error| {
        let shown = String::from_utf8_lossy(name_bytes).into_owned();
        Fault::new(format!("name of zip entry `{shown}`"), "UTF-8", error)
    })?;
    if name.starts_with('/') || name.contains(['\\', '\0']) || name.split('/').any(|part| part == "..") {
        return Err(Fault::new("zip entry", "a path inside the archive", format!("`{name}`")));
    }
    let mut sizes = [long(24)?, long(20)?, long(42)?];
    widen(&mut sizes, &rest[CENTRAL_LEN + name_len..][..extra_len]).ok_or_else(cut)?;
    let [size, packed_len, header_at] = sizes;
    let outside = || {
        let found = format!("{packed_len} bytes at {header_at}");
        Fault::new(format!("zip entry `{name}`"), format!("one before byte {directory_at}"), found)
    };
    let header_at = usize::try_from(header_at).ok().filter(|&at| at < directory_at).ok_or_else(outside)?;
    let local = &bytes[header_at..directory_at];
    let is_named = local.get(LOCAL_LEN..).is_some_and(|after| after.starts_with(name_bytes));
    if !local.starts_with(LOCAL_HEADER) || u16_at(local, 26).map(usize::from) != Some(name_len) || !is_named {
        return Err(Fault::new(
            format!("local header of zip entry `{name}`"),
            "the same name",
            "something else",
        ));
    }
    let local_extra = u16_at(local, 28).map_or(0, usize::from);
    let start = header_at + LOCAL_LEN + name_len + local_extra;
    let end = usize::try_from(packed_len)
        .ok()
        .and_then(|length| start.checked_add(length))
        .filter(|&end| end <= directory_at)
        .ok_or_else(outside)?;
    let entry = Entry {
        method: short(10)?,
        // Either header may say that the entry is encrypted.
        flags: short(8)? | u16_at(local, 6).unwrap_or(0),
        crc: u32_at(rest, 16).ok_or_else(cut)?,
        packed: start..end,
        size,
    };
    Ok((name, entry, header_at, used))
}

/// Replaces the sizes that do not fit 32 bits by those of the 64-bit extra fields, in their order.
/// Some writers put a field that repeats the mark before the true one.
fn widen(sizes: &mut [u64; 3], extra: &[u8]) -> Option<()> {
    const ZIP_64: u16 = 1;
    let mut rest = extra;
    let mut is_widened = !sizes.contains(&WIDER);
    while sizes.contains(&WIDER) && !rest.is_empty() {
        let kind = u16_at(rest, 0)?;
        let field = rest.get(4..4 + usize::from(u16_at(rest, 2)?))?;
        if kind == ZIP_64 {
            let mut at = 0;
            for size in sizes.iter_mut().filter(|size| **size == WIDER) {
                *size = u64_at(field, at)?;
                at += 8;
            }
            is_widened = true;
        }
        rest = &rest[4 + field.len()..];
    }
    is_widened.then_some(())
}
