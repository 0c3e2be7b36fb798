//! Names of ROI labels: `.mgz.ctab` files, and built-in tables where a download lacks them.
//!
//! A table is text, one `NUMBER NAME` per line, sometimes with trailing tabs; both hemispheres share it. The built-in
//! tables are those of [`super::region_atlas`].

use std::collections::BTreeMap;
use std::path::Path;

use super::region_atlas::REGION_ATLASES;
use super::tree::NsdTree;
use crate::data::error::DataError;
use crate::data::subject::NsdSubject;
use crate::files::{InputKind, file_is_there, read_text};

/// Label names of one ROI; 0 ("Unknown") is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelTable {
    /// Name of each positive label.
    pub names: BTreeMap<i32, String>,
}

impl LabelTable {
    /// The first table found for this ROI, the built-in one, or an empty table.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when a table is there but broken.
    pub fn find(tree: &NsdTree, subject: NsdSubject, roi: &str) -> Result<Self, DataError> {
        for path in tree.label_tables(subject, roi) {
            if file_is_there(&path)? {
                return Self::read(&path);
            }
        }
        Ok(Self::built_in(roi).unwrap_or_default())
    }

    /// Reads one file.
    ///
    /// # Errors
    /// [`DataError::missing`], [`DataError::unreadable`], or [`DataError::Invalid`] naming the line.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let text = read_text(path, InputKind::Text)
            .map_err(|error| DataError::from_io(path, "the names of ROI labels", &error))?;
        Self::parse(path, &text)
    }

    /// Parses the text of a table; `path` is for messages.
    ///
    /// # Errors
    /// [`DataError::Invalid`] naming the line.
    pub fn parse(path: &Path, text: &str) -> Result<Self, DataError> {
        let mut names = BTreeMap::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (number, line) in text.lines().enumerate() {
            let mut fields = line.split_whitespace();
            let Some(label) = fields.next() else { continue };
            let entry = label.parse::<i32>().ok().zip(fields.next());
            let Some((label, name)) = entry else {
                let field = format!("line {}", number + 1);
                return Err(DataError::invalid(path, field, "`NUMBER NAME`", format!("`{}`", line.trim())));
            };
            if label > 0 {
                names.insert(label, name.to_string());
            }
        }
        Ok(Self { names })
    }

    /// The published table of a well-known ROI file.
    pub fn built_in(roi: &str) -> Option<Self> {
        let atlas = REGION_ATLASES.iter().find(|atlas| atlas.name == roi)?;
        Some(Self { names: (1..).zip(atlas.labels.iter().map(ToString::to_string)).collect() })
    }

    /// The file's text: `0 Unknown`, then one line per label.
    pub fn to_text(&self) -> String {
        let mut text = "0 Unknown\n".to_string();
        for (label, name) in &self.names {
            text.push_str(&format!("{label} {name}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_tabs_extra_columns_and_blank_lines_do_not_matter() {
        let text = "0 Unknown\n1 V1v\t    \n\n  2\tV1d  255 0 0 0\n";
        let table = LabelTable::parse(Path::new("x.ctab"), text).unwrap();
        assert_eq!(table.names, BTreeMap::from([(1, "V1v".to_string()), (2, "V1d".to_string())]));
    }

    #[test]
    fn a_line_without_number_or_name_is_named() {
        for text in ["1 V1v\nV1d 2\n", "1 V1v\n2\n"] {
            let error = LabelTable::parse(Path::new("x.ctab"), text).unwrap_err().to_string();
            assert!(error.starts_with("`x.ctab`: line 2 is"), "{error}");
        }
    }

    #[test]
    fn built_in_tables_have_the_published_sizes_and_survive_a_round_trip() {
        let sizes = [
            ("nsdgeneral", 1),
            ("prf-visualrois", 7),
            ("prf-eccrois", 5),
            ("floc-faces", 5),
            ("floc-words", 5),
            ("floc-places", 3),
            ("floc-bodies", 4),
            ("streams", 7),
            ("Kastner2015", 25),
        ];
        for (roi, size) in sizes {
            let table = LabelTable::built_in(roi).unwrap();
            assert_eq!(table.names.len(), size, "{roi}");
            assert_eq!(LabelTable::parse(Path::new("x"), &table.to_text()).unwrap(), table);
        }
        assert_eq!(LabelTable::built_in("Kastner2015").unwrap().names[&25], "FEF");
        assert!(LabelTable::built_in("HCP_MMP1").is_none());
    }
}
