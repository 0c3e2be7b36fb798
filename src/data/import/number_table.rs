//! Comma-separated numbers: a row of the file is a row of the array.

use std::io::Read;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord};

use crate::data::error::DataError;
use crate::files::{InputKind, open_input, skip_mark};
use crate::interrupt;

/// Rows between two looks whether somebody wants to stop.
const ROWS_AT_ONCE: usize = 64;

/// Numbers row by row, and the names above them if the file has any.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NumberTable {
    /// `[rows, columns]`, row by row.
    pub values: Vec<f64>,
    /// Rows of numbers.
    pub num_rows: usize,
    /// Numbers of a row.
    pub num_columns: usize,
    /// The first row, where none of its cells is a number.
    pub names: Option<Vec<String>>,
}

impl NumberTable {
    /// Reads a file; a first row without a number names the columns.
    ///
    /// # Errors
    /// [`DataError::missing`] with `needed_for`, [`DataError::unreadable`] for other bytes than text and for rows of unequal length,
    /// [`DataError::Invalid`] naming row and column of what is no number.
    pub fn read(path: &Path, needed_for: &str) -> Result<Self, DataError> {
        let file = open_input(path, InputKind::Table)
            .map_err(|error| DataError::from_io(path, needed_for, &error))?;
        let text = skip_mark(file).map_err(|error| DataError::unreadable(path, error))?;
        Self::from_reader(path, text)
    }

    fn from_reader(path: &Path, text: impl Read) -> Result<Self, DataError> {
        let mut table = Self { values: Vec::new(), num_rows: 0, num_columns: 0, names: None };
        let mut reader = ReaderBuilder::new().has_headers(false).from_reader(text);
        for (line, record) in reader.records().enumerate() {
            let record = record.map_err(|error| DataError::unreadable(path, error))?;
            table.num_columns = record.len();
            if line == 0 && record.iter().all(|cell| number(cell).is_none()) {
                table.names = Some(record.iter().map(|name| name.trim().to_string()).collect());
                continue;
            }
            if line % ROWS_AT_ONCE == 0 {
                interrupt::check()?;
            }
            table.push(path, &record)?;
        }
        if table.num_rows == 0 {
            return Err(DataError::empty(
                format!("the table `{}`", path.display()),
                "expected rows of numbers",
            ));
        }
        Ok(table)
    }

    fn push(&mut self, path: &Path, record: &StringRecord) -> Result<(), DataError> {
        self.num_rows += 1;
        for (column, cell) in record.iter().enumerate() {
            let value = number(cell).ok_or_else(|| {
                let field = format!("column {}, row {}", self.column_name(column), self.num_rows);
                DataError::invalid(path, field, "a number", format!("`{}`", crate::error::one_line(cell)))
            })?;
            self.values.push(value);
        }
        Ok(())
    }

    /// A column in errors: its name, else its number from 1.
    pub fn column_name(&self, column: usize) -> String {
        match self.names.as_ref().and_then(|names| names.get(column)) {
            Some(name) => format!("`{}`", crate::error::one_line(name)),
            None => (column + 1).to_string(),
        }
    }
}

fn number(cell: &str) -> Option<f64> {
    cell.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<NumberTable, String> {
        NumberTable::from_reader(Path::new("t.csv"), skip_mark(text).unwrap())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn names_above_the_numbers_are_optional() {
        let table = read(b"\xef\xbb\xbfa, b\n1,-2.5\r\n3e2,nan\n").unwrap();
        assert_eq!(table.names.as_deref(), Some(&["a".to_string(), "b".to_string()][..]));
        assert_eq!(
            (table.num_rows, table.num_columns, table.values[..3].to_vec()),
            (2, 2, vec![1.0, -2.5, 300.0])
        );
        assert!(table.values[3].is_nan());
        assert_eq!(read(b"1,2\n3,4").unwrap().values, [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn what_is_no_number_is_named_by_row_and_column() {
        for (text, needle) in [
            (&b"a,b\n1,2\n3,x\n"[..], "column `b`, row 2 is `x`, expected a number"),
            (b"1,x\n", "column 2, row 1 is `x`"),
            (b"1,2\n3,\n", "column 2, row 2 is ``"),
            (b"1,2\n3\n", "t.csv"),
            (b"1,\xff\n", "t.csv"),
            (b"a,b\n", "expected rows of numbers"),
            (b"", "expected rows of numbers"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains("t.csv") && error.contains(needle), "{error}");
        }
    }
}
