//! Which curves are wanted, as the settings say it, and the ranges of that.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{SettingError, above_to, all_in_range, count_in_range, in_range, limits};

/// Most points of a curve: each is counted, and of a mapper decoded anew.
const MOST_POINTS: usize = 100;
/// Most draws of a share.
const MOST_DRAWS: usize = 100;
/// Most splits that are compared: each is fitted twice.
const MOST_SPLITS: usize = 100;
/// Longest name of a split.
const LONGEST_NAME: usize = 100;
/// The word for no bottleneck.
const FULL: &str = "full";

/// Width of a bottleneck.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimensions {
    /// So many numbers, 1 to 65,536.
    Of(usize),
    /// No bottleneck.
    Full,
}

impl fmt::Display for Dimensions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Of(count) => write!(formatter, "{count}"),
            Self::Full => formatter.write_str(FULL),
        }
    }
}

impl Serialize for Dimensions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Of(count) => serializer.serialize_u64(*count as u64),
            Self::Full => serializer.serialize_str(FULL),
        }
    }
}

impl<'de> Deserialize<'de> for Dimensions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DimensionsVisitor)
    }
}

struct DimensionsVisitor;

impl DimensionsVisitor {
    fn number<E: de::Error>(found: impl fmt::Display, count: Option<usize>) -> Result<Dimensions, E> {
        match count {
            Some(count @ 1..=limits::WIDTH) => Ok(Dimensions::Of(count)),
            _ => Err(E::custom(format!("found {found}, expected 1 to {} or `{FULL}`", limits::WIDTH))),
        }
    }
}

impl de::Visitor<'_> for DimensionsVisitor {
    type Value = Dimensions;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "1 to {} or `{FULL}`", limits::WIDTH)
    }

    fn visit_u64<E: de::Error>(self, found: u64) -> Result<Dimensions, E> {
        Self::number(found, usize::try_from(found).ok())
    }

    fn visit_i64<E: de::Error>(self, found: i64) -> Result<Dimensions, E> {
        Self::number(found, usize::try_from(found).ok())
    }

    fn visit_str<E: de::Error>(self, found: &str) -> Result<Dimensions, E> {
        match found {
            FULL => Ok(Dimensions::Full),
            _ => Self::number(crate::error::one_line(format!("`{found}`")), found.parse().ok()),
        }
    }
}

/// Shares of trials and voxels unless others are named.
pub fn usual_shares() -> Vec<f64> {
    vec![0.1, 0.25, 0.5, 0.75, 1.0]
}

/// Splits that are compared unless others are named: those of `mindreader split --rule cluster` and `--rule tau`.
pub fn usual_splits() -> Vec<String> {
    (0..5).map(|cluster| format!("cluster-k5-{cluster}")).chain(["tau".into()]).collect()
}

/// Checks shares and draws of learning curves.
///
/// # Errors
/// [`SettingError`] that names the key, without a section.
pub fn check_shares(trial_shares: &[f64], voxel_shares: &[f64], draws: usize) -> Result<(), SettingError> {
    all_in_range("trial_shares", trial_shares, 1..=MOST_POINTS, above_to(0.0, 1.0))?;
    all_in_range("voxel_shares", voxel_shares, 1..=MOST_POINTS, above_to(0.0, 1.0))?;
    in_range("curve_draws", draws, 1..=MOST_DRAWS)
}

/// Checks how many points a bottleneck's curve has.
///
/// # Errors
/// As [`check_shares`].
pub fn check_dimensions(dimensions: &[Dimensions]) -> Result<(), SettingError> {
    count_in_range("bottleneck", dimensions.len(), 0..=MOST_POINTS)
}

/// Checks names of stored splits, which become parts of paths.
///
/// # Errors
/// As [`check_shares`].
pub fn check_splits(names: &[String]) -> Result<(), SettingError> {
    count_in_range("compare_splits", names.len(), 0..=MOST_SPLITS)?;
    let is_plain = |name: &str| {
        (1..=LONGEST_NAME).contains(&name.len())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.'))
    };
    match names.iter().find(|name| !is_plain(name)) {
        None => Ok(()),
        Some(name) => {
            let expected = format!(
                "names of `mindreader split`, such as `tau`: 1 to {LONGEST_NAME} letters, digits, `-`, `_` or `.`"
            );
            Err(SettingError::new("compare_splits", expected, crate::error::one_line(format!("`{name}`"))))
        }
    }
}

/// Ascending, each once.
pub(in crate::commands::evaluate) fn sorted_dimensions(dimensions: &[Dimensions]) -> Vec<Dimensions> {
    let mut sorted = dimensions.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    sorted
}

/// Ascending, each once.
pub(in crate::commands::evaluate) fn sorted_shares(shares: &[f64]) -> Vec<f64> {
    let mut sorted = shares.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup();
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Dimensions>, String> {
        let table: toml::Table = toml::from_str(text).map_err(|error| error.to_string())?;
        let list = table["list"].clone();
        list.try_into().map_err(|error: toml::de::Error| error.message().to_string())
    }

    #[test]
    fn dimensions_are_numbers_or_a_word() {
        let found = read("list = [5, \"full\", \"2\", 5]").unwrap();
        assert_eq!(sorted_dimensions(&found), [Dimensions::Of(2), Dimensions::Of(5), Dimensions::Full]);
        let written = serde_json::to_string(&found).unwrap();
        assert_eq!(written, "[5,\"full\",2,5]");
        assert_eq!(serde_json::from_str::<Vec<Dimensions>>(&written).unwrap(), found);
        for (text, found) in [
            ("0", "found 0"),
            ("-3", "found -3"),
            ("65537", "found 65537"),
            ("\"all\"", "found `all`"),
            ("\"\"", "found ``"),
        ] {
            let error = read(&format!("list = [{text}]")).unwrap_err();
            assert!(error.starts_with(found) && error.contains("expected 1 to 65536 or `full`"), "{error}");
        }
        assert!(read("list = [1.5]").is_err() && read("list = [[1]]").is_err());
    }

    #[test]
    fn what_is_out_of_range_is_named() {
        let field = |found: Result<(), SettingError>| found.unwrap_err().field;
        assert_eq!(check_shares(&usual_shares(), &usual_shares(), 3), Ok(()));
        for shares in [&[][..], &[0.0], &[1.5], &[f64::NAN], &[-0.1], &[0.5; 101]] {
            assert_eq!(field(check_shares(shares, &[1.0], 3)), "trial_shares");
            assert_eq!(field(check_shares(&[1.0], shares, 3)), "voxel_shares");
        }
        assert_eq!(field(check_shares(&[1.0], &[1.0], 0)), "curve_draws");
        assert_eq!(field(check_dimensions(&[Dimensions::Full; 10_000])), "bottleneck");
        assert_eq!(check_splits(&usual_splits()), Ok(()));
        for name in ["", "a/b", "..\u{2f}x", "\n"] {
            assert_eq!(field(check_splits(&[name.to_string()])), "compare_splits", "{name:?}");
        }
        assert_eq!(sorted_shares(&[1.0, 0.5, 0.5, 0.25]), [0.25, 0.5, 1.0]);
    }
}
