//! What looks at a GAN in training at every report: sample sheets, snapshots, distances.

use burn::tensor::Tensor;
use ndarray::Array2;

use super::conditions::{DECODED_TRIALS, host, stacked};
use super::sample_sheet::SampleSheet;
use super::snapshots::GanSnapshots;
use crate::data::error::DataError;
use crate::data::prepared::PreparedSubject;
use crate::models::stylegan2::Condition;
use crate::run::error::RunError;
use crate::tensor_ops::backend::Base;
use crate::training::gan::mappers::outputs::CurrentMappers;
use crate::training::gan::tick::Tick;

/// Everything that looks.
pub(crate) struct GanObservers<'a> {
    pub sheet: SampleSheet,
    pub snapshots: GanSnapshots<'a>,
    /// Trials whose conditions change as mappers are trained.
    pub redecoded: Option<RedecodedTrials<'a>>,
}

impl GanObservers<'_> {
    /// Draws the sheet, keeps and measures the generator.
    ///
    /// # Errors
    /// Files that cannot be written, betas that cannot be read, a distance that cannot be computed.
    pub fn on_tick(&mut self, tick: &Tick<'_>) -> Result<(), RunError> {
        let Self { sheet, snapshots, redecoded } = self;
        let redecoded = redecoded.as_ref().zip(tick.mappers);
        if let Some((trials, mappers)) = redecoded {
            let heads = trials.of_sheet(mappers).into_iter();
            sheet.condition = Condition { heads: heads.take(sheet.condition.heads.len()).collect() };
        }
        sheet.write(tick, snapshots.run, snapshots.device)?;
        if let Some((trials, mappers)) = redecoded
            && snapshots.measures(tick)
        {
            let heads = trials
                .of_distance(mappers)
                .map_err(|error| RunError::invalid(trials.prepared.path(), "betas", "finite", error))?;
            snapshots.set_conditions(heads);
        }
        snapshots.on_tick(tick)
    }
}

/// Trials that are decoded anew at every report.
pub(crate) struct RedecodedTrials<'a> {
    prepared: &'a PreparedSubject,
    /// Of the sheet: `[pictures, voxels]`.
    betas_of_sheet: Array2<f32>,
    positions_of_sheet: Vec<u64>,
    /// Trials that pictures of distances are drawn from.
    drawn: &'a [usize],
    /// Decides a mix.
    seed: u64,
}

impl<'a> RedecodedTrials<'a> {
    /// `shown`: trials of the sheet; `drawn`: those that pictures of distances are drawn from.
    ///
    /// # Errors
    /// [`DataError`] for betas of the sheet that cannot be read or are no numbers.
    pub fn new(
        prepared: &'a PreparedSubject,
        shown: &[usize],
        drawn: &'a [usize],
        seed: u64,
    ) -> Result<Self, DataError> {
        let betas_of_sheet = prepared.betas_of(shown)?;
        Ok(Self { prepared, betas_of_sheet, positions_of_sheet: positions(shown), drawn, seed })
    }

    fn of_sheet(&self, mappers: &CurrentMappers<'_>) -> [Tensor<Base, 2>; 2] {
        mappers.heads(&self.betas_of_sheet, self.seed, &self.positions_of_sheet)
    }

    /// `[trials, width]` for each head.
    fn of_distance(&self, mappers: &CurrentMappers<'_>) -> crate::error::Result<Vec<Array2<f32>>> {
        let mut heads = [vec![], vec![]];
        for rows in self.drawn.chunks(DECODED_TRIALS) {
            let decoded = mappers.heads(&self.prepared.betas_of(rows)?, self.seed, &positions(rows));
            for (parts, part) in heads.iter_mut().zip(decoded) {
                parts.push(host(part)?);
            }
        }
        heads.iter().map(|parts| stacked(parts)).collect()
    }
}

/// Places of trials in the stream of a mix.
fn positions(trials: &[usize]) -> Vec<u64> {
    trials.iter().map(|trial| *trial as u64).collect()
}
