//! Which image is shown when: NSD's experimental design, drawn anew.
//!
//! Specification: docs/spec/nsd-format.md §3 (Allen et al. 2022, Methods). Ids are 1-based here, as in
//! `nsd_expdesign.mat`; [`ExperimentPlan::trials`] converts them once.

use std::f64::consts::{PI, TAU};

use rand::{RngExt, rngs::ChaCha12Rng, seq::SliceRandom};

use super::config::{PhantomConfig, PhantomSize};
use crate::data::subject::{NUM_SUBJECTS, NsdSubject};
use crate::data::trial::{NUM_IMAGES, NsdId, TRIALS_PER_SESSION, Trial};
use crate::tensor_ops::random::keyed_rng;

/// Sessions of the whole design.
pub const DESIGN_SESSIONS: usize = 40;
/// Images of one subject.
pub const IMAGES_PER_SUBJECT: usize = 10_000;
/// Images that all subjects see.
pub const NUM_SHARED: usize = 1000;
/// Runs in a session.
pub const RUNS_PER_SESSION: usize = 12;
/// Slots of four seconds in a run.
pub const SLOTS_PER_RUN: usize = 75;

/// Smallest and largest 1-based id of a shared image in NSD.
const SHARED_RANGE: (u32, u32) = (2951, 72_949);
/// Concentration of the repeats around an image's mean angle, on the circle of 30,000 trials.
const CONCENTRATION: f64 = 729.0;
/// Share of presentations drawn around the mean angle; the others are uniform.
const CLUSTERED_SHARE: f64 = 0.6;

/// The whole design, ids 1-based.
#[derive(Clone, Debug, PartialEq)]
pub struct ExperimentPlan {
    /// For each of 30,000 trials, which of a subject's 10,000 images (1-based).
    pub master_ordering: Vec<u32>,
    /// For each subject, the 73k id (1-based) of its 10,000 images; the first 1000 are shared.
    pub subject_images: Vec<Vec<u32>>,
    /// `[session, run, slot]`: whether a stimulus is shown.
    pub stimulus_slots: Vec<bool>,
}

impl ExperimentPlan {
    /// Draws the design.
    ///
    /// Tiny and small phantoms keep NSD's rules but show, within the sessions that they write, a third as many
    /// images as trials, so that all three presentations fall inside.
    pub fn draw(config: &PhantomConfig) -> Self {
        let mut rng = keyed_rng(config.seed, "phantom/design", 0);
        let subject_images = draw_images(&mut rng);
        let written = config.num_sessions() * TRIALS_PER_SESSION;
        let master_ordering = match config.size {
            PhantomSize::Full => circle_order((1..=IMAGES_PER_SUBJECT as u32).collect(), &mut rng),
            PhantomSize::Tiny | PhantomSize::Small => {
                // The design still has 30,000 trials, since readers index all of it; what is not written comes
                // behind.
                let (first, rest) = split_images(written / 3, &mut rng);
                let mut order = circle_order(first, &mut rng);
                order.extend(circle_order(rest, &mut rng));
                order
            }
        };
        Self { master_ordering, subject_images, stimulus_slots: draw_slots(&mut rng) }
    }

    /// 1-based 73k ids of the shared images, ascending.
    pub fn shared_images(&self) -> &[u32] {
        &self.subject_images[0][..NUM_SHARED]
    }

    /// 1-based 73k id of a 0-based trial.
    pub fn image_of(&self, subject: NsdSubject, trial: usize) -> u32 {
        self.subject_images[subject.row()][self.master_ordering[trial] as usize - 1]
    }

    /// The first `num_sessions` sessions of a subject, with 0-based image numbers.
    pub fn trials(&self, subject: NsdSubject, num_sessions: usize) -> Vec<Trial> {
        let mut seen = vec![0_u8; IMAGES_PER_SUBJECT + 1];
        (0..num_sessions * TRIALS_PER_SESSION)
            .map(|t| {
                let count = &mut seen[self.master_ordering[t] as usize];
                let repetition = *count;
                *count += 1;
                let session = (t / TRIALS_PER_SESSION) as u16 + 1;
                Trial { nsd_id: NsdId(self.image_of(subject, t) - 1), session, repetition }
            })
            .collect()
    }

    /// For each session, how many images appear exactly once, twice and three times in it.
    pub fn counts_per_session(&self) -> Vec<[u32; 3]> {
        self.master_ordering
            .chunks(TRIALS_PER_SESSION)
            .map(|session| {
                let mut times = vec![0_usize; IMAGES_PER_SUBJECT + 1];
                for image in session {
                    times[*image as usize] += 1;
                }
                let mut counts = [0; 3];
                for time in times.into_iter().filter(|time| *time > 0) {
                    counts[time - 1] += 1;
                }
                counts
            })
            .collect()
    }

    /// Run (1-based), trial in the run (1-based) and slot (0-based) of each of a session's 750 trials.
    pub fn positions(&self, session: usize) -> Vec<TrialPosition> {
        let slots = RUNS_PER_SESSION * SLOTS_PER_RUN;
        let shown = &self.stimulus_slots[session * slots..(session + 1) * slots];
        let mut positions = Vec::with_capacity(TRIALS_PER_SESSION);
        for (run, pattern) in shown.chunks(SLOTS_PER_RUN).enumerate() {
            let filled = pattern.iter().enumerate().filter(|(_, is_stimulus)| **is_stimulus);
            for (trial, (slot, _)) in filled.enumerate() {
                positions.push(TrialPosition { run: run + 1, trial: trial + 1, slot });
            }
        }
        positions
    }
}

/// Where in its session a trial lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialPosition {
    /// 1-based.
    pub run: usize,
    /// 1-based, among the run's stimulus trials.
    pub trial: usize,
    /// 0-based slot of four seconds.
    pub slot: usize,
}

/// 1000 shared ids, ascending, then 9000 own ones for each subject in random order.
fn draw_images(rng: &mut ChaCha12Rng) -> Vec<Vec<u32>> {
    let (low, high) = SHARED_RANGE;
    let mut middle: Vec<u32> = (low + 1..high).collect();
    middle.shuffle(rng);
    let mut shared: Vec<u32> = middle[..NUM_SHARED - 2].to_vec();
    // NSD's own smallest and largest shared ids: readers can check for them.
    shared.extend([low, high]);
    shared.sort_unstable();
    let mut others: Vec<u32> =
        (1..=NUM_IMAGES as u32).filter(|id| shared.binary_search(id).is_err()).collect();
    others.shuffle(rng);
    let own = IMAGES_PER_SUBJECT - NUM_SHARED;
    (0..NUM_SUBJECTS)
        .map(|subject| shared.iter().chain(&others[subject * own..(subject + 1) * own]).copied().collect())
        .collect()
}

/// `count` images with NSD's share of shared ones, and all the others.
fn split_images(count: usize, rng: &mut ChaCha12Rng) -> (Vec<u32>, Vec<u32>) {
    let mut shared: Vec<u32> = (1..=NUM_SHARED as u32).collect();
    let mut own: Vec<u32> = (NUM_SHARED as u32 + 1..=IMAGES_PER_SUBJECT as u32).collect();
    shared.shuffle(rng);
    own.shuffle(rng);
    let num_shared = count * NUM_SHARED / IMAGES_PER_SUBJECT;
    let (first, rest) = shared.split_at(num_shared);
    let (first_own, rest_own) = own.split_at(count - num_shared);
    ([first, first_own].concat(), [rest, rest_own].concat())
}

/// Three presentations of each image on a circle, cut and read off.
fn circle_order(images: Vec<u32>, rng: &mut ChaCha12Rng) -> Vec<u32> {
    // The spread of repeats in trials stays that of the full circle of 30,000.
    // The spread of an angle is about 1/√κ of the circle; a circle of fewer trials needs a κ smaller by the square.
    let shrink = images.len() as f64 / IMAGES_PER_SUBJECT as f64;
    let concentration = CONCENTRATION * shrink * shrink;
    let mut presentations = Vec::with_capacity(images.len() * 3);
    for image in images {
        let mean: f64 = rng.random_range(0.0..TAU);
        for _ in 0..3 {
            let angle = if rng.random_bool(CLUSTERED_SHARE) {
                mean + von_mises(concentration, rng)
            } else {
                rng.random_range(0.0..TAU)
            };
            presentations.push((angle.rem_euclid(TAU), image));
        }
    }
    presentations.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    presentations.into_iter().map(|(_, image)| image).collect()
}

/// Von Mises variate around 0 (Best and Fisher 1979).
fn von_mises(concentration: f64, rng: &mut ChaCha12Rng) -> f64 {
    if concentration < 1e-6 {
        return rng.random_range(-PI..PI);
    }
    // Rejection from a wrapped Cauchy envelope, whose parameter is ρ.
    let tau = 1.0 + (1.0 + 4.0 * concentration * concentration).sqrt();
    let rho = (tau - (2.0 * tau).sqrt()) / (2.0 * concentration);
    let r = (1.0 + rho * rho) / (2.0 * rho);
    loop {
        let z = (PI * rng.random::<f64>()).cos();
        let f = (1.0 + r * z) / (r + z);
        let c = concentration * (r - f);
        let u: f64 = rng.random();
        if c * (2.0 - c) > u || (c / u).ln() + 1.0 >= c {
            let angle = f.clamp(-1.0, 1.0).acos();
            return if rng.random_bool(0.5) { angle } else { -angle };
        }
    }
}

/// 63 stimuli in odd runs, 62 in even ones, in stretches of 9 to 14 between blanks.
fn draw_slots(rng: &mut ChaCha12Rng) -> Vec<bool> {
    const STRETCHES: usize = 6;
    let mut slots = Vec::with_capacity(DESIGN_SESSIONS * RUNS_PER_SESSION * SLOTS_PER_RUN);
    for run in 0..DESIGN_SESSIONS * RUNS_PER_SESSION {
        let stretches = loop {
            let lengths: [usize; STRETCHES] = std::array::from_fn(|_| rng.random_range(9..=14));
            // Six stretches and five blanks between them fill 68 slots; with three blanks before and four behind 75.
            if lengths.iter().sum::<usize>() == 63 {
                break lengths;
            }
        };
        let start = slots.len();
        slots.extend([false; 3]);
        for (index, length) in stretches.into_iter().enumerate() {
            if index > 0 {
                slots.push(false);
            }
            slots.extend(std::iter::repeat_n(true, length));
        }
        if run % 2 == 1 {
            // Even runs, counted from 1: their 63rd stimulus is a blank.
            let last = slots.len() - 1;
            slots[last] = false;
        }
        slots.resize(start + SLOTS_PER_RUN, false);
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(size: PhantomSize) -> (PhantomConfig, ExperimentPlan) {
        let config = PhantomConfig { size, seed: 4, ..Default::default() };
        let plan = ExperimentPlan::draw(&config);
        (config, plan)
    }

    #[test]
    fn every_size_keeps_the_rules_of_nsd() {
        for size in [PhantomSize::Tiny, PhantomSize::Small, PhantomSize::Full] {
            let (_, plan) = plan(size);
            assert_eq!(plan.master_ordering.len(), 30_000);
            let mut times = vec![0; IMAGES_PER_SUBJECT + 1];
            plan.master_ordering.iter().for_each(|image| times[*image as usize] += 1);
            assert!(times[1..].iter().all(|count| *count == 3));
            let shared = plan.shared_images();
            assert!(shared.is_sorted() && shared[0] == 2951 && shared[NUM_SHARED - 1] == 72_949);
            let mut all: Vec<u32> = shared.to_vec();
            for images in &plan.subject_images {
                assert_eq!(&images[..NUM_SHARED], shared);
                all.extend(&images[NUM_SHARED..]);
            }
            all.sort_unstable();
            assert!(all.into_iter().eq(1..=NUM_IMAGES as u32), "ids are not a partition of 73,000");
        }
    }

    #[test]
    fn small_sizes_hold_all_repeats_of_their_images() {
        for (size, images) in [(PhantomSize::Tiny, 250), (PhantomSize::Small, 500)] {
            let (config, plan) = plan(size);
            let trials = plan.trials(config.subject, config.num_sessions());
            let mut times = std::collections::BTreeMap::new();
            trials.iter().for_each(|trial| *times.entry(trial.nsd_id).or_insert(0) += 1);
            assert_eq!(times.len(), images);
            assert!(times.values().all(|count| *count == 3));
            assert_eq!(trials.iter().filter(|trial| trial.repetition == 2).count(), images);
            let shared = plan.master_ordering[..images * 3].iter().filter(|image| **image <= 1000).count();
            assert_eq!(shared, images * 3 / 10);
        }
    }

    /// Allen et al. 2022: 437 images once, 106 twice, 34 three times in a mean session.
    #[test]
    fn repeats_spread_over_sessions_as_in_nsd() {
        let (_, plan) = plan(PhantomSize::Full);
        let counts = plan.counts_per_session();
        assert_eq!(counts.len(), DESIGN_SESSIONS);
        for (column, expected) in [(0, 437.0), (1, 106.0), (2, 34.0)] {
            let mean = counts.iter().map(|count| f64::from(count[column])).sum::<f64>() / 40.0;
            assert!((mean - expected).abs() < 0.12 * expected, "{} times: {mean}", column + 1);
        }
        let trials = plan.trials(NsdSubject::new(1).unwrap(), 37);
        let distinct: std::collections::BTreeSet<_> = trials.iter().map(|trial| trial.nsd_id).collect();
        assert!((9780..9900).contains(&distinct.len()), "{} images in 37 sessions", distinct.len());
    }

    #[test]
    fn runs_have_63_and_62_stimuli() {
        let (_, plan) = plan(PhantomSize::Tiny);
        for (run, pattern) in plan.stimulus_slots.chunks(SLOTS_PER_RUN).enumerate() {
            assert_eq!(pattern.iter().filter(|slot| **slot).count(), if run % 2 == 0 { 63 } else { 62 });
            assert!(!pattern[..3].contains(&true) && !pattern[71..].contains(&true));
        }
        let positions = plan.positions(7);
        assert_eq!(positions.len(), TRIALS_PER_SESSION);
        assert_eq!((positions[749].run, positions[749].trial), (12, 62));
    }
}
