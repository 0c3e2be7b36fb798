//! A phase of a mapper's training: which loss, how long, by which optimiser.
//!
//! Specification: docs/spec/mapper.md §5.1, §6.2. What a configuration leaves out is what was published for the phase's
//! loss.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use toml::{Table, Value};

use crate::training::frame::optimiser::OptimiserConfig;

/// Loss of a phase; weights are in [`super::config::MapperTrainConfig`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MapperLoss {
    /// Mean squared error.
    Mse,
    /// Cosine distance.
    Cos,
    /// InfoNCE alone.
    Contrastive,
    /// Mean squared error and cosine distance.
    MseCos,
    /// All three.
    MseCosContrastive,
    /// Smooth absolute error; offered by the reference, not used in the paper.
    SmoothL1,
    /// VICReg between expanded prediction and expanded target; the expander is trained along. The validation loss uses the
    /// stored statistics of its batch norms.
    Vicreg,
}

impl MapperLoss {
    fn published_epochs(self) -> usize {
        if self == Self::Vicreg { 50 } else { 40 }
    }

    /// Losses that compare samples of a batch get larger ones. VICReg's 128 is the paper's; its code remarks 256
    /// (docs/spec/open-questions.md OQ-15).
    fn published_batch(self) -> usize {
        match self {
            Self::Contrastive | Self::MseCosContrastive | Self::Vicreg => 128,
            Self::Mse | Self::Cos | Self::MseCos | Self::SmoothL1 => 32,
        }
    }

    /// An optimiser that was published for this loss alone.
    fn published_optimiser(self) -> Option<OptimiserConfig> {
        let own =
            || OptimiserConfig { learning_rate: 5e-5, weight_decay: 1e-6, ..OptimiserConfig::default() };
        (self == Self::Vicreg).then(own)
    }
}

/// One phase of a mapper's training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenPhase")]
pub struct MapperPhase {
    /// Loss of the phase (docs/spec/mapper.md §4).
    pub loss: MapperLoss,
    /// Epochs; 0 leaves the phase out. Not given: 40, with VICReg 50.
    pub epochs: usize,
    /// Trials per step. Not given: 32, with InfoNCE and VICReg 128.
    pub batch: usize,
    /// Optimiser of this phase, where it is not the common one. Not given in whole or in part: with VICReg the common
    /// default at rate 5e−5 and weight decay 1e−6.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimiser: Option<OptimiserConfig>,
}

/// A phase as configurations write it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPhase {
    loss: Option<MapperLoss>,
    epochs: Option<usize>,
    batch: Option<usize>,
    optimiser: Option<Value>,
}

impl TryFrom<WrittenPhase> for MapperPhase {
    type Error = String;

    fn try_from(written: WrittenPhase) -> Result<Self, String> {
        let WrittenPhase { loss, epochs, batch, optimiser } = written;
        let loss = loss.ok_or("missing field `loss`")?;
        let published = loss.published_optimiser();
        // Keys that are written lie over what was published for this loss, not over the common optimiser: a phase
        // that names only its rate keeps the rest of its own.
        let optimiser = match optimiser {
            Some(keys) => Some(over(published.unwrap_or_default(), keys)?),
            None => published,
        };
        Ok(Self {
            loss,
            epochs: epochs.unwrap_or_else(|| loss.published_epochs()),
            batch: batch.unwrap_or_else(|| loss.published_batch()),
            optimiser,
        })
    }
}

/// The first phase; one whose settings name no loss has the paper's.
pub(super) fn first_phase<'de, D: Deserializer<'de>>(from: D) -> Result<MapperPhase, D::Error> {
    phase_or(MapperLoss::MseCos, from)
}

/// The second phase; one whose settings name no loss has the paper's.
pub(super) fn second_phase<'de, D: Deserializer<'de>>(from: D) -> Result<MapperPhase, D::Error> {
    phase_or(MapperLoss::MseCosContrastive, from)
}

fn phase_or<'de, D: Deserializer<'de>>(loss: MapperLoss, from: D) -> Result<MapperPhase, D::Error> {
    let mut written = WrittenPhase::deserialize(from)?;
    written.loss.get_or_insert(loss);
    written.try_into().map_err(Error::custom)
}

/// The optimiser with the keys that are given in place of its own.
fn over(optimiser: OptimiserConfig, keys: Value) -> Result<OptimiserConfig, String> {
    let mut whole = Value::try_from(optimiser).map_err(|error| format!("`optimiser`: {error}"))?;
    overlay(&mut whole, keys);
    whole.try_into().map_err(|error: toml::de::Error| format!("`optimiser`: {}", error.message()))
}

fn overlay(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Table(below), Value::Table(above)) => {
            above.into_iter().for_each(|(key, value)| {
                overlay(below.entry(key).or_insert_with(|| Value::Table(Table::new())), value);
            });
        }
        (below, above) => *below = above,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::frame::optimiser::Algorithm;

    fn phase(text: &str) -> Result<MapperPhase, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_left_out_is_what_was_published_for_the_loss() {
        let mse_cos = phase("loss = \"mse-cos\"").unwrap();
        let expected = MapperPhase { loss: MapperLoss::MseCos, epochs: 40, batch: 32, optimiser: None };
        assert_eq!(mse_cos, expected);
        assert_eq!(phase("loss = \"contrastive\"").unwrap().batch, 128);
        let vicreg = phase("loss = \"vicreg\"").unwrap();
        assert_eq!((vicreg.epochs, vicreg.batch), (50, 128));
        let own = vicreg.optimiser.unwrap();
        assert_eq!((own.learning_rate, own.weight_decay), (5e-5, 1e-6));
        assert_eq!(own.algorithm, Algorithm::Adam);
    }

    #[test]
    fn keys_of_an_optimiser_go_over_the_published_one_and_survive_writing() {
        let text =
            "loss = \"vicreg\"\nbatch = 256\noptimiser = { algorithm = \"lars\", lars = { trust = 0.01 } }";
        let read = phase(text).unwrap();
        let own = read.optimiser.clone().unwrap();
        assert_eq!((own.algorithm, own.weight_decay), (Algorithm::Lars, 1e-6));
        assert_eq!((own.lars.trust, own.lars.base_rate), (0.01, 0.2));
        assert_eq!(phase(&toml::to_string(&read).unwrap()).unwrap(), read);
        let rate = phase("loss = \"mse\"\noptimiser = { learning_rate = 1 }").unwrap().optimiser.unwrap();
        assert_eq!(rate, OptimiserConfig { learning_rate: 1.0, ..OptimiserConfig::default() });
    }

    #[test]
    fn unknown_keys_are_refused_at_every_depth() {
        for (text, named) in [
            ("epochs = 3", "loss"),
            ("loss = \"vicreg\"\nepoch = 3", "epoch"),
            ("loss = \"vicreg\"\noptimiser = { lr = 1.0 }", "lr"),
            ("loss = \"vicreg\"\noptimiser = { lars = { eta = 1.0 } }", "eta"),
            ("loss = \"vicreg\"\noptimiser = 3", "optimiser"),
        ] {
            let error = phase(text).unwrap_err();
            assert!(error.contains(&format!("`{named}`")), "{text}: {error}");
        }
    }
}
