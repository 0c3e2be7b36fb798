//! One classifier: what it is fitted to, its steps, and what it says of inputs.

use burn::module::AutodiffModule;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use ndarray::{Array2, ArrayView2, Axis, s};
use rand::seq::SliceRandom;

use super::config::CategoryTrainConfig;
use super::error::CategoryTrainError;
use crate::interrupt;
use crate::losses::binary_cross_entropy::binary_cross_entropy;
use crate::models::category_classifier::{CategoryClassifier, CategoryClassifierConfig};
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::tensor_ops::host_values::{scalar, values};
use crate::tensor_ops::random::keyed_rng;
use crate::training::frame::host_rows::gather;
use crate::training::frame::optimiser::{EpochOptimiser, StepPosition};

/// Rows per forward pass where no gradient is formed.
const BATCH: usize = 256;

/// What images show: a row per image, a column per category.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageLabels {
    /// 1 where the image shows the category, else 0.
    pub shown: Array2<f32>,
    /// 1 where that is known, else 0.
    pub known: Array2<f32>,
}

impl ImageLabels {
    /// Every image with the labels of another: image `i` gets those of `order[i]`.
    pub fn exchanged(&self, order: &[usize]) -> Self {
        Self { shown: self.shown.select(Axis(0), order), known: self.known.select(Axis(0), order) }
    }
}

/// What a classifier is fitted to.
#[derive(Clone, Copy, Debug)]
pub struct CategoryTraining<'a> {
    /// A row per training trial, `[trials, inputs]`.
    pub inputs: ArrayView2<'a, f32>,
    /// The images' labels.
    pub labels: &'a ImageLabels,
    /// Row of `labels` of every trial.
    pub image_of_trial: &'a [usize],
    /// Units of the hidden layers.
    pub hidden: [usize; 2],
    /// Epochs, batches, optimiser.
    pub config: &'a CategoryTrainConfig,
    /// Device of the network.
    pub device: &'a Device,
}

impl CategoryTraining<'_> {
    /// The network after the last epoch; `heed` is told the epochs that are done and the last one's mean loss in nats.
    ///
    /// # Errors
    /// A request to stop; a loss that is not finite.
    pub fn fit(
        &self,
        heed: &mut dyn FnMut(usize, f64),
    ) -> Result<CategoryClassifier<Base>, CategoryTrainError> {
        let Self { config, device, .. } = *self;
        let sizes = CategoryClassifierConfig {
            inputs: self.inputs.ncols(),
            hidden: self.hidden,
            categories: self.labels.shown.ncols(),
        };
        let mut network: CategoryClassifier<Diff> = sizes.init(config.seed, device);
        let mut optimiser: EpochOptimiser<CategoryClassifier<Diff>> = config.optimiser.init();
        for epoch in 0..config.epochs {
            if config.optimiser.resets(epoch) {
                optimiser = config.optimiser.init();
            }
            let loss = self.epoch(epoch, &mut network, &mut optimiser)?;
            if !loss.is_finite() {
                return Err(CategoryTrainError::NotFinite { epoch: epoch + 1 });
            }
            heed(epoch + 1, loss);
        }
        Ok(network.valid())
    }

    /// The steps of an epoch, and the mean of their losses.
    fn epoch(
        &self,
        epoch: usize,
        network: &mut CategoryClassifier<Diff>,
        optimiser: &mut EpochOptimiser<CategoryClassifier<Diff>>,
    ) -> Result<f64, CategoryTrainError> {
        let config = self.config;
        let mut order: Vec<usize> = (0..self.inputs.nrows()).collect();
        order.shuffle(&mut keyed_rng(config.seed, "category classifier order", epoch as u64));
        let steps_per_epoch = order.len().div_ceil(config.batch);
        let mut sum = 0.0;
        for (step, trials) in order.chunks(config.batch).enumerate() {
            interrupt::check()?;
            let (loss, gradients) = self.gradients(network, trials);
            let (epochs, batch) = (config.epochs, config.batch);
            let at = StepPosition { epoch, step, steps_per_epoch, epochs, batch };
            *network = optimiser.step(config.optimiser.rate(at), network.clone(), gradients);
            sum += f64::from(loss);
        }
        Ok(sum / steps_per_epoch.max(1) as f64)
    }

    fn gradients(&self, network: &CategoryClassifier<Diff>, trials: &[usize]) -> (f32, GradientsParams) {
        let inputs = trials.iter().map(|trial| self.inputs.row(*trial));
        let inputs: Tensor<Diff, 2> = gather(self.inputs.ncols(), inputs, self.device);
        let of_images = |labels: &Array2<f32>| -> Tensor<Diff, 2> {
            let rows = trials.iter().map(|trial| labels.row(self.image_of_trial[*trial]));
            gather(labels.ncols(), rows, self.device)
        };
        let (shown, known) = (of_images(&self.labels.shown), of_images(&self.labels.known));
        let loss = binary_cross_entropy(network.forward(inputs), shown, known);
        let value = scalar(loss.clone());
        (value, GradientsParams::from_grads(loss.backward(), network))
    }
}

/// Logits of inputs `[rows, inputs]`: `[rows, categories]`.
///
/// # Errors
/// A request to stop.
pub fn category_logits(
    network: &CategoryClassifier<Base>,
    inputs: ArrayView2<'_, f32>,
    categories: usize,
    device: &Device,
) -> Result<Array2<f32>, CategoryTrainError> {
    let mut logits = Array2::zeros((inputs.nrows(), categories));
    for first in (0..inputs.nrows()).step_by(BATCH) {
        interrupt::check()?;
        let end = inputs.nrows().min(first + BATCH);
        let rows = inputs.slice(s![first..end, ..]);
        let batch: Tensor<Base, 2> = gather(inputs.ncols(), rows.rows().into_iter(), device);
        let found = values(network.forward(batch));
        let out = logits.slice_mut(s![first..end, ..]);
        out.into_iter().zip(found).for_each(|(out, value)| *out = value);
    }
    Ok(logits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::cpu;
    use crate::training::frame::optimiser::OptimiserConfig;
    use rand::RngExt;

    fn config(learning_rate: f64) -> CategoryTrainConfig {
        let optimiser = OptimiserConfig { learning_rate, ..OptimiserConfig::default() };
        CategoryTrainConfig { seed: 3, epochs: 30, batch: 16, optimiser }
    }

    /// 60 images of two trials each; the first category is the sign of the first input, the second is not known of odd images.
    fn fitted(config: &CategoryTrainConfig) -> Result<(Vec<f64>, Array2<f32>), CategoryTrainError> {
        let mut rng = keyed_rng(1, "test", 0);
        let inputs = Array2::from_shape_fn((120, 4), |_| 2.0 * rng.random::<f32>() - 1.0);
        let image_of_trial: Vec<usize> = (0..120).map(|trial| trial / 2).collect();
        let inputs = inputs.select(Axis(0), &image_of_trial);
        let shown = Array2::from_shape_fn((60, 2), |(image, category)| {
            let value = inputs[[2 * image, category]];
            f32::from(u8::from(value > 0.0))
        });
        let known = Array2::from_shape_fn((60, 2), |(image, category)| {
            f32::from(u8::from(category == 0 || image % 2 == 0))
        });
        let labels = ImageLabels { shown, known };
        let device = cpu();
        let training = CategoryTraining {
            inputs: inputs.view(),
            labels: &labels,
            image_of_trial: &image_of_trial,
            hidden: [8, 8],
            config,
            device: &device,
        };
        let mut losses = Vec::new();
        let network = training.fit(&mut |_, loss| losses.push(loss))?;
        let probes = ndarray::array![[0.8_f32, 0.8, 0.0, 0.0], [-0.8, -0.8, 0.0, 0.0]];
        Ok((losses, category_logits(&network, probes.view(), 2, &device)?))
    }

    #[test]
    fn a_classifier_learns_signs_and_the_same_seed_gives_the_same_numbers() {
        let (losses, logits) = fitted(&config(1e-2)).unwrap();
        assert_eq!(losses.len(), 30);
        assert!(losses[0] > 0.6 && losses[29] < 0.25, "{losses:?}");
        assert!(logits[[0, 0]] > 1.0 && logits[[1, 0]] < -1.0, "{logits}");
        assert!(logits[[0, 1]] > 1.0 && logits[[1, 1]] < -1.0, "{logits}");
        assert_eq!(fitted(&config(1e-2)).unwrap(), (losses, logits));
    }

    #[test]
    fn a_rate_that_diverges_is_named() {
        let error = fitted(&config(1e30)).unwrap_err().to_string();
        assert!(error.contains("classify.train.optimiser.learning_rate"), "{error}");
    }

    #[test]
    fn exchanged_labels_are_those_of_other_images() {
        let labels = ImageLabels {
            shown: ndarray::array![[1.0, 0.0], [0.0, 1.0]],
            known: ndarray::array![[1.0, 1.0], [1.0, 0.0]],
        };
        let exchanged = labels.exchanged(&[1, 0]);
        assert_eq!(exchanged.shown, ndarray::array![[0.0, 1.0], [1.0, 0.0]]);
        assert_eq!(exchanged.known, ndarray::array![[1.0, 0.0], [1.0, 1.0]]);
    }
}
