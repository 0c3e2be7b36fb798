//! Settings of a mapper's training and the loss that they name.
//!
//! Specification: docs/spec/mapper.md §4, §5; the default is the paper's recipe.

use std::time::Duration;

use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use super::auxiliary_critic::CriticConfig;
pub use super::phase::{MapperLoss, MapperPhase};
use super::phase::{first_phase, second_phase};
use super::selection::EpochSelection;
use crate::error::SettingError;
use crate::losses::contrastive::{ContrastiveConfig, contrastive_loss, squared_error_cosine_and_contrastive};
use crate::losses::regression::{cosine_distance, mean_squared_error, smooth_l1, squared_error_and_cosine};
use crate::losses::vicreg::{VicregConfig, vicreg};
use crate::metrics::retrieval::RetrievalConfig;
use crate::models::mapper::ExpanderConfig;
use crate::training::frame::epoch_loop::{Clock, Plan};
use crate::training::frame::optimiser::OptimiserConfig;

/// Training of a mapper; the default is the paper's. Weights are 0 to 1e6, ω and p 0 to 1, epochs 0 to 1e6, batches 1 to the number
/// of training trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MapperTrainConfig {
    /// Seed of weights, order of trials and choice of captions.
    pub seed: u64,
    /// First phase, from random weights. Without a loss of its own it has the default's.
    #[serde(deserialize_with = "first_phase")]
    pub phase1: MapperPhase,
    /// Second phase, from the best weights of the first; likewise.
    #[serde(deserialize_with = "second_phase")]
    pub phase2: MapperPhase,
    /// Optimiser and schedule of phases that have no other.
    pub optimiser: OptimiserConfig,
    /// Which trials choose the epoch of each phase: `validation`, the held-out ones, as published, or `train-part`, those of a part of
    /// the training images, which are then not fitted.
    pub selection: EpochSelection,
    /// Share of the training images that choose the epoch with `train-part`, above 0 and below 1.
    pub tuning_fraction: f64,
    /// A phase ends after so many epochs without a lower validation loss; none: it runs its full length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience_epochs: Option<usize>,
    /// Minutes between checkpoints inside an epoch, so that a killed run loses no more; 0 to 1e6. There is one after five minutes in any
    /// case, or after 20 times what writing one takes.
    pub checkpoint_every_minutes: f64,
    /// ω: weight of the cosine distance against the mean squared error.
    pub cosine_weight: f64,
    /// p: weight of InfoNCE against the other two.
    pub contrastive_weight: f64,
    /// τ and λ of InfoNCE.
    pub contrastive: ContrastiveConfig,
    /// Weights of the VICReg loss (25, 25, 1).
    pub vicreg: VicregConfig,
    /// Width of its expander (2048).
    pub expander_width: usize,
    /// Auxiliary critic; off by default.
    pub critic: CriticConfig,
    /// Retrieval counts on the validation trials after every epoch.
    pub retrieval: RetrievalConfig,
}

impl Default for MapperTrainConfig {
    fn default() -> Self {
        Self {
            seed: 42,
            phase1: MapperPhase { loss: MapperLoss::MseCos, epochs: 40, batch: 32, optimiser: None },
            phase2: MapperPhase {
                loss: MapperLoss::MseCosContrastive,
                epochs: 40,
                batch: 128,
                optimiser: None,
            },
            optimiser: OptimiserConfig::default(),
            selection: EpochSelection::default(),
            tuning_fraction: 0.15,
            patience_epochs: None,
            checkpoint_every_minutes: 10.0,
            cosine_weight: 0.6,
            contrastive_weight: 0.5,
            contrastive: ContrastiveConfig::default(),
            vicreg: VicregConfig::default(),
            expander_width: ExpanderConfig::default().width,
            critic: CriticConfig::default(),
            retrieval: RetrievalConfig::default(),
        }
    }
}

/// Length, batch size and optimiser of a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhasePlan<'a> {
    /// Epochs at most.
    pub epochs: usize,
    /// Trials per step; the last batch of an epoch may be smaller.
    pub batch: usize,
    /// Its schedule starts anew in every phase.
    pub optimiser: &'a OptimiserConfig,
}

impl MapperTrainConfig {
    /// Complains of the first setting that does not go with `num_train` training trials.
    ///
    /// # Errors
    /// [`SettingError`] for a batch that the trials cannot fill, a value out of range.
    pub fn validate(&self, num_train: usize) -> Result<(), SettingError> {
        self.check_ranges()?;
        for (key, phase) in [("phase1.batch", &self.phase1), ("phase2.batch", &self.phase2)] {
            if phase.epochs > 0 && !(1..=num_train).contains(&phase.batch) {
                let expected = format!("1 to {num_train}, the number of training trials");
                return Err(SettingError::new(key, expected, phase.batch));
            }
        }
        Ok(())
    }

    /// How long the frame runs it.
    pub fn plan(&self) -> Plan {
        Plan {
            epochs: (0..2).map(|number| self.phase(number).epochs).collect(),
            evaluate_every_epochs: 1,
            patience_epochs: self.patience_epochs,
            // In range, so that a duration holds it.
            checkpoint_every: Duration::try_from_secs_f64(60.0 * self.checkpoint_every_minutes)
                .unwrap_or_default(),
            clock: Clock::Epochs,
        }
    }

    fn settings_of(&self, phase: usize) -> &MapperPhase {
        if phase == 0 { &self.phase1 } else { &self.phase2 }
    }

    /// Length, batch and optimiser of `phase` (0 or 1).
    pub fn phase(&self, phase: usize) -> PhasePlan<'_> {
        let MapperPhase { epochs, batch, optimiser, .. } = self.settings_of(phase);
        PhasePlan { epochs: *epochs, batch: *batch, optimiser: optimiser.as_ref().unwrap_or(&self.optimiser) }
    }

    /// What `phase` (0 or 1) minimises.
    pub fn loss_kind(&self, phase: usize) -> MapperLoss {
        self.settings_of(phase).loss
    }

    /// Loss `[1]` of `phase` (0 or 1); VICReg's expects expanded embeddings.
    ///
    /// # Shapes
    /// - predicted, target: `[batch, embed_dim]`
    pub fn loss<B: Backend>(
        &self,
        phase: usize,
        predicted: Tensor<B, 2>,
        target: Tensor<B, 2>,
    ) -> Tensor<B, 1> {
        match self.loss_kind(phase) {
            MapperLoss::Vicreg => vicreg(predicted, target, &self.vicreg),
            MapperLoss::Mse => mean_squared_error(predicted, target),
            MapperLoss::Cos => cosine_distance(predicted, target),
            MapperLoss::SmoothL1 => smooth_l1(predicted, target),
            MapperLoss::Contrastive => contrastive_loss(predicted, target, &self.contrastive),
            MapperLoss::MseCos => squared_error_and_cosine(predicted, target, self.cosine_weight),
            MapperLoss::MseCosContrastive => squared_error_cosine_and_contrastive(
                predicted,
                target,
                self.cosine_weight,
                self.contrastive_weight,
                &self.contrastive,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_papers_recipe() {
        let config = MapperTrainConfig::default();
        assert_eq!((config.phase1.batch, config.phase2.batch), (32, 128));
        assert_eq!(config.optimiser.learning_rate, 4e-4);
        // α = ((1 − p)(1 − ω), (1 − p)ω, p) = (0.2, 0.3, 0.5)
        let (omega, p) = (config.cosine_weight, config.contrastive_weight);
        assert!(((1.0 - p) * (1.0 - omega) - 0.2).abs() < 1e-12 && ((1.0 - p) * omega - 0.3).abs() < 1e-12);
    }

    #[test]
    fn batches_and_times_out_of_range_are_named() {
        let mut config = MapperTrainConfig::default();
        assert_eq!(config.validate(128), Ok(()));
        let error = config.validate(127).unwrap_err().to_string();
        let expected = "`phase2.batch`: found 128, expected 1 to 127, the number of training trials";
        assert_eq!(error, expected);
        config.phase2.epochs = 0;
        assert_eq!(config.validate(127), Ok(()), "a phase that is left out");
        config.phase1.batch = 0;
        assert_eq!(config.validate(127).unwrap_err().field, "phase1.batch");
        config.phase1.batch = 1;
        for minutes in [-1.0, f64::NAN, f64::INFINITY] {
            config.checkpoint_every_minutes = minutes;
            assert_eq!(config.validate(127).unwrap_err().field, "checkpoint_every_minutes");
        }
        // Longer than any run.
        config.checkpoint_every_minutes = 1e6;
        assert_eq!(config.validate(127), Ok(()));
        assert_eq!(config.plan().checkpoint_every, Duration::from_secs(60_000_000));
    }

    #[test]
    fn a_config_goes_through_toml_and_unknown_keys_are_refused() {
        let config = MapperTrainConfig { patience_epochs: Some(5), ..MapperTrainConfig::default() };
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<MapperTrainConfig>(&text).unwrap(), config);
        assert_eq!(toml::from_str::<MapperTrainConfig>("").unwrap(), MapperTrainConfig::default());
        let shorter = toml::from_str::<MapperTrainConfig>("phase1.epochs = 5\nphase2.epochs = 6").unwrap();
        assert_eq!((shorter.phase1.loss, shorter.phase1.epochs), (MapperLoss::MseCos, 5));
        assert_eq!((shorter.phase2.loss, shorter.phase2.epochs), (MapperLoss::MseCosContrastive, 6));
        let error = toml::from_str::<MapperTrainConfig>("[optimiser]\nlr = 1.0").unwrap_err();
        assert!(error.to_string().contains("lr"), "{error}");
        let error =
            toml::from_str::<MapperTrainConfig>("phase1 = {loss = \"mse_cos\", epochs = 1, batch = 1}");
        assert!(error.unwrap_err().to_string().contains("mse-cos"));
    }
}
