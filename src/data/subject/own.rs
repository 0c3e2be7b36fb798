//! Names of subjects that do not come from NSD.

use std::fmt;
use std::str::FromStr;

use crate::data::error::DataError;

/// Most letters of a name: it stands in the names of files and run folders.
const LONGEST: usize = 40;
/// What run folders of the control with exchanged betas end in.
const CONTROL_SUFFIX: &str = "-shuffled";

/// The name of a subject that was imported: 1 to 40 ASCII letters, digits, `-` and `_`, a letter first.
///
/// Refused are `all`, names that begin like those of NSD's subjects (`subj1…`), and names that end in `-shuffled`, which would
/// be taken for the control runs of another subject.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnSubject {
    /// The letters, then zeros.
    letters: [u8; LONGEST],
}

impl OwnSubject {
    /// The name.
    pub fn name(&self) -> &str {
        let len = self.letters.iter().position(|letter| *letter == 0).unwrap_or(LONGEST);
        // Nothing but ASCII was let in.
        std::str::from_utf8(&self.letters[..len]).unwrap_or_default()
    }
}

impl FromStr for OwnSubject {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let is_plain = text.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter));
        let begins_well = text.starts_with(|first: char| first.is_ascii_alphabetic());
        let is_like_nsd = text
            .strip_prefix("subj")
            .is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()));
        let is_taken = text == "all" || is_like_nsd || text.ends_with(CONTROL_SUFFIX);
        if !(is_plain && begins_well) || is_taken || text.len() > LONGEST {
            let known = [
                format!("1 to {} of NSD", super::nsd::NUM_SUBJECTS),
                format!(
                    "a name of one's own of at most {LONGEST} letters, digits, `-` and `_` that begins with a letter, not like \
                     `subj01`, and does not end in `{CONTROL_SUFFIX}`"
                ),
            ];
            return Err(DataError::unknown("subject", text, known));
        }
        let mut letters = [0; LONGEST];
        letters[..text.len()].copy_from_slice(text.as_bytes());
        Ok(Self { letters })
    }
}

impl fmt::Display for OwnSubject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Debug for OwnSubject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_files_and_are_never_those_of_others() {
        for name in ["digits", "S01", "sub-03_b", "subject", "subj", "a", &"x".repeat(40)] {
            assert_eq!(name.parse::<OwnSubject>().unwrap().to_string(), name);
        }
        let long = "x".repeat(41);
        for name in ["", "all", "subj01", "subj1-x", "1a", "-a", "a b", "a/b", "..", "ä", "a-shuffled", &long]
        {
            assert!(name.parse::<OwnSubject>().is_err(), "{name}");
        }
    }
}
