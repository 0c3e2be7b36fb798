//! How numbers are written for people.

use std::time::Duration;

/// A count as it is; any other number with three significant digits, without an exponent between 0.001 and 100,000.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "not a number".into();
    }
    let size = value.abs();
    // A count: its digits are all meant.
    if value.fract() == 0.0 && size < 1e5 {
        return format!("{value:.0}");
    }
    if !(1e-3..1e5).contains(&size) {
        return format!("{value:.2e}");
    }
    // Three significant digits: a number from 1 to 10 gets two after the point, one from 100 on gets none.
    let digits = (2 - size.log10().floor() as i32).max(0) as usize;
    format!("{value:.digits$}")
}

/// A fraction as a percentage with one digit after the point.
pub fn percent(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction)
}

/// A duration as `1 h 02 min`, `3 min 05 s` or `2.4 s`.
pub fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.19916, "0.199"),
            (12.345, "12.3"),
            (-2.5, "-2.50"),
            (1234.0, "1234"),
            (1e-5, "1.00e-5"),
        ] {
            assert_eq!(number(value), text);
        }
        assert_eq!(number(f64::NAN), "not a number");
        assert_eq!(percent(0.1234), "12.3 %");
        assert_eq!(duration(Duration::from_secs(185)), "3 min 05 s");
        assert_eq!(duration(Duration::from_secs(3720)), "1 h 02 min");
    }
}
