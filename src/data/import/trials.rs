//! Which picture was shown in which trial: `trials.csv`, or one picture a trial in the order of the pictures.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::betas::BetaFiles;
use crate::data::error::DataError;
use crate::data::formats::csv::{Column, Delimiter, Table};
use crate::data::trial::{NsdId, Trial};
use crate::error::one_line;
use crate::files::{InputKind, open_input, skip_mark};

/// What is known of the trials, one a row of the betas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrialList {
    /// The table that tells; none where every trial has a picture of its own.
    pub table: Option<PathBuf>,
    /// Names of the distinct pictures, in order of first appearance.
    pub images: Vec<String>,
    /// Picture (its place in `images`), session and repetition.
    pub trials: Vec<Trial>,
    /// A number per trial that is equal for trials of one run of one session.
    pub runs: Vec<usize>,
    /// Whether a run is known of every trial.
    pub has_runs: bool,
    /// Whether the trial is held out, where the data say so.
    pub is_test: Option<Vec<bool>>,
    /// The class of every picture of `images`, where the data say it.
    pub classes: Option<Vec<String>>,
}

/// A trial as its row says it.
struct Row {
    image: String,
    session: u16,
    run: String,
    is_test: Option<bool>,
    class: Option<String>,
}

/// Reads a table with an optional byte-order mark; a `.tsv` is split at tabs.
///
/// # Errors
/// Those of [`Table::read`].
pub(super) fn read_table(path: &Path, needed_for: &str) -> Result<Table, DataError> {
    let file =
        open_input(path, InputKind::Table).map_err(|error| DataError::from_io(path, needed_for, &error))?;
    let text = skip_mark(file).map_err(|error| DataError::unreadable(path, error))?;
    let is_tabs = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("tsv"));
    Table::from_reader(path, if is_tabs { Delimiter::Tab } else { Delimiter::Comma }, text)
}

impl TrialList {
    /// Reads the table; row i is that of row i of the betas. The rows from `first_test` on are held out, if it is given.
    ///
    /// # Errors
    /// [`DataError`] for a table that cannot be read or has another number of rows than the betas, naming row and column of a cell that
    /// holds something else than it must, and of a picture on both sides of the split.
    pub fn read(path: &Path, betas: &BetaFiles, first_test: Option<usize>) -> Result<Self, DataError> {
        let table = read_table(path, "the picture of every trial")?;
        if table.num_rows() != betas.num_trials() {
            let files: Vec<String> = betas
                .files()
                .iter()
                .map(|file| format!("`{}` {}", file.name().display(), file.num_trials()))
                .collect();
            let expected = format!("{} as the betas have ({})", betas.num_trials(), files.join(", "));
            return Err(DataError::invalid(path, "number of rows", expected, table.num_rows()));
        }
        let columns = Columns::find(&table)?;
        if columns.split.is_some() && first_test.is_some() {
            let expected = "none beside `--test-betas`, which hold out their trials";
            return Err(DataError::invalid(path, "column `split`", expected, "there"));
        }
        let mut rows = Vec::with_capacity(table.num_rows());
        for row in 0..table.num_rows() {
            let mut read = columns.row(&table, row, betas)?;
            if let Some(first_test) = first_test {
                read.is_test = Some(row >= first_test);
            }
            rows.push(read);
        }
        let list = Self::of_rows(path, rows, columns.run.is_some())?;
        list.require_both_sides(path)?;
        Ok(Self { table: Some(path.to_path_buf()), ..list })
    }

    /// One picture a trial, named by its number from 0, as arrays of pictures are. The rows from `first_test` on are held out, if it is
    /// given.
    ///
    /// # Errors
    /// [`DataError::Invalid`] for another number of pictures than of trials.
    pub fn in_order(
        num_pictures: usize,
        pictures: &Path,
        betas: &BetaFiles,
        first_test: Option<usize>,
    ) -> Result<Self, DataError> {
        if num_pictures != betas.num_trials() {
            let expected = format!("{}, one a trial, where there is no `--trials`", betas.num_trials());
            return Err(DataError::invalid(pictures, "number of pictures", expected, num_pictures));
        }
        let row = |row: usize| {
            let (session, run) = usual_session(row, betas);
            let is_test = first_test.map(|first| row >= first);
            Row { image: row.to_string(), session, run, is_test, class: None }
        };
        Self::of_rows(pictures, (0..num_pictures).map(row).collect(), false)
    }

    fn of_rows(path: &Path, rows: Vec<Row>, has_runs: bool) -> Result<Self, DataError> {
        let (mut numbers, mut images, mut runs_by_name) = (HashMap::new(), Vec::new(), HashMap::new());
        let mut seen: Vec<(u8, Option<bool>)> = Vec::new();
        let mut classes: Vec<&Option<String>> = Vec::new();
        let (mut trials, mut runs) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for (row, Row { image, session, run, is_test, class }) in rows.iter().enumerate() {
            let number = *numbers.entry(image.as_str()).or_insert_with(|| {
                images.push(image.clone());
                seen.push((0, *is_test));
                classes.push(class);
                images.len() - 1
            });
            let (repetition, side) = &mut seen[number];
            if side != is_test {
                let field = format!("column `split`, row {}", row + 1);
                let expected = format!("the side of the other trials of `{}`", one_line(image));
                let found = if *is_test == Some(true) { "test" } else { "train" };
                return Err(DataError::invalid(path, field, expected, found));
            }
            if let (Some(class), Some(other)) = (class, classes[number])
                && class != other
            {
                let field = format!("column `class`, row {}", row + 1);
                let expected =
                    format!("`{}`, that of the other trials of `{}`", one_line(other), one_line(image));
                return Err(DataError::invalid(path, field, expected, format!("`{}`", one_line(class))));
            }
            let nsd_id = NsdId(u32::try_from(number).unwrap_or(u32::MAX));
            trials.push(Trial { nsd_id, session: *session, repetition: *repetition });
            // Pictures that are shown more often than can be counted are all the same: seen before.
            *repetition = repetition.saturating_add(1);
            let next = runs_by_name.len();
            runs.push(*runs_by_name.entry((*session, run.as_str())).or_insert(next));
        }
        let is_test: Option<Vec<bool>> = rows.iter().map(|row| row.is_test).collect();
        let classes = classes.into_iter().cloned().collect();
        Ok(Self { table: None, images, trials, runs, has_runs, is_test, classes })
    }

    /// Refuses a split with an empty side: it would be no split, and another would hold out what was said to be for training.
    fn require_both_sides(&self, path: &Path) -> Result<(), DataError> {
        let Some(is_test) = &self.is_test else { return Ok(()) };
        let everywhere = match (is_test.contains(&false), is_test.contains(&true)) {
            (true, true) => return Ok(()),
            (_, is_test) => {
                if is_test {
                    "test"
                } else {
                    "train"
                }
            }
        };
        let expected =
            "at least one trial of each, `train` and `test`; without the column `split.rule` decides";
        Err(DataError::invalid(path, "column `split`", expected, format!("`{everywhere}` in every row")))
    }
}

/// Session and run of a trial of which nothing else is said: files of volumes are one each, arrays are one together.
fn usual_session(row: usize, betas: &BetaFiles) -> (u16, String) {
    let mut before = 0;
    let file = betas.files().iter().position(|file| {
        before += file.num_trials();
        row < before
    });
    let number = file.filter(|file| betas.files()[*file].is_of_volumes()).unwrap_or(0);
    (u16::try_from(number + 1).unwrap_or(u16::MAX), String::new())
}

struct Columns {
    image: Column,
    session: Option<Column>,
    run: Option<Column>,
    split: Option<Column>,
    class: Option<Column>,
}

impl Columns {
    fn find(table: &Table) -> Result<Self, DataError> {
        let optional = |name| table.optional_column(name);
        Ok(Self {
            image: table.column("image")?,
            session: optional("session")?,
            run: optional("run")?,
            split: optional("split")?,
            class: optional("class")?,
        })
    }

    fn row(&self, table: &Table, row: usize, betas: &BetaFiles) -> Result<Row, DataError> {
        let image = table.text(row, self.image)?;
        if image.is_empty() {
            return Err(table.wrong(row, self.image, "the name of a picture", image));
        }
        let session = match self.session {
            None => usual_session(row, betas).0,
            Some(column) => session(table, row, column)?,
        };
        let run = self.run.map_or(Ok(""), |column| table.text(row, column))?;
        let is_test = self.split.map(|column| match table.text(row, column)? {
            "train" => Ok(false),
            "test" => Ok(true),
            other => Err(table.wrong(row, column, "train or test", &one_line(other))),
        });
        let class = self.class.map(|column| match table.text(row, column)? {
            "" => Err(table.wrong(row, column, "the name of a class", "")),
            class => Ok(class.to_string()),
        });
        Ok(Row {
            image: image.into(),
            session,
            run: run.into(),
            is_test: is_test.transpose()?,
            class: class.transpose()?,
        })
    }
}

/// A number from 1, also behind `ses-`, as BIDS writes it.
fn session(table: &Table, row: usize, column: Column) -> Result<u16, DataError> {
    let text = table.text(row, column)?;
    let number = text.strip_prefix("ses-").unwrap_or(text).parse::<u16>().ok();
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| table.wrong(row, column, "the number of a session, 1 to 65535", &one_line(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::import::array_name::ArrayName;

    /// Betas of as many trials, one voxel each.
    fn betas(folder: &Path, counts: &[usize]) -> BetaFiles {
        let names: Vec<ArrayName> = (counts.iter().enumerate())
            .map(|(number, count)| {
                let path = folder.join(format!("{number}.csv"));
                std::fs::write(&path, "1\n".repeat(*count)).unwrap();
                path.to_str().unwrap().parse().unwrap()
            })
            .collect();
        BetaFiles::open(&names, None).unwrap()
    }

    fn read(text: &str, counts: &[usize], first_test: Option<usize>) -> Result<TrialList, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.csv");
        std::fs::write(&path, text).unwrap();
        let betas = betas(folder.path(), counts);
        TrialList::read(&path, &betas, first_test).map_err(|error| error.to_string())
    }

    #[test]
    fn repeats_are_found_by_name() {
        let text = "\u{feff}session,image,run,split\n1,b.png,1,train\n1,a.png,2,test\nses-02,b.png,1,train\n";
        let list = read(text, &[3], None).unwrap();
        assert_eq!(list.images, ["b.png", "a.png"]);
        let found: Vec<_> = list.trials.iter().map(|t| (t.nsd_id.0, t.session, t.repetition)).collect();
        assert_eq!(found, [(0, 1, 0), (1, 1, 0), (0, 2, 1)]);
        assert_eq!((list.runs, list.is_test), (vec![0, 1, 2], Some(vec![false, true, false])));
        let list = read("image\na\na\nb\n", &[2, 1], Some(2)).unwrap();
        assert_eq!((list.is_test, list.trials[2].session), (Some(vec![false, false, true]), 1));
        assert_eq!(read("image\na\n", &[1], None).unwrap().is_test, None, "nothing is said of it");
    }

    #[test]
    fn what_is_wrong_is_named_by_row_and_column() {
        for (text, counts, first_test, needle) in [
            ("picture\na\n", &[1][..], None, "column `image` is not among: picture, expected there"),
            ("image\na\nb\n", &[2, 1], None, "number of rows is 2, expected 3 as the betas have"),
            ("image\na\n\n", &[1, 1], None, "number of rows is 1, expected 2"),
            ("image,session\na,1\nb,x\n", &[2], None, "column `session`, row 2 is `x`"),
            ("image,session\na,0\n", &[1], None, "column `session`, row 1 is `0`"),
            (
                "image,split\na,train\nb,validation\n",
                &[2],
                None,
                "column `split`, row 2 is `validation`, expected train or test",
            ),
            (
                "image,split\na,train\na,test\n",
                &[2],
                None,
                "column `split`, row 2 is test, expected the side of the other trials of `a`",
            ),
            ("image\na\na\n", &[1, 1], Some(1), "column `split`, row 2 is test"),
            ("image,split\na,train\n", &[1], Some(0), "none beside `--test-betas`"),
            (
                "image,split\na,train\nb,train\n",
                &[2],
                None,
                "column `split` is `train` in every row, expected at least one trial of each",
            ),
            ("image,split\na,test\n", &[1], None, "column `split` is `test` in every row"),
            ("image,session,session\na,1,2\n", &[1], None, "column `session` is there 2 times"),
            ("image,run\n,1\n", &[1], None, "column `image`, row 1 is ``"),
        ] {
            let error = read(text, counts, first_test).unwrap_err();
            assert!(error.contains("trials.csv") && error.contains(needle), "{needle}: {error}");
        }
    }

    #[test]
    fn without_a_table_every_trial_has_a_picture_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let betas = betas(folder.path(), &[2, 1]);
        let list = TrialList::in_order(3, Path::new("p.npy"), &betas, Some(2)).unwrap();
        assert_eq!(list.images, ["0", "1", "2"]);
        let error = TrialList::in_order(4, Path::new("p.npy"), &betas, None).unwrap_err().to_string();
        assert!(error.contains("p.npy") && error.contains("is 4, expected 3"), "{error}");
    }
}
