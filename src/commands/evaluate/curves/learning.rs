//! Learning curves: ridge regression fitted anew to shares of the training images and of the voxels.

use ndarray::{Array2, ArrayView2, Axis};

use super::super::baselines::row_name;
use super::super::config::RIDGE_SECTION;
use super::counted::Counted;
use super::found::{LearningCurve, LearningPoint, SharedOut};
use super::plan::{ImageDraw, LearningPlan};
use super::task::CurveTask;
use crate::data::split::Split;
use crate::interrupt;
use crate::metrics::trust::lures::Lures;
use crate::pipelines::mapper_betas::{BetasControl, require_variation};
use crate::pipelines::targets::decoded_pairs::Aims;
use crate::run::progress::Progress;
use crate::training::ridge::fit_tuned_ridges;

/// What is fitted and decoded.
struct Learning<'a> {
    task: &'a CurveTask<'a>,
    aims: Vec<Aims<'a>>,
    /// Of the training trials, `[trials, width]` for every target.
    fitted: Vec<Array2<f32>>,
    /// Betas of the training trials and of those held out.
    betas: [Array2<f32>; 2],
}

/// One share, counted for every target.
struct CountedShare {
    share: f64,
    count: usize,
    draws: usize,
    of_aims: Vec<Counted>,
}

/// Two curves for every target: over images, then over voxels.
///
/// # Errors
/// Betas that cannot be read, fits that fail, a request to stop.
pub(super) fn curves(
    task: &CurveTask<'_>,
    plan: &LearningPlan,
    progress: &mut dyn Progress,
) -> crate::error::Result<Vec<LearningCurve>> {
    let learning = Learning::read(task)?;
    let num_draws: usize = plan.images.iter().map(|(_, draws)| draws.len()).sum();
    let num_draws = num_draws + plan.voxels.iter().map(|(_, draws)| draws.len()).sum::<usize>();
    progress.start("learning curves", num_draws as u64);
    let mut done = 0;
    let mut step = |progress: &mut dyn Progress| {
        done += 1;
        progress.advance(done, "");
    };
    // All images and all voxels are the same fit.
    let mut whole: Option<Vec<Counted>> = None;
    let mut of_images = Vec::new();
    for (share, draws) in &plan.images {
        let mut of_aims = learning.empty();
        for draw in draws {
            let [train, held_out] = &learning.betas;
            learning.add(&mut of_aims, [train.view(), held_out.view()], draw)?;
            step(progress);
        }
        whole = (*share >= 1.0).then(|| of_aims.clone());
        let count = draws.first().map_or(0, |draw| draw.num_images);
        of_images.push(CountedShare { share: *share, count, draws: draws.len(), of_aims });
    }
    let mut of_voxels = Vec::new();
    for (share, draws) in &plan.voxels {
        let mut of_aims = learning.empty();
        match &whole {
            Some(whole) if *share >= 1.0 => of_aims.clone_from(whole),
            _ => {
                for voxels in draws {
                    let betas = learning.betas.each_ref().map(|betas| betas.select(Axis(1), voxels));
                    let [train, held_out] = &betas;
                    learning.add(&mut of_aims, [train.view(), held_out.view()], &plan.all)?;
                    step(progress);
                }
            }
        }
        let count = draws.first().map_or(0, Vec::len);
        of_voxels.push(CountedShare { share: *share, count, draws: draws.len(), of_aims });
    }
    progress.finish("");
    let mut curves = Vec::new();
    for place in 0..learning.aims.len() {
        curves.push(learning.curve(place, SharedOut::Images, &of_images)?);
        curves.push(learning.curve(place, SharedOut::Voxels, &of_voxels)?);
    }
    Ok(curves)
}

impl<'a> Learning<'a> {
    fn read(task: &'a CurveTask<'a>) -> crate::error::Result<Self> {
        let (subject, split) = (task.subject, task.split);
        let aims = task.targets.aims();
        let betas = [subject.betas_of(&split.train)?, subject.betas_of(&split.validation)?];
        let rows: Vec<usize> = (0..betas[0].nrows()).collect();
        require_variation(subject.path(), betas[0].view(), &rows)?;
        let fitted = aims.iter().map(|aims| aims.fitted(&split.train)).collect();
        Ok(Self { task, aims, fitted, betas })
    }

    fn empty(&self) -> Vec<Counted> {
        vec![Counted::default(); self.aims.len()]
    }

    /// Fits the drawn trials and counts what that decodes, for every target.
    fn add(
        &self,
        counted: &mut [Counted],
        [train, held_out]: [ArrayView2<'_, f32>; 2],
        draw: &ImageDraw,
    ) -> crate::error::Result<()> {
        interrupt::check()?;
        let split = self.task.split;
        let config = &self.task.settings.evaluate.ridge_fit;
        let ys: Vec<_> = self.fitted.iter().map(|rows| rows.view()).collect();
        let fits = fit_tuned_ridges(train, &ys, &draw.fitting, &draw.tuning, config)
            .map_err(|error| error.within(RIDGE_SECTION))?;
        let drawn = draw.fitting.iter().chain(&draw.tuning).map(|position| split.train[*position]);
        let mut drawn: Vec<usize> = drawn.collect();
        drawn.sort_unstable();
        let of_draw = Split { train: drawn, validation: split.validation.clone() };
        for ((counted, ridge), aims) in counted.iter_mut().zip(&fits).zip(&self.aims) {
            self.task.count(counted, ridge.predict(held_out), aims, &of_draw)?;
        }
        Ok(())
    }

    fn curve(
        &self,
        place: usize,
        of: SharedOut,
        shares: &[CountedShare],
    ) -> crate::error::Result<LearningCurve> {
        let (target, bootstrap) = (self.aims[place].target(), self.task.bootstrap());
        let point = |share: &CountedShare| {
            let counted = &share.of_aims[place];
            let CountedShare { share, count, draws, .. } = *share;
            let range_over_draws = counted.range();
            Ok(LearningPoint { share, count, draws, found: counted.point(bootstrap)?, range_over_draws })
        };
        let last_step = match shares {
            [.., before, last] => {
                last.of_aims[place].difference(&before.of_aims[place], bootstrap).map(|(step, _)| step)
            }
            _ => None,
        };
        // Other lures make another figure of the control's.
        let is_alike = self.task.settings.evaluate.lures == Lures::Test;
        let floor = self.task.ridge_control.iter().find(|row| is_alike && row.target == target);
        Ok(LearningCurve {
            name: row_name(target, BetasControl::Measured),
            target,
            of,
            chance: shares.first().map_or(0.0, |share| share.of_aims[place].chance()),
            floor: floor.and_then(|row| Some(row.identification.as_ref()?.share)),
            points: shares.iter().map(point).collect::<crate::error::Result<_>>()?,
            last_step,
        })
    }
}
