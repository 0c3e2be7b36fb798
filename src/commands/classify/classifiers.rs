//! The classifiers of an input: the network of three layers and a linear one, each fitted to the images' labels and to exchanged ones.
//!
//! The linear one is ridge regression to labels of 0 and 1, one penalty for all categories, chosen on a part of the training images. The
//! area under the curve asks for the order of the trials only, which the regression gives in a closed form.

use ndarray::{Array2, ArrayView2};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::config::{ClassifierInput, ClassifyConfig, RIDGE_SECTION};
use super::features::{Features, Scaling};
use super::labels::Labels;
use crate::data::split::Split;
use crate::models::category_classifier::CategoryClassifier;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::{Base, Device};
use crate::tensor_ops::random::keyed_rng;
use crate::training::categories::fit::{CategoryTraining, ImageLabels, category_logits};
use crate::training::ridge::{Ridge, fit_tuned_ridges};

/// How an input becomes scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassifierKind {
    /// Three linear layers with ReLU between.
    Network,
    /// Ridge regression to labels.
    Linear,
}

impl ClassifierKind {
    /// Both, in the order in which they are scored.
    pub const ALL: [Self; 2] = [Self::Network, Self::Linear];

    /// As tables name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Linear => "linear",
        }
    }
}

/// A network and a regression, fitted to the same labels.
pub(super) struct Classifiers {
    network: CategoryClassifier<Base>,
    pub ridge: Ridge,
    scaling: Option<Scaling>,
    num_categories: usize,
    device: Device,
}

impl Classifiers {
    /// Scores of rows as they were before they were scaled, `[rows, categories]` each: the network's, the regression's.
    ///
    /// # Errors
    /// A request to stop; scores that are no numbers.
    pub fn scores(&self, rows: ArrayView2<'_, f32>) -> crate::error::Result<[Array2<f32>; 2]> {
        let scaled = self.scaling.as_ref().map(|scaling| scaling.apply(rows.to_owned()));
        let rows = scaled.as_ref().map_or(rows, |scaled| scaled.view());
        let logits = category_logits(&self.network, rows, self.num_categories, &self.device)?;
        Ok([logits, self.ridge.predict(rows)])
    }
}

/// What classifiers are fitted to beside their input.
pub(super) struct Fitting<'a> {
    pub config: &'a ClassifyConfig,
    pub labels: &'a Labels,
    /// Which of the training trials choose the penalty, by their positions.
    pub tuning: &'a Split,
    pub device: &'a Device,
}

impl Fitting<'_> {
    /// The images' labels, then as many exchanged ones as `exchanges` says.
    pub fn own_and_exchanged(&self, exchanges: usize) -> Vec<ImageLabels> {
        let own = &self.labels.train;
        let exchanged = (0..exchanges).map(|exchange| {
            let mut order: Vec<usize> = (0..own.shown.nrows()).collect();
            let seed = self.config.train.seed;
            order.shuffle(&mut keyed_rng(seed, "classify exchanged labels", exchange as u64));
            own.exchanged(&order)
        });
        std::iter::once(own.clone()).chain(exchanged).collect()
    }

    /// Classifiers of an input for each of `labels`.
    ///
    /// # Errors
    /// A request to stop, a loss that is not finite, a penalty that is too small.
    pub fn fit(
        &self,
        input: ClassifierInput,
        features: &Features,
        labels: &[ImageLabels],
        progress: &mut dyn Progress,
    ) -> crate::error::Result<Vec<Classifiers>> {
        let config = self.config;
        let scaling = config.standardize.then(|| Scaling::of(&features.train));
        let scaled = scaling.as_ref().map(|scaling| scaling.apply(features.train.clone()));
        let inputs = scaled.as_ref().unwrap_or(&features.train).view();
        let of_trials: Vec<Array2<f32>> =
            labels.iter().map(|labels| self.labels.of_train_trials(labels)).collect();
        let views: Vec<_> = of_trials.iter().map(|labels| labels.view()).collect();
        let epochs = config.train.epochs;
        progress.start(&format!("classifiers, {}", input.name()), (epochs * labels.len()) as u64);
        let tuning = self.tuning;
        let ridges = fit_tuned_ridges(inputs, &views, &tuning.train, &tuning.validation, &config.ridge_fit)
            .map_err(|error| error.within(RIDGE_SECTION))?;
        let mut fitted = Vec::with_capacity(labels.len());
        for (number, (labels, ridge)) in labels.iter().zip(ridges).enumerate() {
            let training = CategoryTraining {
                inputs,
                labels,
                image_of_trial: &self.labels.image_of_train_trial,
                hidden: config.hidden.of(input),
                config: &config.train,
                device: self.device,
            };
            let network = training.fit(&mut |done, loss| {
                progress.advance((number * epochs + done) as u64, &format!("loss {loss:.4}"));
            })?;
            fitted.push(Classifiers {
                network,
                ridge,
                scaling: scaling.clone(),
                num_categories: labels.shown.ncols(),
                device: self.device.clone(),
            });
        }
        progress.finish("");
        Ok(fitted)
    }
}
