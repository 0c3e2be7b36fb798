//! Text of other programs: Windows puts a byte-order mark in front of it, which JSON does not allow.

use std::io::{self, Cursor, Read};

/// UTF-8's byte-order mark.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// The text behind its byte-order mark, if it has one.
pub fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(MARK).unwrap_or(bytes)
}

/// As [`without_mark`], for a source that is read piece by piece.
///
/// # Errors
/// Those of the source.
pub fn skip_mark<R: Read>(mut source: R) -> io::Result<impl Read> {
    let mut start = Vec::new();
    source.by_ref().take(MARK.len() as u64).read_to_end(&mut start)?;
    let start = without_mark(&start).to_vec();
    Ok(Cursor::new(start).chain(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_goes_and_everything_else_stays() {
        for (bytes, text) in
            [("\u{feff}{}", "{}"), ("{}", "{}"), ("", ""), ("\u{feff}", ""), ("{\u{feff}}", "{\u{feff}}")]
        {
            assert_eq!(without_mark(bytes.as_bytes()), text.as_bytes());
            let mut read = String::new();
            skip_mark(bytes.as_bytes()).unwrap().read_to_string(&mut read).unwrap();
            assert_eq!(read, text);
        }
    }
}
