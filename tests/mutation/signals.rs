//! Signals at random moments, and what is left after them.

use std::time::Duration;

use rand::{RngExt, rngs::ChaCha12Rng};

use crate::project::{
    CAPTION_MAPPER, CLASSIFIER, CLIP, ENCODE, EVALUATE, FINETUNE, IMAGE_MAPPER, MICROSTIM, PHANTOM, PREPARE,
    PRETRAIN, Project, RECONSTRUCT, SCREEN, Step,
};
use crate::trial::{Call, Strike, Trial};

const SIGNALS: &[&str] = &["-INT", "-TERM", "-HUP"];
/// Most that a step of the tiny project works before the signal, in milliseconds.
const LATEST: u64 = 2000;

/// Long steps, which must end soon after a signal.
const STEPS: &[&Step] = &[
    &PHANTOM,
    &PREPARE,
    &CLIP,
    &CLASSIFIER,
    &SCREEN,
    &IMAGE_MAPPER,
    &CAPTION_MAPPER,
    &PRETRAIN,
    &FINETUNE,
    &RECONSTRUCT,
    &MICROSTIM,
    &ENCODE,
    &EVALUATE,
];

fn struck(step: &Step, signal: &'static str, project: &Project, rng: &mut ChaCha12Rng) -> Call {
    let after = Duration::from_millis(rng.random_range(0..LATEST));
    Call { args: project.command(step, &[]), strike: Some(Strike { after, signal }), must_succeed: false }
}

/// The same step again: whatever the first one left must not be in its way.
fn again(step: &Step, project: &Project) -> Call {
    Call { args: project.command(step, &[]), strike: None, must_succeed: true }
}

/// A step that is asked to stop, and once more.
pub fn signal(project: &Project, rng: &mut ChaCha12Rng) -> Trial {
    let step = STEPS[rng.random_range(0..STEPS.len())];
    let signal = SIGNALS[rng.random_range(0..SIGNALS.len())];
    let first = struck(step, signal, project, rng);
    let what = format!("{} {signal} after {:?}", step.name, first.strike.as_ref().unwrap().after);
    Trial { what, calls: vec![first, again(step, project)] }
}

/// A step that is killed twice, and once more.
pub fn kill(project: &Project, rng: &mut ChaCha12Rng) -> Trial {
    let step = STEPS[rng.random_range(0..STEPS.len())];
    let kills = [struck(step, "-KILL", project, rng), struck(step, "-KILL", project, rng)];
    let what = format!("{} killed", step.name);
    Trial { what, calls: kills.into_iter().chain([again(step, project)]).collect() }
}
