//! Targets made anew for every batch, on another thread, while the network learns from the batch before.
//!
//! A target is a function of (epoch, trial), and batches come in the order they were announced in: how fast either thread is
//! changes nothing. The other thread must not record gradients.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

use ndarray::Array2;

use super::error::MapperTrainError;
use crate::data::error::DataError;

/// Finished batches that may wait.
const AHEAD: usize = 2;

/// Trials whose targets are wanted together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetBatch {
    /// Epoch, counted over all phases.
    pub epoch: usize,
    /// Trials, in the order of the batch.
    pub trials: Vec<usize>,
}

type Made = (TargetBatch, Result<Array2<f32>, DataError>);

/// Where the targets of the next batches come from.
#[derive(Debug)]
pub struct TargetQueue {
    wanted: Sender<TargetBatch>,
    made: Receiver<Made>,
    waited: Cell<Duration>,
}

impl TargetQueue {
    /// A thread of `scope` that makes finished targets `[trials, embed_dim]` with `make`; it ends with the queue.
    ///
    /// # Errors
    /// [`MapperTrainError::Targets`] when the system gives no thread.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        mut make: impl FnMut(&TargetBatch) -> Result<Array2<f32>, DataError> + Send + 'scope,
    ) -> Result<Self, MapperTrainError> {
        let (wanted, orders) = channel::<TargetBatch>();
        // Bounded: the thread stops when two batches lie ready. Orders are not bounded, they are lists of numbers.
        let (finished, made): (SyncSender<Made>, _) = sync_channel(AHEAD);
        let work = move || {
            for batch in orders {
                let targets = make(&batch);
                let failed = targets.is_err();
                // An error of `send` says that nobody wants more.
                if finished.send((batch, targets)).is_err() || failed {
                    break;
                }
            }
        };
        Builder::new()
            .name("targets".into())
            .spawn_scoped(scope, work)
            .map_err(|error| MapperTrainError::Targets { reason: error.to_string() })?;
        Ok(Self { wanted, made, waited: Cell::default() })
    }

    /// Orders the targets of batches to come.
    pub fn announce(&self, batches: impl IntoIterator<Item = TargetBatch>) {
        for batch in batches {
            // A thread that has ended is reported by `take`, with its reason.
            let _ = self.wanted.send(batch);
        }
    }

    /// For how long training has waited for targets since this was last asked.
    pub fn take_waited(&self) -> Duration {
        self.waited.take()
    }

    /// Targets `[trials, embed_dim]` of the batch that was announced next; waits for them.
    ///
    /// # Errors
    /// What making them failed with; [`MapperTrainError::Targets`] for a batch that was not announced next.
    pub fn take(&self, epoch: usize, trials: &[usize]) -> Result<Array2<f32>, MapperTrainError> {
        let asked = Instant::now();
        let (batch, targets) = self.made.recv().map_err(|_| MapperTrainError::Targets {
            reason: "the thread that makes them has ended".into(),
        })?;
        self.waited.set(self.waited.get() + asked.elapsed());
        // Order is what makes the numbers those of a run without a thread: a batch in the wrong place is refused, not
        // used.
        if batch.epoch != epoch || batch.trials != trials {
            let reason = format!("those of epoch {} came, epoch {epoch} was expected", batch.epoch);
            return Err(MapperTrainError::Targets { reason });
        }
        Ok(targets?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn batch(epoch: usize, trials: &[usize]) -> TargetBatch {
        TargetBatch { epoch, trials: trials.to_vec() }
    }

    fn targets(batch: &TargetBatch) -> Array2<f32> {
        Array2::from_shape_fn((batch.trials.len(), 1), |(row, _)| {
            (100 * batch.epoch + batch.trials[row]) as f32
        })
    }

    #[test]
    fn batches_come_in_order_and_a_few_ahead_only() {
        let count = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let queue = TargetQueue::start(scope, |batch| {
                count.fetch_add(1, Ordering::SeqCst);
                Ok(targets(batch))
            })
            .unwrap();
            queue.announce((0..20).map(|epoch| batch(epoch, &[3, 1])));
            for epoch in 0..5 {
                assert_eq!(
                    queue.take(epoch, &[3, 1]).unwrap().as_slice().unwrap(),
                    [(100 * epoch + 3) as f32, (100 * epoch + 1) as f32]
                );
                // Taken, waiting, and one in the hands of the thread.
                assert!(count.load(Ordering::SeqCst) <= epoch + 1 + AHEAD + 1);
            }
            // The queue ends here with fifteen batches not taken; the scope must not wait for them.
        });
        assert!(count.load(Ordering::SeqCst) <= 5 + AHEAD + 1);
    }

    #[test]
    fn failures_and_a_wrong_order_are_errors() {
        std::thread::scope(|scope| {
            let queue = TargetQueue::start(scope, |batch| match batch.epoch {
                0 => Ok(targets(batch)),
                _ => Err(DataError::empty("pictures", "none")),
            })
            .unwrap();
            queue.announce([batch(0, &[1]), batch(1, &[1]), batch(2, &[1])]);
            let error = queue.take(0, &[2]).unwrap_err();
            assert!(matches!(error, MapperTrainError::Targets { .. }), "{error}");
            assert!(matches!(queue.take(1, &[1]).unwrap_err(), MapperTrainError::Data(_)));
            assert!(queue.take(2, &[1]).unwrap_err().to_string().contains("has ended"));
        });
    }
}
