//! The effect of a region against the level that it is driven to, beside that of random regions of as many voxels.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::probes::LARGEST_CHANGE;
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::share::bounded_mean_interval;
use crate::report::{LineChart, Series};

/// Bounds of one minus a cosine, and of a difference of two such.
const SHIFTS: [f64; 2] = [0.0, 2.0];

/// What is counted of one level, image by image.
pub(super) struct LevelEffect {
    /// One minus the cosine between the image embeddings before and after.
    pub shift: Vec<f64>,
    /// Change of the cosine with every sentence: `[sentences][images]`.
    pub probes: Vec<Vec<f64>>,
}

impl LevelEffect {
    /// Of embeddings at unit norm, and of their similarities to sentences: `[images][sentences]`.
    pub fn of(before: &Array2<f32>, after: &Array2<f32>, similarities: [&[Vec<f64>]; 2]) -> Self {
        let product = |(a, b): (ndarray::ArrayView1<'_, f32>, ndarray::ArrayView1<'_, f32>)| {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
        };
        let cosines = before.rows().into_iter().zip(after.rows()).map(product);
        let [first, second] = similarities;
        let num_sentences = first.first().map_or(0, Vec::len);
        let changes = |sentence: usize| -> Vec<f64> {
            first.iter().zip(second).map(|(first, second)| second[sentence] - first[sentence]).collect()
        };
        // Rounding must not make a shift of less than none.
        let shift = cosines.map(|cosine| (1.0 - cosine).clamp(SHIFTS[0], SHIFTS[1])).collect();
        Self { shift, probes: (0..num_sentences).map(changes).collect() }
    }

    /// Mean of several, image by image; nothing of none.
    pub fn mean(of: &[Self]) -> Option<Self> {
        let first = of.first()?;
        let mean = |values: &dyn Fn(&Self) -> &Vec<f64>| -> Vec<f64> {
            let images = 0..values(first).len();
            images
                .map(|image| of.iter().map(|one| values(one)[image]).sum::<f64>() / of.len() as f64)
                .collect()
        };
        let probes = (0..first.probes.len()).map(|sentence| mean(&|one| &one.probes[sentence])).collect();
        Some(Self { shift: mean(&|one| &one.shift), probes })
    }
}

/// A mean with what stands beside it; intervals are over images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldAgainst {
    /// Of the region.
    pub region: Interval,
    /// The floor: of random regions of as many voxels; none where there are too few other voxels.
    pub random: Option<Interval>,
    /// Region less random regions, image by image.
    pub difference: Option<Interval>,
}

/// The effect on the similarity to one sentence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeDose {
    /// The sentence.
    pub sentence: String,
    /// Change of the cosine.
    pub change: HeldAgainst,
}

/// Effects at one level.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DosePoint {
    /// Value that the voxels are set to, in standard deviations.
    pub level: f32,
    /// One minus the cosine between the image embeddings before and after: 0 where nothing changes.
    pub shift: HeldAgainst,
    /// For each sentence.
    pub probes: Vec<ProbeDose>,
}

impl DosePoint {
    /// The means over images, with 95 % intervals; none without images.
    pub(super) fn of(
        level: f32,
        region: &LevelEffect,
        random: Option<&LevelEffect>,
        sentences: &[String],
    ) -> Option<Self> {
        let shift = held_against(&region.shift, random.map(|random| random.shift.as_slice()), SHIFTS)?;
        let probe = |(number, sentence): (usize, &String)| {
            let random = random.and_then(|random| random.probes.get(number)).map(Vec::as_slice);
            let change = held_against(region.probes.get(number)?, random, LARGEST_CHANGE)?;
            Some(ProbeDose { sentence: sentence.clone(), change })
        };
        Some(Self { level, shift, probes: sentences.iter().enumerate().filter_map(probe).collect() })
    }
}

fn held_against(region: &[f64], random: Option<&[f64]>, bounds: [f64; 2]) -> Option<HeldAgainst> {
    let images: Vec<u64> = (0..region.len() as u64).collect();
    let mean =
        |values: &[f64], bounds| bounded_mean_interval(values, &images, &BootstrapConfig::default(), bounds);
    let difference = |random: &[f64]| {
        let differences: Vec<f64> =
            region.iter().zip(random).map(|(region, random)| region - random).collect();
        let widest = bounds[1] - bounds[0];
        mean(&differences, [-widest, widest])
    };
    Some(HeldAgainst {
        region: mean(region, bounds)?,
        random: random.and_then(|random| mean(random, bounds)),
        difference: random.and_then(difference),
    })
}

/// Shift against level, of the region and of random ones.
pub(super) fn dose_chart(roi: &str, dose: &[DosePoint]) -> LineChart {
    let points = |of: &dyn Fn(&HeldAgainst) -> Option<Interval>| -> Vec<(f64, [f64; 3])> {
        let point = |point: &DosePoint| {
            let Interval { mean, low, high } = of(&point.shift)?;
            Some((f64::from(point.level), [mean, low, high]))
        };
        dose.iter().filter_map(point).collect()
    };
    let mut series = vec![Series::within(roi, &points(&|shift| Some(shift.region)))];
    let random = points(&|shift| shift.random);
    if !random.is_empty() {
        series.push(Series::within("random voxels, as many (95 %)", &random));
    }
    LineChart {
        title: format!("Effect of {roi} by level"),
        x_label: "level, standard deviations".into(),
        y_label: "1 − cosine, before and after".into(),
        series,
        ..LineChart::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn effects_by_hand() {
        let (before, after) = (array![[1.0, 0.0], [0.0, 1.0]], array![[0.6, 0.8], [0.0, 1.0]]);
        let similarities = [vec![vec![0.1, 0.2], vec![0.3, 0.4]], vec![vec![0.5, 0.2], vec![0.3, 0.2]]];
        let effect = LevelEffect::of(&before, &after, [&similarities[0], &similarities[1]]);
        let near = |found: &[f64], expected: &[f64]| {
            found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6)
        };
        assert!(near(&effect.shift, &[0.4, 0.0]), "{:?}", effect.shift);
        assert!(near(&effect.probes[0], &[0.4, 0.0]) && near(&effect.probes[1], &[0.0, -0.2]));
        let none = LevelEffect { shift: vec![0.0, 0.2], probes: vec![vec![0.0, 0.0], vec![0.2, 0.2]] };
        let mean =
            LevelEffect::mean(&[none, LevelEffect { shift: vec![0.2, 0.2], probes: vec![vec![0.0; 2]; 2] }]);
        let mean = mean.unwrap();
        assert!(near(&mean.shift, &[0.1, 0.2]) && near(&mean.probes[1], &[0.1, 0.1]));
        let sentences = ["a", "b"].map(String::from);
        let point = DosePoint::of(4.0, &effect, Some(&mean), &sentences).unwrap();
        assert!((point.shift.region.mean - 0.2).abs() < 1e-6);
        assert!((point.shift.difference.unwrap().mean - 0.05).abs() < 1e-6, "{point:?}");
        assert!((point.probes[1].change.region.mean + 0.1).abs() < 1e-6);
        let alone = DosePoint::of(4.0, &effect, None, &sentences).unwrap();
        assert_eq!((alone.shift.random, alone.shift.difference), (None, None));
        assert!(LevelEffect::mean(&[]).is_none());
        assert_eq!(dose_chart("V1", &[point, alone.clone()]).series.len(), 2);
        assert_eq!(dose_chart("V1", &[alone]).series.len(), 1);
    }
}
