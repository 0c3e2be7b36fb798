//! What the HDF5 library says went wrong, in words that help: its own name a function of its insides and an address.

use hdf5_metno::Error;

use crate::error::one_line;

/// Begins the words about files of a later library.
pub(super) const NEWER_FORMAT: &str = "it is written in a newer version of the format than is read here";

/// The library's reason, translated where it is one that users meet.
pub(super) fn in_words(error: &Error) -> String {
    match error {
        Error::Internal(text) => translate(&[text]),
        Error::HDF5(stack) => match stack.clone().expand() {
            // The frames go from the call to the cause.
            Ok(frames) => translate(&frames.iter().rev().map(|frame| frame.desc()).collect::<Vec<_>>()),
            Err(_) => translate(&[]),
        },
    }
}

/// The reasons in one line of our own; the innermost comes first, and as it is where none is known.
fn translate(reasons: &[&str]) -> String {
    let all = reasons.join("\n");
    let says = |part: &str| all.contains(part);
    let between = |before: &str, after: &str| {
        let (_, rest) = all.split_once(before)?;
        // Each reason has a line of its own.
        let rest = rest.lines().next().unwrap_or_default();
        Some(rest.split_once(after).map_or(rest, |(text, _)| text).trim().to_string())
    };
    if let Some(filter) = between("required filter '", "'") {
        return format!(
            "its compression `{filter}` is not read here; `h5repack -f GZIP=4 OLD NEW` rewrites it with one that is"
        );
    }
    // The operating system's words, where it was the one that failed: a full disk, a broken drive.
    if let Some(text) = between("error message = '", "'").filter(|text| !text.is_empty()) {
        return text;
    }
    if let (Some(there), Some(stated)) = (between("eof = ", ","), between("stored_eof = ", ",")) {
        return format!("it is truncated: {there} bytes are there, {stated} were written");
    }
    if says("signature not found") || says("signature invalid") {
        return "it is no HDF5 file".into();
    }
    if says("checksum") || says("Fletcher32") {
        return "a checksum in it does not fit: it is damaged".into();
    }
    if says("inflate()") || says("LZF") || says("filter returned failure") {
        return "its compressed values are damaged".into();
    }
    if says("external raw data file") || says("external file") {
        return "a file that it refers to cannot be opened".into();
    }
    if says("addr overflow") || says("address overflowed") || says("past end") {
        return "an address in it lies beyond its end: it is damaged or truncated".into();
    }
    if says("version number for") || says("object header version number") {
        return format!("{NEWER_FORMAT} (h5py writes an older one with `libver='v110'`), or it is damaged");
    }
    // Filters that are not built in are looked for in a folder of plugins.
    if says("plugin") {
        return "it is compressed in a way that is not read here; `h5repack -f GZIP=4 OLD NEW` rewrites it"
            .into();
    }
    match reasons.first() {
        Some(reason) if !reason.is_empty() => format!("HDF5: {}", one_line(reason)),
        _ => "the HDF5 library gives no reason".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn a_full_disk_is_called_so() {
        let reason = "file write failed: time = Mon Nov 30 02:10:00 2026\n, filename = '.partial-x', file descriptor = 5, \
                      errno = 28, error message = 'No space left on device', buf = 0x55, total write size = 4096";
        assert_eq!(translate(&[reason]), "No space left on device");
    }

    #[test]
    fn a_cut_file_is_told_without_the_calls_around() {
        let reasons = [
            "truncated file: eof = 100, sblock->base_addr = 0, stored_eof = 4928",
            "unable to read superblock",
            "unable to open file",
        ];
        assert_eq!(translate(&reasons), "it is truncated: 100 bytes are there, 4928 were written");
    }

    #[test]
    fn insides_of_the_library_are_not_repeated() {
        for (reason, words) in [
            ("required filter 'zstd' is not registered", "its compression `zstd` is not read here"),
            (
                "truncated file: eof = 163442, sblock->base_addr = 0, stored_eof = 168442",
                "it is truncated: 163442 bytes are there, 168442 were written",
            ),
            ("file signature not found", "it is no HDF5 file"),
            ("data error detected by Fletcher32 checksum", "a checksum in it does not fit"),
            ("inflate() failed", "its compressed values are damaged"),
            ("bad version number for layout message", "a newer version of the format than is read here"),
            ("", "gives no reason"),
        ] {
            let said = translate(&[reason]);
            assert!(said.contains(words), "{reason}: {said}");
        }
    }
}
