//! The training of a classifier in the frame: its steps, evaluation on held-out images, snapshot and checkpoints.

use std::path::Path;
use std::time::Duration;

use burn::module::{AutodiffModule, Module};
use burn::optim::{AdamConfig, GradientsParams, Optimizer};
use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::ClassifierTrainConfig;
use super::error::ClassifierTrainError;
use super::evaluation::{ClassEvaluation, ClassifierEvaluation, evaluate_classifier};
use super::labelled_images::{LabelledBatch, LabelledImages};
use crate::error::SettingError;
use crate::losses::binary_cross_entropy::binary_cross_entropy;
use crate::models::classifier::{Classifier, ClassifierConfig};
use crate::run::checkpoint::{load_checkpoint, save_checkpoint};
use crate::run::error::RunError;
use crate::run::run_dir::RunDir;
use crate::run::snapshot::{CLASSIFIER_KIND, save_snapshot};
use crate::tensor_ops::backend::{Device, Diff};
use crate::tensor_ops::random::keyed_rng;
use crate::training::frame::epoch_loop::{Clock, Plan};
use crate::training::frame::exact_floats::ExactFloats;
use crate::training::frame::finite_weights::all_finite;
use crate::training::frame::held_out::{HeldOutEvent, HeldOutProvenance};
use crate::training::frame::identity::require_same_identity;
use crate::training::frame::optimiser::AdamOf;
use crate::training::frame::state::{PhaseResult, Place, TrainState};
use crate::training::frame::task::{EpochResult, Evaluation, Task};

/// The snapshot of the lowest held-out loss.
pub const CLASSIFIER_FILE: &str = "classifier.safetensors";

type Network = Classifier<Diff>;

/// Network and moments.
type Record = (<Network as Module<Diff>>::Record, <AdamOf<Network> as Optimizer<Network, Diff>>::Record);

/// The best snapshot so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BestClassifier {
    /// Its epoch, counted from 1.
    pub epoch: u64,
    /// Its figures on the held-out images.
    pub held_out: ClassifierEvaluation,
    /// The same of every category.
    pub classes: Vec<ClassEvaluation>,
}

/// What a checkpoint holds beside weights and moments.
#[derive(Serialize, Deserialize)]
struct StoredState {
    /// What the run is: network, settings and number of images as JSON text, compared on resume.
    identity: String,
    state: ExactFloats<TrainState>,
    best: Option<ExactFloats<BestClassifier>>,
}

/// Settings that a run keeps when it is continued.
#[derive(Serialize)]
struct Identity<'a> {
    network: &'a ClassifierConfig,
    training: &'a ClassifierTrainConfig,
    images: NumImages,
}

#[derive(Serialize)]
struct NumImages {
    train: usize,
    held_out: usize,
}

/// Network, optimiser, images and best snapshot of a training.
pub(crate) struct ClassifierTask<'a> {
    sizes: &'a ClassifierConfig,
    config: &'a ClassifierTrainConfig,
    train: &'a LabelledImages,
    held_out: &'a LabelledImages,
    run: &'a RunDir,
    provenance: &'a Value,
    device: &'a Device,
    network: Network,
    adam: AdamOf<Network>,
    /// Training images of the epoch under way.
    order: Vec<usize>,
    /// Figures of every category at the last evaluation.
    classes: Vec<ClassEvaluation>,
    best: Option<BestClassifier>,
}

impl<'a> ClassifierTask<'a> {
    /// Before the first step. There must be an image to train on.
    pub fn new(
        sizes: &'a ClassifierConfig,
        config: &'a ClassifierTrainConfig,
        train: &'a LabelledImages,
        held_out: &'a LabelledImages,
        run: &'a RunDir,
        provenance: &'a Value,
        device: &'a Device,
    ) -> Result<Self, SettingError> {
        let network: Network = sizes.init(config.seed, device)?;
        Ok(Self {
            sizes,
            config,
            train,
            held_out,
            run,
            provenance,
            device,
            // Before any step the network states each category's frequency. From biases of 0 the first epochs would
            // go into learning that most categories are rare.
            network: network.with_logit_biases(&train.log_odds()),
            adam: AdamConfig::new().init(),
            order: Vec::new(),
            classes: Vec::new(),
            best: None,
        })
    }

    /// One phase of all epochs, each with an evaluation.
    pub fn plan(&self) -> Plan {
        Plan {
            epochs: vec![self.config.epochs],
            evaluate_every_epochs: 1,
            patience_epochs: None,
            checkpoint_every: Duration::ZERO,
            clock: Clock::Steps,
        }
    }

    /// The best snapshot.
    pub fn into_best(self) -> Option<BestClassifier> {
        self.best
    }

    /// Steps of the whole training.
    pub fn total_steps(&self) -> u64 {
        (self.num_steps(0) * self.config.epochs) as u64
    }

    fn batch_size(&self) -> usize {
        self.config.batch_size.min(self.train.len())
    }

    fn batch(&self, images: &[usize], step: u64) -> LabelledBatch {
        let mut rng = keyed_rng(self.config.seed, "classifier mirror", step);
        let mirrored: Vec<bool> =
            images.iter().map(|_| rng.random_bool(self.config.flip_probability)).collect();
        self.train.batch(images, &mirrored)
    }

    fn gradients(&self, batch: &LabelledBatch) -> (f32, GradientsParams) {
        let (side, classes) = (self.sizes.sizes.side, self.sizes.classes.len());
        let pixels = TensorData::new(batch.pixels_pm1.clone(), [batch.len, 3, side, side]);
        let logits = self.network.logits(self.network.features(Tensor::from_data(pixels, self.device)));
        let tensor = |values: &[f32]| {
            Tensor::from_data(TensorData::new(values.to_vec(), [batch.len, classes]), self.device)
        };
        let loss = binary_cross_entropy(logits, tensor(&batch.labels), tensor(&batch.weights));
        let value = loss.clone().into_data().iter::<f32>().next().unwrap_or(f32::NAN);
        (value, GradientsParams::from_grads(loss.backward(), &self.network))
    }

    fn identity(&self) -> Result<String, serde_json::Error> {
        let Self { sizes: network, config: training, train, held_out, .. } = self;
        let images = NumImages { train: train.len(), held_out: held_out.len() };
        serde_json::to_string(&Identity { network, training, images })
    }
}

impl Task for ClassifierTask<'_> {
    type Figures = ClassifierEvaluation;
    type Event = HeldOutEvent<ClassifierEvaluation>;
    type Error = ClassifierTrainError;

    /// Images beyond the last whole batch wait for another epoch, unless there is but one batch.
    fn num_steps(&self, _phase: usize) -> usize {
        self.train.len() / self.batch_size()
    }

    fn begin_epoch(&mut self, place: Place) {
        self.order = (0..self.train.len()).collect();
        let epoch = place.epoch as u64 + 1;
        self.order.shuffle(&mut keyed_rng(self.config.seed, "classifier order", epoch));
    }

    fn step(&mut self, place: Place) -> Result<f32, ClassifierTrainError> {
        // Counted over the whole training: the key of the mirrored images, and the place on the rate's curve.
        let step = (place.epoch * self.num_steps(0) + place.step) as u64;
        let first = place.step * self.batch_size();
        let batch = self.batch(&self.order[first..first + self.batch_size()], step);
        let (loss, gradients) = self.gradients(&batch);
        let rate = self.config.learning_rate_at(step, self.total_steps());
        self.network = self.adam.step(rate, self.network.clone(), gradients);
        Ok(loss)
    }

    fn evaluate(&mut self, _place: Place) -> Result<Evaluation<ClassifierEvaluation>, ClassifierTrainError> {
        let network = self.network.valid();
        let (figures, classes) = evaluate_classifier(&network, self.sizes, self.held_out, self.device)?;
        self.classes = classes;
        Ok(Evaluation { loss: figures.loss, figures })
    }

    fn keep_best(
        &mut self,
        epoch: &EpochResult<ClassifierEvaluation>,
        _phases: &[PhaseResult],
    ) -> Result<(), ClassifierTrainError> {
        let Self { sizes, config, run, provenance, .. } = *self;
        let (epoch, held_out) = (epoch.place.epoch as u64 + 1, &epoch.evaluation.figures);
        let provenance = HeldOutProvenance { trained_on: provenance, training: config, epoch, held_out };
        let path = run.join(CLASSIFIER_FILE);
        save_snapshot(&path, CLASSIFIER_KIND, sizes, &provenance, &self.network.valid())?;
        let (held_out, classes) = (held_out.clone(), self.classes.clone());
        self.best = Some(BestClassifier { epoch, held_out, classes });
        Ok(())
    }

    fn event(
        &mut self,
        epoch: EpochResult<ClassifierEvaluation>,
        _seconds: f64,
    ) -> HeldOutEvent<ClassifierEvaluation> {
        HeldOutEvent::new(epoch)
    }

    fn is_finite(&self) -> bool {
        all_finite(&self.network)
    }

    fn save(&self, path: &Path, state: &TrainState) -> Result<(), RunError> {
        let record: Record = (self.network.clone().into_record(), self.adam.to_record());
        let best = self.best.clone().map(ExactFloats);
        let identity = self.identity().map_err(|error| RunError::unwritable(path, error))?;
        let state = ExactFloats(state.clone());
        save_checkpoint::<Diff, _>(path, record, &StoredState { identity, state, best })
    }

    fn load(&mut self, path: &Path) -> Result<TrainState, RunError> {
        // Compared before anything is taken over: a refused checkpoint leaves the task as it was.
        let identity = self.identity().map_err(|error| RunError::invalid(path, "settings", "JSON", error))?;
        let ((network, moments), stored) =
            load_checkpoint::<Diff, Record, StoredState>(path, self.device, |stored, tensors| {
                require_same_identity(path, &identity, &stored.identity)?;
                tensors.claim_module("0", &self.network).map_err(|fault| fault.at(path).into())
            })?;
        self.network = self.network.clone().load_record(network);
        self.adam = self.adam.clone().load_record(moments);
        self.best = stored.best.map(|best| best.0);
        Ok(stored.state.0)
    }

    fn title(&self, _phase: usize) -> String {
        "training the classifier".into()
    }
}
