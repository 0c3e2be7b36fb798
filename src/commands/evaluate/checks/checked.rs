//! The trials that are checked.

use super::row::HeldOut;
use crate::commands::evaluate::counts::Counts;
use crate::commands::evaluate::settings::EvaluateSettings;
use crate::data::prepared::PreparedSubject;
use crate::data::split::Split;
use crate::metrics::trust::dimensions::spread_evenly;
use crate::metrics::trust::lures::first_of_images;

/// What is checked.
pub(in crate::commands::evaluate) struct Checked<'a> {
    pub settings: &'a EvaluateSettings,
    pub subject: &'a PreparedSubject,
    pub split: &'a Split,
    pub counts: &'a Counts<'a>,
    /// Image of every held-out trial.
    pub ids: &'a [u64],
}

/// Positions of training trials, as many as there are held-out ones where there are so many images, of different images.
pub(in crate::commands::evaluate) fn training_sample(subject: &PreparedSubject, split: &Split) -> Vec<usize> {
    let images: Vec<u64> = split.train.iter().map(|trial| image_of(subject, *trial)).collect();
    let firsts = first_of_images(&images);
    spread_evenly(firsts.len(), split.validation.len()).iter().map(|at| split.train[firsts[*at]]).collect()
}

fn image_of(subject: &PreparedSubject, trial: usize) -> u64 {
    u64::from(subject.trials()[trial].nsd_id.0)
}

impl Checked<'_> {
    /// Image of every training trial.
    pub(super) fn training_images(&self) -> Vec<u64> {
        self.split.train.iter().map(|trial| image_of(self.subject, *trial)).collect()
    }

    /// Of the held-out trials of a decoder.
    pub(super) fn held_out(&self) -> HeldOut<'_> {
        HeldOut { ids: self.ids, bootstrap: &self.settings.data.mapper.train.retrieval.bootstrap }
    }
}
