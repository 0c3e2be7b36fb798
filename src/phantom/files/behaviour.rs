//! `responses.tsv`: a plausible observer of the recognition task.

use std::collections::HashMap;

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::super::config::PhantomConfig;
use super::super::design::ExperimentPlan;
use crate::data::error::DataError;
use crate::data::formats::csv::{Delimiter, write_table};
use crate::data::nsd::responses::COLUMNS;
use crate::data::nsd::tree::NsdTree;
use crate::data::trial::{TRIALS_PER_SESSION, Trial};
use crate::tensor_ops::random::keyed_rng;

/// Share of trials without a press, and with more than one.
const NO_PRESS: f64 = 0.01;
const CHANGED_MIND: f64 = 0.02;
/// Share of right answers on new images, and on old ones shown long ago or in the same session.
const RIGHT_NEW: f64 = 0.88;
const RIGHT_OLD: f64 = 0.72;
const RIGHT_OLD_IN_SESSION: f64 = 0.93;
/// Seconds: one slot, one run with its break.
const SLOT_SECS: f64 = 4.0;
const RUN_SECS: f64 = 345.0;
const SECS_PER_DAY: f64 = 86_400.0;

/// Writes the table for all trials of the written sessions.
///
/// # Errors
/// [`DataError::unwritable`].
pub fn write_responses(
    tree: &NsdTree,
    config: &PhantomConfig,
    plan: &ExperimentPlan,
    trials: &[Trial],
) -> Result<(), DataError> {
    let mut shown: HashMap<_, Vec<usize>> = HashMap::new();
    let mut rows = Vec::with_capacity(trials.len());
    for (session, session_trials) in trials.chunks(TRIALS_PER_SESSION).enumerate() {
        let mut rng = keyed_rng(config.seed, "phantom/behaviour", session as u64);
        // Sessions about a week apart, at any hour of the working day.
        let day = session * 7 + rng.random_range(0..3);
        let start = day as f64 + rng.random_range(9.0..17.0) / 24.0;
        let positions = plan.positions(session);
        for (within, (trial, position)) in session_trials.iter().zip(positions).enumerate() {
            let index = session * TRIALS_PER_SESSION + within;
            let before = shown.entry(trial.nsd_id).or_default();
            let is_old = !before.is_empty();
            let is_old_here = before.iter().any(|earlier| *earlier >= session * TRIALS_PER_SESSION);
            let secs = (position.run - 1) as f64 * RUN_SECS + position.slot as f64 * SLOT_SECS;
            let between = |earlier: Option<&usize>| {
                earlier.map_or_else(nan, |earlier| (index - earlier - 1).to_string())
            };
            let right = match (is_old, is_old_here) {
                (false, _) => RIGHT_NEW,
                (true, false) => RIGHT_OLD,
                (true, true) => RIGHT_OLD_IN_SESSION,
            };
            // Every trial draws all of these, used or not: a row's numbers do not depend on what the row before it
            // was.
            let is_pressed = !rng.random_bool(NO_PRESS);
            let says_old = rng.random_bool(right) == is_old;
            let changed = rng.random_bool(CHANGED_MIND);
            let z: f64 = StandardNormal.sample(&mut rng);
            let reaction_ms = (900.0 * (0.35 * z).exp()).clamp(250.0, 4250.0);
            // The final button counts; a change of mind pressed the other one first.
            let presses = |button_is_old: bool| {
                u8::from(says_old == button_is_old) + u8::from(says_old != button_is_old && changed)
            };
            let pressed = |text: String| if is_pressed { text } else { nan() };
            let flag = |truth: bool| u8::from(truth).to_string();
            rows.push(vec![
                config.subject.number().to_string(),
                (session + 1).to_string(),
                position.run.to_string(),
                position.trial.to_string(),
                (trial.nsd_id.0 + 1).to_string(),
                plan.master_ordering[index].to_string(),
                (start + secs / SECS_PER_DAY).to_string(),
                flag(is_old),
                pressed(flag(says_old == is_old)),
                pressed(reaction_ms.to_string()),
                pressed(flag(changed)),
                between(before.last()),
                between(before.len().checked_sub(2).and_then(|place| before.get(place))),
                flag(is_old_here),
                pressed(flag(says_old == is_old_here)),
                if is_pressed { presses(false) } else { 0 }.to_string(),
                if is_pressed { presses(true) } else { 0 }.to_string(),
                pressed(if says_old { "2" } else { "1" }.to_string()),
                "0".to_string(),
            ]);
            before.push(index);
        }
    }
    write_table(&tree.responses(config.subject), Delimiter::Tab, &COLUMNS, rows)
}

fn nan() -> String {
    "NaN".to_string()
}
