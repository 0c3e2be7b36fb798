//! Tables with named columns: comma- or tab-separated text, one header line.
//!
//! NSD's tables come from pandas and from MATLAB: `True`/`False` for flags, `NaN` for missing numbers, an unnamed
//! first column, column names that begin with a digit. Getters name file, row and column when a cell is wrong.

use std::io::Read;
use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord, WriterBuilder};

use crate::data::error::DataError;
use crate::files::{InputKind, open_input, write_through};

/// What stands between two cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delimiter {
    /// `.csv`
    Comma,
    /// `.tsv`
    Tab,
}

impl Delimiter {
    fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Tab => b'\t',
        }
    }
}

/// A column of a [`Table`], found by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column(usize);

/// A table in memory.
#[derive(Clone, Debug)]
pub struct Table {
    path: PathBuf,
    header: StringRecord,
    rows: Vec<StringRecord>,
}

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// [`DataError::missing`] with `needed_for`; [`DataError::unreadable`] for rows of unequal length or text that is
    /// not UTF-8.
    pub fn read(path: &Path, delimiter: Delimiter, needed_for: &str) -> Result<Self, DataError> {
        let file = open_input(path, InputKind::Table)
            .map_err(|error| DataError::from_io(path, needed_for, &error))?;
        Self::from_reader(path, delimiter, file)
    }

    /// Reads a table from any source; `path` is for messages.
    ///
    /// # Errors
    /// [`DataError::unreadable`].
    pub fn from_reader(path: &Path, delimiter: Delimiter, source: impl Read) -> Result<Self, DataError> {
        let unreadable = |error: csv::Error| DataError::unreadable(path, error);
        let mut reader = ReaderBuilder::new().delimiter(delimiter.byte()).from_reader(source);
        let header = reader.headers().map_err(unreadable)?.clone();
        let rows = reader.records().collect::<Result<_, _>>().map_err(unreadable)?;
        Ok(Self { path: path.to_path_buf(), header, rows })
    }

    /// Number of rows without the header.
    pub fn num_rows(&self) -> usize {
        self.rows.len()
    }

    /// The file it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finds a column.
    ///
    /// # Errors
    /// [`DataError::Invalid`] with the names there are, or for a name that several have.
    pub fn column(&self, name: &str) -> Result<Column, DataError> {
        self.optional_column(name)?.ok_or_else(|| {
            let found = format!("not among: {}", self.header.iter().collect::<Vec<_>>().join(", "));
            DataError::invalid(&self.path, format!("column `{name}`"), "there", found)
        })
    }

    /// Finds a column that need not be there.
    ///
    /// # Errors
    /// [`DataError::Invalid`] for a name that several columns have: which of them is meant?
    pub fn optional_column(&self, name: &str) -> Result<Option<Column>, DataError> {
        let mut places = self.header.iter().enumerate().filter(|(_, found)| *found == name);
        let first = places.next().map(|(place, _)| Column(place));
        match places.count() {
            0 => Ok(first),
            more => {
                let found = format!("there {} times", more + 1);
                Err(DataError::invalid(&self.path, format!("column `{name}`"), "one of this name", found))
            }
        }
    }

    /// A cell as text, trimmed.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when the table has no such row.
    pub fn text(&self, row: usize, column: Column) -> Result<&str, DataError> {
        self.rows
            .get(row)
            .and_then(|cells| cells.get(column.0))
            .map(str::trim)
            .ok_or_else(|| DataError::invalid(&self.path, "number of rows", row + 1, self.rows.len()))
    }

    /// A whole number that is not negative; `7.0` counts as 7.
    ///
    /// # Errors
    /// [`DataError::Invalid`] naming row and column.
    pub fn count(&self, row: usize, column: Column) -> Result<u64, DataError> {
        let text = self.text(row, column)?;
        text.parse()
            .ok()
            .or_else(|| {
                let number: f64 = text.parse().ok()?;
                // Above 2^53 a float no longer holds every whole number.
                let is_exact = number >= 0.0 && number.fract() == 0.0 && number < 9_007_199_254_740_992.0;
                is_exact.then_some(number as u64)
            })
            .ok_or_else(|| self.wrong(row, column, "a whole number", text))
    }

    /// A number; `NaN` is one.
    ///
    /// # Errors
    /// [`DataError::Invalid`] naming row and column.
    pub fn number(&self, row: usize, column: Column) -> Result<f64, DataError> {
        let text = self.text(row, column)?;
        text.parse().map_err(|_| self.wrong(row, column, "a number or NaN", text))
    }

    /// A flag: `True`/`False` (any case) or `1`/`0`.
    ///
    /// # Errors
    /// [`DataError::Invalid`] naming row and column.
    pub fn flag(&self, row: usize, column: Column) -> Result<bool, DataError> {
        let text = self.text(row, column)?;
        match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(self.wrong(row, column, "True or False", text)),
        }
    }

    /// The error for a cell that holds something else than it must. Rows are counted from 1 below the header.
    pub fn wrong(&self, row: usize, column: Column, expected: &str, found: &str) -> DataError {
        let name = self.header.get(column.0).unwrap_or("?");
        DataError::invalid(
            &self.path,
            format!("column `{name}`, row {}", row + 1),
            expected,
            format!("`{found}`"),
        )
    }
}

/// Writes a table; cells that hold the delimiter or quotes are quoted.
///
/// # Errors
/// [`DataError::unwritable`], also for a row of another length than the header.
pub fn write_table<Cell: AsRef<str>>(
    path: &Path,
    delimiter: Delimiter,
    header: &[&str],
    rows: impl IntoIterator<Item = Vec<Cell>>,
) -> Result<(), DataError> {
    let written = write_through(path, |out| {
        let mut writer = WriterBuilder::new().delimiter(delimiter.byte()).from_writer(out);
        writer.write_record(header)?;
        for row in rows {
            writer.write_record(row.iter().map(AsRef::as_ref))?;
        }
        writer.flush()
    });
    Ok(written?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FileError;

    fn table(text: &str, delimiter: Delimiter) -> Result<Table, DataError> {
        Table::from_reader(Path::new("t.csv"), delimiter, text.as_bytes())
    }

    #[test]
    fn pandas_and_matlab_dialects_are_read() {
        let text = ",cocoId,cropBox,flagged,73KID\n0,532481,\"(0, 0, 0.1671875, 0.1671875)\",False,46003.0\n";
        let table = table(text, Delimiter::Comma).unwrap();
        let column = |name| table.column(name).unwrap();
        assert_eq!(table.count(0, column("cocoId")).unwrap(), 532_481);
        assert_eq!(table.text(0, column("cropBox")).unwrap(), "(0, 0, 0.1671875, 0.1671875)");
        assert!(!table.flag(0, column("flagged")).unwrap());
        assert_eq!(table.count(0, column("73KID")).unwrap(), 46003);
        assert_eq!(table.count(0, column("")).unwrap(), 0);
        let tabs = super::tests::table("A\tB\nNaN\t1e3\n", Delimiter::Tab).unwrap();
        assert!(tabs.number(0, tabs.column("A").unwrap()).unwrap().is_nan());
        assert_eq!(tabs.number(0, tabs.column("B").unwrap()).unwrap(), 1000.0);
    }

    #[test]
    fn wrong_cells_name_row_and_column() {
        let table = table("a,b\n1,x\n2,-3\n", Delimiter::Comma).unwrap();
        let b = table.column("b").unwrap();
        for error in [table.number(0, b), table.count(0, b).map(|v| v as f64)] {
            assert!(error.unwrap_err().to_string().contains("column `b`, row 1 is `x`"));
        }
        assert!(table.count(1, b).is_err());
        assert!(table.flag(1, b).is_err());
        assert!(table.count(2, b).unwrap_err().to_string().contains("number of rows is 2, expected 3"));
        assert!(table.column("c").unwrap_err().to_string().contains("not among: a, b"));
    }

    #[test]
    fn ragged_and_binary_tables_are_unreadable() {
        for text in [&b"a,b\n1\n"[..], &b"a\n\xff\xfe\n"[..]] {
            let read = Table::from_reader(Path::new("t.csv"), Delimiter::Comma, text);
            assert!(matches!(read, Err(DataError::File(FileError::Unreadable { .. }))));
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.tsv");
        let rows = vec![vec!["1", "a \"quoted\" \t cell"], vec!["2", ""]];
        write_table(&path, Delimiter::Tab, &["n", "text"], rows).unwrap();
        let table = Table::read(&path, Delimiter::Tab, "the test").unwrap();
        assert_eq!(table.num_rows(), 2);
        let text = table.column("text").unwrap();
        assert_eq!(table.text(0, text).unwrap(), "a \"quoted\" \t cell");
        let ragged = write_table(&path, Delimiter::Tab, &["n"], vec![vec!["1", "2"]]);
        assert!(matches!(ragged, Err(DataError::File(FileError::Unwritable { .. }))));
        assert_eq!(Table::read(&path, Delimiter::Tab, "the test").unwrap().num_rows(), 2);
    }
}
