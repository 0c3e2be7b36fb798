//! A step of AdamW over a whole tensor: one pass in place of a dozen.

use rayon::prelude::*;

use super::simd::vectorised;

/// Values that one thread takes at a time: four streams of them fit the second cache.
const VALUES_PER_TASK: usize = 16 * 1024;

/// What a step needs beside tensors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWConstants {
    /// Rate of this step.
    pub rate: f64,
    /// Share of a weight that a step at rate 1 would take off.
    pub weight_decay: f64,
    /// Decay of the first moment.
    pub beta_1: f64,
    /// Decay of the second moment.
    pub beta_2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Number of this step, from 1.
    pub time: usize,
}

impl AdamWConstants {
    /// What is left of a weight, the factor on the first moment, the factor on the root of the second.
    pub fn factors(&self) -> [f64; 3] {
        let time = i32::try_from(self.time).unwrap_or(i32::MAX);
        let [first, second] = [self.beta_1, self.beta_2].map(|beta| 1.0 - beta.powi(time));
        [1.0 - self.rate * self.weight_decay, self.rate / first, 1.0 / second.sqrt()]
    }
}

/// Updates moments and weights (Loshchilov and Hutter 2019, <https://arxiv.org/abs/1711.05101>).
///
/// # Panics
/// When the four differ in length.
pub fn adamw_step(
    constants: &AdamWConstants,
    weights: &mut [f32],
    gradient: &[f32],
    first: &mut [f32],
    second: &mut [f32],
) {
    let len = weights.len();
    assert!(
        [gradient.len(), first.len(), second.len()] == [len; 3],
        "one gradient and two moments per weight"
    );
    let [keep, size, root] = constants.factors().map(|factor| factor as f32);
    let [beta_1, beta_2, epsilon] =
        [constants.beta_1, constants.beta_2, constants.epsilon].map(|number| number as f32);
    let moments = first.par_chunks_mut(VALUES_PER_TASK).zip(second.par_chunks_mut(VALUES_PER_TASK));
    let tasks =
        weights.par_chunks_mut(VALUES_PER_TASK).zip(gradient.par_chunks(VALUES_PER_TASK)).zip(moments);
    tasks.for_each(|((weights, gradient), (first, second))| {
        vectorised(|| {
            let places = weights.iter_mut().zip(gradient).zip(first.iter_mut().zip(second.iter_mut()));
            for ((weight, gradient), (first, second)) in places {
                *first = beta_1 * *first + (1.0 - beta_1) * gradient;
                *second = beta_2 * *second + (1.0 - beta_2) * gradient * gradient;
                *weight = keep * *weight - size * *first / (second.sqrt() * root + epsilon);
            }
        });
    });
}
