//! `responses.tsv`: what a subject pressed, one row per trial, in the order of the betas.

use std::path::Path;

use crate::data::error::DataError;
use crate::data::formats::csv::{Delimiter, Table};
use crate::data::trial::NsdId;

/// The 19 columns in the order of NSD's files.
pub const COLUMNS: [&str; 19] = [
    "SUBJECT",
    "SESSION",
    "RUN",
    "TRIAL",
    "73KID",
    "10KID",
    "TIME",
    "ISOLD",
    "ISCORRECT",
    "RT",
    "CHANGEMIND",
    "MEMORYRECENT",
    "MEMORYFIRST",
    "ISOLDCURRENT",
    "ISCORRECTCURRENT",
    "TOTAL1",
    "TOTAL2",
    "BUTTON",
    "MISSINGDATA",
];

/// One trial's behaviour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Response {
    /// 1-based session.
    pub session: u16,
    /// 1-based run within the session.
    pub run: u8,
    /// 1-based stimulus trial within the run.
    pub trial_in_run: u8,
    /// The image.
    pub nsd_id: NsdId,
    /// Whether it had been shown before.
    pub is_old: bool,
    /// Whether the answer was right; none without an answer.
    pub is_correct: Option<bool>,
    /// From onset to press in milliseconds; none without an answer.
    pub reaction_time_ms: Option<f64>,
    /// Behaviour of this trial was lost.
    pub is_missing: bool,
}

/// Reads a subject's table.
///
/// # Errors
/// [`DataError::missing`], [`DataError::unreadable`], or [`DataError::Invalid`] naming column and row.
pub fn read(path: &Path) -> Result<Vec<Response>, DataError> {
    let table = Table::read(path, Delimiter::Tab, "behaviour and a check of the order of trials")?;
    let column = |name| table.column(name);
    let (session, run, trial) = (column("SESSION")?, column("RUN")?, column("TRIAL")?);
    let (image, is_old, is_correct) = (column("73KID")?, column("ISOLD")?, column("ISCORRECT")?);
    let (reaction_time, missing) = (column("RT")?, column("MISSINGDATA")?);
    let small = |row, column| {
        let number = table.count(row, column)?;
        u8::try_from(number).map_err(|_| table.wrong(row, column, "at most 255", &number.to_string()))
    };
    // NaN stands where nothing was pressed.
    let optional = |row, column| {
        let number = table.number(row, column)?;
        Ok::<_, DataError>((!number.is_nan()).then_some(number))
    };
    (0..table.num_rows())
        .map(|row| {
            let id = table.count(row, image)?;
            let nsd_id = u32::try_from(id)
                .ok()
                .and_then(|id| id.checked_sub(1))
                .ok_or_else(|| table.wrong(row, image, "a number from 1", &id.to_string()))?;
            Ok(Response {
                session: u16::from(small(row, session)?),
                run: small(row, run)?,
                trial_in_run: small(row, trial)?,
                nsd_id: NsdId(nsd_id),
                is_old: optional(row, is_old)?.is_some_and(|flag| flag != 0.0),
                is_correct: optional(row, is_correct)?.map(|flag| flag != 0.0),
                reaction_time_ms: optional(row, reaction_time)?,
                is_missing: optional(row, missing)?.is_some_and(|flag| flag != 0.0),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::formats::csv::write_table;

    #[test]
    fn missing_answers_are_none_and_ids_become_0_based() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("responses.tsv");
        let cells = "1 2 3 4 46003 1 0.5 1 NaN NaN NaN NaN NaN 0 NaN 0 0 NaN 0";
        let row: Vec<&str> = cells.split(' ').collect();
        write_table(&path, Delimiter::Tab, &COLUMNS, [row.clone()]).unwrap();
        let responses = read(&path).unwrap();
        assert_eq!(
            responses,
            [Response {
                session: 2,
                run: 3,
                trial_in_run: 4,
                nsd_id: NsdId(46002),
                is_old: true,
                is_correct: None,
                reaction_time_ms: None,
                is_missing: false,
            }]
        );
        let mut zero = row;
        zero[4] = "0";
        write_table(&path, Delimiter::Tab, &COLUMNS, [zero]).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains("column `73KID`, row 1 is `0`, expected a number from 1"), "{error}");
    }
}
