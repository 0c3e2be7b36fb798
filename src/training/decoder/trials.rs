//! Trials that a decoder is fitted to, and their division into what is fitted and what decides.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::error::DecoderError;
use crate::data::split::tuning::TuningImages;
use crate::error::SettingError;

/// What a decoder's settings call those of its linear part.
pub(crate) const RIDGE_SECTION: &str = "ridge";
/// Fewest trials to fit, and to choose on.
const FEWEST_TRIALS: usize = 2;
/// How far the norm of a target may be from 1.
const NORM_TOLERANCE: f64 = 1e-3;

/// Betas with a target per image.
///
/// An image has one target in all epochs. Of several captions that is the mean of their embeddings at unit norm, as
/// [`CaptionChoice::Mean`](crate::training::mapper::targets::CaptionChoice::Mean) makes it: the bank of the contrastive loss holds every
/// image once, and a caption drawn anew would be a negative of its own image. Validation may still be against a caption drawn at random.
#[derive(Clone, Copy, Debug)]
pub struct DecoderTrials<'a> {
    /// `[trials, voxels]`, z-scored within session, not padded.
    pub betas: &'a Array2<f32>,
    /// `[images, embed_dim]`, rows of norm 1.
    pub targets: &'a Array2<f32>,
    /// Row of `targets` of every trial.
    pub image_of_trial: &'a [usize],
    /// Trials of the training part, ascending.
    pub train: &'a [usize],
    /// Which of its images choose.
    pub tuning: TuningImages,
}

/// The training part in two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Division {
    /// Trials of the images that are fitted.
    pub fitting: Vec<usize>,
    /// Trials of the others, on which something is chosen.
    pub tuning: Vec<usize>,
}

/// On what something was chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChosenOn {
    /// Images; 0 in files of older versions, which do not say.
    pub num_images: usize,
    /// How they were taken from the training images.
    pub images: TuningImages,
}

impl DecoderTrials<'_> {
    /// On what `division` chooses.
    pub fn chosen_on(&self, division: &Division) -> ChosenOn {
        let images: BTreeSet<usize> =
            division.tuning.iter().map(|trial| self.image_of_trial[*trial]).collect();
        ChosenOn { num_images: images.len(), images: self.tuning }
    }

    /// Refuses trials that do not belong together.
    ///
    /// # Errors
    /// [`DecoderError::Trials`].
    pub fn check(&self) -> Result<(), DecoderError> {
        let Self { betas, targets, image_of_trial, train, .. } = *self;
        let same = format!("{}, one per trial", betas.nrows());
        if image_of_trial.len() != betas.nrows() {
            return Err(DecoderError::trials("images of trials", image_of_trial.len(), same));
        }
        if let Some(trial) = train.iter().find(|trial| **trial >= betas.nrows()) {
            return Err(DecoderError::trials("training trial", trial, format!("below {}", betas.nrows())));
        }
        if let Some(image) = image_of_trial.iter().find(|image| **image >= targets.nrows()) {
            let expected = format!("below {}, the number of targets", targets.nrows());
            return Err(DecoderError::trials("image of a trial", image, expected));
        }
        for trial in train {
            let image = image_of_trial[*trial];
            let squared: f64 = targets.row(image).iter().map(|value| f64::from(*value).powi(2)).sum();
            let norm = squared.sqrt();
            // A norm that is no number is none of 1, either.
            if !norm.is_finite() || (norm - 1.0).abs() >= NORM_TOLERANCE {
                let what = format!("norm of the target of image {image}");
                return Err(DecoderError::trials(what, norm, 1));
            }
        }
        Ok(())
    }

    /// Divides the training part; `tuning_fraction` of its images decide, those that [`DecoderTrials::tuning`] names.
    ///
    /// # Errors
    /// [`DecoderError::Setting`] where a side would be without two trials.
    pub fn divided(&self, tuning_fraction: f64) -> Result<Division, DecoderError> {
        let groups: Vec<u64> = self.image_ids(self.train);
        let split = self.tuning.split(&groups, tuning_fraction);
        let of = |positions: &[usize]| positions.iter().map(|place| self.train[*place]).collect::<Vec<_>>();
        let division = Division { fitting: of(&split.train), tuning: of(&split.validation) };
        let sides = [division.fitting.len(), division.tuning.len()];
        if sides.iter().any(|trials| *trials < FEWEST_TRIALS) {
            let images = groups.iter().collect::<BTreeSet<_>>().len();
            let expected = format!(
                "a share of the {images} training images that leaves {FEWEST_TRIALS} trials or more to fit and to choose on, not \
                 {} and {}",
                sides[0], sides[1]
            );
            let error = SettingError::new("tuning_fraction", expected, tuning_fraction);
            return Err(error.within(RIDGE_SECTION).into());
        }
        Ok(division)
    }

    /// Number of voxels and width of a target.
    pub fn sizes(&self) -> [usize; 2] {
        [self.betas.ncols(), self.targets.ncols()]
    }

    /// The images of some trials, as identities.
    pub fn image_ids(&self, trials: &[usize]) -> Vec<u64> {
        trials.iter().map(|trial| self.image_of_trial[*trial] as u64).collect()
    }

    /// The targets of some trials, `[trials, embed_dim]`.
    pub fn targets_of(&self, trials: &[usize]) -> Array2<f32> {
        let rows: Vec<usize> = trials.iter().map(|trial| self.image_of_trial[*trial]).collect();
        self.targets.select(Axis(0), &rows)
    }

    /// The targets of all images that some trials show, each once, `[images, embed_dim]`, and the row of each trial.
    pub fn bank(&self, trials: &[usize]) -> (Array2<f32>, Vec<usize>) {
        let mut places: BTreeMap<usize, usize> =
            trials.iter().map(|trial| (self.image_of_trial[*trial], 0)).collect();
        places.values_mut().enumerate().for_each(|(place, value)| *value = place);
        let images: Vec<usize> = places.keys().copied().collect();
        let rows = trials.iter().map(|trial| places[&self.image_of_trial[*trial]]).collect();
        (self.targets.select(Axis(0), &images), rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn images_of_the_training_part_are_divided_and_banked() {
        let betas = Array2::zeros((8, 3));
        let targets = array![[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.0]];
        let image_of_trial = [3, 0, 3, 2, 1, 0, 2, 1];
        let trials = DecoderTrials {
            betas: &betas,
            targets: &targets,
            image_of_trial: &image_of_trial,
            train: &[0, 1, 2, 3, 5, 6],
            tuning: TuningImages::SeenLast,
        };
        trials.check().unwrap();
        // Images 3, 0, 2 in this order; a third of them decides.
        let division = trials.divided(0.34).unwrap();
        assert_eq!(division, Division { fitting: vec![0, 2], tuning: vec![1, 3, 5, 6] });
        let chosen_on = ChosenOn { num_images: 2, images: TuningImages::SeenLast };
        assert_eq!(trials.chosen_on(&division), chosen_on);
        let (bank, rows) = trials.bank(&[0, 1, 2, 5]);
        assert_eq!((bank, rows), (array![[1.0, 0.0], [-1.0, 0.0]], vec![1, 0, 1, 0]));
        assert_eq!(trials.targets_of(&[3, 4]), array![[0.6, 0.8], [0.0, 1.0]]);
    }

    #[test]
    fn trials_that_do_not_belong_together_are_refused() {
        let (betas, targets) = (Array2::zeros((2, 3)), array![[1.0, 0.0], [0.0, 2.0]]);
        let error = |image_of_trial: &[usize], train: &[usize]| {
            DecoderTrials {
                betas: &betas,
                targets: &targets,
                image_of_trial,
                train,
                tuning: TuningImages::SeenLast,
            }
            .check()
            .unwrap_err()
            .to_string()
        };
        assert!(error(&[0], &[0]).contains("images of trials: found 1, expected 2"));
        assert!(error(&[0, 0], &[2]).contains("training trial: found 2, expected below 2"));
        assert!(error(&[0, 2], &[0]).contains("image of a trial: found 2"));
        assert!(error(&[0, 1], &[0, 1]).contains("norm of the target of image 1: found 2, expected 1"));
        let trials = DecoderTrials {
            betas: &betas,
            targets: &targets,
            image_of_trial: &[0, 0],
            train: &[0, 1],
            tuning: TuningImages::SeenLast,
        };
        assert_eq!(
            trials.divided(0.5).unwrap_err().within("train_mapper.residual").to_string(),
            "`train_mapper.residual.ridge.tuning_fraction`: found 0.5, expected a share of the 1 training images that leaves 2 \
             trials or more to fit and to choose on, not 0 and 2"
        );
    }
}
