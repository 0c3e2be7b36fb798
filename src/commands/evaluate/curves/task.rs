//! What curves are made of: the data of an evaluation, and what it counted.

use super::super::baselines::{Targets, bring_to_comparison};
use super::super::settings::EvaluateSettings;
use super::super::summary::DecoderRow;
use super::counted::Counted;
use crate::data::prepared::PreparedSubject;
use crate::data::split::Split;
use crate::metrics::bootstrap::BootstrapConfig;
use crate::metrics::combined_retrieval::DecodedPair;
use crate::pipelines::targets::decoded_pairs::Aims;

/// An evaluation of one split.
pub(in crate::commands::evaluate) struct CurveTask<'a> {
    pub settings: &'a EvaluateSettings,
    pub subject: &'a PreparedSubject,
    pub split: &'a Split,
    pub targets: &'a Targets,
    /// Mappers that were counted.
    pub mappers: &'a [DecoderRow],
    /// Ridge regression from exchanged betas.
    pub ridge_control: &'a [DecoderRow],
}

impl CurveTask<'_> {
    pub fn bootstrap(&self) -> &BootstrapConfig {
        &self.settings.data.mapper.train.retrieval.bootstrap
    }

    pub fn seed(&self) -> u64 {
        self.settings.data.mapper.train.seed
    }

    /// Adds to `counted` what was predicted of `trials` by something fitted to the trials `train`.
    ///
    /// # Errors
    /// As [`Counted::add`].
    pub(super) fn count(
        &self,
        counted: &mut Counted,
        predicted: ndarray::Array2<f32>,
        aims: &Aims<'_>,
        split: &Split,
    ) -> crate::error::Result<()> {
        let mut pair = DecodedPair { predicted, target: aims.truth(&split.validation) };
        bring_to_comparison(&mut pair, aims, self.settings.evaluate.centre, &split.train);
        self.count_pair(counted, &pair, &split.validation)
    }

    /// Adds what stands in the form in which it is compared.
    ///
    /// # Errors
    /// As [`Counted::add`].
    pub(super) fn count_pair(
        &self,
        counted: &mut Counted,
        pair: &DecodedPair,
        trials: &[usize],
    ) -> crate::error::Result<()> {
        let images: Vec<u64> =
            trials.iter().map(|trial| u64::from(self.subject.trials()[*trial].nsd_id.0)).collect();
        counted.add(pair, trials, &images)
    }
}
