//! When a checkpoint is due for the time alone.
//!
//! A run that is ended in the middle of a step, or of an evaluation, loses what came after its last checkpoint. Steps and epochs of
//! large networks take minutes, so checkpoints that only follow their count would lose hours.

use std::time::{Duration, Instant};

/// So much may be lost.
const LONGEST_LOSS: Duration = Duration::from_secs(300);
/// Checkpoints take at most one part in so many of the time.
const TIMES_ITS_COST: u32 = 20;

/// The time since the last checkpoint, beside the time that writing it took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckpointClock {
    written: Instant,
    took: Duration,
}

impl CheckpointClock {
    /// A training begins or goes on, with nothing to lose yet.
    pub fn start() -> Self {
        Self { written: Instant::now(), took: Duration::ZERO }
    }

    /// Writes a checkpoint through `write`.
    ///
    /// # Errors
    /// Those of `write`; the time goes on then.
    pub fn time<T, E>(&mut self, write: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let started = Instant::now();
        let written = write()?;
        *self = Self { written: Instant::now(), took: started.elapsed() };
        Ok(written)
    }

    /// The time since the last checkpoint.
    pub fn elapsed(&self) -> Duration {
        self.written.elapsed()
    }

    /// Whether so much time has gone by that a checkpoint is due.
    pub fn is_due(&self) -> bool {
        is_due(self.elapsed(), self.took)
    }
}

fn is_due(elapsed: Duration, took: Duration) -> bool {
    elapsed > LONGEST_LOSS && elapsed > took.saturating_mul(TIMES_ITS_COST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_minutes_are_at_stake_or_twenty_times_what_a_checkpoint_takes() {
        let seconds = Duration::from_secs;
        assert!(!is_due(seconds(299), Duration::ZERO) && is_due(seconds(301), seconds(1)));
        assert!(!is_due(seconds(399), seconds(20)) && is_due(seconds(401), seconds(20)));
        assert!(!is_due(seconds(301), Duration::MAX));
    }

    #[test]
    fn what_could_not_be_written_is_still_due() {
        let hour = Duration::from_secs(3600);
        let mut clock = CheckpointClock::start();
        assert!(!clock.is_due());
        clock.took = hour;
        assert!(clock.time(|| Err::<(), _>("disk full")).is_err());
        assert_eq!(clock.took, hour);
        assert_eq!(clock.time(|| Ok::<_, ()>(7)), Ok(7));
        assert!(clock.took < hour && clock.elapsed() < hour);
    }
}
