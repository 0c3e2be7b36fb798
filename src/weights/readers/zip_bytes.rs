//! A zip archive that is wholly in memory, with what its entries may cost.

use std::borrow::Cow;
use std::io::{self, Read};
use std::ops::Range;

use super::budget::Budget;
use crate::data::formats::zip::{End, ZipDirectory, fault_of_io};
use crate::error::Fault;

/// The archive and its entries.
#[derive(Debug)]
pub(super) struct ZipBytes<'a> {
    bytes: &'a [u8],
    directory: ZipDirectory,
}

impl<'a> ZipBytes<'a> {
    /// Reads the directory.
    ///
    /// # Errors
    /// A fault that names the record or the entry.
    pub fn read(bytes: &'a [u8], budget: &mut Budget) -> Result<Self, Fault> {
        let end = End::find(bytes, 0)?;
        budget.work("zip directory", usize::try_from(end.count).unwrap_or(usize::MAX))?;
        let directory = ZipDirectory::parse(part(bytes, end.offset..end.offset + end.size), &end)?;
        Ok(Self { bytes, directory })
    }

    /// Every name, in no order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.directory.names()
    }

    pub fn contains(&self, name: &str) -> bool {
        self.directory.contains(name)
    }

    /// The unpacked bytes of an entry, checked against its length and checksum.
    ///
    /// # Errors
    /// A fault that names the entry.
    pub fn unpack(&self, name: &str, budget: &mut Budget) -> Result<Cow<'a, [u8]>, Fault> {
        let field = format!("zip entry `{name}`");
        let entry = self.directory.entry(name)?;
        let packed = entry.packed(name, part(self.bytes, entry.local_header()))?;
        let packed = part(self.bytes, packed);
        let mut reader = entry.reader(name, packed)?;
        let failed = |error| fault_of_io(&field, error);
        if entry.is_stored() {
            // Read through for the checksum only: the bytes stay where they are.
            io::copy(&mut reader, &mut io::sink()).map_err(failed)?;
            return Ok(Cow::Borrowed(packed));
        }
        // Counted before the first byte is unpacked.
        budget.bytes(&field, entry.size())?;
        let mut unpacked = Vec::new();
        reader.read_to_end(&mut unpacked).map_err(failed)?;
        Ok(Cow::Owned(unpacked))
    }
}

/// The part of `bytes` in a range that the directory has checked; empty where it is not.
fn part(bytes: &[u8], range: Range<u64>) -> &[u8] {
    let index = |at| usize::try_from(at).unwrap_or(usize::MAX);
    bytes.get(index(range.start)..index(range.end)).unwrap_or_default()
}
