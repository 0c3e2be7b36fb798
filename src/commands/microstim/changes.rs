//! How an embedding changes, position by position: what falls, what rises, and whether images agree about it.

use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::interrupt;
use crate::metrics::bootstrap::{BootstrapConfig, mean_interval};
use crate::models::mapper::MapperTarget;

/// Fewest images that an interval can be of.
const FEWEST_IMAGES: usize = 2;

/// In which form an embedding is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmbeddingForm {
    /// As the mapper gives it, of any norm.
    Predicted,
    /// As it steers the generator.
    UnitNorm,
}

/// One position of the embedding, over images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PositionChange {
    /// Mean change.
    pub mean: f64,
    /// 95 % interval over images; the mean itself for fewer than two.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// Share of the images that change in the direction of the mean, ½..1 but for ties.
    pub agreement: f64,
}

/// How the positions of an embedding change, in numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeShares {
    /// Share of the positions whose mean over images falls.
    pub falling: f64,
    /// Share of them that rises.
    pub rising: f64,
    /// Share whose 95 % interval over images lies below 0; by chance 2.5 %, of dependent positions. None for fewer than two images.
    pub clearly_falling: Option<f64>,
    /// Share whose interval lies above 0.
    pub clearly_rising: Option<f64>,
    /// Mean over positions of the share of images that change in the direction of the mean.
    pub sign_agreement: f64,
    /// Mean correlation (Pearson) of the change between two images, over positions, of all pairs; none where no two change.
    pub correlation: Option<f64>,
}

/// How an embedding changes when a region is driven or silenced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingChanges {
    /// Whose space.
    pub target: MapperTarget,
    /// In which form.
    pub form: EmbeddingForm,
    /// Of the region.
    pub region: ChangeShares,
    /// The floor: mean over random regions of as many voxels; none where there is no other region.
    pub random: Option<ChangeShares>,
    /// Sign agreement of images whose changes are independent, normal and about zero.
    pub chance_sign_agreement: f64,
    /// File of the changes, `[images, positions]`, inside the run folder.
    pub changes: String,
    /// File of mean, lower and upper end, sign agreement, `[positions, 4]`.
    pub positions: String,
    /// Chart of the sorted changes.
    pub chart: Option<String>,
}

/// Every position of `[images, positions]` changes, with intervals by so many resamples.
///
/// # Errors
/// A wish to stop.
pub(super) fn position_changes(changes: &Array2<f32>, resamples: usize) -> Result<Vec<PositionChange>> {
    let images: Vec<u64> = (0..changes.nrows() as u64).collect();
    let config = BootstrapConfig { resamples, ..BootstrapConfig::default() };
    let mut found = Vec::with_capacity(changes.ncols());
    for column in changes.columns() {
        interrupt::check()?;
        let values: Vec<f64> = column.iter().copied().map(f64::from).collect();
        let Some(interval) = mean_interval(&values, &images, &config) else { continue };
        let agreeing = values.iter().filter(|value| **value * interval.mean > 0.0).count();
        found.push(PositionChange {
            mean: interval.mean,
            low: interval.low,
            high: interval.high,
            agreement: agreeing as f64 / values.len() as f64,
        });
    }
    Ok(found)
}

/// The positions in a few numbers.
pub(super) fn shares(changes: &Array2<f32>, positions: &[PositionChange]) -> ChangeShares {
    let share = |is: &dyn Fn(&PositionChange) -> bool| {
        positions.iter().filter(|position| is(position)).count() as f64 / positions.len().max(1) as f64
    };
    let has_interval = changes.nrows() >= FEWEST_IMAGES;
    ChangeShares {
        falling: share(&|position| position.mean < 0.0),
        rising: share(&|position| position.mean > 0.0),
        clearly_falling: has_interval.then(|| share(&|position| position.high < 0.0)),
        clearly_rising: has_interval.then(|| share(&|position| position.low > 0.0)),
        sign_agreement: positions.iter().map(|position| position.agreement).sum::<f64>()
            / positions.len().max(1) as f64,
        correlation: mean_correlation(changes),
    }
}

/// Mean of the shares of several random regions; none of none.
pub(super) fn mean_shares(of: &[ChangeShares]) -> Option<ChangeShares> {
    let count = of.len() as f64;
    let mean = |value: &dyn Fn(&ChangeShares) -> f64| of.iter().map(value).sum::<f64>() / count;
    let optional = |value: &dyn Fn(&ChangeShares) -> Option<f64>| {
        let values: Vec<f64> = of.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    (!of.is_empty()).then(|| ChangeShares {
        falling: mean(&|shares| shares.falling),
        rising: mean(&|shares| shares.rising),
        clearly_falling: optional(&|shares| shares.clearly_falling),
        clearly_rising: optional(&|shares| shares.clearly_rising),
        sign_agreement: mean(&|shares| shares.sign_agreement),
        correlation: optional(&|shares| shares.correlation),
    })
}

/// Mean Pearson correlation of all pairs of rows. The mean over pairs of standardised rows follows from their sum: with z the rows of
/// mean 0 and norm 1, `Σ_{i≠j} z_i·z_j = |Σ z_i|² − Σ |z_i|²`. Rows that do not vary are left out.
fn mean_correlation(rows: &Array2<f32>) -> Option<f64> {
    let mut sum = vec![0.0_f64; rows.ncols()];
    let mut count = 0.0;
    for row in rows.rows() {
        let Some(row) = standardised(row) else { continue };
        sum.iter_mut().zip(&row).for_each(|(sum, value)| *sum += value);
        count += 1.0;
    }
    let squared: f64 = sum.iter().map(|value| value * value).sum();
    (count > 1.0).then(|| ((squared - count) / (count * (count - 1.0))).clamp(-1.0, 1.0))
}

/// Mean 0 and norm 1; nothing of a row that does not vary.
fn standardised(row: ArrayView1<'_, f32>) -> Option<Vec<f64>> {
    let mean = row.iter().copied().map(f64::from).sum::<f64>() / row.len().max(1) as f64;
    let centred: Vec<f64> = row.iter().map(|value| f64::from(*value) - mean).collect();
    let norm = centred.iter().map(|value| value * value).sum::<f64>().sqrt();
    (norm > 0.0 && norm.is_finite()).then(|| centred.into_iter().map(|value| value / norm).collect())
}

/// Expected share of images whose change has the sign of the mean over `num_images`, where their changes are independent, normal and about
/// zero: `½ + arcsin(1/√n)/π`, as one of them correlates with their mean by `1/√n`.
pub(super) fn chance_agreement(num_images: usize) -> f64 {
    0.5 + (1.0 / (num_images.max(1) as f64).sqrt()).asin() / std::f64::consts::PI
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::random::keyed_rng;
    use ndarray::array;
    use rand_distr::{Distribution, StandardNormal};

    #[test]
    fn positions_by_hand() {
        // Three images, four positions: falls in all, rises in two of three, does not change, rises by one image alone.
        let changes = array![[-1.0, 1.0, 0.0, 3.0], [-2.0, 2.0, 0.0, -1.0], [-3.0, -0.6, 0.0, -1.0]];
        let positions = position_changes(&changes, 500).unwrap();
        assert_eq!(positions[0].mean, -2.0);
        assert!(positions[0].high < 0.0 && positions[0].low >= -3.0, "{positions:?}");
        let agreement: Vec<f64> = positions.iter().map(|position| position.agreement).collect();
        assert_eq!(agreement, [1.0, 2.0 / 3.0, 0.0, 1.0 / 3.0]);
        let found = shares(&changes, &positions);
        assert_eq!((found.falling, found.rising), (0.25, 0.5));
        assert_eq!((found.clearly_falling, found.clearly_rising), (Some(0.25), Some(0.0)));
        assert!((found.sign_agreement - 0.5).abs() < 1e-12);
        let one = shares(&array![[-1.0, 1.0]], &position_changes(&array![[-1.0, 1.0]], 500).unwrap());
        assert_eq!((one.clearly_falling, one.correlation, one.falling), (None, None, 0.5));
    }

    #[test]
    fn correlations_are_of_all_pairs() {
        // r of the rows: 1, −1 and −1: mean −1/3. A row that does not vary is none of a pair.
        let rows = array![[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [3.0, 2.0, 1.0], [5.0, 5.0, 5.0]];
        assert!((mean_correlation(&rows).unwrap() + 1.0 / 3.0).abs() < 1e-9);
        assert_eq!(mean_correlation(&array![[1.0, 1.0], [2.0, 2.0]]), None);
    }

    #[test]
    fn chance_agrees_as_independent_images_do() {
        assert_eq!(chance_agreement(1), 1.0);
        assert!((chance_agreement(2) - 0.75).abs() < 1e-12);
        let mut rng = keyed_rng(1, "agreement", 0);
        let changes: Array2<f32> = Array2::from_shape_fn((5, 4000), |_| StandardNormal.sample(&mut rng));
        let means = changes.mean_axis(ndarray::Axis(0)).unwrap();
        let agreeing = changes.rows().into_iter().flat_map(|row| {
            row.iter()
                .zip(&means)
                .map(|(value, mean)| f64::from(u8::from(value * mean > 0.0)))
                .collect::<Vec<_>>()
        });
        let share = agreeing.sum::<f64>() / changes.len() as f64;
        assert!((share - chance_agreement(5)).abs() < 0.01, "{share} {}", chance_agreement(5));
    }
}
