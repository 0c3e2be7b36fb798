//! Mappers of the wanted kinds over folds: in every fold one is trained on the fold's training trials, as `train-mapper` trains it, and
//! decodes the trials held out.

use std::collections::BTreeSet;

use super::baselines::{Targets, bring_to_comparison};
use super::settings::EvaluateSettings;
use super::tally::Tally;
use crate::commands::train_mapper::{FoldTraining, TrainMapperSettings};
use crate::data::prepared::PreparedSubject;
use crate::data::split::Split;
use crate::error::SettingError;
use crate::interrupt;
use crate::metrics::combined_retrieval::DecodedPair;
use crate::models::mapper::{MapperKind, MapperTarget};
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::targets::decoded_pairs::Aims;
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::pipelines::targets::trial_targets::TrialTargets;
use crate::pipelines::workbench::Workbench;
use crate::run::progress::Progress;

/// What is trained over which folds.
pub(super) struct FoldMappers<'a> {
    pub settings: &'a EvaluateSettings,
    pub subject: &'a PreparedSubject,
    pub targets: &'a Targets,
    /// The folds, or other splits, of which each has mappers of its own.
    pub splits: &'a [Split],
}

impl FoldMappers<'_> {
    /// Refuses settings and sizes of any kind before the first is trained.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn check(&self) -> Result<(), SettingError> {
        for targets in &self.targets.vectors {
            let target = targets.form().target;
            for kind in self.kinds(target) {
                let settings = self.training(kind, targets, BetasControl::Measured);
                for split in self.splits {
                    FoldTraining::check(&settings, self.subject, split.train.len())?;
                }
            }
        }
        Ok(())
    }

    /// The wanted kinds that can be trained to `target`: decoders of one target per image want it at norm 1, which ResNet vectors are
    /// not.
    pub fn kinds(&self, target: MapperTarget) -> impl Iterator<Item = MapperKind> {
        let is_possible = move |kind: &MapperKind| {
            target != MapperTarget::Resnet || matches!(kind, MapperKind::Paper | MapperKind::Ridge)
        };
        self.settings.evaluate.fold_kinds.clone().into_iter().filter(is_possible)
    }

    /// Name of a row.
    pub fn row_name(kind: MapperKind, target: DecodedTarget, control: BetasControl) -> String {
        match control {
            BetasControl::Measured => format!("{target} mapper, {kind}"),
            BetasControl::Shuffled => format!("{target} mapper, {kind}, exchanged"),
        }
    }

    /// What a mapper finds over all folds.
    ///
    /// # Errors
    /// As [`FoldMappers::decode_each`].
    pub fn tally(
        &self,
        kind: MapperKind,
        targets: &TrialTargets,
        control: BetasControl,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<Tally> {
        let mut tally = Tally::of(Aims::Vectors(targets).target(), Some(kind));
        self.decode_each(kind, targets, control, bench, &mut |split, pair| {
            tally.add(pair, &self.images(&split.validation))
        })?;
        Ok(tally)
    }

    /// Trains a mapper on every split, and hands what it decodes from the trials held out to `counted`.
    ///
    /// # Errors
    /// What its training refuses, a request to stop.
    pub fn decode_each(
        &self,
        kind: MapperKind,
        targets: &TrialTargets,
        control: BetasControl,
        bench: &mut Workbench<'_>,
        counted: &mut dyn FnMut(&Split, &DecodedPair) -> crate::error::Result<()>,
    ) -> crate::error::Result<()> {
        let aims = Aims::Vectors(targets);
        let name = Self::row_name(kind, aims.target(), control);
        let (mut training, count) = (None, self.splits.len());
        bench.progress.start(&name, count as u64);
        let mut warned = BTreeSet::new();
        for (fold, split) in self.splits.iter().enumerate() {
            interrupt::check()?;
            let mut progress = FoldProgress {
                whole: &mut *bench.progress,
                fold,
                count,
                // What exchanged betas are warned of is what they are for.
                warned: (control == BetasControl::Measured).then_some(&mut warned),
            };
            let bench = &mut Workbench::new(bench.device, bench.cache, &mut progress);
            let training = match &mut training {
                Some(training) => training,
                None => training.insert(FoldTraining::open(
                    self.training(kind, targets, control),
                    split.clone(),
                    bench,
                )?),
            };
            let predicted = training.decode(split.clone(), bench)?;
            let mut pair = DecodedPair { predicted, target: targets.validation(&split.validation) };
            bring_to_comparison(&mut pair, &aims, self.settings.evaluate.centre, &split.train);
            counted(split, &pair)?;
        }
        bench.progress.finish("");
        Ok(())
    }

    fn images(&self, trials: &[usize]) -> Vec<u64> {
        trials.iter().map(|trial| u64::from(self.subject.trials()[*trial].nsd_id.0)).collect()
    }

    /// What `train-mapper` would be told.
    fn training(
        &self,
        kind: MapperKind,
        targets: &TrialTargets,
        control: BetasControl,
    ) -> TrainMapperSettings {
        let data = &self.settings.data;
        let settings = TrainMapperSettings {
            target: targets.form().target,
            subject: self.subject.subject(),
            prepared: data.prepared.clone(),
            stimuli: data.stimuli.clone(),
            captions: data.captions.clone(),
            target_network: targets.network().to_path_buf(),
            cache: data.cache.clone(),
            runs: data.runs.clone(),
            resume: None,
            init_from: None,
            device: data.device,
            betas: control,
            split: data.split.clone(),
            mapper: data.mapper.clone(),
        };
        FoldTraining::settings(settings, kind)
    }
}

/// The progress of a training inside a fold: its steps are a word beside the folds, its lines are none of the result's.
struct FoldProgress<'a> {
    whole: &'a mut dyn Progress,
    fold: usize,
    count: usize,
    /// What was warned of before; none where nothing is.
    warned: Option<&'a mut BTreeSet<String>>,
}

impl Progress for FoldProgress<'_> {
    fn start(&mut self, what: &str, _total: u64) {
        self.advance(0, what);
    }

    fn advance(&mut self, _done: u64, message: &str) {
        let (fold, count) = (self.fold, self.count);
        self.whole.advance(fold as u64, &format!("fold {} of {count}: {message}", fold + 1));
    }

    fn finish(&mut self, message: &str) {
        self.advance(0, message);
    }

    fn warning(&mut self, text: &str) {
        // Once, and not in every fold.
        if self.warned.as_mut().is_some_and(|warned| warned.insert(text.to_string())) {
            self.whole.warning(text);
        }
    }
}
