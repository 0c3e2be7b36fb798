//! Whose brain: a subject of NSD, or one whose data were imported.

mod nsd;
mod own;

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use nsd::{NUM_SUBJECTS, NsdSubject, Resolution};
pub use own::OwnSubject;

use super::error::DataError;

/// A subject; printed as in file names: `subj01`, or the name of an imported one. In settings and summaries a subject of NSD is
/// its number, an imported one its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectId {
    /// One of NSD's eight.
    Nsd(NsdSubject),
    /// One whose data `import` brought in.
    Own(OwnSubject),
}

/// Subject 1 of NSD, the paper's.
impl Default for SubjectId {
    fn default() -> Self {
        Self::Nsd(NsdSubject::default())
    }
}

impl SubjectId {
    /// The subject of NSD with this 1-based number.
    ///
    /// # Errors
    /// As [`NsdSubject::new`].
    pub fn new(number: u32) -> Result<Self, DataError> {
        NsdSubject::new(number).map(Self::Nsd)
    }

    /// The subject of NSD that it is.
    ///
    /// # Errors
    /// [`DataError::Unknown`] for an imported one, of which there are no files as NSD has them.
    pub fn nsd(self) -> Result<NsdSubject, DataError> {
        match self {
            Self::Nsd(subject) => Ok(subject),
            Self::Own(name) => {
                let known = [format!(
                    "1 to {NUM_SUBJECTS}; what is done with the files of NSD does not go with imported data"
                )];
                Err(DataError::unknown("subject of NSD", name, known))
            }
        }
    }

    /// Whether its data were imported.
    pub fn is_own(self) -> bool {
        matches!(self, Self::Own(_))
    }
}

impl From<NsdSubject> for SubjectId {
    fn from(subject: NsdSubject) -> Self {
        Self::Nsd(subject)
    }
}

impl fmt::Display for SubjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nsd(subject) => subject.fmt(formatter),
            Self::Own(name) => name.fmt(formatter),
        }
    }
}

impl FromStr for SubjectId {
    type Err = DataError;

    /// Reads `1`, `01`, `subj01`, or the name of an imported subject.
    fn from_str(text: &str) -> Result<Self, DataError> {
        match text.parse() {
            Ok(subject) => Ok(Self::Nsd(subject)),
            Err(_) => text.parse().map(Self::Own),
        }
    }
}

impl Serialize for SubjectId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nsd(subject) => subject.serialize(serializer),
            Self::Own(name) => serializer.serialize_str(name.name()),
        }
    }
}

impl<'de> Deserialize<'de> for SubjectId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberOrName)
    }
}

struct NumberOrName;

impl Visitor<'_> for NumberOrName {
    type Value = SubjectId;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "1 to {NUM_SUBJECTS}, or the name of an imported subject")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<SubjectId, E> {
        NsdSubject::try_from(number).map(SubjectId::Nsd).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<SubjectId, E> {
        // Beyond the other kind of whole numbers lies no subject.
        self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<SubjectId, E> {
        name.parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_hold_a_number_or_a_name() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Settings {
            subject: SubjectId,
        }
        let own = SubjectId::Own("digits".parse().unwrap());
        for (text, subject) in
            [("subject = 3\n", SubjectId::new(3).unwrap()), ("subject = \"digits\"\n", own)]
        {
            let settings: Settings = toml::from_str(text).unwrap();
            assert_eq!(settings.subject, subject);
            assert_eq!(toml::to_string(&settings).unwrap(), text);
        }
        assert_eq!(serde_json::to_string(&SubjectId::default()).unwrap(), "1");
        assert_eq!(serde_json::from_str::<SubjectId>("\"subj02\"").unwrap(), SubjectId::new(2).unwrap());
        for wrong in ["9", "-1", "0", "18446744073709551615", "1.5", "true", "\"a b\"", "\"subj09\"", "[1]"] {
            assert!(serde_json::from_str::<SubjectId>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_only_nsd_has_is_refused_in_words() {
        let own: SubjectId = "digits".parse().unwrap();
        assert!(own.is_own());
        let error = own.nsd().unwrap_err().to_string();
        assert!(error.starts_with("unknown subject of NSD `digits`; known: 1 to 8"), "{error}");
        assert_eq!("subj07".parse::<SubjectId>().unwrap().nsd().unwrap().number(), 7);
        assert!("subj9".parse::<SubjectId>().is_err());
    }
}
