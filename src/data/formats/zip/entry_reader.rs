//! One entry while it is unpacked: never more bytes than announced, checked at the end.

use std::io::{self, Read};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use crate::error::Fault;

pub(super) const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// How an entry is packed, and what unpacking it must give.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing {
    /// As numbered by the format.
    pub method: u16,
    /// Bytes when unpacked.
    pub size: u64,
    /// CRC-32 of those bytes; 0 where it is not known.
    pub crc: u32,
}

enum Packed<R: Read> {
    Stored(R),
    Deflated(DeflateDecoder<R>),
}

/// The unpacked bytes of an entry. Only a reader that was read to its end has checked them.
pub(crate) struct EntryReader<R: Read> {
    packed: Packed<R>,
    field: String,
    packing: Packing,
    seen: u64,
    crc: Crc,
}

impl<R: Read> EntryReader<R> {
    pub(super) fn new(packing: Packing, field: String, packed: R) -> Result<Self, Fault> {
        let packed = match packing.method {
            STORED => Packed::Stored(packed),
            DEFLATED => Packed::Deflated(DeflateDecoder::new(packed)),
            other => {
                let found = format!("packed by method {other}");
                return Err(Fault::new(field, "stored or deflated", found)
                    .hint("write the archive again with another program"));
            }
        };
        Ok(Self { packed, field, packing, seen: 0, crc: Crc::new() })
    }

    fn check_end(&self) -> Result<(), Fault> {
        let Packing { size, crc, .. } = self.packing;
        if self.seen != size {
            let expected = format!("{size} bytes, as the directory says");
            return Err(Fault::new(&self.field, expected, format!("{} bytes", self.seen)));
        }
        // PyTorch can be told to leave checksums out.
        if crc != 0 && self.crc.sum() != crc {
            let found = format!("damaged: its bytes have {:08x}", self.crc.sum());
            return Err(Fault::new(&self.field, format!("CRC-32 {crc:08x}"), found)
                .hint("fetch or write the file again"));
        }
        Ok(())
    }
}

/// The fault in an error of reading an entry, or the system's words for that entry.
pub(crate) fn fault_of_io(field: &str, error: io::Error) -> Fault {
    match error.downcast::<Fault>() {
        Ok(fault) => fault,
        Err(error) => Fault::new(field, "readable bytes", error),
    }
}

impl<R: Read> Read for EntryReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // One byte more than announced is enough to refuse.
        let most = usize::try_from((self.packing.size - self.seen).saturating_add(1)).unwrap_or(usize::MAX);
        let most = most.min(buffer.len());
        let count = match &mut self.packed {
            Packed::Stored(packed) => packed.read(&mut buffer[..most])?,
            Packed::Deflated(packed) => packed
                .read(&mut buffer[..most])
                .map_err(|error| io::Error::other(Fault::new(&self.field, "deflated bytes", error)))?,
        };
        self.seen += count as u64;
        self.crc.update(&buffer[..count]);
        if self.seen > self.packing.size || (count == 0 && !buffer.is_empty()) {
            self.check_end().map_err(io::Error::other)?;
        }
        Ok(count)
    }
}
