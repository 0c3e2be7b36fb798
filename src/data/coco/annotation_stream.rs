//! The annotations of a COCO file one after the other: the files of segmentations are too large to be held.

use std::fmt;
use std::io::BufReader;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::data::error::DataError;
use crate::files::{InputKind, open_input, skip_mark};

/// What is done with an annotation; a text says what is wrong with it.
pub(super) type Take<'a> = &'a mut dyn FnMut(&Value) -> Result<(), String>;

/// Calls `take` for every member of the list `annotations`.
///
/// # Errors
/// [`DataError::missing`]; [`DataError::unreadable`] with line and column, also for what `take` refuses.
pub(super) fn for_each_annotation(path: &Path, needed_for: &str, take: Take<'_>) -> Result<(), DataError> {
    let file = open_input(path, InputKind::Annotations)
        .map_err(|error| DataError::from_io(path, needed_for, &error))?;
    let text = skip_mark(file).map_err(|error| DataError::unreadable(path, error))?;
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 20, text));
    Document(take)
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(|error| DataError::unreadable(path, format!("as COCO JSON: {error}")))
}

struct Document<'a>(Take<'a>);

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with `annotations`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut is_there = false;
        while let Some(name) = members.next_key::<String>()? {
            if name == "annotations" {
                // The segmentations of a real file may fill gigabytes: members of the wanted list are handed on one
                // by one, and every other list is skipped unkept.
                members.next_value_seed(Members(&mut *self.0))?;
                is_there = true;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        if is_there { Ok(()) } else { Err(A::Error::missing_field("annotations")) }
    }
}

struct Members<'a>(Take<'a>);

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of annotations")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(annotation) = members.next_element::<Value>()? {
            (self.0)(&annotation).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FileError;

    fn ids(text: &str) -> Result<Vec<u64>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stuff_val2017.json");
        std::fs::write(&path, text).unwrap();
        let mut found = vec![];
        let mut take = |annotation: &Value| {
            found.push(annotation["id"].as_u64().ok_or("`id` is no number")?);
            Ok(())
        };
        for_each_annotation(&path, "a test", &mut take).map_err(|error| error.to_string())?;
        Ok(found)
    }

    #[test]
    fn members_come_in_order_wherever_the_list_stands() {
        assert_eq!(ids(r#"{"images":[{"id":9}],"annotations":[{"id":2},{"id":1}]}"#), Ok(vec![2, 1]));
        assert_eq!(ids("\u{feff}{\"annotations\":[{\"id\":4}]}"), Ok(vec![4]));
        assert_eq!(ids(r#"{"annotations":[{"id":3}],"info":{"a":[1]}}"#), Ok(vec![3]));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_file() {
        for (text, needle) in [
            (r#"{"images":[]}"#, "missing field `annotations`"),
            (r#"{"annotations":[{"id":2},{"id":"#, "EOF"),
            (r#"{"annotations":[{"id":"x"}]}"#, "`id` is no number"),
            ("[]", "an object with `annotations`"),
        ] {
            let error = ids(text).unwrap_err();
            assert!(error.contains("stuff_val2017.json") && error.contains(needle), "{error}");
        }
        let missing = for_each_annotation("none.json".as_ref(), "a test", &mut |_| Ok(())).unwrap_err();
        assert!(matches!(missing, DataError::File(FileError::Missing { .. })));
    }
}
