//! The one check of a number against its range.

use std::fmt::Display;
use std::ops::{Bound, Range, RangeBounds, RangeInclusive};

use super::setting::SettingError;

/// A number that a setting can be.
pub trait Number: PartialOrd + Display {
    /// Neither infinite nor NaN.
    fn is_finite(&self) -> bool;
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

impl Number for f32 {
    fn is_finite(&self) -> bool {
        Self::is_finite(*self)
    }
}

impl Number for f64 {
    fn is_finite(&self) -> bool {
        Self::is_finite(*self)
    }
}

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
    Err(SettingError::new(field, in_words(&range), value))
}

fn in_words<T: Number>(range: &impl TwoEnds<T>) -> String {
    let low = match range.start_bound() {
        Bound::Included(low) => format!("{low}"),
        Bound::Excluded(low) => format!("above {low}"),
        Bound::Unbounded => String::new(),
    };
    match (range.start_bound(), range.end_bound()) {
        (Bound::Included(_), Bound::Included(high)) => format!("{low} to {high}"),
        (Bound::Included(_), Bound::Excluded(high)) => format!("at least {low} and below {high}"),
        (_, Bound::Included(high)) => format!("{low} and at most {high}"),
        (_, Bound::Excluded(high)) => format!("{low} and below {high}"),
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
    fn what_is_no_number_is_in_no_range() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(in_range("x", value, f64::NEG_INFINITY..=f64::INFINITY).is_err());
            assert!(in_range("x", value, 0.0..=f64::INFINITY).is_err());
        }
    }
}
