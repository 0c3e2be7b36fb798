//! Betas into the prepared file: as they are while they are read, then scaled in the file, so that memory holds a block of rows.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayView1};

use super::betas::{BetaFiles, named_column};
use super::trials::TrialList;
use super::voxels::VoxelPlaces;
use crate::data::error::DataError;
use crate::data::nsd::constant_voxels::refuse_dead_session;
use crate::data::prepared::{PreparedWriter, VoxelTable};
use crate::data::standardize::{ColumnMeans, Standardization};
use crate::interrupt;

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
struct Session {
    first_row: usize,
    num_rows: usize,
    first: Vec<f32>,
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
        let Self { betas, places, trials, standardization, allow_constant, table } = self;
        let groups = groups(trials, standardization)?;
        let files: Vec<_> =
            betas.files().iter().map(|file| (file.name().to_path_buf(), file.num_trials())).collect();
        let file_of = |row: usize| {
            let mut before = 0;
            files.iter().find_map(|(name, count)| {
                let inside = row.checked_sub(before).filter(|inside| inside < count);
                before += count;
                Some((name, inside? + 1))
            })
        };
        let mut sessions: BTreeMap<u16, Session> = BTreeMap::new();
        let mut next = 0;
        let mask = places.mask.clone();
        betas.read(mask.as_ref(), &mut |block| {
            interrupt::check()?;
            let block = places.arrange(block);
            for (row, values) in (next..).zip(block.rows()) {
                let number = trials.trials[row].session;
                sessions.entry(number).or_insert_with(|| Session::new(row, values.len())).add(values);
            }
            next += block.nrows();
            writer.append(&block)?;
            progress(next);
            Ok(())
        })?;
        for (number, session) in &sessions {
            if let Some(voxel) = session.broken_voxel() {
                let row = first_missing(writer, trials, *number, voxel)?;
                let (name, inside) = file_of(row)
                    .map_or((std::path::PathBuf::new(), row), |(name, inside)| (name.clone(), inside));
                let field = format!("row {inside}, {}", named_column(voxel, mask.as_ref()));
                let expected =
                    "a number, as in other trials of the session (a voxel without any is taken as silent)";
                return Err(DataError::invalid(name, field, expected, "NaN"));
            }
            if !allow_constant && session.num_rows >= FEWEST_TRIALS {
                let name = file_of(session.first_row).map(|(name, _)| name.clone()).unwrap_or_default();
                refuse_dead_session(&name, &session.is_constant, table)?;
            }
        }
        let has_missing = sessions.values().any(|session| session.num_missing.iter().any(|count| *count > 0));
        let mut done = next;
        for group in &groups {
            scale(writer, group, &mut |rows| {
                done += rows;
                progress(done);
            })?;
        }
        if groups.is_empty() && has_missing {
            silence(writer, next)?;
        }
        let is_constant = |voxel: &usize| sessions.values().any(|session| session.is_constant[*voxel]);
        Ok((0..places.num_voxels()).filter(is_constant).count())
    }
}

impl Session {
    fn new(first_row: usize, num_voxels: usize) -> Self {
        Self {
            first_row,
            num_rows: 0,
            first: Vec::new(),
            is_constant: vec![true; num_voxels],
            num_missing: vec![0; num_voxels],
        }
    }

    fn add(&mut self, values: ArrayView1<'_, f32>) {
        if self.num_rows == 0 {
            self.first = values.to_vec();
        }
        self.num_rows += 1;
        for (voxel, value) in values.iter().enumerate() {
            self.num_missing[voxel] += u32::from(value.is_nan());
            // A voxel that is no number throughout is silent, and so it is constant.
            let same = *value == self.first[voxel] || (value.is_nan() && self.first[voxel].is_nan());
            self.is_constant[voxel] &= same;
        }
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

fn groups(trials: &TrialList, standardization: Standardization) -> Result<Vec<Group>, DataError> {
    let num_trials = trials.trials.len();
    let by = |key: &dyn Fn(usize) -> usize| {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        (0..num_trials).for_each(|row| groups.entry(key(row)).or_default().push(row));
        groups.into_values().map(|rows| Group { fitted: rows.clone(), rows }).collect::<Vec<_>>()
    };
    let (groups, what) = match standardization {
        Standardization::None => (Vec::new(), ""),
        Standardization::ZscorePerSession => (by(&|row| usize::from(trials.trials[row].session)), "session"),
        Standardization::ZscorePerRun if trials.has_runs => (by(&|row| trials.runs[row]), "run"),
        Standardization::ZscorePerRun => {
            return Err(DataError::missing("column `run`", "`--standardize run`: the run of every trial"));
        }
        Standardization::ZscoreByTraining => {
            let Some(is_test) = &trials.is_test else {
                let needed = "`--standardize train`: it tells the training trials; without it another split would be known only later";
                return Err(DataError::missing("column `split`", needed));
            };
            let fitted = (0..num_trials).filter(|row| !is_test[*row]).collect();
            (vec![Group { rows: (0..num_trials).collect(), fitted }], "training part")
        }
    };
    match groups.iter().find(|group| group.fitted.len() < FEWEST_TRIALS) {
        None => Ok(groups),
        Some(group) => {
            let first = group.rows.first().map_or(1, |row| row + 1);
            let what = format!("the {what} of row {first} has one trial or none: its z-scores");
            Err(DataError::empty(what, "choose another `--standardize`"))
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

fn silent(block: &mut Array2<f32>) {
    block.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
}

/// The first row of a session in which a voxel is no number.
fn first_missing(
    writer: &PreparedWriter,
    trials: &TrialList,
    session: u16,
    voxel: usize,
) -> Result<usize, DataError> {
    for row in (0..trials.trials.len()).filter(|row| trials.trials[*row].session == session) {
        if writer.written(row..row + 1)?[[0, voxel]].is_nan() {
            return Ok(row);
        }
    }
    Ok(0)
}
