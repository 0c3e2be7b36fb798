//! The one check of a number against its range.

use std::fmt::Display;
use std::ops::{Bound, RangeBounds};

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

integers!(u32, u64, usize);

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

/// Refuses a value of the setting `field` outside `range`; infinities and NaN are outside every range.
///
/// Ranges are written as Rust's: `1..`, `0.0..=1.0`, `0.0..1.0`; the one that leaves out its start is [`above`].
///
/// # Errors
/// [`SettingError`] without a section.
pub fn in_range<T: Number>(
    field: impl ToString,
    value: T,
    range: impl RangeBounds<T>,
) -> Result<(), SettingError> {
    if value.is_finite() && range.contains(&value) {
        return Ok(());
    }
    Err(SettingError::new(field, in_words(&range), value))
}

/// The range of all numbers greater than `bound`.
pub fn above<T>(bound: T) -> (Bound<T>, Bound<T>) {
    (Bound::Excluded(bound), Bound::Unbounded)
}

fn in_words<T: Number>(range: &impl RangeBounds<T>) -> String {
    match (range.start_bound(), range.end_bound()) {
        (Bound::Included(low), Bound::Included(high)) => format!("{low} to {high}"),
        (Bound::Included(low), Bound::Excluded(high)) => format!("at least {low} and below {high}"),
        (Bound::Included(low), Bound::Unbounded) => format!("at least {low}"),
        (Bound::Excluded(low), Bound::Included(high)) => format!("above {low} and at most {high}"),
        (Bound::Excluded(low), Bound::Excluded(high)) => format!("above {low} and below {high}"),
        (Bound::Excluded(low), Bound::Unbounded) => format!("a number above {low}"),
        (Bound::Unbounded, Bound::Included(high)) => format!("at most {high}"),
        (Bound::Unbounded, Bound::Excluded(high)) => format!("below {high}"),
        (Bound::Unbounded, Bound::Unbounded) => "a finite number".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_told_in_words() {
        assert_eq!(in_range("epochs", 1_usize, 1..), Ok(()));
        let text = |result: Result<(), SettingError>| result.unwrap_err().to_string();
        assert_eq!(text(in_range("epochs", 0_usize, 1..)), "`epochs`: found 0, expected at least 1");
        assert_eq!(text(in_range("share", 1.5, 0.0..=1.0)), "`share`: found 1.5, expected 0 to 1");
        let text_of_share = text(in_range("share", 1.0, 0.0..1.0));
        assert_eq!(text_of_share, "`share`: found 1, expected at least 0 and below 1");
        assert_eq!(text(in_range("rate", 0.0, above(0.0))), "`rate`: found 0, expected a number above 0");
    }

    #[test]
    fn what_is_no_number_is_in_no_range() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(in_range("x", value, ..).is_err() && in_range("x", value, 0.0..).is_err());
        }
    }
}
