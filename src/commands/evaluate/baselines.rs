//! Ridge regression to the targets of the mappers, to configured targets and to pixels, and the same from exchanged betas.

use super::config::{Centre, EvaluateConfig};
use super::settings::EvaluateSettings;
use crate::data::prepared::PreparedSubject;
use crate::data::split::Split;
use crate::files::warn_once;
use crate::metrics::combined_retrieval::DecodedPair;
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::targets::decoded_pairs::{Aims, Decoded, RidgeDecoder};
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::pipelines::targets::pixel_targets::PixelTargets;
use crate::pipelines::targets::trial_targets::TrialTargets;
use crate::pipelines::workbench::Workbench;
use crate::run::progress::Progress;
use crate::training::ridge::decoder::give_moments_of;

/// What is decoded: targets of networks, each form once, and the pictures.
#[derive(Default)]
pub(super) struct Targets {
    pub vectors: Vec<TrialTargets>,
    pub pixels: Option<PixelTargets>,
}

impl Targets {
    /// Adds what the settings name and no mapper has brought, as far as its files are there.
    ///
    /// # Errors
    /// A file that is there and cannot be used; nothing at all to aim at.
    pub fn add_configured(
        &mut self,
        settings: &EvaluateSettings,
        subject: &PreparedSubject,
        bench: &mut Workbench<'_>,
    ) -> crate::error::Result<()> {
        for wanted in &settings.evaluate.ridge_targets {
            let Some(target) = wanted.of_mapper() else {
                let (stimuli, side) = (&settings.data.stimuli, settings.evaluate.pixel_side);
                if self.pixels.is_none() {
                    self.pixels = Some(PixelTargets::load(stimuli, subject, side, bench.progress)?);
                }
                continue;
            };
            if self.vectors.iter().any(|known| known.form().target == target) {
                continue;
            }
            match settings.source_of_target(target)? {
                Some(source) => self.vectors.push(TrialTargets::load(source, subject, bench)?),
                None => {
                    warn_once(&format!("ridge regression to {target} targets is left out: {}", need(*wanted)))
                }
            }
        }
        if self.aims().is_empty() {
            let message = "ridge regression has nothing to aim at; `evaluate.ridge_targets` may name `pixels`, which needs no network";
            return Err(crate::error::Error::bad_input(message));
        }
        Ok(())
    }

    /// What a regression is fitted to, in the order in which it was loaded.
    pub fn aims(&self) -> Vec<Aims<'_>> {
        self.vectors.iter().map(Aims::Vectors).chain(self.pixels.as_ref().map(Aims::Pixels)).collect()
    }
}

/// What targets need that are left out.
fn need(target: DecodedTarget) -> &'static str {
    match target {
        DecodedTarget::Image => "it needs a CLIP, of `pretrain-clip` or `--clip FILE`",
        DecodedTarget::Caption => "it needs a CLIP and the captions of `screen-captions`",
        DecodedTarget::Resnet => "it needs a ResNet-50: `--resnet FILE`",
        DecodedTarget::Pixels => "it needs the stimuli",
    }
}

/// The regressions: from each trial's own betas, and where it is wanted from exchanged ones.
pub(super) fn regressions(
    config: &EvaluateConfig,
    num_trials: usize,
    seed: u64,
) -> Vec<(BetasControl, Vec<usize>)> {
    let controls = [BetasControl::Measured, BetasControl::Shuffled];
    let wanted = controls.into_iter().take(1 + usize::from(config.shuffled_control));
    wanted.map(|control| (control, control.order(num_trials, seed))).collect()
}

/// Name of a row.
pub(super) fn row_name(target: DecodedTarget, control: BetasControl) -> String {
    match control {
        BetasControl::Measured => format!("ridge, {target}"),
        BetasControl::Shuffled => format!("ridge, {target}, exchanged"),
    }
}

/// One regression's view of a split.
pub(super) struct SplitTask<'a> {
    pub split: &'a Split,
    /// Which of the training trials choose penalties, by their positions.
    pub tuning: &'a Split,
    pub centre: Centre,
}

impl SplitTask<'_> {
    /// Predictions of every target, in the form in which they are compared.
    ///
    /// # Errors
    /// As [`RidgeDecoder::decode`].
    pub fn decode(
        &self,
        decoder: &RidgeDecoder<'_>,
        aims: &[Aims<'_>],
        progress: &mut dyn Progress,
    ) -> crate::error::Result<Vec<Decoded>> {
        let mut decoded = decoder.decode(aims, self.split, self.tuning, progress)?;
        for (decoded, aims) in decoded.iter_mut().zip(aims) {
            bring_to_comparison(&mut decoded.pair, aims, self.centre, &self.split.train);
        }
        Ok(decoded)
    }
}

/// Takes from predictions and targets what is not compared: the mean of the training targets where that is wanted, of a picture its
/// own mean luminance. Or gives predictions the moments of the training targets.
pub(super) fn bring_to_comparison(pair: &mut DecodedPair, aims: &Aims<'_>, centre: Centre, train: &[usize]) {
    match centre {
        Centre::None => {}
        Centre::TrainingMean => {
            if let Some(mean) = aims.mean(train) {
                pair.less(mean.view());
            }
        }
        Centre::RescaledByTest => give_moments_of(aims.fitted(train).view(), &mut pair.predicted),
    }
    if aims.target() == DecodedTarget::Pixels {
        pair.less_own_means();
    }
}
