//! Mappers that are trained on some trials and decode the others, fold after fold: as the command trains them, but nothing of the
//! trials that are decoded chooses anything, and no run stays.

use burn::tensor::Tensor;
use ndarray::{Array2, Axis, s};

use super::config::RidgeBands;
use super::inputs::{Inputs, MapperTargets, require};
use super::settings::TrainMapperSettings;
use super::{kernel_ridge, papers, residual, ridge};
use crate::data::prepared::PreparedSubject;
use crate::data::split::Split;
use crate::error::SettingError;
use crate::files::ScratchFolder;
use crate::interrupt;
use crate::models::mapper::{MapperKind, MapperNetwork};
use crate::pipelines::workbench::Workbench;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Base;
use crate::tensor_ops::host_values::{tensor, values};
use crate::tensor_ops::similarity::unit_norm;
use crate::training::mapper::selection::EpochSelection;

/// Trials per forward pass.
const BATCH: usize = 64;

/// Mappers of one kind to one target.
pub(in crate::commands) struct FoldTraining {
    settings: TrainMapperSettings,
    inputs: Inputs,
    targets: MapperTargets,
    /// Whether targets depend on which trials are held out.
    are_targets_fresh: bool,
}

impl FoldTraining {
    /// What is trained in place of what `settings` say: the paper's network chooses its epochs on a part of the training images, and
    /// bands are for the one kind that has them.
    pub fn settings(mut settings: TrainMapperSettings, kind: MapperKind) -> TrainMapperSettings {
        settings.mapper.kind = kind;
        settings.mapper.train.selection = EpochSelection::TrainPart;
        if kind != MapperKind::Ridge {
            settings.mapper.ridge_bands = RidgeBands::None;
        }
        settings
    }

    /// Refuses settings out of range and sizes that cannot fit into memory, before anything is read.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn check(
        settings: &TrainMapperSettings,
        subject: &PreparedSubject,
        num_train: usize,
    ) -> Result<(), SettingError> {
        require(&settings.mapper.for_target(settings.target), subject, num_train, settings.device)
    }

    /// Reads betas and targets; `split` is one of the folds.
    ///
    /// # Errors
    /// As those of the command.
    pub fn open(
        settings: TrainMapperSettings,
        split: Split,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<Self> {
        let subject = PreparedSubject::open(&settings.prepared)?;
        let inputs = Inputs::of_split(&settings, subject, split)?;
        let targets = inputs.targets(&settings, bench)?;
        let are_targets_fresh = inputs.config.kind == MapperKind::Paper && targets.fresh.is_some();
        Ok(Self { settings, inputs, targets, are_targets_fresh })
    }

    /// Predictions of the held-out trials of `split`, `[trials, embed_dim]` of norm 1, by a mapper of its training trials.
    ///
    /// # Errors
    /// As those of the command.
    pub fn decode(&mut self, split: Split, bench: &mut Workbench<'_>) -> crate::error::Result<Array2<f32>> {
        if self.are_targets_fresh && split != self.inputs.split {
            self.inputs.split = split;
            self.targets = self.inputs.targets(&self.settings, bench)?;
        } else {
            self.inputs.split = split;
        }
        let trained = self.train(bench);
        // What a training says of its checkpoint is of no use to anybody: it is gone.
        interrupt::check()?;
        self.predict(&trained?, bench)
    }

    fn train(&mut self, bench: &mut Workbench<'_>) -> crate::error::Result<MapperNetwork<Base>> {
        let fresh = self.targets.fresh.take();
        let Self { settings, inputs, targets, .. } = self;
        let (device, progress) = (bench.device, &mut *bench.progress);
        match inputs.config.kind {
            MapperKind::Ridge => ridge::fit_alone(inputs, targets, device),
            MapperKind::KernelRidge => kernel_ridge::fit_alone(inputs, targets, device, progress),
            MapperKind::Residual => {
                let scratch = ScratchFolder::below(&settings.runs)?;
                let dir = RunDir::create(scratch.path(), "fold")?;
                residual::train_in(&dir, inputs, targets, device, progress)
            }
            MapperKind::Paper => {
                let scratch = ScratchFolder::below(&settings.runs)?;
                let dir = RunDir::create(scratch.path(), "fold")?;
                papers::train_in(&dir, settings.target, inputs, targets, fresh, device, progress)
            }
        }
    }

    fn predict(
        &self,
        network: &MapperNetwork<Base>,
        bench: &Workbench<'_>,
    ) -> crate::error::Result<Array2<f32>> {
        let (held_out, width) = (&self.inputs.split.validation, self.targets.single.embed_dim());
        let mut predicted = Array2::zeros((held_out.len(), width));
        for (batch, trials) in held_out.chunks(BATCH).enumerate() {
            interrupt::check()?;
            let betas = self.inputs.betas.select(Axis(0), trials);
            let shape = [trials.len(), betas.ncols()];
            let betas: Tensor<Base, 2> = tensor(betas.into_iter().collect(), shape, bench.device);
            let rows = values(unit_norm(network.forward(betas)));
            let rows = Array2::from_shape_vec((trials.len(), width), rows)?;
            let first = batch * BATCH;
            predicted.slice_mut(s![first..first + trials.len(), ..]).assign(&rows);
        }
        Ok(predicted)
    }
}
