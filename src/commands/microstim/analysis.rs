//! What is counted of the embeddings beside the pictures: effects by level, changes by position, each beside random regions.

use burn::tensor::Tensor;
use ndarray::Array2;

use super::changes::{
    ChangeShares, EmbeddingChanges, EmbeddingForm, PositionChange, chance_agreement, mean_shares,
    position_changes, shares,
};
use super::config::MicrostimConfig;
use super::dose::{DosePoint, LevelEffect};
use crate::data::formats::npy::npy_of_rows;
use crate::error::Result;
use crate::interrupt;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::{BrainDecoder, DecodedEmbeddings};
use crate::pipelines::caption_probe::CaptionProbe;
use crate::pipelines::stimulation::stimulated;
use crate::report::{LineChart, Marks, Series};
use crate::run::error::RunError;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Base;
use crate::tensor_ops::host_values::rows;

/// Resamples behind the interval of a position of the region: its ends are steady to a tenth of its width.
const RESAMPLES: usize = 500;
/// The same of a random region, of which only the share of clear positions is told.
const RANDOM_RESAMPLES: usize = 100;

/// Embeddings before, and what they are compared with.
pub(super) struct Analysis<'a> {
    pub config: &'a MicrostimConfig,
    pub decoder: &'a BrainDecoder,
    pub probe: &'a CaptionProbe,
    /// `[images, voxels]`
    pub betas: &'a Array2<f32>,
    pub region: &'a [usize],
    /// Of as many voxels each.
    pub random: &'a [Vec<usize>],
    /// As the mappers give them.
    pub before: &'a DecodedEmbeddings,
    pub run: &'a RunDir,
}

/// One embedding in one form.
#[derive(Clone, Copy)]
struct View {
    target: MapperTarget,
    form: EmbeddingForm,
}

impl Analysis<'_> {
    /// Effects by level, and changes at the level of the pictures, whose embeddings are `after`.
    ///
    /// # Errors
    /// Embeddings that are no numbers; a file that cannot be written; a wish to stop.
    pub fn counted(&self, after: &DecodedEmbeddings) -> Result<(Vec<DosePoint>, Vec<EmbeddingChanges>)> {
        let main = self.config.action.value(self.config.excited_beta);
        let (mut dose, mut of_random) = (Vec::new(), Vec::new());
        for level in self.config.doses() {
            let is_main = level == main;
            let region = match is_main {
                true => self.effect(after),
                false => self.effect(&self.predicted(self.region, level)?),
            };
            let mut random = Vec::new();
            for voxels in self.random {
                let predicted = self.predicted(voxels, level)?;
                random.push(self.effect(&predicted));
                if is_main {
                    of_random.push(self.random_shares(&predicted)?);
                }
            }
            let random = LevelEffect::mean(&random);
            dose.extend(DosePoint::of(level, &region, random.as_ref(), self.probe.sentences()));
        }
        Ok((dose, self.changes(after, &of_random)?))
    }

    fn predicted(&self, voxels: &[usize], level: f32) -> Result<DecodedEmbeddings> {
        interrupt::check()?;
        let predicted = self.decoder.predict(&stimulated(self.betas, voxels, level));
        self.decoder.require_finite(&predicted)?;
        Ok(predicted)
    }

    fn effect(&self, after: &DecodedEmbeddings) -> LevelEffect {
        let [before, after] = [self.before, after].map(|predicted| self.decoder.steering(predicted).image);
        let similarities = [&before, &after].map(|embeddings| self.probe.similarities(embeddings.clone()));
        LevelEffect::of(&rows(before), &rows(after), similarities.each_ref().map(Vec::as_slice))
    }

    /// The embeddings in their forms; without a mapper of captions the image mapper stands in the second place, and is told once.
    fn views(&self) -> Vec<View> {
        let second = Some(self.decoder.second_target()).filter(|target| *target != MapperTarget::Image);
        let targets = [Some(MapperTarget::Image), second].into_iter().flatten();
        let forms = [EmbeddingForm::Predicted, EmbeddingForm::UnitNorm];
        targets.flat_map(|target| forms.map(|form| View { target, form })).collect()
    }

    /// Changes of one embedding in one form: `[images, positions]`.
    fn change(&self, view: View, after: &DecodedEmbeddings) -> Array2<f32> {
        let [before, after] = [self.before, after].map(|predicted| {
            let embeddings = match view.form {
                EmbeddingForm::Predicted => predicted.clone(),
                EmbeddingForm::UnitNorm => self.decoder.steering(predicted),
            };
            let part: Tensor<Base, 2> =
                if view.target == MapperTarget::Image { embeddings.image } else { embeddings.second };
            rows(part)
        });
        after - before
    }

    /// The shares of a random region, for every view.
    fn random_shares(&self, after: &DecodedEmbeddings) -> Result<Vec<ChangeShares>> {
        let of_view = |view: View| {
            let changes = self.change(view, after);
            Ok(shares(&changes, &position_changes(&changes, RANDOM_RESAMPLES)?))
        };
        self.views().into_iter().map(of_view).collect()
    }

    /// The region's changes in every view, with their files; `random` has a list of shares for every random region.
    fn changes(
        &self,
        after: &DecodedEmbeddings,
        random: &[Vec<ChangeShares>],
    ) -> Result<Vec<EmbeddingChanges>> {
        let mut found = Vec::new();
        for (number, view) in self.views().into_iter().enumerate() {
            let changes = self.change(view, after);
            let positions = position_changes(&changes, RESAMPLES)?;
            let of_random: Vec<ChangeShares> =
                random.iter().filter_map(|shares| shares.get(number).cloned()).collect();
            let stem = match view.form {
                EmbeddingForm::Predicted => format!("{}-unnormalised", view.target),
                EmbeddingForm::UnitNorm => view.target.to_string(),
            };
            found.push(EmbeddingChanges {
                target: view.target,
                form: view.form,
                region: shares(&changes, &positions),
                random: mean_shares(&of_random),
                chance_sign_agreement: chance_agreement(changes.nrows()),
                changes: self.write_npy(&format!("changes-{stem}.npy"), &changes)?,
                positions: self.write_npy(&format!("positions-{stem}.npy"), &as_rows(&positions))?,
                chart: self.write_chart(&format!("positions-{stem}.svg"), view, &positions)?,
            });
        }
        Ok(found)
    }

    fn write_npy(&self, name: &str, rows: &Array2<f32>) -> Result<String> {
        let bytes = npy_of_rows(rows).map_err(|error| RunError::unwritable(self.run.join(name), error))?;
        self.run.write_atomic(name, &bytes)?;
        Ok(name.into())
    }

    /// The positions from the one that falls most to the one that rises most.
    fn write_chart(&self, name: &str, view: View, positions: &[PositionChange]) -> Result<Option<String>> {
        let mut sorted = positions.to_vec();
        sorted.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        let curve = |of: &dyn Fn(&PositionChange) -> f64| -> Vec<(f64, f64)> {
            sorted.iter().enumerate().map(|(place, position)| ((place + 1) as f64, of(position))).collect()
        };
        let end = |name: &str, points| Series { marks: Marks::Dashed, ..Series::new(name, points) };
        let chart = LineChart {
            title: format!("{}: change of the {} embedding", self.config.roi, view.target),
            x_label: "positions, sorted by their change".into(),
            y_label: "mean change over images".into(),
            series: vec![
                Series::new("mean", curve(&|position| position.mean)),
                end("95 %, lower end", curve(&|position| position.low)),
                end("95 %, upper end", curve(&|position| position.high)),
            ],
            ..LineChart::default()
        };
        let Some(svg) = chart.to_svg_file() else { return Ok(None) };
        self.run.write_atomic(name, svg.as_bytes())?;
        Ok(Some(name.into()))
    }
}

/// Mean, lower end, upper end, sign agreement: `[positions, 4]`.
fn as_rows(positions: &[PositionChange]) -> Array2<f32> {
    Array2::from_shape_fn((positions.len(), 4), |(place, column)| {
        let PositionChange { mean, low, high, agreement } = positions[place];
        [mean, low, high, agreement][column] as f32
    })
}
