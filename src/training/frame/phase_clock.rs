//! Where the time of a GAN training goes: seconds by phase, kept out of everything that a resumed run must repeat.

use std::time::Instant;

use serde::{Deserialize, Serialize};
use tracing::debug_span;

/// Time of one phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhaseTime {
    /// Name of the phase.
    pub phase: String,
    /// Times it ran.
    pub runs: u64,
    /// Mean seconds of a run.
    pub seconds_per_run: f64,
    /// Part of the time of all phases, 0..1.
    pub share: f64,
}

/// Seconds by phase since the process began.
#[derive(Clone, Debug, Default)]
pub struct PhaseClock {
    entries: Vec<(&'static str, u64, f64)>,
    images: u64,
}

impl PhaseClock {
    /// Runs `work` and counts its time for `phase`.
    pub fn time<R>(&mut self, phase: &'static str, work: impl FnOnce() -> R) -> R {
        // Several in every step: made only where somebody listens to them.
        let _phase = debug_span!("phase", name = phase).entered();
        let start = Instant::now();
        let result = work();
        self.add(phase, start.elapsed().as_secs_f64());
        result
    }

    fn add(&mut self, phase: &'static str, seconds: f64) {
        match self.entries.iter_mut().find(|entry| entry.0 == phase) {
            Some((_, runs, sum)) => {
                *runs += 1;
                *sum += seconds;
            }
            None => self.entries.push((phase, 1, seconds)),
        }
    }

    /// Counts images that all phases have dealt with.
    pub fn count_images(&mut self, images: u64) {
        self.images += images;
    }

    /// Seconds of all phases for a thousand images; none before the first.
    pub fn seconds_per_kimg(&self) -> Option<f64> {
        (self.images > 0).then(|| self.seconds() / self.images as f64 * 1000.0)
    }

    /// In order of first run.
    pub fn times(&self) -> Vec<PhaseTime> {
        let all = self.seconds();
        let share = |seconds: f64| if all > 0.0 { seconds / all } else { 0.0 };
        self.entries
            .iter()
            .map(|&(phase, runs, seconds)| PhaseTime {
                phase: phase.to_string(),
                runs,
                seconds_per_run: seconds / runs as f64,
                share: share(seconds),
            })
            .collect()
    }

    /// One line for a person.
    pub fn line(&self) -> String {
        let per_kimg =
            self.seconds_per_kimg().map_or(String::new(), |seconds| format!("{seconds:.1} s/kimg"));
        let parts = self.times().into_iter().map(|time| {
            let PhaseTime { phase, seconds_per_run, share, .. } = time;
            format!("{phase} {:.0} % ({seconds_per_run:.3} s a run)", 100.0 * share)
        });
        std::iter::once(per_kimg).chain(parts).collect::<Vec<_>>().join(", ")
    }

    fn seconds(&self) -> f64 {
        self.entries.iter().map(|entry| entry.2).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_means_come_from_what_was_added() {
        let mut clock = PhaseClock::default();
        assert_eq!(clock.seconds_per_kimg(), None);
        for (phase, seconds) in [("generator", 1.0), ("discriminator", 2.0), ("generator", 5.0)] {
            clock.add(phase, seconds);
        }
        clock.count_images(500);
        assert_eq!(clock.seconds_per_kimg(), Some(16.0));
        let times = clock.times();
        assert_eq!((times[0].phase.as_str(), times[0].runs, times[0].seconds_per_run), ("generator", 2, 3.0));
        assert_eq!(times[1].share, 0.25);
        assert!(clock.line().starts_with("16.0 s/kimg, generator 75 %"), "{}", clock.line());
        assert_eq!(clock.time("generator", || 7), 7);
    }
}
