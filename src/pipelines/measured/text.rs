//! Numbers as cells: a block per quantity and protocol, a row per decoder.

use std::collections::BTreeSet;

use super::number::{Context, Measured, MeasuredTable, Presentations, Unit};
use super::reference::ReferenceKind;
use crate::metrics::bootstrap::Interval;
use crate::pipelines::inference::Inference;

/// Hexadecimal digits of a split's hash that are printed.
const HASH_DIGITS: usize = 12;

/// Numbers of one quantity and protocol, as cells.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberBlock {
    /// What was measured.
    pub quantity: String,
    /// Quantity and protocol.
    pub title: String,
    /// Head of each column.
    pub head: Vec<String>,
    /// A row per decoder.
    pub rows: Vec<Vec<String>>,
}

impl MeasuredTable {
    /// Everything as lines of text: the context, a block per quantity, and what the columns mean.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.context().lines();
        for block in self.blocks() {
            lines.push(String::new());
            lines.extend(block.lines());
        }
        lines.extend(self.explanations());
        lines
    }

    /// Numbers of the same quantity and protocol together, in the order of the first of each.
    pub fn blocks(&self) -> Vec<NumberBlock> {
        let mut groups: Vec<Vec<&Measured>> = Vec::new();
        for number in self.numbers() {
            let is_alike = |group: &&mut Vec<&Measured>| {
                group.first().is_some_and(|first| {
                    (&first.quantity, &first.protocol, first.unit)
                        == (&number.quantity, &number.protocol, number.unit)
                })
            };
            match groups.iter_mut().find(is_alike) {
                Some(group) => group.push(number),
                None => groups.push(vec![number]),
            }
        }
        groups.iter().map(|group| NumberBlock::of(group)).collect()
    }

    /// What the columns mean, a sentence for each kind of reference that is there.
    pub fn explanations(&self) -> Vec<String> {
        let references = self.numbers().iter().flat_map(|number| &number.references);
        let kinds: BTreeSet<ReferenceKind> = references.map(|reference| reference.kind).collect();
        let mut lines: Vec<String> = kinds.into_iter().map(|kind| kind.explanation().to_string()).collect();
        if self.numbers().iter().any(|number| number.over_ridge.is_some()) {
            lines.push(
                "Minus ridge: the difference on the same trials, with the interval of the difference itself."
                    .into(),
            );
        }
        lines
    }
}

impl Context {
    /// What all numbers share, as lines of text.
    pub fn lines(&self) -> Vec<String> {
        let mut parts = vec![
            self.subject.as_ref().map_or("unknown subject".into(), |subject| format!("Subject {subject}")),
        ];
        parts.extend(self.split.as_ref().map(|split| {
            let hash: String = split.sha256.chars().take(HASH_DIGITS).collect();
            format!("split `{}` ({hash})", split.rule)
        }));
        parts.extend(self.folds.map(|folds| format!("{folds} folds")));
        parts.push(format!("{} held-out images, {} trials", self.num_images, self.num_trials));
        parts.extend(self.seed.map(|seed| format!("seed {seed}")));
        let mut lines = vec![format!("{}; brackets: 95 % intervals over images.", parts.join("; "))];
        lines.extend(self.inference.as_ref().map(Inference::line));
        lines
    }
}

impl NumberBlock {
    fn of(numbers: &[&Measured]) -> Self {
        let kinds: BTreeSet<ReferenceKind> =
            numbers.iter().flat_map(|number| &number.references).map(|reference| reference.kind).collect();
        let has_chance = numbers.iter().any(|number| number.chance.is_some());
        let has_ridge = numbers.iter().any(|number| number.over_ridge.is_some());
        let mut head = vec!["decoder".to_string(), "value".into()];
        head.extend(has_chance.then(|| "chance".into()));
        head.extend(kinds.iter().map(|kind| kind.head().to_string()));
        head.extend(has_ridge.then(|| "minus ridge".into()));
        let row = |number: &&Measured| {
            let unit = number.unit;
            let name = match number.presentations {
                Presentations::Single => number.decoder.clone(),
                Presentations::Averaged(mean) => format!("{}, mean of {mean:.1}", number.decoder),
            };
            let mut row = vec![name, unit.within(number.value)];
            if has_chance {
                row.push(number.chance.map_or(String::new(), |chance| unit.number(chance)));
            }
            row.extend(kinds.iter().map(|kind| {
                number.reference(*kind).map_or(String::new(), |reference| match reference.interval {
                    Some([low, high]) => unit.within(Interval { mean: reference.value, low, high }),
                    None => unit.number(reference.value),
                })
            }));
            if has_ridge {
                row.push(number.over_ridge.map_or(String::new(), |over| unit.difference(over)));
            }
            row
        };
        let rows = numbers.iter().map(row).collect();
        let first = numbers.first();
        let title = first.map_or(String::new(), |first| {
            let unit = first.unit.in_words();
            let parts = [first.quantity.as_str(), &first.protocol, &unit];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
        });
        let quantity = first.map_or(String::new(), |first| first.quantity.clone());
        Self { quantity, title, head, rows }
    }

    /// Title, head and rows, in columns.
    pub fn lines(&self) -> Vec<String> {
        let all = || std::iter::once(&self.head).chain(&self.rows);
        let letters = |cell: &String| cell.chars().count();
        let width = |column: usize| all().filter_map(|row| row.get(column).map(letters)).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
                0 => format!("  {cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            });
            cells.collect::<String>().trim_end().to_string()
        };
        std::iter::once(format!("{}:", self.title)).chain(all().map(line)).collect()
    }
}

impl Unit {
    /// A number of this unit with its interval.
    fn within(self, Interval { mean, low, high }: Interval) -> String {
        format!("{} [{}, {}]", self.number(mean), self.number(low), self.number(high))
    }

    /// A number of this unit.
    fn number(self, value: f64) -> String {
        match self {
            Self::Share => format!("{:.1}", 100.0 * value),
            Self::CountOf(_) | Self::Rank => format!("{value:.1}"),
            Self::Correlation | Self::Auc => format!("{value:.3}"),
        }
    }

    /// A difference of two numbers of this unit.
    fn difference(self, Interval { mean, low, high }: Interval) -> String {
        let signed = |value: f64| match self {
            Self::Share => format!("{:+.1}", 100.0 * value),
            Self::CountOf(_) | Self::Rank => format!("{value:+.1}"),
            Self::Correlation | Self::Auc => format!("{value:+.3}"),
        };
        format!("{} [{}, {}]", signed(mean), signed(low), signed(high))
    }

    /// What stands behind the title of a block.
    fn in_words(self) -> String {
        match self {
            Self::Share => "%".into(),
            Self::CountOf(of) => format!("of {of}"),
            Self::Correlation => String::new(),
            Self::Rank => "1 is best".into(),
            Self::Auc => "AUC".into(),
        }
    }
}
