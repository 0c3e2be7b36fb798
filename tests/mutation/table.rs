//! What came of the trials, counted by kind.

use std::collections::BTreeMap;
use std::fmt;

use crate::trial::{End, Ended, Trial};

/// Longest part of a message that is repeated.
const SHOWN: usize = 600;

const COLUMNS: &[(&str, &[End])] = &[
    ("done", &[End::Done]),
    ("refused", &[End::Refused]),
    ("failed", &[End::Failed]),
    ("stopped", &[End::Stopped]),
    ("panics", &[End::Panicked]),
    ("aborts", &[End::Aborted]),
    ("hangs", &[End::Hung]),
    ("lost", &[End::Lost]),
];

#[derive(Default)]
pub struct Table {
    rows: BTreeMap<&'static str, Row>,
    faults: Vec<String>,
    long: Vec<String>,
}

#[derive(Default)]
struct Row {
    trials: usize,
    ends: BTreeMap<End, usize>,
    /// Refusals of more than one line.
    long: usize,
}

impl Table {
    pub fn add(&mut self, number: u64, kind: &'static str, trial: &Trial, ends: Vec<Ended>) {
        let row = self.rows.entry(kind).or_default();
        row.trials += 1;
        for (Ended { end, error, lines }, call) in ends.iter().zip(&trial.calls) {
            *row.ends.entry(*end).or_default() += 1;
            let shown: String = error.chars().take(SHOWN).collect();
            let line =
                format!("trial {number}, {kind}, {}: {end:?}\n  {:?}\n  {shown}", trial.what, call.args);
            if matches!(end, End::Panicked | End::Aborted | End::Hung | End::Lost) {
                // At once: a run of hours may be cut short.
                println!("{line}");
                self.faults.push(line);
            } else if *lines > 1 {
                row.long += 1;
                self.long.push(line);
            }
        }
    }

    /// Panics, aborts, hangs and resumed runs that did not come to their end, each with the number that repeats it.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<20}{:>8}", "kind", "trials")?;
        COLUMNS.iter().try_for_each(|(name, _)| write!(f, "{name:>9}"))?;
        writeln!(f, "{:>9}", "long")?;
        let mut total = Row::default();
        for (kind, row) in &self.rows {
            row.write(kind, f)?;
            total.trials += row.trials;
            total.long += row.long;
            row.ends.iter().for_each(|(end, count)| *total.ends.entry(*end).or_default() += count);
        }
        total.write("all", f)?;
        self.long.iter().take(20).try_for_each(|line| writeln!(f, "several lines: {line}"))
    }
}

impl Row {
    fn write(&self, kind: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{kind:<20}{:>8}", self.trials)?;
        for (_, ends) in COLUMNS {
            let count: usize = ends.iter().filter_map(|end| self.ends.get(end)).sum();
            write!(f, "{count:>9}")?;
        }
        writeln!(f, "{:>9}", self.long)
    }
}
