//! What frames are held against: the true embeddings of the trials on the way, of a perfect decoder between them, and of other
//! held-out images.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use super::route::{Place, spherical};
use crate::data::prepared::PreparedSubject;
use crate::error::Result;
use crate::interrupt;
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::share::bounded_mean_interval;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::{BrainDecoder, DecodedEmbeddings};
use crate::pipelines::targets::trial_targets::TrialTargets;
use crate::pipelines::trial_choice::ChosenTrial;
use crate::tensor_ops::host_values::{rows, tensor};

/// Bounds of a cosine.
const COSINES: [f64; 2] = [-1.0, 1.0];
/// Resamples behind the interval of every frame: its ends are steady to a tenth of its width.
const RESAMPLES: usize = 500;

/// How near a frame's decoded embedding is to true ones, as cosines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrameSimilarity {
    /// Whose space it is: that of CLIP's images, of its captions, or of ResNet vectors.
    pub target: MapperTarget,
    /// To what each trial of the way really showed, in the order of the way.
    pub to_trials: Vec<f64>,
    /// The ceiling: the same of a decoder without error, whose embedding goes along the sphere from one true embedding to the next.
    pub perfect: Vec<f64>,
    /// The floor: to the other held-out images, the mean over them with its 95 % interval; none where no other is held out.
    pub others: Option<Interval>,
}

/// True embeddings of one space, at unit norm.
pub(super) struct TrueEmbeddings {
    /// Whose space.
    pub target: MapperTarget,
    /// First or second of the decoder's embeddings.
    pub part: usize,
    /// `[trials of the way, embed_dim]`
    of_trials: Array2<f32>,
    /// Their images.
    images_of_trials: Vec<u64>,
    /// Held-out images beside those of the way.
    images: Vec<u64>,
    /// `[images, embed_dim]`
    of_images: Array2<f32>,
}

impl TrueEmbeddings {
    /// Of the spaces that are `used`, from the targets of both mappers; `held_out` are the trials of the split's held-out part.
    pub fn of(
        targets: &[TrialTargets; 2],
        used: [bool; 2],
        chosen: &[ChosenTrial],
        (prepared, held_out): (&PreparedSubject, &[usize]),
        decoder: &BrainDecoder,
    ) -> Vec<Self> {
        let own: BTreeSet<u32> = chosen.iter().map(|trial| trial.nsd_id.0).collect();
        let mut first_trials: BTreeMap<u32, usize> = BTreeMap::new();
        for trial in held_out {
            first_trials.entry(prepared.trials()[*trial].nsd_id.0).or_insert(*trial);
        }
        first_trials.retain(|image, _| !own.contains(image));
        let others: Vec<usize> = first_trials.values().copied().collect();
        let of_way: Vec<usize> = chosen.iter().flat_map(|trial| trial.trials.first().copied()).collect();
        let [of_trials, of_images] = [of_way, others].map(|trials| {
            let predicted = targets.each_ref().map(|targets| targets.single(&trials));
            as_steering(decoder, predicted)
        });
        let images_of_trials: Vec<u64> = chosen.iter().map(|trial| u64::from(trial.nsd_id.0)).collect();
        let images: Vec<u64> = first_trials.keys().copied().map(u64::from).collect();
        let spaces = [decoder.image_mapper().1.snapshot.target, decoder.second_target()];
        let parts = of_trials.into_iter().zip(of_images).zip(spaces).zip(used).enumerate();
        parts
            .filter(|(_, (_, is_used))| *is_used)
            .map(|(part, (((of_trials, of_images), target), _))| {
                let (images, images_of_trials) = (images.clone(), images_of_trials.clone());
                Self { target, part, of_trials, images_of_trials, images, of_images }
            })
            .collect()
    }

    /// `[trials of the way, embed_dim]`, at unit norm.
    pub fn of_trials(&self) -> &Array2<f32> {
        &self.of_trials
    }

    /// Mean cosine of every row with the true embeddings of all held-out images but its own, those of the other trials among them; nothing
    /// where there is no other image.
    ///
    /// # Shapes
    /// - decoded: a row for each trial
    pub fn mean_to_others(&self, decoded: &Array2<f32>) -> Vec<f64> {
        let of_trials = self.images_of_trials.iter().copied().zip(self.of_trials.rows());
        let of_images = self.images.iter().copied().zip(self.of_images.rows());
        let all: BTreeMap<u64, ArrayView1<'_, f32>> = of_trials.chain(of_images).collect();
        if all.len() < 2 {
            return Vec::new();
        }
        let mean = |(row, own): (ArrayView1<'_, f32>, &u64)| {
            let others = all.iter().filter(|(image, _)| *image != own);
            others.map(|(_, other)| product(*other, row)).sum::<f64>() / (all.len() - 1) as f64
        };
        decoded.rows().into_iter().zip(&self.images_of_trials).map(mean).collect()
    }

    /// How near the decoded embeddings of all frames are.
    ///
    /// # Shapes
    /// - decoded: `[places, embed_dim]`, at unit norm
    ///
    /// # Errors
    /// A wish to stop.
    pub fn similarities(&self, decoded: &Array2<f32>, places: &[Place]) -> Result<Vec<FrameSimilarity>> {
        let perfect = spherical(&self.of_trials, places);
        let config = BootstrapConfig { resamples: RESAMPLES, ..BootstrapConfig::default() };
        let of_frame = |(decoded, perfect): (ArrayView1<'_, f32>, ArrayView1<'_, f32>)| {
            interrupt::check()?;
            let to_others = cosines(&self.of_images, decoded);
            Ok(FrameSimilarity {
                target: self.target,
                to_trials: cosines(&self.of_trials, decoded),
                perfect: cosines(&self.of_trials, perfect),
                others: bounded_mean_interval(&to_others, &self.images, &config, COSINES),
            })
        };
        decoded.rows().into_iter().zip(perfect.rows()).map(of_frame).collect()
    }
}

/// Embeddings of both parts as they steer the generator, on the host.
pub(super) fn as_steering(decoder: &BrainDecoder, rows: [Array2<f32>; 2]) -> [Array2<f32>; 2] {
    if rows.iter().any(|rows| rows.is_empty()) {
        // A tensor of no rows is none.
        return rows;
    }
    let [image, second] = rows.map(|rows| {
        let shape = [rows.nrows(), rows.ncols()];
        tensor(rows.into_iter().collect(), shape, decoder.device())
    });
    on_host(&decoder.steering(&DecodedEmbeddings { image, second }))
}

/// Both embeddings on the host.
pub(super) fn on_host(embeddings: &DecodedEmbeddings) -> [Array2<f32>; 2] {
    [rows(embeddings.image.clone()), rows(embeddings.second.clone())]
}

/// Products of every row with a vector: cosines of unit ones.
fn cosines(rows: &Array2<f32>, vector: ArrayView1<'_, f32>) -> Vec<f64> {
    rows.rows().into_iter().map(|row| product(row, vector)).collect()
}

fn product(a: ArrayView1<'_, f32>, b: ArrayView1<'_, f32>) -> f64 {
    a.iter().zip(&b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::interpolate::route::{legs, places};
    use ndarray::array;

    #[test]
    fn cosines_of_a_quarter_circle_by_hand() {
        let truth = TrueEmbeddings {
            target: MapperTarget::Image,
            part: 0,
            of_trials: array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
            images_of_trials: vec![3, 4],
            images: vec![7, 9],
            of_images: array![[0.0, 0.0, 1.0], [0.6, 0.0, 0.8]],
        };
        let decoded = array![[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.6, 0.8]];
        let found = truth.similarities(&decoded, &places(&legs(2, false), 3)).unwrap();
        assert_eq!(found[0].to_trials, [1.0, 0.0]);
        assert_eq!(found[1].to_trials, [0.0, 0.0]);
        let half = std::f64::consts::FRAC_1_SQRT_2;
        assert!(found[1].perfect.iter().all(|cosine| (cosine - half).abs() < 1e-6), "{found:?}");
        assert_eq!(
            (found[0].perfect.as_slice(), found[2].perfect.as_slice()),
            (&[1.0, 0.0][..], &[0.0, 1.0][..])
        );
        let others = found[1].others.unwrap();
        assert!((others.mean - 0.9).abs() < 1e-6 && others.low >= 0.79 && others.high <= 1.0, "{others:?}");
        assert!((found[0].others.unwrap().mean - 0.3).abs() < 1e-6);
        // Of a row for each trial the other trials are others, too: 0, 0, 0.6; 0, 1, 0.8.
        let means = truth.mean_to_others(&array![[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
        assert!((means[0] - 0.2).abs() < 1e-6 && (means[1] - 0.6).abs() < 1e-6, "{means:?}");
    }

    #[test]
    fn without_another_image_there_is_no_floor() {
        let truth = TrueEmbeddings {
            target: MapperTarget::Caption,
            part: 1,
            of_trials: array![[1.0, 0.0], [0.0, 1.0]],
            images_of_trials: vec![3, 3],
            images: vec![],
            of_images: Array2::zeros((0, 2)),
        };
        let found = truth.similarities(&array![[1.0, 0.0], [0.0, 1.0]], &places(&legs(2, false), 2)).unwrap();
        assert_eq!(found[0].others, None);
        assert!(truth.mean_to_others(&array![[1.0, 0.0], [0.0, 1.0]]).is_empty(), "both show one image");
    }
}
