//! What a step will take: as it did before, else by arithmetic, else nobody knows.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::work::Work;
use crate::commands::{finetune_gan, pretrain_clip, pretrain_gan, train_mapper};
use crate::pipelines::chain_record::{ChainRecord, StepId};

/// A number and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate<T> {
    /// The number.
    pub value: T,
    /// Where it comes from, in words.
    pub source: String,
}

/// Earlier chains: the subject's own first.
pub(super) struct Estimates(Vec<ChainRecord>);

impl Estimates {
    /// Reads the records of all chains in the work folder. Those of other subjects that cannot be read say nothing.
    pub fn read(work: &Path, own: &ChainRecord) -> Self {
        let mut known = vec![own.clone()];
        let entries = std::fs::read_dir(work.join("chain")).into_iter().flatten().flatten();
        let mut subjects: Vec<String> = entries
            .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_string()))
            .filter(|subject| *subject != own.subject)
            .collect();
        subjects.sort();
        known.extend(subjects.iter().filter_map(|subject| ChainRecord::read(work, subject).ok().flatten()));
        Self(known)
    }

    /// Seconds that a step took before.
    pub fn seconds(&self, id: &StepId) -> Option<Estimate<f64>> {
        self.first(|record| record.step(id)?.seconds)
    }

    /// Bytes of memory that the program held in the step before, or that its networks need at least.
    pub fn memory(&self, id: &StepId, work: Option<&Work>) -> Option<Estimate<u64>> {
        let before = self.first(|record| record.step(id)?.peak_bytes);
        before.or_else(|| {
            let value = u64::try_from(work?.least_memory()?).ok()?;
            Some(Estimate { value, source: "at least, by arithmetic".into() })
        })
    }

    fn first<T>(&self, of: impl Fn(&ChainRecord) -> Option<T>) -> Option<Estimate<T>> {
        self.0.iter().find_map(|record| {
            Some(Estimate { value: of(record)?, source: format!("as for {}", record.subject) })
        })
    }

    /// The time of steps that were done before, and how many of them were not.
    pub fn total<'a>(&self, ids: impl Iterator<Item = &'a StepId>) -> (Duration, usize) {
        let (mut known, mut unknown) = (0.0, 0);
        for id in ids {
            match self.seconds(id) {
                Some(Estimate { value, .. }) => known += value,
                None => unknown += 1,
            }
        }
        (Duration::try_from_secs_f64(known).unwrap_or_default(), unknown)
    }
}

impl Work {
    /// Bytes that a training holds at least, where arithmetic tells.
    fn least_memory(&self) -> Option<u128> {
        match self {
            Self::PretrainClip(settings) => pretrain_clip::least_memory(settings),
            Self::Mapper(settings) => train_mapper::least_memory(settings),
            Self::PretrainGan(settings) => Some(pretrain_gan::least_memory(settings)),
            Self::FinetuneGan(settings) => finetune_gan::least_memory(settings),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipelines::chain_record::{ChainStep, StepRecord, StepState};

    #[test]
    fn the_own_time_goes_before_that_of_others_and_what_is_unknown_is_counted() {
        let root = tempfile::tempdir().unwrap();
        let record = |subject: &str, step: ChainStep, seconds| {
            let mut record = ChainRecord::new(subject);
            record.set(StepRecord { seconds, ..StepRecord::new(step.into(), StepState::Done) });
            record
        };
        record("subj02", ChainStep::Encode, Some(7.0)).write(root.path()).unwrap();
        std::fs::write(root.path().join("chain/subj03.json"), "[").unwrap();
        let own = record("subj01", ChainStep::Prepare, Some(2.0));
        own.write(root.path()).unwrap();
        let estimates = Estimates::read(root.path(), &own);
        let of = |step: ChainStep| estimates.seconds(&step.into());
        assert_eq!(of(ChainStep::Prepare), Some(Estimate { value: 2.0, source: "as for subj01".into() }));
        assert_eq!(of(ChainStep::Encode), Some(Estimate { value: 7.0, source: "as for subj02".into() }));
        assert_eq!(of(ChainStep::Report), None);
        let ids = [ChainStep::Prepare, ChainStep::Encode, ChainStep::Report].map(StepId::from);
        assert_eq!(estimates.total(ids.iter()), (Duration::from_secs(9), 1));
    }
}
