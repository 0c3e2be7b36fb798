//! Curves that say where a score comes from: how many dimensions of the betas it needs, how much data, and how much of it is resemblance
//! to images of the training (docs/spec/metrics.md §8.1).

mod bottleneck;
mod counted;
pub mod found;
mod learning;
mod plan;
mod splits;
mod task;
#[cfg(test)]
mod tests;
mod text;
pub mod wanted;

use self::found::Curves;
pub(super) use self::plan::Plan;
pub(super) use self::task::CurveTask;
use crate::pipelines::workbench::Workbench;

impl CurveTask<'_> {
    /// What the settings want; nothing where they want none.
    ///
    /// # Errors
    /// Data that cannot be read, fits that fail, a request to stop.
    pub fn find(&self, plan: &Plan, bench: &mut Workbench<'_>) -> crate::error::Result<Option<Curves>> {
        let config = &self.settings.evaluate;
        let mut curves = Curves::default();
        if !config.bottleneck.is_empty() {
            curves.bottleneck = bottleneck::curves(self, bench)?;
        }
        if let Some(learning) = &plan.learning {
            curves.learning = learning::curves(self, learning, bench.progress)?;
        }
        for family in &plan.families {
            curves.splits.push(splits::compare(self, family, bench)?);
        }
        Ok((curves != Curves::default()).then_some(curves))
    }
}
