//! How far the pictures of a GAN in training are from real ones: always the same latents, noise and conditions.

use burn::tensor::{Tensor, TensorData};
use image::RgbImage;
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::snapshot_config::SnapshotConfig;
use crate::error::{Context, Error};
use crate::metrics::feature_stats::FeatureStats;
use crate::models::stylegan2::{Condition, Generator, Truncation};
use crate::pipelines::pictures::picture::pictures;
use crate::pipelines::pictures::picture_distance::{Distance, SetStatistics};
use crate::pipelines::pictures::picture_features::{FeatureNetwork, PictureSet, picture_features};
use crate::pipelines::pictures::stimulus_features::{StimulusSet, stimulus_features};
use crate::pipelines::workbench::Workbench;
use crate::run::snapshot::hex;
use crate::tensor_ops::backend::{Base, Device};
use crate::tensor_ops::random::{keyed_rng, normal};
use crate::training::gan::dataset::GanDataset;

/// Pictures drawn at a time, as published; part of what decides the noise.
const BATCH: usize = 16;
/// Most pictures that are drawn unless the settings ask for more.
const MOST_SAMPLES: usize = 50_000;

/// Real pictures that generated ones are compared with.
pub(crate) struct RealSet {
    /// `real`, `validation`, `test` or `train`.
    pub name: &'static str,
    pub statistics: SetStatistics,
}

/// The protocol of a training's distances.
pub(crate) struct SampleDistance {
    pub network: FeatureNetwork,
    /// The first is the headline.
    pub real: Vec<RealSet>,
    /// Rows of conditions, one matrix per head of the generator.
    pub heads: Vec<Array2<f32>>,
    pub seed: u64,
}

/// A distance to one set of real pictures.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SetDistance {
    /// `real`: the training images. `test`: the ground truth of the held-out trials. `validation`: that of training trials kept
    /// apart. `train`: the stimuli of the training trials.
    pub real: &'static str,
    /// The distance.
    #[serde(flatten)]
    pub distance: Distance,
}

/// Distances as a line of `metrics.jsonl` holds them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MeasuredDistances {
    /// By the name of the real pictures; one that is no number is `null`.
    #[serde(flatten)]
    values: Map<String, Value>,
    /// What the numbers may be called.
    name: String,
    /// Decides which distances can be compared.
    pub protocol: String,
}

impl MeasuredDistances {
    /// The distance to the real pictures of this name.
    pub fn to(&self, real: &str) -> Option<f64> {
        self.values.get(real).and_then(Value::as_f64)
    }
}

impl SampleDistance {
    /// The distance with the sets to measure to.
    ///
    /// # Errors
    /// What would else fail after hours: too few pictures, no condition.
    pub fn with_real(mut self, real: Vec<RealSet>, config: &SnapshotConfig) -> crate::error::Result<Self> {
        self.real = real;
        let samples = self.num_samples(config);
        let has_conditions = self.heads.iter().all(|head| head.nrows() > 0);
        if samples < 2 || !has_conditions {
            return Err(Error::bad_input(format!(
                "`snapshots.frechet_samples`: a Fréchet distance needs at least 2 pictures and a condition, found {samples}"
            )));
        }
        Ok(self)
    }

    /// The distinct images of a training.
    ///
    /// # Errors
    /// A cache that cannot be written; features that are not finite.
    pub fn real_pictures(
        &self,
        data: &GanDataset,
        config: &SnapshotConfig,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<RealSet> {
        let side = data.resolution() as u32;
        // By content: equal pictures are found in the cache, wherever they were read from.
        let identities: Vec<String> = (0..data.num_images())
            .map(|image| format!("{} {side}", hex(&Sha256::digest(data.pixels_u8(image)))))
            .collect();
        let mut load = |image: usize| {
            let pixels = data.pixels_u8(image);
            let channel = pixels.len() / 3;
            Ok(RgbImage::from_fn(side, side, |x, y| {
                let at = (y * side + x) as usize;
                image::Rgb([pixels[at], pixels[channel + at], pixels[2 * channel + at]])
            }))
        };
        let set = PictureSet { name: "training images", identities: &identities, load: &mut load };
        let features = picture_features(&self.network, set, bench)?;
        let statistics = SetStatistics::of_rows(&features, 0..features.nrows(), config.divisor)?;
        Ok(RealSet { name: "real", statistics })
    }

    /// Stimuli of trials, at the size of the generator's pictures; an image counts as often as it was shown.
    ///
    /// # Errors
    /// An image that cannot be read; a cache that cannot be written; features that are not finite.
    pub fn real_trials(
        &self,
        trials: StimulusSet<'_>,
        config: &SnapshotConfig,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<RealSet> {
        let mut images = trials.images.to_vec();
        images.sort_unstable();
        images.dedup();
        let set = StimulusSet { images: &images, ..trials };
        let features = stimulus_features(&self.network, set, bench)?;
        // Features were computed once per image; here every trial has its row again.
        let rows = trials.images.iter().filter_map(|image| images.binary_search(image).ok());
        Ok(RealSet {
            name: trials.name,
            statistics: SetStatistics::of_rows(&features, rows, config.divisor)?,
        })
    }

    /// Pictures that are drawn: as set, or as many as there are in the first real set, at most 50,000.
    pub fn num_samples(&self, config: &SnapshotConfig) -> usize {
        match (config.frechet_samples, self.real.first()) {
            (0, Some(real)) => real.statistics.count().min(MOST_SAMPLES),
            (samples, _) => samples,
        }
    }

    /// Distances to every real set.
    ///
    /// # Errors
    /// Features that are not finite; covariances that cannot be decomposed.
    pub fn measure(
        &self,
        generator: &Generator<Base>,
        z_dim: usize,
        config: &SnapshotConfig,
        device: &Device,
    ) -> crate::error::Result<Vec<SetDistance>> {
        let count = self.num_samples(config);
        let mut stats: Option<FeatureStats> = None;
        // Streams are keyed by the first sample of the batch: every report draws the same latents and noise.
        for first in (0..count).step_by(BATCH) {
            let samples = first..count.min(first + BATCH);
            let size = samples.len();
            let z = normal([size, z_dim], &mut keyed_rng(self.seed, "snapshot z", first as u64), device);
            let mut rng = keyed_rng(self.seed, "snapshot noise", first as u64);
            let noise = generator.random_noise(size, &mut rng, device);
            let heads = self.heads.iter().map(|head| rows(head, samples.clone(), count, device)).collect();
            let drawn = generator.forward(z, &Condition { heads }, &noise, Truncation::NONE);
            let features = self.network.features(&pictures(drawn), device);
            let features = ArrayView2::from_shape((size, features.len() / size), &features)?;
            stats.get_or_insert_with(|| FeatureStats::new(features.ncols())).add(features)?;
        }
        let stats = stats.context("no picture was drawn")?;
        let drawn = SetStatistics::finished(&stats, config.divisor)?;
        self.real
            .iter()
            .map(|real| Ok(SetDistance { real: real.name, distance: real.statistics.distance(&drawn)? }))
            .collect()
    }

    /// Decides whether two distances can be compared.
    pub fn protocol(&self, config: &SnapshotConfig) -> String {
        let counts: Vec<usize> = self.real.iter().map(|real| real.statistics.count()).collect();
        let text = json!([
            self.network.sha256(),
            self.network.preprocessing(),
            config.divisor,
            self.num_samples(config),
            counts,
            self.seed
        ]);
        // 64 bits are enough to tell the few protocols of a run apart.
        hex(&Sha256::digest(text.to_string().as_bytes())[..8])
    }

    /// What `metrics.jsonl` says of distances.
    pub fn measured(&self, config: &SnapshotConfig, distances: &[SetDistance]) -> MeasuredDistances {
        let values = distances.iter().map(|set| (set.real.to_string(), set.distance.value.into()));
        MeasuredDistances {
            values: values.collect(),
            name: self.network.kind().distance_name().to_string(),
            protocol: self.protocol(config),
        }
    }
}

/// Conditions of some of `count` samples: spread evenly over the rows, or round and round where there are fewer rows.
fn rows(
    head: &Array2<f32>,
    samples: std::ops::Range<usize>,
    count: usize,
    device: &Device,
) -> Tensor<Base, 2> {
    let num_rows = head.nrows();
    let row = |sample: usize| if count <= num_rows { sample * num_rows / count } else { sample % num_rows };
    let shape = [samples.len(), head.ncols()];
    let values: Vec<f32> = samples.flat_map(|sample| head.row(row(sample)).to_vec()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::cpu;
    use ndarray::array;

    #[test]
    fn a_line_of_distances_is_written_in_its_order_and_read_back() {
        let values =
            Map::from_iter([("test".to_string(), 12.5.into()), ("train".to_string(), f64::NAN.into())]);
        let measured = MeasuredDistances { values, name: "FID".into(), protocol: "0a".into() };
        let line = serde_json::to_value(&measured).unwrap().to_string();
        assert_eq!(line, r#"{"test":12.5,"train":null,"name":"FID","protocol":"0a"}"#);
        let read: MeasuredDistances = serde_json::from_str(&line).unwrap();
        assert_eq!(read, measured);
        assert_eq!((read.to("test"), read.to("train"), read.to("real")), (Some(12.5), None, None));
    }

    #[test]
    fn conditions_are_spread_or_go_round() {
        let head = array![[0.0_f32], [1.0], [2.0], [3.0]];
        let of =
            |count: usize| -> Vec<f32> { rows(&head, 0..count, count, &cpu()).into_data().to_vec().unwrap() };
        assert_eq!(of(2), [0.0, 2.0]);
        assert_eq!(of(4), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(of(6), [0.0, 1.0, 2.0, 3.0, 0.0, 1.0]);
    }
}
