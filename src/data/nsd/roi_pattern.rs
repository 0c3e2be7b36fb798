//! How a user names voxels: `floc-faces`, `prf-visualrois:V1v`, `V1`, `FFA-1`, `lh.floc-faces`, `streams:early`.
//!
//! `[lh.|rh.]FILE`, `[lh.|rh.]FILE:REGION` or `[lh.|rh.]REGION`. A region that is spelt as in the label table means
//! itself; otherwise every region that begins with the text (`V1` is `V1v` and `V1d`). A region without file is looked
//! for in the functionally defined files first, so that `V1` is the subject's own map and not an atlas. Wherever regions
//! are named, several may be joined by `+` ([`parts_of`]).

use std::collections::BTreeMap;
use std::fmt;

use super::region_atlas::REGION_ATLASES;
use super::tree::Hemisphere;
use crate::data::error::DataError;

/// The regions of a union such as `V1+floc-bodies:EBA`. A `+` with nothing behind it belongs to the name (`ecc4+`).
pub fn parts_of(expression: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for part in expression.split('+').map(str::trim) {
        match parts.last_mut() {
            Some(last) if part.is_empty() && !last.ends_with('+') => last.push('+'),
            Some(_) if part.is_empty() => {}
            _ => parts.push(part.to_string()),
        }
    }
    parts
}

/// Label names of every ROI file at hand.
pub type RoiTables = BTreeMap<String, BTreeMap<i32, String>>;

/// A pattern resolved against label tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoiSelection {
    /// The ROI file.
    pub file: String,
    /// Only this half of the brain.
    pub hemisphere: Option<Hemisphere>,
    /// Labels of that file that count.
    pub labels: Labels,
}

/// Labels of a region file that a selection takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Every label above 0.
    AnyPositive,
    /// Exactly these labels.
    These(Vec<i32>),
}

impl RoiSelection {
    /// Resolves a pattern.
    ///
    /// ```
    /// use mindreader::data::nsd::roi_pattern::{Labels, RoiSelection, RoiTables};
    ///
    /// let areas = [(1, "V1v"), (2, "V1d"), (3, "V2v")].map(|(label, name)| (label, name.to_string()));
    /// let tables = RoiTables::from([("prf-visualrois".to_string(), areas.into())]);
    /// let selection = RoiSelection::resolve("V1", &tables)?;
    /// assert_eq!(selection.file, "prf-visualrois");
    /// assert_eq!(selection.labels, Labels::These(vec![1, 2]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::Unknown`] listing the files, or the regions of the file that was named.
    pub fn resolve(pattern: &str, tables: &RoiTables) -> Result<Self, DataError> {
        let (hemisphere, rest) = match (pattern.strip_prefix("lh."), pattern.strip_prefix("rh.")) {
            (Some(rest), _) => (Some(Hemisphere::Left), rest),
            (_, Some(rest)) => (Some(Hemisphere::Right), rest),
            _ => (None, pattern),
        };
        let selection = |file: &str, labels| Self { file: file.to_string(), hemisphere, labels };
        if tables.contains_key(rest) {
            return Ok(selection(rest, Labels::AnyPositive));
        }
        if let Some((file, region)) = rest.split_once(':') {
            let names =
                tables.get(file).ok_or_else(|| DataError::unknown("ROI file", file, tables.keys()))?;
            let labels = matching(names, region);
            if labels.is_empty() {
                return Err(DataError::unknown(format!("region of `{file}`"), region, names.values()));
            }
            return Ok(selection(file, Labels::These(labels)));
        }
        let first: Vec<&str> =
            REGION_ATLASES.iter().filter(|atlas| atlas.is_searched_first).map(|atlas| atlas.name).collect();
        let others = tables.keys().map(String::as_str).filter(|file| !first.contains(file));
        let there = first.iter().copied().filter(|file| tables.contains_key(*file));
        for file in there.chain(others) {
            let labels = matching(&tables[file], rest);
            if !labels.is_empty() {
                return Ok(selection(file, Labels::These(labels)));
            }
        }
        let regions =
            tables.iter().flat_map(|(file, names)| names.values().map(move |n| format!("{file}:{n}")));
        Err(DataError::unknown("ROI", pattern, tables.keys().cloned().chain(regions)))
    }

    /// Whether a voxel with this label, in this half of the brain, is selected.
    pub fn holds(&self, label: i32, hemisphere: Option<Hemisphere>) -> bool {
        let is_labelled = match &self.labels {
            Labels::AnyPositive => label > 0,
            Labels::These(labels) => labels.contains(&label),
        };
        is_labelled && (self.hemisphere.is_none() || self.hemisphere == hemisphere)
    }
}

/// Labels of the region of this name or number, else of all that begin with the text.
fn matching(names: &BTreeMap<i32, String>, region: &str) -> Vec<i32> {
    if region.is_empty() {
        return Vec::new();
    }
    // A number is a label, never the beginning of a name.
    if let Ok(number) = region.parse::<i32>() {
        return names.keys().copied().filter(|label| *label == number).collect();
    }
    let exact: Vec<i32> = names.iter().filter(|(_, name)| *name == region).map(|(label, _)| *label).collect();
    if !exact.is_empty() {
        return exact;
    }
    names.iter().filter(|(_, name)| name.starts_with(region)).map(|(label, _)| *label).collect()
}

impl fmt::Display for RoiSelection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(hemisphere) = self.hemisphere {
            write!(formatter, "{hemisphere}.")?;
        }
        match &self.labels {
            Labels::AnyPositive => write!(formatter, "{}", self.file),
            Labels::These(labels) => write!(formatter, "{} labels {labels:?}", self.file),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::nsd::ctab::LabelTable;

    fn tables() -> RoiTables {
        ["nsdgeneral", "prf-visualrois", "prf-eccrois", "floc-faces", "streams", "Kastner2015"]
            .map(|file| (file.to_string(), LabelTable::built_in(file).unwrap().names))
            .into()
    }

    fn labels(pattern: &str) -> (String, Vec<i32>) {
        let selection = RoiSelection::resolve(pattern, &tables()).unwrap();
        match selection.labels {
            Labels::AnyPositive => (selection.file, vec![]),
            Labels::These(labels) => (selection.file, labels),
        }
    }

    #[test]
    fn files_regions_and_beginnings_of_regions_are_found() {
        assert_eq!(labels("floc-faces"), ("floc-faces".into(), vec![]));
        assert_eq!(labels("prf-visualrois:V1v"), ("prf-visualrois".into(), vec![1]));
        assert_eq!(labels("V1"), ("prf-visualrois".into(), vec![1, 2]));
        assert_eq!(labels("FFA"), ("floc-faces".into(), vec![2, 3]));
        assert_eq!(labels("FFA-1"), ("floc-faces".into(), vec![2]));
        assert_eq!(labels("streams:early"), ("streams".into(), vec![1]));
        assert_eq!(labels("streams:5"), ("streams".into(), vec![5]));
        assert_eq!(labels("IPS"), ("Kastner2015".into(), vec![18, 19, 20, 21, 22, 23]));
        // Spelt exactly: not `ecc4+` too.
        assert_eq!(labels("ecc4"), ("prf-eccrois".into(), vec![4]));
    }

    #[test]
    fn a_union_is_taken_apart_at_plus_signs_that_end_no_name() {
        assert_eq!(parts_of("V1"), ["V1"]);
        assert_eq!(parts_of("V1+floc-bodies:EBA"), ["V1", "floc-bodies:EBA"]);
        assert_eq!(parts_of(" streams:early + lh.V2 "), ["streams:early", "lh.V2"]);
        assert_eq!(parts_of("ecc4+"), ["ecc4+"]);
        assert_eq!(parts_of("ecc4+ + V1"), ["ecc4+", "V1"]);
        assert_eq!(parts_of("prf-eccrois:ecc4++V1+ecc4"), ["prf-eccrois:ecc4+", "V1", "ecc4"]);
        assert_eq!(parts_of(""), [""]);
    }

    #[test]
    fn a_hemisphere_narrows_the_selection() {
        let selection = RoiSelection::resolve("lh.floc-faces", &tables()).unwrap();
        assert!(selection.holds(1, Some(Hemisphere::Left)));
        assert!(!selection.holds(1, Some(Hemisphere::Right)));
        assert!(!selection.holds(0, Some(Hemisphere::Left)));
        assert!(!selection.holds(1, None));
        assert_eq!(selection.to_string(), "lh.floc-faces");
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let error = |pattern| RoiSelection::resolve(pattern, &tables()).unwrap_err().to_string();
        assert!(error("V9").starts_with("unknown ROI `V9`; known: Kastner2015, floc-faces, nsdgeneral"));
        assert!(
            error("floc-faces:EBA").starts_with("unknown region of `floc-faces` `EBA`; known: OFA, FFA-1")
        );
        assert!(error("floc-cars:x").starts_with("unknown ROI file `floc-cars`"));
        assert!(error("").starts_with("unknown ROI ``"));
        assert!(error("streams:").contains("region of `streams`"));
    }
}
