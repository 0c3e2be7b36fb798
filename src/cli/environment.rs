//! Numbers that the environment sets, refused before work begins like those of flags and settings.

use super::usage_error::UsageError;
use crate::error::one_line;

/// Variables, their largest number, and what they are.
const NUMBERS: &[(&str, u64, &str)] = &[
    ("RAYON_NUM_THREADS", MOST_THREADS, "the number of threads; 0: one per core"),
    // Rayon's older name of it.
    ("RAYON_RS_NUM_CPUS", MOST_THREADS, "the number of threads; 0: one per core"),
    ("SOURCE_DATE_EPOCH", END_OF_9999, "the seconds since 1970 that files are dated with"),
];
/// More threads than any machine has cores; each takes memory whether it works or not.
const MOST_THREADS: u64 = 1024;
/// Dates have years of four digits.
const END_OF_9999: u64 = 253_402_300_799;

/// Checks the variables that are set; `value_of` reads one.
///
/// # Errors
/// [`UsageError`] that names the first variable which holds no number in its range.
pub fn check(value_of: impl Fn(&str) -> Option<String>) -> Result<(), UsageError> {
    for (name, most, meaning) in NUMBERS {
        let Some(value) = value_of(name).filter(|value| !value.is_empty()) else { continue };
        if !value.trim().parse().is_ok_and(|number: u64| number <= *most) {
            let value = one_line(value);
            return Err(UsageError::new(format!("`{name}={value}`: expected 0 to {most}, {meaning}")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_refused_by_name() {
        let with = |name: &'static str, value: &str| {
            let value = value.to_string();
            check(move |asked| (asked == name).then(|| value.clone())).map_err(|error| error.to_string())
        };
        for value in ["", "0", "1", " 64 ", "1024"] {
            assert_eq!(with("RAYON_NUM_THREADS", value), Ok(()), "{value}");
        }
        let message =
            "`RAYON_NUM_THREADS=100000`: expected 0 to 1024, the number of threads; 0: one per core";
        assert_eq!(with("RAYON_NUM_THREADS", "100000"), Err(message.into()));
        for value in ["-1", "nan", "1e3", "four", "18446744073709551616", "1\u{1b}[2J"] {
            let error = with("RAYON_RS_NUM_CPUS", value).unwrap_err();
            assert!(error.contains("0 to 1024") && !error.contains('\u{1b}'), "{error}");
        }
        assert_eq!(with("SOURCE_DATE_EPOCH", "1700000000"), Ok(()));
        assert!(with("SOURCE_DATE_EPOCH", "999999999999").unwrap_err().contains("253402300799"));
        assert_eq!(with("OTHER", "nan"), Ok(()));
    }
}
