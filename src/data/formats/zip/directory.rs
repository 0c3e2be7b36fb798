//! The directory of a zip archive: every entry once, each in bytes of its own.

use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;

use super::end::{End, WIDER};
use super::entry_reader::{EntryReader, Packing, STORED};
use crate::data::formats::byte_fields::{u16_at, u32_at, u64_at};
use crate::error::Fault;

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const CENTRAL_HEADER: &[u8] = b"PK\x01\x02";
const CENTRAL_LEN: usize = 46;
const LOCAL_LEN: usize = 30;
const ENCRYPTED: u16 = 1;

/// One entry, not yet unpacked.
#[derive(Clone, Debug)]
pub(crate) struct ZipEntry {
    packing: Packing,
    flags: u16,
    header_at: u64,
    packed_len: u64,
    /// Where the next entry or the directory begins.
    room_end: u64,
    name_len: usize,
}

/// Entries by name.
#[derive(Debug)]
pub(crate) struct ZipDirectory {
    entries: HashMap<String, ZipEntry>,
}

impl ZipDirectory {
    /// Reads the records of a directory and checks that all entries are apart, in front of it and named once.
    ///
    /// # Errors
    /// A fault that names the record or the entry.
    pub fn parse(records: &[u8], end: &End) -> Result<Self, Fault> {
        let mut entries = HashMap::new();
        let mut spans = Vec::new();
        let mut rest = records;
        while !rest.is_empty() {
            let (name, entry, used) = entry(rest, end.offset)?;
            let last = entry.header_at + (LOCAL_LEN + entry.name_len) as u64 + entry.packed_len;
            spans.push((entry.header_at, last, name));
            if entries.insert(name.to_string(), entry).is_some() {
                return Err(Fault::new(format!("zip entry `{name}`"), "one of this name", "several"));
            }
            rest = &rest[used..];
        }
        if entries.len() as u64 != end.count {
            return Err(Fault::new("zip directory", format!("{} entries", end.count), entries.len()));
        }
        // By position: entries that share bytes are neighbours.
        spans.sort_unstable();
        for pair in spans.windows(2) {
            if pair[0].1 > pair[1].0 {
                let found = format!("one that overlaps `{}`", pair[0].2);
                return Err(Fault::new(format!("zip entry `{}`", pair[1].2), "an entry of its own", found));
            }
            if let Some(entry) = entries.get_mut(pair[0].2) {
                entry.room_end = pair[1].0;
            }
        }
        Ok(Self { entries })
    }

    /// Every name, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Whether there is such an entry.
    pub fn contains(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// An entry that must be there and must not be encrypted.
    ///
    /// # Errors
    /// A fault that names it.
    pub fn entry(&self, name: &str) -> Result<&ZipEntry, Fault> {
        let field = || format!("zip entry `{name}`");
        let entry = self.entries.get(name).ok_or_else(|| Fault::new(field(), "an entry", "missing"))?;
        if entry.flags & ENCRYPTED != 0 {
            return Err(Fault::new(field(), "an open entry", "encrypted"));
        }
        Ok(entry)
    }

    /// Bytes of all entries when unpacked, as the directory says.
    pub fn unpacked_size(&self) -> u64 {
        self.entries.values().fold(0, |sum, entry| sum.saturating_add(entry.size()))
    }
}

impl ZipEntry {
    /// Bytes when unpacked, as the directory says.
    pub fn size(&self) -> u64 {
        self.packing.size
    }

    /// Where its local header is: position and length, the name included.
    pub fn local_header(&self) -> Range<u64> {
        self.header_at..self.header_at + (LOCAL_LEN + self.name_len) as u64
    }

    /// Where its packed bytes are, as its local header says.
    ///
    /// # Errors
    /// A fault for a header of another entry, an encrypted one, or one that reaches into the next entry.
    pub fn packed(&self, name: &str, local: &[u8]) -> Result<Range<u64>, Fault> {
        let is_named = local.get(LOCAL_LEN..).is_some_and(|after| after == name.as_bytes());
        let name_len = u16_at(local, 26).map(usize::from);
        if !local.starts_with(LOCAL_HEADER) || name_len != Some(self.name_len) || !is_named {
            let field = format!("local header of zip entry `{name}`");
            return Err(Fault::new(field, "the same name", "something else"));
        }
        // Either header may say that the entry is encrypted.
        if u16_at(local, 6).is_some_and(|flags| flags & ENCRYPTED != 0) {
            return Err(Fault::new(format!("zip entry `{name}`"), "an open entry", "encrypted"));
        }
        // The extra field here may have another length than the one in the directory.
        let extra = u16_at(local, 28).map_or(0, u64::from);
        let start = self.local_header().end + extra;
        let end = start.saturating_add(self.packed_len);
        if end > self.room_end {
            let found = format!("{} bytes at {start}", self.packed_len);
            let expected = format!("bytes before {}, where the next part begins", self.room_end);
            return Err(Fault::new(format!("zip entry `{name}`"), expected, found));
        }
        Ok(start..end)
    }

    /// Unpacks while it reads, checks length and checksum at the end. `packed` gives the bytes of [`ZipEntry::packed`].
    ///
    /// # Errors
    /// A fault for an unknown method; errors of reading carry a [`Fault`].
    pub fn reader<R: Read>(&self, name: &str, packed: R) -> Result<EntryReader<R>, Fault> {
        EntryReader::new(self.packing, format!("zip entry `{name}`"), packed)
    }

    /// Whether the packed bytes are the bytes.
    pub fn is_stored(&self) -> bool {
        self.packing.method == STORED
    }
}

/// Name, entry and length of the record that begins `rest`.
fn entry(rest: &[u8], directory_at: u64) -> Result<(&str, ZipEntry, usize), Fault> {
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
    // In the order in which the 64-bit extra field lists those that do not fit: unpacked, packed, position.
    let mut sizes = [long(24)?, long(20)?, long(42)?];
    widen(&mut sizes, &rest[CENTRAL_LEN + name_len..][..extra_len]).ok_or_else(cut)?;
    let [size, packed_len, header_at] = sizes;
    let is_inside = header_at
        .checked_add((LOCAL_LEN + name_len) as u64)
        .and_then(|start| start.checked_add(packed_len))
        .is_some_and(|end| end <= directory_at);
    if !is_inside {
        let found = format!("{packed_len} bytes at {header_at}");
        let expected = format!("one before byte {directory_at}");
        return Err(Fault::new(format!("zip entry `{name}`"), expected, found));
    }
    let entry = ZipEntry {
        packing: Packing { method: short(10)?, size, crc: u32_at(rest, 16).ok_or_else(cut)? },
        flags: short(8)?,
        header_at,
        packed_len,
        room_end: directory_at,
        name_len,
    };
    Ok((name, entry, used))
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
