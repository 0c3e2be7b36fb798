//! Betas into the prepared file: as they are while they are read, then scaled in the file, so that memory holds a block of rows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView1};

use super::betas::{BetaFiles, named_column};
use super::trials::TrialList;
use super::voxels::VoxelPlaces;
use crate::data::error::DataError;
use crate::data::formats::element::Real;
use crate::data::nsd::constant_voxels::refuse_dead_session;
use crate::data::prepared::{PreparedWriter, VoxelTable};
use crate::data::standardize::{ColumnDeviations, ColumnMeans, ColumnScale, Standardization};
use crate::interrupt;

/// What is done with a block of rows and the number of its first row; it may change them.
type ChangeRows<'a, R> = &'a mut dyn FnMut(usize, &mut Array2<R>) -> Result<(), DataError>;
/// The same where nothing is changed.
type LookAtRows<'a, R> = &'a mut dyn FnMut(usize, &Array2<R>) -> Result<(), DataError>;

/// Numbers of rows that are scaled together: 32 MiB.
const NUMBERS_AT_ONCE: usize = 1 << 23;
/// Trials of which a deviation can be told.
const FEWEST_TRIALS: usize = 2;

/// What is written, and how it is treated.
pub struct BetasToWrite<'a> {
    /// The files.
    pub betas: BetaFiles,
    /// Order of the voxels.
    pub places: &'a VoxelPlaces,
    /// Sessions, runs and split.
    pub trials: &'a TrialList,
    /// Scaling.
    pub standardization: Standardization,
    /// Whether a session may be constant throughout, or in more than half of a region.
    pub allow_constant: bool,
    /// Regions of the voxels.
    pub table: &'a VoxelTable,
}

/// What became of the trials of one session.
struct Session<R> {
    first_row: usize,
    num_rows: usize,
    first: Vec<R>,
    is_constant: Vec<bool>,
    num_missing: Vec<u32>,
}

impl BetasToWrite<'_> {
    /// Writes and scales the betas; returns how many voxels are constant in at least one session. `progress` is told how many of twice the
    /// trials are done.
    ///
    /// # Errors
    /// [`DataError`] of a file; for a beta that is no number in a voxel that has others in its session, for a session without responses,
    /// and for a group of trials too small to be scaled.
    pub fn write(
        self,
        writer: &mut PreparedWriter,
        progress: &mut dyn FnMut(usize),
    ) -> Result<usize, DataError> {
        let groups = groups(&self)?;
        let num_voxels = self.places.num_voxels();
        let is_constant = if groups.is_empty() || !self.betas.needs_double() {
            self.write_single(&groups, writer, progress)?
        } else {
            self.write_double(&groups, writer, progress)?
        };
        Ok((0..num_voxels).filter(|voxel| is_constant[*voxel]).count())
    }

    /// Writes what single precision holds, then scales it in the file; tells the voxels that are constant in a session.
    fn write_single(
        mut self,
        groups: &[Group],
        writer: &mut PreparedWriter,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<bool>, DataError> {
        let mut done = 0;
        let sessions = self.survey(&mut |first_row, block: &Array2<f32>| {
            writer.append(block)?;
            done = first_row + block.nrows();
            progress(done);
            Ok(())
        })?;
        let num_rows = done;
        for group in groups {
            scale(writer, group, &mut |rows| {
                done += rows;
                progress(done);
            })?;
        }
        if groups.is_empty() && sessions.values().any(Session::has_missing) {
            silence(writer, num_rows)?;
        }
        Ok(constant_somewhere(&sessions, self.places.num_voxels()))
    }

    /// Reads the files three times, for means, deviations and z-scores: in single precision a large offset would have taken digits from
    /// the responses. Tells the voxels that are constant in a session.
    fn write_double(
        mut self,
        groups: &[Group],
        writer: &mut PreparedWriter,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Vec<bool>, DataError> {
        let num_voxels = self.places.num_voxels();
        let group_of = group_of_rows(groups, self.trials.trials.len());
        let mut means: Vec<ColumnMeans> = groups.iter().map(|_| ColumnMeans::new(num_voxels)).collect();
        // Three readings are told as two.
        let mut steps = 0;
        let mut step = |rows: usize| {
            steps += rows;
            progress(steps * 2 / 3);
        };
        let sessions = self.survey(&mut |first_row, block: &Array2<f64>| {
            let mut block = block.clone();
            silent(&mut block);
            for (row, (group, is_fitted)) in block.rows().into_iter().zip(&group_of[first_row..]) {
                if *is_fitted {
                    means[*group].add_row(row);
                }
            }
            step(block.nrows());
            Ok(())
        })?;
        let mut deviations: Vec<ColumnDeviations> = means.into_iter().map(ColumnMeans::finish).collect();
        self.read(&mut |first_row, block: &mut Array2<f64>| {
            silent(block);
            for (row, (group, is_fitted)) in block.rows().into_iter().zip(&group_of[first_row..]) {
                if *is_fitted {
                    deviations[*group].add_row(row);
                }
            }
            step(block.nrows());
            Ok(())
        })?;
        let first_file = self.betas.files().first().map_or(PathBuf::new(), |file| file.name().to_path_buf());
        let scales: Vec<ColumnScale> = deviations.into_iter().map(ColumnDeviations::finish).collect();
        self.require_spread(groups, &scales, &sessions)?;
        self.read(&mut |first_row, block: &mut Array2<f64>| {
            silent(block);
            let rows = block.rows().into_iter().zip(&group_of[first_row..]);
            let scores = rows.flat_map(|(row, (group, _))| scales[*group].of_row(row)).collect();
            let scores = Array2::from_shape_vec(block.dim(), scores);
            writer.append(&scores.map_err(|error| DataError::unreadable(&first_file, error))?)?;
            step(block.nrows());
            Ok(())
        })?;
        Ok(constant_somewhere(&sessions, num_voxels))
    }

    /// Refuses sessions whose numbers vary, but so little beside their offset, or so near the ends of double precision, that z-scores of
    /// most voxels would be 0.
    fn require_spread<R: Real>(
        &self,
        groups: &[Group],
        scales: &[ColumnScale],
        sessions: &BTreeMap<u16, Session<R>>,
    ) -> Result<(), DataError> {
        let num_voxels = self.places.num_voxels();
        for (group, scale) in groups.iter().zip(scales) {
            let first = group.rows.first().copied().unwrap_or_default();
            let number = self.trials.trials[first].session;
            // What is constant is known of whole sessions.
            let whole = sessions.get(&number).filter(|session| session.num_rows == group.rows.len());
            let Some(session) = whole.filter(|_| !self.allow_constant) else { continue };
            let is_lost = |voxel: &usize| scale.is_flat(*voxel) && !session.is_constant[*voxel];
            let num_lost = (0..num_voxels).filter(is_lost).count();
            if num_lost * 2 > num_voxels {
                let name = self.betas.place_of(first).map_or(Path::new(""), |(file, _)| file.name());
                let found = format!(
                    "without a spread that can be told from rounding in {num_lost} of {num_voxels} voxels"
                );
                let expected =
                    "numbers of ordinary size: take a large offset from them, or scale them, first";
                return Err(DataError::invalid(name, format!("betas of session {number}"), expected, found));
            }
        }
        Ok(())
    }

    /// Reads all betas in the order of the prepared voxels; `take` is told the first row of a block.
    fn read<R: Real>(&mut self, take: ChangeRows<'_, R>) -> Result<(), DataError> {
        let (places, mut next) = (self.places, 0);
        self.betas.read(places.mask.as_ref(), &mut |block| {
            interrupt::check()?;
            let mut block = places.arrange(block);
            take(next, &mut block)?;
            next += block.nrows();
            Ok(())
        })
    }

    /// Reads all betas once and checks every session; `take` is handed the blocks.
    fn survey<R: Real>(&mut self, take: LookAtRows<'_, R>) -> Result<BTreeMap<u16, Session<R>>, DataError> {
        let mut sessions: BTreeMap<u16, Session<R>> = BTreeMap::new();
        let trials = self.trials;
        self.read(&mut |first_row, block| {
            for (row, values) in (first_row..).zip(block.rows()) {
                let number = trials.trials[row].session;
                sessions.entry(number).or_insert_with(|| Session::new(row, values.len())).add(values);
            }
            take(first_row, block)
        })?;
        for (number, session) in &sessions {
            if let Some(voxel) = session.broken_voxel() {
                return Err(self.missing_beta::<R>(*number, voxel));
            }
            if !self.allow_constant && session.num_rows >= FEWEST_TRIALS {
                let name = self.betas.place_of(session.first_row).map(|(file, _)| file.name().to_path_buf());
                let of = match sessions.len() {
                    1 => "all trials".to_string(),
                    _ => format!("session {number}"),
                };
                let key = "import.allow_constant";
                refuse_dead_session(&name.unwrap_or_default(), &of, key, &session.is_constant, self.table)?;
            }
        }
        Ok(sessions)
    }

    /// The error of a voxel that is no number in some trials of a session only; reads the betas once more, to name the first.
    fn missing_beta<R: Real>(&mut self, session: u16, voxel: usize) -> DataError {
        let (trials, mut found) = (self.trials, None);
        let reading = self.read(&mut |first_row, block: &mut Array2<R>| {
            let is_missing = |(row, value): &(usize, &R)| {
                trials.trials[*row].session == session && Into::<f64>::into(**value).is_nan()
            };
            found =
                found.or_else(|| (first_row..).zip(block.column(voxel)).find(is_missing).map(|(row, _)| row));
            Ok(())
        });
        if let Err(error) = reading {
            return error;
        }
        let place = found.and_then(|row| self.betas.place_of(row));
        let (name, inside) = place.map_or((Path::new(""), 0), |(file, row)| (file.name(), row + 1));
        let field = format!("row {inside}, {}", named_column(voxel, self.places.mask.as_ref()));
        let expected = "a number, as in other trials of the session (a voxel without any is taken as silent)";
        DataError::invalid(name, field, expected, "NaN")
    }
}

/// Which voxels are constant in at least one session.
fn constant_somewhere<R: Real>(sessions: &BTreeMap<u16, Session<R>>, num_voxels: usize) -> Vec<bool> {
    (0..num_voxels).map(|voxel| sessions.values().any(|session| session.is_constant[voxel])).collect()
}

/// Group of every row, and whether the row tells how the group is scaled.
fn group_of_rows(groups: &[Group], num_rows: usize) -> Vec<(usize, bool)> {
    let mut group_of = vec![(0, false); num_rows];
    for (number, group) in groups.iter().enumerate() {
        group.rows.iter().for_each(|row| group_of[*row].0 = number);
        group.fitted.iter().for_each(|row| group_of[*row].1 = true);
    }
    group_of
}

impl<R: Real> Session<R> {
    fn new(first_row: usize, num_voxels: usize) -> Self {
        Self {
            first_row,
            num_rows: 0,
            first: Vec::new(),
            is_constant: vec![true; num_voxels],
            num_missing: vec![0; num_voxels],
        }
    }

    fn add(&mut self, values: ArrayView1<'_, R>) {
        if self.num_rows == 0 {
            self.first = values.to_vec();
        }
        self.num_rows += 1;
        for (voxel, value) in values.iter().enumerate() {
            let is_missing = |value: R| Into::<f64>::into(value).is_nan();
            self.num_missing[voxel] += u32::from(is_missing(*value));
            // A voxel that is no number throughout is silent, and so it is constant.
            let same = *value == self.first[voxel] || (is_missing(*value) && is_missing(self.first[voxel]));
            self.is_constant[voxel] &= same;
        }
    }

    fn has_missing(&self) -> bool {
        self.num_missing.iter().any(|count| *count > 0)
    }

    /// The first voxel that is a number in some trials and none in others.
    fn broken_voxel(&self) -> Option<usize> {
        self.num_missing.iter().position(|count| *count > 0 && *count as usize != self.num_rows)
    }
}

/// Rows that are scaled alike, and those among them that tell how.
struct Group {
    rows: Vec<usize>,
    fitted: Vec<usize>,
}

/// # Errors
/// [`DataError`] where the trials tell no groups, or a group is too small.
fn groups(to_write: &BetasToWrite<'_>) -> Result<Vec<Group>, DataError> {
    let BetasToWrite { betas, trials, standardization, .. } = to_write;
    // Of trials without a table only the betas tell.
    let first_betas = betas.files().first().map_or(Path::new(""), |file| file.name());
    let path = trials.table.as_deref().unwrap_or(first_betas);
    let no_column = |column: &str, expected: &str| match &trials.table {
        Some(table) => DataError::invalid(table, format!("column `{column}`"), expected, "not there"),
        None => DataError::missing("--trials", format!("its column `{column}`: {expected}")),
    };
    let num_trials = trials.trials.len();
    let by = |key: &dyn Fn(usize) -> usize| {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        (0..num_trials).for_each(|row| groups.entry(key(row)).or_default().push(row));
        groups.into_values().map(|rows| Group { fitted: rows.clone(), rows }).collect::<Vec<_>>()
    };
    let (groups, what) = match *standardization {
        Standardization::None => (Vec::new(), ""),
        Standardization::ZscorePerSession => (by(&|row| usize::from(trials.trials[row].session)), "session"),
        Standardization::ZscorePerRun if trials.has_runs => (by(&|row| trials.runs[row]), "run"),
        Standardization::ZscorePerRun => {
            return Err(no_column("run", "the run of every trial, for `--standardize run`"));
        }
        Standardization::ZscoreByTraining => {
            let Some(is_test) = &trials.is_test else {
                let expected = "train or test of every trial, for `--standardize train`: without it another split would be known only later";
                return Err(no_column("split", expected));
            };
            let fitted = (0..num_trials).filter(|row| !is_test[*row]).collect();
            (vec![Group { rows: (0..num_trials).collect(), fitted }], "training trials")
        }
    };
    match groups.iter().find(|group| group.fitted.len() < FEWEST_TRIALS) {
        None => Ok(groups),
        Some(group) => {
            let first = group.rows.first().copied().unwrap_or_default();
            let field = match what {
                "session" => format!("number of trials of session {}", trials.trials[first].session),
                "run" => format!("number of trials of the run of row {}", first + 1),
                what => format!("number of {what}"),
            };
            let expected = format!("at least {FEWEST_TRIALS} for z-scores; choose another `--standardize`");
            Err(DataError::invalid(path, field, expected, group.fitted.len()))
        }
    }
}

/// Runs of neighbours among ascending rows, each at most as long as fits into a block.
fn blocks(rows: &[usize], num_voxels: usize) -> Vec<std::ops::Range<usize>> {
    let most = (NUMBERS_AT_ONCE / num_voxels.max(1)).max(1);
    let mut blocks: Vec<std::ops::Range<usize>> = Vec::new();
    for row in rows {
        match blocks.last_mut() {
            Some(last) if last.end == *row && last.len() < most => last.end += 1,
            _ => blocks.push(*row..row + 1),
        }
    }
    blocks
}

/// Replaces the rows of a group by their z-scores.
fn scale(
    writer: &mut PreparedWriter,
    group: &Group,
    progress: &mut dyn FnMut(usize),
) -> Result<(), DataError> {
    let num_voxels = writer.num_voxels();
    let read = |writer: &PreparedWriter, rows| {
        interrupt::check()?;
        let mut block = writer.written(rows)?;
        silent(&mut block);
        Ok::<_, DataError>(block)
    };
    let mut means = ColumnMeans::new(num_voxels);
    for rows in blocks(&group.fitted, num_voxels) {
        means.add(read(writer, rows)?.view());
    }
    let mut deviations = means.finish();
    for rows in blocks(&group.fitted, num_voxels) {
        deviations.add(read(writer, rows)?.view());
    }
    let scale = deviations.finish();
    for rows in blocks(&group.rows, num_voxels) {
        let mut block = read(writer, rows.clone())?;
        scale.apply(&mut block);
        writer.replace(rows.start, &block)?;
        progress(rows.len());
    }
    Ok(())
}

/// Puts 0 where a voxel is no number in its session.
fn silence(writer: &mut PreparedWriter, num_rows: usize) -> Result<(), DataError> {
    let rows: Vec<usize> = (0..num_rows).collect();
    for rows in blocks(&rows, writer.num_voxels()) {
        let mut block = writer.written(rows.clone())?;
        silent(&mut block);
        writer.replace(rows.start, &block)?;
    }
    Ok(())
}

fn silent<R: Real>(block: &mut Array2<R>) {
    let is_missing = |value: &&mut R| Into::<f64>::into(**value).is_nan();
    block.iter_mut().filter(is_missing).for_each(|value| *value = R::nearest(0.0));
}
