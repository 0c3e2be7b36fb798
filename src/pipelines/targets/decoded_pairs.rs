//! What decoders predict for held-out trials, beside what they aimed at.

use ndarray::{Array1, Array2, Axis, s};

use super::decoded_target::DecodedTarget;
use super::pixel_targets::PixelTargets;
use super::trial_targets::TrialTargets;
use crate::data::prepared::PreparedSubject;
use crate::data::split::Split;
use crate::data::split::tuning::TuningImages;
use crate::error::SettingError;
use crate::metrics::combined_retrieval::DecodedPair;
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::mapper_betas::require_variation;
use crate::run::memory::WorkingMemory;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::Device;
use crate::training::ridge::{RidgeConfig, fit_tuned_ridges, least_bytes};

/// Fewest trials that a regression is fitted to.
const FEWEST_FITTED: usize = 2;
/// Trials per forward pass.
const BATCH: usize = 64;

/// Predictions of a decoder, and the penalty where it was ridge regression.
pub(crate) struct Decoded {
    /// Predictions and targets, a row per validation trial.
    pub pair: DecodedPair,
    /// As a multiple of the mean squared length of a trial's centred betas.
    pub penalty: Option<f64>,
}

/// What a decoder aims at in every trial.
#[derive(Clone, Copy)]
pub(crate) enum Aims<'a> {
    /// Vectors of a network.
    Vectors(&'a TrialTargets),
    /// The picture itself.
    Pixels(&'a PixelTargets),
}

impl Aims<'_> {
    /// What they are.
    pub fn target(&self) -> DecodedTarget {
        match self {
            Self::Vectors(targets) => targets.form().target.into(),
            Self::Pixels(_) => DecodedTarget::Pixels,
        }
    }

    /// What a regression is fitted to, without a draw: of several captions their mean. `[trials, width]`
    pub fn fitted(&self, trials: &[usize]) -> Array2<f32> {
        match self {
            Self::Vectors(targets) => targets.single(trials),
            Self::Pixels(pixels) => pixels.of(trials),
        }
    }

    /// What predictions are held against: `[trials, width]`.
    pub fn truth(&self, trials: &[usize]) -> Array2<f32> {
        match self {
            Self::Vectors(targets) => targets.validation(trials),
            Self::Pixels(pixels) => pixels.of(trials),
        }
    }

    /// Mean of what is aimed at in `trials`; nothing of none.
    pub fn mean(&self, trials: &[usize]) -> Option<Array1<f32>> {
        self.fitted(trials).mapv(f64::from).mean_axis(Axis(0)).map(|mean| mean.mapv(|value| value as f32))
    }
}

/// Unit predictions of a mapper for `trials`.
///
/// # Errors
/// Betas that cannot be read.
pub(crate) fn by_mapper(
    targets: &TrialTargets,
    mapper: &LoadedMapper,
    subject: &PreparedSubject,
    trials: &[usize],
    device: &Device,
) -> crate::error::Result<Decoded> {
    let width = mapper.snapshot.network.embed_dim();
    let mut predicted = Array2::zeros((trials.len(), width));
    for (batch, rows) in trials.chunks(BATCH).enumerate() {
        let embedded = mapper.embed(&subject.betas_of(rows)?, device).into_data();
        let embedded =
            Array2::from_shape_vec((rows.len(), width), embedded.iter::<f32>().collect::<Vec<_>>())?;
        let first = batch * BATCH;
        predicted.slice_mut(s![first..first + rows.len(), ..]).assign(&embedded);
    }
    Ok(Decoded { pair: DecodedPair { predicted, target: targets.validation(trials) }, penalty: None })
}

/// Ridge regression from betas.
pub(crate) struct RidgeDecoder<'a> {
    /// Whose betas.
    pub subject: &'a PreparedSubject,
    /// The trial whose betas each trial gets: its own, or for the control another's.
    pub order: &'a [usize],
    /// Penalties to choose from.
    pub config: &'a RidgeConfig,
    /// Where `config` stands in the settings.
    pub section: &'static str,
}

impl RidgeDecoder<'_> {
    /// Predictions of the validation trials by regressions that were fitted to the training trials, one to each of `aims`; `tuning`
    /// says which of the training trials, by their positions, choose the penalties.
    ///
    /// # Errors
    /// Betas that cannot be read, settings that do not fit.
    pub fn decode(
        &self,
        aims: &[Aims<'_>],
        split: &Split,
        tuning: &Split,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<Vec<Decoded>> {
        let names: Vec<String> = aims.iter().map(|aims| aims.target().to_string()).collect();
        progress.start(&format!("ridge regression to {} targets", names.join(", ")), 0);
        let betas = self.subject.betas_of(&self.given(&split.train))?;
        let rows: Vec<usize> = (0..betas.nrows()).collect();
        require_variation(self.subject.path(), betas.view(), &rows)?;
        // Fitted once to all trials: no caption is drawn, their mean is aimed at.
        let fitted: Vec<Array2<f32>> = aims.iter().map(|aims| aims.fitted(&split.train)).collect();
        let views: Vec<_> = fitted.iter().map(|rows| rows.view()).collect();
        let ridges = fit_tuned_ridges(betas.view(), &views, &tuning.train, &tuning.validation, self.config)
            .map_err(|error| error.within(self.section))?;
        // Betas of training and validation are never in memory together.
        drop(betas);
        let betas = self.subject.betas_of(&self.given(&split.validation))?;
        let decoded = aims.iter().zip(&ridges).map(|(aims, ridge)| {
            let (predicted, target) = (ridge.predict(betas.view()), aims.truth(&split.validation));
            Decoded { pair: DecodedPair { predicted, target }, penalty: Some(ridge.penalty) }
        });
        let decoded = decoded.collect();
        let penalties: Vec<String> = ridges.iter().map(|ridge| ridge.penalty.to_string()).collect();
        progress.finish(&format!("penalty {}", penalties.join(", ")));
        Ok(decoded)
    }

    /// The trials whose betas `trials` get.
    fn given(&self, trials: &[usize]) -> Vec<usize> {
        trials.iter().map(|trial| self.order[*trial]).collect()
    }
}

/// Refuses ridge regression from betas of `num_train` trials that cannot fit into memory; `key` wants the regression.
///
/// # Errors
/// [`SettingError`] that names the key, and what would need less.
pub(crate) fn require_ridge_memory(
    key: &'static str,
    subject: &PreparedSubject,
    num_train: usize,
) -> Result<(), SettingError> {
    let num_voxels = subject.num_voxels();
    let need = WorkingMemory {
        key,
        what: format!("betas of {num_voxels} voxels in {num_train} training trials"),
        // The width of the targets is not read yet.
        bytes: least_bytes(num_train, num_voxels, 1),
        advice: "fewer voxels (`prepare.roi`) or fewer training trials (`split`) need less",
    };
    need.check()
}

/// Which of the training trials choose a penalty, as positions in `train`: those of some images, as
/// [`TuningImages`] has it for the subject.
///
/// # Errors
/// [`SettingError`] without a section, where the share leaves nothing to fit or to choose on.
pub(crate) fn tuning_split(
    subject: &PreparedSubject,
    train: &[usize],
    config: &RidgeConfig,
) -> Result<Split, SettingError> {
    let groups = subject.split_groups();
    let groups: Vec<u64> = train.iter().map(|trial| groups[*trial]).collect();
    let split = TuningImages::of(subject).split(&groups, config.tuning_fraction);
    let [fitted, choosing] = [split.train.len(), split.validation.len()];
    if fitted < FEWEST_FITTED || choosing == 0 {
        let expected = format!(
            "a share of the training images that leaves {FEWEST_FITTED} trials or more to fit and one to choose on, not {fitted} \
             and {choosing}"
        );
        return Err(SettingError::new("tuning_fraction", expected, config.tuning_fraction));
    }
    Ok(split)
}
