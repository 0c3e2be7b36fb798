//! The one check of a number against its range.

use std::fmt::Display;
use std::ops::{Bound, Range, RangeBounds, RangeInclusive};

use super::one_line::one_line;
use super::setting::SettingError;

/// From here on a floating-point number is shown with an exponent: nobody counts the zeros.
const LARGE: f64 = 1e9;
/// Below this one is, too.
const SMALL: f64 = 1e-4;

/// A number that a setting can be.
pub trait Number: PartialOrd + Display {
    /// Neither infinite nor NaN.
    fn is_finite(&self) -> bool;

    /// As a message shows it.
    fn shown(&self) -> String {
        self.to_string()
    }
}

macro_rules! integers {
    ($($number:ty),*) => {
        $(impl Number for $number {
            fn is_finite(&self) -> bool {
                true
            }
        })*
    };
}

integers!(u16, u32, u64, usize);

macro_rules! floats {
    ($($number:ty),*) => {
        $(impl Number for $number {
            fn is_finite(&self) -> bool {
                Self::is_finite(*self)
            }

            fn shown(&self) -> String {
                let size = f64::from(self.abs());
                match Self::is_finite(*self) && size > 0.0 && !(SMALL..LARGE).contains(&size) {
                    true => format!("{self:e}"),
                    false => self.to_string(),
                }
            }
        })*
    };
}

floats!(f32, f64);

/// A range with two ends. An unbounded one is no range of a setting: somebody will type the number that no memory holds.
pub trait TwoEnds<T>: RangeBounds<T> {}

impl<T> TwoEnds<T> for Range<T> {}
impl<T> TwoEnds<T> for RangeInclusive<T> {}
impl<T> TwoEnds<T> for AboveTo<T> {}
impl<T> TwoEnds<T> for Between<T> {}

/// The numbers above the first up to the second.
#[derive(Clone, Copy, Debug)]
pub struct AboveTo<T>(T, T);

/// The numbers between two, both left out.
#[derive(Clone, Copy, Debug)]
pub struct Between<T>(T, T);

impl<T> RangeBounds<T> for AboveTo<T> {
    fn start_bound(&self) -> Bound<&T> {
        Bound::Excluded(&self.0)
    }

    fn end_bound(&self) -> Bound<&T> {
        Bound::Included(&self.1)
    }
}

impl<T> RangeBounds<T> for Between<T> {
    fn start_bound(&self) -> Bound<&T> {
        Bound::Excluded(&self.0)
    }

    fn end_bound(&self) -> Bound<&T> {
        Bound::Excluded(&self.1)
    }
}

/// The numbers above `low` up to `high`.
pub fn above_to<T>(low: T, high: T) -> AboveTo<T> {
    AboveTo(low, high)
}

/// The numbers between `low` and `high`, both left out.
pub fn between<T>(low: T, high: T) -> Between<T> {
    Between(low, high)
}

/// Refuses a value of the setting `field` outside `range`; infinities and NaN are outside every range.
///
/// Ranges are written as Rust's, `0.0..=1.0`, `0.0..1.0`; those that leave out their start are [`above_to`] and [`between`].
///
/// # Errors
/// [`SettingError`] without a section.
pub fn in_range<T: Number>(
    field: impl ToString,
    value: T,
    range: impl TwoEnds<T>,
) -> Result<(), SettingError> {
    if value.is_finite() && range.contains(&value) {
        return Ok(());
    }
    Err(SettingError::new(field, in_words(&range), value.shown()))
}

/// Refuses a list of the setting `field` with fewer or more numbers than `lens` allows, or with one outside `range`.
///
/// # Errors
/// [`SettingError`] without a section; what was found stands in brackets, an empty list as `[]`.
pub fn all_in_range<T: Number>(
    field: impl ToString,
    values: &[T],
    lens: RangeInclusive<usize>,
    range: impl TwoEnds<T>,
) -> Result<(), SettingError> {
    if lens.contains(&values.len()) && values.iter().all(|value| value.is_finite() && range.contains(value)) {
        return Ok(());
    }
    let expected = format!("{} numbers, each {}", in_words(&lens), in_words(&range));
    let found = values.iter().map(Number::shown).collect::<Vec<_>>().join(", ");
    Err(SettingError::new(field, expected, one_line(format!("[{found}]"))))
}

/// Refuses a list of the setting `field` with fewer or more entries than `lens` allows.
///
/// # Errors
/// [`SettingError`] without a section.
pub fn count_in_range(
    field: impl ToString,
    count: usize,
    lens: RangeInclusive<usize>,
) -> Result<(), SettingError> {
    if lens.contains(&count) {
        return Ok(());
    }
    let found = if count == 0 { "[]".into() } else { format!("{count} entries") };
    Err(SettingError::new(field, format!("{} entries", in_words(&lens)), found))
}

fn in_words<T: Number>(range: &impl TwoEnds<T>) -> String {
    let low = match range.start_bound() {
        Bound::Included(low) => low.shown(),
        Bound::Excluded(low) => format!("above {}", low.shown()),
        Bound::Unbounded => String::new(),
    };
    match (range.start_bound(), range.end_bound()) {
        (Bound::Included(_), Bound::Included(high)) => format!("{low} to {}", high.shown()),
        (Bound::Included(_), Bound::Excluded(high)) => format!("at least {low} and below {}", high.shown()),
        (_, Bound::Included(high)) => format!("{low} and at most {}", high.shown()),
        (_, Bound::Excluded(high)) => format!("{low} and below {}", high.shown()),
        (_, Bound::Unbounded) => low,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_told_in_words() {
        assert_eq!(in_range("epochs", 1_usize, 1..=9), Ok(()));
        let text = |result: Result<(), SettingError>| result.unwrap_err().to_string();
        assert_eq!(text(in_range("epochs", 0_usize, 1..=9)), "`epochs`: found 0, expected 1 to 9");
        assert_eq!(text(in_range("share", 1.5, 0.0..=1.0)), "`share`: found 1.5, expected 0 to 1");
        let text_of_share = text(in_range("share", 1.0, 0.0..1.0));
        assert_eq!(text_of_share, "`share`: found 1, expected at least 0 and below 1");
        let text_of_rate = text(in_range("rate", 0.0, above_to(0.0, 1e6)));
        assert_eq!(text_of_rate, "`rate`: found 0, expected above 0 and at most 1000000");
        assert_eq!(text(in_range("f", 1.0, between(0.0, 1.0))), "`f`: found 1, expected above 0 and below 1");
        assert!(
            in_range("rate", 1e6, above_to(0.0, 1e6)).is_ok()
                && in_range("f", 0.5, between(0.0, 1.0)).is_ok()
        );
    }

    #[test]
    fn lists_are_shown_in_brackets_and_far_numbers_with_an_exponent() {
        let of = |values: &[f64]| {
            all_in_range("penalties", values, 1..=3, 1e-9..=1e12).map_err(|error| error.to_string())
        };
        assert_eq!(of(&[0.1, 1e12]), Ok(()));
        let expected = "expected 1 to 3 numbers, each 1e-9 to 1e12";
        assert_eq!(of(&[]), Err(format!("`penalties`: found [], {expected}")));
        assert_eq!(of(&[0.1, 1e-300]), Err(format!("`penalties`: found [0.1, 1e-300], {expected}")));
        assert_eq!(of(&[1.0; 4]), Err(format!("`penalties`: found [1, 1, 1, 1], {expected}")));
        assert!(of(&[f64::NAN]).is_err() && of(&[0.0]).is_err());
        assert!(of(&[0.25; 1000]).unwrap_err().len() < 400);
        let error = in_range("gamma", 1e-300, 1e-3..=1e3).unwrap_err().to_string();
        assert_eq!(error, "`gamma`: found 1e-300, expected 0.001 to 1000");
        let count = |count| count_in_range("ways", count, 1..=3).map_err(|error| error.to_string());
        assert_eq!(count(3), Ok(()));
        assert_eq!(count(0), Err("`ways`: found [], expected 1 to 3 entries".into()));
        assert_eq!(count(4), Err("`ways`: found 4 entries, expected 1 to 3 entries".into()));
    }

    #[test]
    fn what_is_no_number_is_in_no_range() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(in_range("x", value, f64::NEG_INFINITY..=f64::INFINITY).is_err());
            assert!(in_range("x", value, 0.0..=f64::INFINITY).is_err());
        }
    }
}
