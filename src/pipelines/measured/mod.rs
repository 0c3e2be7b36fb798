//! Numbers with all that a reader needs to judge them: of what, how it was counted, chance, floors, ceilings, ridge regression on the
//! same trials.
//!
//! A result's numbers are a [`MeasuredTable`], whose [`Context`] says what all of them share: subject, split, images, trials, seed. There
//! is no other way to print one: [`MeasuredTable::lines`] for a terminal, [`MeasuredTable::blocks`] for a page, [`MeasuredTable::csv`]
//! for a spreadsheet, all from the same cells.

mod csv;
mod number;
mod reference;
mod text;

pub use self::number::{Context, Measured, MeasuredTable, Presentations, Unit};
pub use self::reference::{Reference, ReferenceKind};
pub use self::text::NumberBlock;

/// File of a run folder with its numbers, a row each.
pub const NUMBERS_FILE: &str = "numbers.csv";

#[cfg(test)]
mod tests;
