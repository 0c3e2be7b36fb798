//! Whether a file is whole: headers against sizes, the last values read. What these checks pass, `prepare` can open.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use crate::data::error::DataError;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::trial::NsdId;
use crate::files::{InputKind, open_input};

/// Bytes at either end of a JSON file that are looked at.
const LOOKED_AT: u64 = 4096;

/// The image file opens, and its last image can be read.
pub(super) fn stimuli(path: &Path) -> Result<(), DataError> {
    let stimuli = Stimuli::open(path)?;
    match stimuli.num_images().checked_sub(1) {
        Some(last) => stimuli.image(NsdId(last as u32)).map(|_| ()),
        None => Err(DataError::invalid(path, "number of images", "at least 1", 0)),
    }
}

/// COCO's files are up to half a gigabyte of JSON: one that was cut off does not end in the bracket that it begins with.
pub(super) fn json_object(path: &Path) -> Result<(), DataError> {
    let ends = || -> std::io::Result<(Option<u8>, Option<u8>)> {
        let mut file = open_input(path, InputKind::Annotations)?;
        let size = file.metadata()?.len();
        let mut bytes = Vec::new();
        file.by_ref().take(LOOKED_AT).read_to_end(&mut bytes)?;
        let is_text = |byte: &&u8| !byte.is_ascii_whitespace();
        let first = crate::files::without_mark(&bytes).iter().find(is_text).copied();
        file.seek(SeekFrom::Start(size.saturating_sub(LOOKED_AT)))?;
        bytes.clear();
        file.take(LOOKED_AT).read_to_end(&mut bytes)?;
        Ok((first, bytes.iter().rev().find(is_text).copied()))
    };
    match ends().map_err(|error| DataError::unreadable(path, error))? {
        (Some(b'{'), Some(b'}')) => Ok(()),
        (Some(b'{'), _) => Err(DataError::unreadable(path, "it is truncated: its JSON does not end")),
        _ => Err(DataError::unreadable(path, "it is no JSON object")),
    }
}

/// `3 to 5, 8`: numbers in ranges; they ascend.
pub(super) fn in_ranges(numbers: &[u16]) -> String {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let words = ranges.iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        1 => format!("{first}, {last}"),
        _ => format!("{first} to {last}"),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_ranges() {
        assert_eq!(in_ranges(&[3, 4, 5, 8]), "3 to 5, 8");
        assert_eq!(in_ranges(&[1, 2]), "1, 2");
        assert_eq!(in_ranges(&(1..=37).collect::<Vec<_>>()), "1 to 37");
        assert_eq!(in_ranges(&[]), "");
    }

    #[test]
    fn json_that_was_cut_off_is_found_without_reading_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("captions.json");
        let with = |text: &str| {
            std::fs::write(&path, text).unwrap();
            json_object(&path).map_err(|error| error.to_string())
        };
        let long = format!("\u{feff} {{\"annotations\": [{}1]}}\n", "1, ".repeat(5000));
        assert_eq!(with(&long), Ok(()));
        assert!(with(&long[..9000]).unwrap_err().contains("truncated"));
        assert!(with("<html>").unwrap_err().contains("no JSON object") && with("").is_err());
    }
}
