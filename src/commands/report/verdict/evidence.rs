//! What a verdict follows from, and where an interval lies to chance.

use crate::commands::report::measures::Measure;
use crate::metrics::bootstrap::Interval;
use crate::report::number_format::percent;

/// Where an interval lies to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::commands::report) enum Standing {
    Above,
    /// The number is inside the interval, its ends included.
    Within,
    Below,
}

/// What the verdict is about.
#[derive(Clone, Debug)]
pub(in crate::commands::report) struct Evidence<'a> {
    /// Whose brain.
    pub subject: String,
    /// Trials that took no part in training.
    pub held_out: Option<usize>,
    /// All shares, those of the verdict first of their kind.
    pub measures: &'a [Measure],
    /// Mean accuracy (Pearson's r) of the encoding model over voxels, and the noise ceiling.
    pub encoding: Option<(f64, Option<f64>)>,
    /// Command that makes a control of retrieval.
    pub control_command: String,
    /// Command that makes what can be counted at all.
    pub first_command: String,
}

/// Where an interval lies to chance.
pub(in crate::commands::report) fn standing(Interval { low, high, .. }: Interval, chance: f64) -> Standing {
    if low > chance {
        Standing::Above
    } else if high < chance {
        Standing::Below
    } else {
        Standing::Within
    }
}

/// A share with its interval.
pub(in crate::commands::report) fn within(Interval { mean, low, high }: Interval) -> String {
    format!("{} ({} to {})", percent(mean), percent(low), percent(high))
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
