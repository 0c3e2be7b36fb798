//! Which trials a command decodes: of a split, single or averaged over presentations.

use std::collections::BTreeMap;

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use crate::data::error::DataError;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::data::trial::NsdId;
use crate::error::{Context, Result};

/// A part of the subject's trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialChoice {
    /// Trials of images that training never saw.
    #[default]
    Validation,
    /// Trials that training saw.
    Train,
    /// One trial, 0-based over the whole experiment.
    Trial(usize),
}

/// What is done with the presentations of one image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeats {
    /// Every presentation by itself.
    #[default]
    #[serde(alias = "each")]
    Single,
    /// The first presentation of each image only.
    First,
    /// The mean of an image's presentations.
    Average,
}

/// Trials that are decoded together into one picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChosenTrial {
    /// 0-based trials: one, or all presentations of the image.
    pub trials: Vec<usize>,
    /// The image.
    pub nsd_id: NsdId,
}

impl ChosenTrial {
    /// A number for the random stream of one sample, the same whatever else is decoded.
    pub fn position(&self, samples: usize, sample: usize) -> u64 {
        (self.trials.first().copied().unwrap_or_default() * samples + sample) as u64
    }

    /// Name in file names.
    pub fn label(&self) -> String {
        match self.trials.as_slice() {
            [trial] => format!("trial{trial:05}"),
            _ => format!("nsd{:05}-mean", self.nsd_id.0),
        }
    }
}

/// The trials of a choice, in order of presentation; `limit` 0 means all, else evenly spread.
///
/// # Errors
/// [`DataError`] when the trial does not exist or the choice is empty.
pub fn choose_trials(
    prepared: &PreparedSubject,
    split: &SplitConfig,
    choice: TrialChoice,
    repeats: Repeats,
    limit: usize,
) -> Result<Vec<ChosenTrial>, DataError> {
    let trials = match choice {
        TrialChoice::Trial(trial) if trial < prepared.num_trials() => vec![trial],
        TrialChoice::Trial(trial) => {
            let known = [format!("0 to {}", prepared.num_trials().saturating_sub(1))];
            return Err(DataError::unknown("trial", trial.to_string(), known));
        }
        TrialChoice::Validation => split.split(prepared)?.validation,
        TrialChoice::Train => split.split(prepared)?.train,
    };
    let mut by_image: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for trial in &trials {
        by_image.entry(prepared.trials()[*trial].nsd_id.0).or_default().push(*trial);
    }
    let mut chosen: Vec<ChosenTrial> = match repeats {
        Repeats::Single => trials
            .iter()
            .map(|trial| ChosenTrial { trials: vec![*trial], nsd_id: prepared.trials()[*trial].nsd_id })
            .collect(),
        Repeats::First | Repeats::Average => by_image
            .into_iter()
            .map(|(nsd_id, mut trials)| {
                if repeats == Repeats::First {
                    // Trials ascend: this is the first presentation.
                    trials.truncate(1);
                }
                ChosenTrial { trials, nsd_id: NsdId(nsd_id) }
            })
            .collect(),
    };
    // Back into the order of presentation: images came by their numbers.
    chosen.sort_by_key(|chosen| chosen.trials.first().copied());
    if chosen.is_empty() {
        return Err(DataError::empty("trials to decode", "the split leaves none; prepare more sessions"));
    }
    if limit > 0 && limit < chosen.len() {
        let all = chosen.len();
        chosen = (0..limit).map(|number| chosen[number * all / limit].clone()).collect();
    }
    Ok(chosen)
}

/// Betas of the chosen trials, presentations averaged where a choice holds several.
///
/// # Errors
/// When the prepared file cannot be read or holds a number that is not finite.
pub fn betas_of(prepared: &PreparedSubject, chosen: &[ChosenTrial]) -> Result<Array2<f32>> {
    let mut rows = Array2::zeros((chosen.len(), prepared.num_voxels()));
    for (mut row, trial) in rows.rows_mut().into_iter().zip(chosen) {
        // Only these rows are read: a subject's betas can be larger than memory.
        let betas = prepared.betas_of(&trial.trials)?;
        row.assign(&betas.mean_axis(Axis(0)).context("a choice without trials")?);
    }
    Ok(rows)
}
