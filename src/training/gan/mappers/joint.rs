//! Mappers that are trained along with the GAN (docs/spec/gan-training.md §2 and §4.5): what they start from and what
//! they decode.
//!
//! Conditions are made of betas anew at every step, so that none is held for longer than its batch.

use burn::module::AutodiffModule;
use burn::tensor::{Tensor, backend::Backend};
use ndarray::Array2;
use serde_json::Value;

use super::config::{GanMapperConfig, MapperIdentity, MapperOutput};
use crate::data::error::DataError;
use crate::error::SettingError;
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::{Mapper, MapperSnapshot, MapperTarget};
use crate::models::stylegan2::{Condition, ConditionHeads};
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::tensor_ops::mixed_halves::half_mask;
use crate::tensor_ops::random::keyed_rng;
use crate::training::frame::host_rows::gather;
use crate::training::gan::config::GanTrainConfig;
use crate::training::gan::starting_point::adopt;
use crate::training::gan::state::{MapperPair, Trained};
use crate::training::mapper::targets::EmbeddingTargets;

/// The two mappers in the order of the generator's heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapperBranch {
    /// The image mapper.
    First,
    /// The caption mapper, or a ResNet mapper.
    Second,
}

impl MapperBranch {
    /// In the order of a step.
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    /// 0 or 1.
    pub(crate) fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }
}

/// A mapper before it is finetuned.
#[derive(Clone, Copy, Debug)]
pub struct MapperStart<'a> {
    /// The mapper, with its weights.
    pub network: &'a Mapper<Base>,
    /// What its snapshot says of it.
    pub snapshot: &'a MapperSnapshot,
    /// SHA-256 of the snapshot.
    pub sha256: &'a str,
    /// Origin that its snapshot states.
    pub provenance: &'a Value,
}

/// Betas of samples, `[samples, voxels]`, z-scored within session, unpadded.
pub type BetasOfSamples<'a> = dyn Fn(&[usize]) -> Result<Array2<f32>, DataError> + 'a;

/// Mappers that are trained along with the GAN, their betas and their targets.
#[derive(Clone, Copy)]
pub struct JointMappers<'a> {
    /// Weights of the terms, rate and interval of the mappers' phases.
    pub config: &'a GanMapperConfig,
    /// What the conditions are made of; a mapper without a part in them is not trained.
    pub source: ConditionSource,
    /// The image mapper and the second one.
    pub starts: [MapperStart<'a>; 2],
    /// What the second mapper aims at, one entry per sample, of unit norm; may be absent where it is not trained. The first
    /// mapper aims at the embedding of the real image.
    pub second_targets: Option<&'a EmbeddingTargets>,
    /// Reads the betas of a batch.
    pub betas: &'a BetasOfSamples<'a>,
}

/// A batch of betas and what the mappers make of it at present.
#[derive(Clone, Debug)]
pub(crate) struct DecodedBatch {
    /// For each mapper: `[batch, signal_len]`.
    pub signals: [Tensor<Base, 2>; 2],
    /// As they enter the condition, without gradient: `[batch, width]`. Of a mapper without a part in it: the other's.
    pub vectors: [Tensor<Base, 2>; 2],
    /// Which half of a mix is the first vector's.
    pub mask: Option<Tensor<Base, 2>>,
    /// What the second mapper aims at: `[batch, width]`.
    pub second_target: Option<Tensor<Base, 2>>,
}

impl DecodedBatch {
    /// Samples `start .. start + len`.
    pub fn part(&self, start: usize, len: usize) -> Self {
        let part = |tensor: &Tensor<Base, 2>| tensor.clone().narrow(0, start, len);
        Self {
            signals: self.signals.each_ref().map(part),
            vectors: self.vectors.each_ref().map(part),
            mask: self.mask.as_ref().map(part),
            second_target: self.second_target.as_ref().map(part),
        }
    }
}

impl JointMappers<'_> {
    /// The mappers that are trained.
    pub fn branches(&self) -> impl Iterator<Item = MapperBranch> {
        let uses = self.source.uses();
        MapperBranch::ALL.into_iter().filter(move |branch| uses[branch.index()])
    }

    /// Widths of the conditions of a network with these heads.
    pub(crate) fn condition_dims(&self, heads: ConditionHeads) -> Vec<usize> {
        let widths = self.starts.map(|start| start.snapshot.network.embed_dim);
        let widths = match self.source {
            ConditionSource::Both | ConditionSource::ImageResnet => widths,
            ConditionSource::Caption => [widths[1]; 2],
            _ => [widths[0]; 2],
        };
        match heads {
            ConditionHeads::None => vec![],
            ConditionHeads::One => vec![widths[0]],
            ConditionHeads::TwoByMaximum => widths.to_vec(),
        }
    }

    /// Complains of what does not fit together.
    pub(crate) fn check(&self, heads: ConditionHeads, num_samples: usize) -> Result<(), SettingError> {
        self.config.validate().map_err(|error| error.within("mappers"))?;
        if heads == ConditionHeads::None {
            return Err(SettingError::new(
                "mappers.mode",
                "`frozen` for a network without heads",
                "end-to-end",
            ));
        }
        let [first, second] = self.starts.map(|start| start.snapshot.network.embed_dim);
        if self.source.uses() == [true; 2] && !self.source.needs_two_heads() && first != second {
            let expected = format!("{first} as the image mapper's");
            return Err(SettingError::new("width of the second mapper", expected, second));
        }
        if self.source.uses()[1] {
            let found = self.second_targets.map_or(0, EmbeddingTargets::num_trials);
            if found != num_samples {
                let expected = format!("one per sample ({num_samples})");
                return Err(SettingError::new("targets of the second mapper", expected, found));
            }
        }
        Ok(())
    }

    /// What a resumed run must have in common with the checkpoint's.
    pub(crate) fn identity(&self) -> MapperIdentity {
        let config = GanMapperConfig { learning_rate: None, ..self.config.clone() };
        MapperIdentity {
            config,
            source: self.source,
            sha256: self.starts.map(|start| start.sha256.to_string()),
        }
    }

    /// The networks with optimisers of their own.
    pub(crate) fn init(&self, train: &GanTrainConfig, device: &Device) -> Result<MapperPair, SettingError> {
        // β and ε are the GAN's, corrected for the mappers' own interval of regularisation (docs/spec/gan-training.md
        // §6).
        let train = GanTrainConfig { learning_rate: self.config.learning_rate_in(train), ..train.clone() };
        let trained = |start: &MapperStart<'_>| {
            // Drawn in any case: it is this that marks which parameters are trained.
            let drawn: Mapper<Diff> = start.snapshot.network.init(0, device)?;
            let network = adopt(drawn, start.network);
            Ok(Trained::new(network, &train, self.config.regularisation_interval))
        };
        Ok(MapperPair([trained(&self.starts[0])?, trained(&self.starts[1])?]))
    }

    /// A mapper's output as it enters the condition.
    ///
    /// # Shapes
    /// - predicted, output: `[batch, width]`
    pub(crate) fn vector<B: Backend>(&self, branch: MapperBranch, predicted: Tensor<B, 2>) -> Tensor<B, 2> {
        let has_resnet = self.starts[1].snapshot.target == MapperTarget::Resnet;
        match self.config.output {
            MapperOutput::Raw if !has_resnet => predicted,
            _ => self.starts[branch.index()].snapshot.condition(predicted),
        }
    }

    /// Reads betas and targets of the samples of a step and decodes them.
    pub(crate) fn decode(
        &self,
        pair: &MapperPair,
        samples: &[usize],
        seed: u64,
        step: u64,
        device: &Device,
    ) -> Result<DecodedBatch, DataError> {
        let betas = (self.betas)(samples)?;
        let signals = self.starts.map(|start| start.snapshot.signal(&betas, device));
        let uses = self.source.uses();
        // A mapper without a part in the condition is not run at all; the other's vector stands in its place and is
        // not read.
        let vectors = match uses {
            [true, true] => {
                let of = |branch: MapperBranch| self.current_vector(pair, branch, &signals);
                [of(MapperBranch::First), of(MapperBranch::Second)]
            }
            [first, _] => {
                let branch = if first { MapperBranch::First } else { MapperBranch::Second };
                let only = self.current_vector(pair, branch, &signals);
                [only.clone(), only]
            }
        };
        let mask = (self.source == ConditionSource::Mix).then(|| {
            let mut rng = keyed_rng(seed, "gan.mix", step);
            half_mask(samples.len(), vectors[0].dims()[1], &mut rng, device)
        });
        let second_target = self.second_targets.filter(|_| uses[1]).map(|targets| {
            let rows =
                samples.iter().map(|sample| targets.choose(*sample, seed, "gan.caption", step as usize));
            gather(targets.embed_dim(), rows, device)
        });
        Ok(DecodedBatch { signals, vectors, mask, second_target })
    }

    /// What a mapper makes of a batch at present, without gradient.
    pub(crate) fn current_vector(
        &self,
        pair: &MapperPair,
        branch: MapperBranch,
        signals: &[Tensor<Base, 2>; 2],
    ) -> Tensor<Base, 2> {
        let network = pair.0[branch.index()].network.valid();
        self.vector(branch, network.forward(signals[branch.index()].clone()))
    }

    /// The condition of a network with these heads, before the perturbation.
    pub(crate) fn condition<B: Backend>(
        &self,
        vectors: [Tensor<B, 2>; 2],
        mask: impl FnOnce() -> Tensor<B, 2>,
        heads: ConditionHeads,
    ) -> Condition<B> {
        let count = self.condition_dims(heads).len();
        let [first, second] = vectors;
        let both = self.source.heads_with(first, second, mask);
        Condition { heads: both.into_iter().take(count).collect() }
    }
}
