//! Network and optimisers of CLIP's training: one step, and what of them is stored.

use std::path::Path;

use burn::module::{AutodiffModule, Module, ModuleVisitor, Param, ParamId};
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{AdamW, AdamWConfig, GradientsParams, Optimizer};
use burn::tensor::{Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::batch::ClipBatch;
use super::captioned_images::CaptionedImages;
use super::config::ClipTrainConfig;
use super::evaluation::ClipEvaluation;
use super::token_subset::TokenSubset;
use crate::error::SettingError;
use crate::losses::clip_contrastive::symmetric_cross_entropy;
use crate::models::clip::{Clip, ClipConfig};
use crate::run::checkpoint::{load_checkpoint, save_checkpoint};
use crate::run::error::RunError;
use crate::tensor_ops::backend::{Base, Device, Diff};
use crate::tensor_ops::stored::StoredTensors;
use crate::training::frame::finite_weights::all_finite;
use crate::training::frame::gradient_norm::clip_global_norm;
use crate::training::frame::identity::require_same_identity;

/// Everything but weights and moments that a resumed run needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StoredState {
    pub network: ClipConfig,
    pub config: ClipTrainConfig,
    pub num_images: usize,
    /// Steps taken.
    pub step: u64,
    /// Losses of the running epoch. Single precision survives JSON unchanged.
    pub epoch_losses: Vec<f32>,
    pub best_epoch: u64,
    pub best: Option<ClipEvaluation>,
}

/// Settings that a run keeps when it is continued.
#[derive(Serialize)]
struct Identity<'a> {
    network: &'a ClipConfig,
    training: &'a ClipTrainConfig,
    images: usize,
}

type Adam = OptimizerAdaptor<AdamW, Clip<Diff>, Diff>;
type AdamRecord = <Adam as Optimizer<Clip<Diff>, Diff>>::Record;
type ClipRecord = <Clip<Diff> as Module<Diff>>::Record;

/// Network and optimisers.
pub(crate) struct Optimisation {
    clip: Clip<Diff>,
    /// Matrices: with weight decay.
    decayed: Adam,
    /// Gains, biases, single vectors, the logit scale: without.
    plain: Adam,
    matrices: Vec<ParamId>,
    tokens: TokenSubset,
}

impl Optimisation {
    pub fn new(
        network: &ClipConfig,
        config: &ClipTrainConfig,
        images: &CaptionedImages,
        device: &Device,
    ) -> Result<Self, SettingError> {
        let mut clip: Clip<Diff> = network.init(config.seed, device)?;
        let tokens = TokenSubset::cut(&mut clip, images, device);
        let adam = |weight_decay: f64| {
            AdamWConfig::new()
                .with_beta_1(config.beta_1 as f32)
                .with_beta_2(config.beta_2 as f32)
                .with_epsilon(config.epsilon as f32)
                .with_weight_decay(weight_decay as f32)
                .init()
        };
        let matrices = matrices(&clip);
        Ok(Self { clip, decayed: adam(config.weight_decay), plain: adam(0.0), matrices, tokens })
    }

    /// The whole network without its gradient graph.
    pub fn network(&self) -> Clip<Base> {
        self.tokens.restore(self.clip.valid())
    }

    /// One step; the loss before it.
    pub fn step(&mut self, batch: &ClipBatch, config: &ClipTrainConfig, rate: f64, device: &Device) -> f32 {
        let (loss, mut gradients) = self.gradients(batch, device);
        if let Some(max_norm) = config.max_gradient_norm {
            clip_global_norm(&mut gradients, &self.clip, max_norm);
        }
        let mut of_matrices = GradientsParams::new();
        // Two optimisers, because Burn's AdamW decays all parameters that it is given. Clipping comes first: it needs
        // the norm over all.
        self.clip.visit(&mut Split { from: &mut gradients, to: &mut of_matrices, matrices: &self.matrices });
        let mut clip = self.decayed.step(rate, self.clip.clone(), of_matrices);
        clip = self.plain.step(rate, clip, gradients);
        // Bounded in the parameter and not in the forward pass, where the bound would stop the gradient that brings
        // it back.
        let max = config.max_logit_scale.ln();
        clip.logit_scale =
            clip.logit_scale.map(|scale| Tensor::from_inner(scale.inner().clamp_max(max)).require_grad());
        self.clip = clip;
        loss
    }

    fn gradients(&self, batch: &ClipBatch, device: &Device) -> (f32, GradientsParams) {
        let (clip, count) = (&self.clip, batch.images.len());
        let pixels = TensorData::new(batch.pixels.clone(), [count, 3, batch.image_size, batch.image_size]);
        let tokens = TensorData::new(self.tokens.compact(&batch.tokens), [count, batch.tokens.length]);
        let images = clip.encode_image(Tensor::<Diff, 4>::from_data(pixels, device));
        let texts = clip.encode_text(Tensor::<Diff, 2, Int>::from_data(tokens, device));
        let excluded = batch
            .same_caption
            .as_ref()
            .map(|same| Tensor::from_data(TensorData::new(same.clone(), [count, count]), device));
        let loss = symmetric_cross_entropy(clip.logits_per_image(images, texts), excluded);
        let value = loss.clone().into_data().iter::<f32>().next().unwrap_or(f32::NAN);
        (value, GradientsParams::from_grads(loss.backward(), clip))
    }

    /// Whether all weights are numbers.
    pub fn is_finite(&self) -> bool {
        all_finite(&self.clip)
    }

    /// Writes everything that [`Optimisation::load`] needs.
    pub fn save(&self, path: &Path, state: &StoredState) -> Result<(), RunError> {
        let record = (self.clip.clone().into_record(), self.decayed.to_record(), self.plain.to_record());
        save_checkpoint::<Diff, _>(path, record, state)
    }

    /// Continues from `path`, which must be of a run with the settings of `fresh`.
    pub fn load(
        &mut self,
        path: &Path,
        fresh: &StoredState,
        device: &Device,
    ) -> Result<StoredState, RunError> {
        type Stored = (ClipRecord, AdamRecord, AdamRecord);
        let ((clip, decayed, plain), state) =
            load_checkpoint::<Diff, Stored, StoredState>(path, device, |state, tensors| {
                self.check(path, state, fresh, tensors)
            })?;
        self.clip = self.clip.clone().load_record(clip);
        self.decayed = self.decayed.clone().load_record(decayed);
        self.plain = self.plain.clone().load_record(plain);
        // Loading gives parameters the ids of the file.
        self.matrices = matrices(&self.clip);
        Ok(state)
    }

    /// Refuses a checkpoint of another run, and one whose network is not of this run's sizes.
    fn check(
        &self,
        path: &Path,
        state: &StoredState,
        fresh: &StoredState,
        tensors: &mut StoredTensors,
    ) -> Result<(), RunError> {
        let settings = |state: &StoredState| {
            let StoredState { network, config, num_images, .. } = state;
            serde_json::to_string(&Identity { network, training: config, images: *num_images })
                .map_err(|error| RunError::invalid(path, "settings", "settings", error))
        };
        require_same_identity(path, &settings(fresh)?, &settings(state)?)?;
        let rows = tensors.shape("0.text.token_embedding.weight").and_then(|shape| shape.first().copied());
        if let Some(rows) = rows.filter(|rows| *rows != self.tokens.len()) {
            let expected = format!("{} different tokens in the training captions", self.tokens.len());
            return Err(RunError::invalid(path, "captions", expected, rows));
        }
        tensors.claim_module("0", &self.clip).map_err(|fault| fault.at(path).into())
    }
}

/// The parameters that weight decay applies to: those of two and more axes.
fn matrices(clip: &Clip<Diff>) -> Vec<ParamId> {
    struct Matrices(Vec<ParamId>);
    impl ModuleVisitor<Diff> for Matrices {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Diff, D>>) {
            if D > 1 {
                self.0.push(param.id);
            }
        }
    }
    let mut found = Matrices(Vec::new());
    clip.visit(&mut found);
    found.0
}

/// Moves the gradients of matrices from one set to another.
struct Split<'a> {
    from: &'a mut GradientsParams,
    to: &'a mut GradientsParams,
    matrices: &'a [ParamId],
}

impl ModuleVisitor<Diff> for Split<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Diff, D>>) {
        if !self.matrices.contains(&param.id) {
            return;
        }
        if let Some(gradient) = self.from.remove::<Base, D>(param.id) {
            self.to.register(param.id, gradient);
        }
    }
}
