//! What the sources of pictures need, read once, and what they give for a batch of trials.

use burn::tensor::{Tensor, TensorData};
use image::RgbImage;
use ndarray::{Array1, Array2, Axis};
use rand::RngExt;

use super::config::ReconstructSettings;
use super::source::PictureSource;
use crate::data::image::resize::{Filter, resize_pil};
use crate::data::nsd::stimuli::Stimuli;
use crate::data::prepared::PreparedSubject;
use crate::data::trial::NsdId;
use crate::error::{Context, Result};
use crate::models::condition_source::ConditionSource;
use crate::pipelines::brain_decoder::{BrainDecoder, DecodedEmbeddings};
use crate::pipelines::targets::captioned_stimuli::distinct_images;
use crate::pipelines::targets::trial_targets::TrialTargets;
use crate::pipelines::trial_choice::{ChosenTrial, betas_of};
use crate::pipelines::workbench::Workbench;
use crate::tensor_ops::backend::{Base, Device};
use crate::tensor_ops::host_values::values;
use crate::tensor_ops::random::keyed_rng;
use crate::tensor_ops::similarity::unit_norm;

/// What a source needs beside the decoder, read once.
pub(super) enum Material {
    /// Nothing: betas are read batch by batch.
    Betas,
    /// The targets of both mappers.
    Truth(Box<[TrialTargets; 2]>),
    /// `[embed_dim]` each: the mean target of each mapper over the training images.
    TrainingMean([Array1<f32>; 2]),
    /// Training images, and their unit targets of both mappers, `[images, embed_dim]`.
    NearestTraining { images: Vec<NsdId>, targets: [Array2<f32>; 2] },
    /// Training images.
    RandomTraining { images: Vec<NsdId> },
}

impl Material {
    /// Reads it.
    ///
    /// # Errors
    /// Targets that are missing or not those of the mappers, a split without training images.
    pub fn read(
        settings: &ReconstructSettings,
        prepared: &PreparedSubject,
        decoder: &BrainDecoder,
        bench: &mut Workbench<'_>,
    ) -> Result<Self> {
        let source = settings.reconstruct.source;
        if source.is_betas() {
            return Ok(Self::Betas);
        }
        let targets = |bench: &mut Workbench<'_>| -> Result<[TrialTargets; 2]> {
            let files = settings.targets.as_ref().context("no files of the true embeddings")?;
            let conditions = settings.reconstruct.all_conditions();
            files.of_decoder(&conditions, (&settings.split, "drawing"), prepared, decoder, bench)
        };
        if source == PictureSource::Truth {
            return Ok(Self::Truth(Box::new(targets(bench)?)));
        }
        let train = settings.split.split(prepared)?.train;
        let images = distinct_images(train.iter().map(|trial| prepared.trials()[*trial]));
        if images.is_empty() {
            return Err(crate::data::error::DataError::empty(
                "training images",
                "the split leaves none; prepare more sessions",
            )
            .into());
        }
        if source == PictureSource::RandomTraining {
            return Ok(Self::RandomTraining { images });
        }
        let first_trial = |image: &NsdId| {
            let mut of_image = train.iter().copied();
            of_image.find(|trial| prepared.trials()[*trial].nsd_id == *image)
        };
        let trials: Vec<usize> = images.iter().filter_map(first_trial).collect();
        let targets = targets(bench)?.map(|targets| targets.single(&trials));
        if source == PictureSource::NearestTraining {
            return Ok(Self::NearestTraining { images, targets: targets.map(unit_rows) });
        }
        let [image, second] = targets.map(|rows| rows.mean_axis(Axis(0)));
        Ok(Self::TrainingMean([image.context("no training image")?, second.context("no training image")?]))
    }
}

/// Rows of unit norm; a row of zeros stays.
fn unit_rows(mut rows: Array2<f32>) -> Array2<f32> {
    for mut row in rows.rows_mut() {
        let norm = row.dot(&row).sqrt();
        if norm > 0.0 {
            row.mapv_inplace(|value| value / norm);
        }
    }
    rows
}

/// What pictures of a batch are made from.
pub(super) struct SourceReader<'a> {
    pub material: &'a Material,
    pub prepared: &'a PreparedSubject,
    pub stimuli: &'a Stimuli,
    pub decoder: &'a BrainDecoder,
    /// Decides which training images are taken at random.
    pub seed: u64,
}

impl SourceReader<'_> {
    /// Embeddings that steer the generator, a row per trial; none where nothing is drawn.
    ///
    /// # Errors
    /// Betas that cannot be read, embeddings that are no numbers.
    pub fn steering(&self, trials: &[ChosenTrial]) -> Result<Option<DecodedEmbeddings>> {
        let steering = match self.material {
            Material::Betas => self.decoder.embed(&betas_of(self.prepared, trials)?),
            Material::Truth(targets) => {
                let first: Vec<usize> =
                    trials.iter().filter_map(|trial| trial.trials.first().copied()).collect();
                self.of_rows([0, 1].map(|part| targets[part].validation(&first)))
            }
            Material::TrainingMean(means) => {
                let repeated = |mean: &Array1<f32>| {
                    let mut rows = Array2::zeros((trials.len(), mean.len()));
                    rows.rows_mut().into_iter().for_each(|mut row| row.assign(mean));
                    rows
                };
                self.of_rows([repeated(&means[0]), repeated(&means[1])])
            }
            Material::NearestTraining { .. } | Material::RandomTraining { .. } => return Ok(None),
        };
        self.decoder.require_finite(&steering)?;
        Ok(Some(steering))
    }

    fn of_rows(&self, [image, second]: [Array2<f32>; 2]) -> DecodedEmbeddings {
        let device = self.decoder.device();
        self.decoder
            .steering(&DecodedEmbeddings { image: tensor(image, device), second: tensor(second, device) })
    }

    /// Training images in place of pictures: `samples` of them for every trial, those of a trial behind each other, at the generator's
    /// size.
    ///
    /// # Errors
    /// Betas or a stimulus that cannot be read.
    pub fn training_images(
        &self,
        trials: &[ChosenTrial],
        condition: ConditionSource,
        samples: usize,
    ) -> Result<Vec<Vec<RgbImage>>> {
        let chosen: Vec<Vec<NsdId>> = match self.material {
            Material::NearestTraining { images, targets } => {
                let similarity = self.similarity(trials, targets, condition)?;
                similarity.rows().into_iter().map(|row| nearest(&row.to_vec(), images, samples)).collect()
            }
            Material::RandomTraining { images } => {
                let draw = |trial: &ChosenTrial| {
                    let position = trial.position(1, 0);
                    let mut rng = keyed_rng(self.seed, "reconstruct training image", position);
                    (0..samples).map(|_| images[rng.random_range(0..images.len())]).collect()
                };
                trials.iter().map(draw).collect()
            }
            _ => return Ok(vec![]),
        };
        let side = self.decoder.resolution() as u32;
        let picture = |image: &NsdId| -> Result<RgbImage> {
            Ok(resize_pil(&self.stimuli.image(*image)?, side, side, Filter::Bicubic))
        };
        chosen.iter().map(|images| images.iter().map(picture).collect()).collect()
    }

    /// Cosines of what is decoded with the targets of the training images; of two embeddings the mean. `[trials, images]`
    fn similarity(
        &self,
        trials: &[ChosenTrial],
        targets: &[Array2<f32>; 2],
        condition: ConditionSource,
    ) -> Result<Array2<f32>> {
        let decoded = self.decoder.predict(&betas_of(self.prepared, trials)?);
        self.decoder.require_finite(&decoded)?;
        let used = condition.uses();
        let mut sum = Array2::zeros((trials.len(), targets[0].nrows()));
        for (part, decoded) in [decoded.image, decoded.second].into_iter().enumerate() {
            if used[part] {
                let shape = (trials.len(), decoded.dims()[1]);
                let rows = Array2::from_shape_vec(shape, values(unit_norm(decoded)))?;
                sum += &rows.dot(&targets[part].t());
            }
        }
        let parts = used.iter().filter(|used| **used).count().max(1);
        Ok(sum / parts as f32)
    }
}

/// The images of the largest similarities, the largest first; of equals the earlier. Where there are fewer than wanted, they come again.
fn nearest(similarity: &[f32], images: &[NsdId], count: usize) -> Vec<NsdId> {
    let mut order: Vec<usize> = (0..images.len()).collect();
    order.sort_by(|a, b| similarity[*b].total_cmp(&similarity[*a]).then(a.cmp(b)));
    order.iter().cycle().take(if order.is_empty() { 0 } else { count }).map(|place| images[*place]).collect()
}

fn tensor(rows: Array2<f32>, device: &Device) -> Tensor<Base, 2> {
    let shape = [rows.nrows(), rows.ncols()];
    Tensor::from_data(TensorData::new(rows.into_iter().collect::<Vec<f32>>(), shape), device)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn the_nearest_come_first_and_again_where_there_are_few() {
        let images = [7, 3, 9].map(NsdId);
        assert_eq!(nearest(&[0.1, 0.8, 0.5], &images, 2), [3, 9].map(NsdId));
        assert_eq!(nearest(&[0.5, 0.5, 0.1], &images, 4), [7, 3, 9, 7].map(NsdId));
        assert_eq!(nearest(&[f32::NAN, 0.1, 0.2], &images, 1), [NsdId(7)], "no panic over what is no number");
        assert!(nearest(&[], &[], 3).is_empty());
    }

    #[test]
    fn rows_of_zeros_stay() {
        assert_eq!(unit_rows(array![[3.0, 4.0], [0.0, 0.0]]), array![[0.6, 0.8], [0.0, 0.0]]);
    }
}
