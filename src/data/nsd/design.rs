//! `nsd_expdesign.mat`: which image a subject saw in which trial.
//!
//! For the 0-based trial `t` of subject `s`: `73KID = subjectim[s][masterordering[t] − 1]`, and the image number used
//! everywhere else is `73KID − 1`. Both tables describe 40 sessions for every subject.

use std::path::{Path, PathBuf};

use crate::data::error::DataError;
use crate::data::formats::mat5::{self, MatArray};
use crate::data::subject::{NUM_SUBJECTS, NsdSubject};
use crate::data::trial::{NUM_IMAGES, NsdId, TRIALS_PER_SESSION, Trial};

const NEEDED_FOR: &str = "the image shown in every trial";

/// The order of trials, as stored: numbers are 1-based.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExperimentDesign {
    path: PathBuf,
    /// For each trial the 1-based position in the subject's list of images; the same for all subjects.
    pub master_ordering: Vec<u32>,
    /// For each subject the list of images, 1-based 73k ids.
    pub subject_images: [Vec<u32>; NUM_SUBJECTS],
    /// Images that all subjects see, 1-based 73k ids.
    pub shared_images: Vec<u32>,
}

impl ExperimentDesign {
    /// Reads and checks the file.
    ///
    /// # Errors
    /// [`DataError::missing`], [`DataError::unreadable`], or [`DataError::Invalid`] naming the variable.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let arrays = mat5::read_arrays(path, &["masterordering", "subjectim", "sharedix"], NEEDED_FOR)?;
        let subject_images = &arrays["subjectim"];
        let (rows, columns) = match subject_images.dims[..] {
            [rows, columns] if rows == NUM_SUBJECTS && columns > 0 => (rows, columns),
            _ => {
                let found = format!("{:?}", subject_images.dims);
                return Err(DataError::invalid(
                    path,
                    "shape of `subjectim`",
                    "[8, images per subject]",
                    found,
                ));
            }
        };
        let ids = whole_numbers(path, "subjectim", subject_images, NUM_IMAGES)?;
        // MATLAB's order: the eight subjects of one column lie side by side.
        let subject_images = std::array::from_fn(|row| ids.iter().skip(row).step_by(rows).copied().collect());
        let master_ordering = whole_numbers(path, "masterordering", &arrays["masterordering"], columns)?;
        if master_ordering.is_empty() || !master_ordering.len().is_multiple_of(TRIALS_PER_SESSION) {
            let expected = format!("a multiple of {TRIALS_PER_SESSION}");
            return Err(DataError::invalid(
                path,
                "length of `masterordering`",
                expected,
                master_ordering.len(),
            ));
        }
        let shared_images = whole_numbers(path, "sharedix", &arrays["sharedix"], NUM_IMAGES)?;
        Ok(Self { path: path.to_path_buf(), master_ordering, subject_images, shared_images })
    }

    /// Sessions that the tables describe (40 in NSD).
    pub fn num_sessions(&self) -> usize {
        self.master_ordering.len() / TRIALS_PER_SESSION
    }

    /// Image of a 0-based trial over the whole experiment.
    ///
    /// # Errors
    /// [`DataError::Invalid`] for a trial beyond the last.
    pub fn nsd_id(&self, subject: NsdSubject, trial: usize) -> Result<NsdId, DataError> {
        let position = self.master_ordering.get(trial).ok_or_else(|| {
            let sessions = trial / TRIALS_PER_SESSION + 1;
            DataError::invalid(
                &self.path,
                "length of `masterordering`",
                format!("trials of {sessions} sessions"),
                format!("{} ({} sessions)", self.master_ordering.len(), self.num_sessions()),
            )
        })?;
        // Both tables count from 1; image numbers count from 0 from here on.
        Ok(NsdId(self.subject_images[subject.row()][*position as usize - 1] - 1))
    }

    /// All trials of the first `num_sessions` sessions, in order.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when the design describes fewer.
    pub fn trials(&self, subject: NsdSubject, num_sessions: usize) -> Result<Vec<Trial>, DataError> {
        let mut times_seen = std::collections::HashMap::new();
        (0..num_sessions * TRIALS_PER_SESSION)
            .map(|trial| {
                let nsd_id = self.nsd_id(subject, trial)?;
                let seen = times_seen.entry(nsd_id).or_insert(0_u8);
                let repetition = *seen;
                *seen = seen.saturating_add(1);
                Ok(Trial { nsd_id, session: (trial / TRIALS_PER_SESSION + 1) as u16, repetition })
            })
            .collect()
    }

    /// The trials of some sessions (1-based), in the order given. Repetitions count from the first session of all.
    ///
    /// # Errors
    /// [`DataError::Invalid`] when the design describes fewer sessions.
    pub fn trials_of(&self, subject: NsdSubject, sessions: &[u16]) -> Result<Vec<Trial>, DataError> {
        let last = sessions.iter().copied().max().unwrap_or(0);
        let all = self.trials(subject, usize::from(last))?;
        Ok(sessions
            .iter()
            .filter(|session| **session > 0)
            .flat_map(|session| {
                let first = (usize::from(*session) - 1) * TRIALS_PER_SESSION;
                all[first..first + TRIALS_PER_SESSION].iter().copied()
            })
            .collect())
    }
}

/// Converts MATLAB doubles to whole numbers from 1 to `most`.
fn whole_numbers(path: &Path, name: &str, array: &MatArray, most: usize) -> Result<Vec<u32>, DataError> {
    array
        .data
        .iter()
        .map(|value| {
            if value.fract() == 0.0 && *value >= 1.0 && *value <= most as f64 {
                Ok(*value as u32)
            } else {
                let expected = format!("whole numbers from 1 to {most}");
                Err(DataError::invalid(path, format!("value in `{name}`"), expected, value))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, master: &[f64], images: &[f64]) {
        let columns = images.len() / 8;
        mat5::write_arrays(
            path,
            &[
                ("masterordering", &[1, master.len()], master),
                ("subjectim", &[8, columns], images),
                ("sharedix", &[1, 1], &[11.0]),
            ],
        )
        .unwrap();
    }

    #[test]
    fn trials_follow_the_formula_and_count_repetitions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nsd_expdesign.mat");
        // Two sessions; positions 1, 2, 3, 1, 2, 3, …; subject s sees 10·(column + 1) + s.
        let master: Vec<f64> = (0..1500).map(|trial| f64::from(trial % 3 + 1)).collect();
        let images: Vec<f64> =
            (0..3).flat_map(|c| (1..=8).map(move |s| f64::from(10 * (c + 1) + s))).collect();
        write(&path, &master, &images);
        let design = ExperimentDesign::read(&path).unwrap();
        let subject = NsdSubject::new(2).unwrap();
        assert_eq!(design.nsd_id(subject, 1).unwrap(), NsdId(21));
        let trials = design.trials_of(subject, &[2]).unwrap();
        assert_eq!(trials.len(), 750);
        assert_eq!(trials[0], Trial { nsd_id: NsdId(11), session: 2, repetition: 250 });
        let error = design.trials(subject, 3).unwrap_err().to_string();
        assert!(error.contains("length of `masterordering` is 1500 (2 sessions)"), "{error}");
    }

    #[test]
    fn impossible_numbers_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nsd_expdesign.mat");
        let images = [5.0; 24];
        for (master, images, field) in [
            (vec![4.0; 750], images.to_vec(), "value in `masterordering` is 4"),
            (vec![0.0; 750], images.to_vec(), "value in `masterordering` is 0"),
            (vec![1.0; 751], images.to_vec(), "length of `masterordering` is 751"),
            (vec![1.0; 750], vec![73_001.0; 24], "value in `subjectim` is 73001"),
            (vec![1.0; 750], vec![f64::NAN; 24], "value in `subjectim` is NaN"),
        ] {
            write(&path, &master, &images);
            let error = ExperimentDesign::read(&path).unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }
}
