//! Numbers as a table of comma-separated values, a row per number with all of its context.

use csv::Writer;

use super::number::{Measured, MeasuredTable, Presentations, Unit};
use crate::error::{Error, Result};
use crate::metrics::bootstrap::Interval;

/// Columns of every row.
const HEAD: [&str; 18] = [
    "subject",
    "split",
    "split_sha256",
    "folds",
    "images",
    "trials",
    "seed",
    "inference",
    "quantity",
    "protocol",
    "decoder",
    "presentations",
    "unit",
    "reference",
    "value",
    "low",
    "high",
    "chance",
];
/// Stands in the column `reference` of a difference from ridge regression.
const MINUS_RIDGE: &str = "minus-ridge";

/// What stands in a row beside context and protocol.
struct Cells<'a> {
    reference: &'a str,
    value: f64,
    interval: Option<[f64; 2]>,
    chance: Option<f64>,
}

impl MeasuredTable {
    /// The numbers as CSV with a header line: a row per number, whose `reference` is empty, then a row per reference of it.
    ///
    /// # Errors
    /// None that depends on the numbers.
    pub fn csv(&self) -> Result<Vec<u8>> {
        let mut table = Writer::from_writer(Vec::new());
        let failed = |error: csv::Error| Error::failure(format!("numbers cannot be written as CSV: {error}"));
        table.write_record(HEAD).map_err(failed)?;
        for number in self.numbers() {
            for cells in rows_of(number) {
                table.write_record(self.row(number, &cells)).map_err(failed)?;
            }
        }
        table
            .into_inner()
            .map_err(|error| Error::failure(format!("numbers cannot be written as CSV: {error}")))
    }

    fn row(&self, number: &Measured, cells: &Cells<'_>) -> [String; HEAD.len()] {
        let context = self.context();
        let optional = |value: Option<String>| value.unwrap_or_default();
        let [low, high] = [0, 1].map(|end| optional(cells.interval.map(|ends| ends[end].to_string())));
        [
            optional(context.subject.clone()),
            optional(context.split.as_ref().map(|split| split.rule.clone())),
            optional(context.split.as_ref().map(|split| split.sha256.clone())),
            optional(context.folds.map(|folds| folds.to_string())),
            context.num_images.to_string(),
            context.num_trials.to_string(),
            optional(context.seed.map(|seed| seed.to_string())),
            optional(context.inference.as_ref().map(|found| found.kind.to_string())),
            number.quantity.clone(),
            number.protocol.clone(),
            number.decoder.clone(),
            match number.presentations {
                Presentations::Single => "1".into(),
                Presentations::Averaged(mean) => mean.to_string(),
            },
            unit(number.unit),
            cells.reference.into(),
            cells.value.to_string(),
            low,
            high,
            optional(cells.chance.map(|chance| chance.to_string())),
        ]
    }
}

/// The number itself, its references, its difference from ridge regression.
fn rows_of(number: &Measured) -> Vec<Cells<'_>> {
    let of = |reference, Interval { mean, low, high }, chance| Cells {
        reference,
        value: mean,
        interval: Some([low, high]),
        chance,
    };
    let mut rows = vec![of("", number.value, number.chance)];
    rows.extend(number.references.iter().map(|reference| Cells {
        reference: reference.kind.name(),
        value: reference.value,
        interval: reference.interval,
        chance: None,
    }));
    rows.extend(number.over_ridge.map(|over| of(MINUS_RIDGE, over, None)));
    rows
}

fn unit(unit: Unit) -> String {
    match unit {
        Unit::Share => "share".into(),
        Unit::CountOf(of) => format!("count of {of}"),
        Unit::Correlation => "correlation".into(),
        Unit::Rank => "rank".into(),
        Unit::Auc => "auc".into(),
    }
}
