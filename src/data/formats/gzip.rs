//! Gzip streams of one or several members (RFC 1952), each held against the checksum and the length that it ends with.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use crate::files::warn_once;

/// How every member begins.
pub(super) const START: [u8; 2] = [0x1f, 0x8b];

/// What a gzip file holds. Only a stream that was read until nothing more came is known to be whole.
///
/// Bytes behind the last member are no part of the stream: zeros pad it to the blocks of a tape, others are ignored with a
/// warning, as by `gzip -d`.
pub(super) struct GzipReader {
    /// None behind the last.
    member: Option<GzDecoder<BufReader<File>>>,
    path: PathBuf,
}

impl GzipReader {
    /// Starts where `file` stands; `path` is its name.
    pub(super) fn new(path: &Path, file: BufReader<File>) -> Self {
        Self { member: Some(GzDecoder::new(file)), path: path.to_path_buf() }
    }

    /// Whether a member begins at `rest`; whatever else is there is passed over.
    fn has_next(&self, rest: &mut BufReader<File>) -> io::Result<bool> {
        let mut start = Vec::new();
        rest.by_ref().take(START.len() as u64).read_to_end(&mut start)?;
        rest.seek_relative(-(start.len() as i64))?;
        if start == START {
            return Ok(true);
        }
        loop {
            let bytes = rest.fill_buf()?;
            if bytes.is_empty() {
                return Ok(false);
            }
            if bytes.iter().any(|byte| *byte != 0) {
                warn_once(&format!("`{}`: bytes behind its gzip stream are ignored", self.path.display()));
                return Ok(false);
            }
            let length = bytes.len();
            rest.consume(length);
        }
    }
}

impl Read for GzipReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.member.take() {
            // A stream that is damaged stays so: its member is not put back.
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                self.member = Some(member);
                return Ok(count);
            }
            let mut rest = member.into_inner();
            self.member = self.has_next(&mut rest)?.then(|| GzDecoder::new(rest));
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn member(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<u8>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        // A small buffer: a member's first bytes may lie in two of them.
        let buffered = BufReader::with_capacity(3, File::open(file.path()).unwrap());
        let mut found = Vec::new();
        let read = GzipReader::new(file.path(), buffered).read_to_end(&mut found);
        read.map(|_| found).map_err(|error| error.to_string())
    }

    #[test]
    fn members_follow_each_other_and_what_is_behind_them_is_ignored() {
        let both = [member(b"first "), member(b""), member(b"second")].concat();
        assert_eq!(read(&both).unwrap(), b"first second");
        for behind in [&[0_u8; 600][..], b"\x1f", b"garbage", b"\0\0x"] {
            assert_eq!(read(&[&both, behind].concat()).unwrap(), b"first second", "{behind:?}");
        }
    }

    #[test]
    fn a_checksum_or_a_length_that_does_not_fit_is_an_error() {
        let whole = [member(b"first"), member(b"second")].concat();
        for at in 1..=8 {
            let mut wrong = whole.clone();
            let place = wrong.len() - at;
            wrong[place] ^= 4;
            assert!(read(&wrong).is_err(), "bit of byte {at} from the end");
            assert!(read(&whole[..place]).is_err(), "{at} bytes too few");
        }
        assert!(read(&member(b"first")[..9]).is_err());
    }
}
