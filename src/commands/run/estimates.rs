//! What a step will take: as it did before with the same settings, else as with other settings, else by arithmetic, else nobody knows.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::outlook::Outlook;
use super::work::Work;
use crate::commands::{finetune_gan, pretrain_clip, pretrain_gan, train_mapper};
use crate::pipelines::chain_record::{ChainRecord, StepId, StepRecord};
use crate::report::number_format::duration;

/// How far a number can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Measured with the same settings, of this subject or another.
    SameSettings,
    /// Measured with other settings, or with settings that were not recorded.
    OtherSettings,
    /// Computed.
    Arithmetic,
}

/// A number and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Estimate<T> {
    /// The number.
    pub value: T,
    /// Where it comes from, in words.
    pub source: String,
    /// How far it can be trusted.
    pub basis: Basis,
}

/// Time of several steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TotalTime {
    /// Of all steps of which something is known.
    pub seconds: f64,
    /// Steps whose time was measured with other settings.
    pub with_other_settings: usize,
    /// Steps whose time is computed.
    pub rough: usize,
    /// Steps of which nothing is known.
    pub unknown: usize,
}

impl TotalTime {
    /// Adds a step.
    pub(super) fn add(&mut self, estimate: Option<&Estimate<f64>>) {
        let Some(Estimate { value, basis, .. }) = estimate else {
            self.unknown += 1;
            return;
        };
        self.seconds += value;
        match basis {
            Basis::SameSettings => {}
            Basis::OtherSettings => self.with_other_settings += 1,
            Basis::Arithmetic => self.rough += 1,
        }
    }

    /// `about 12 min 00 s`; `roughly` where a part of it was not measured with these settings, `at least` where a part is unknown.
    /// Nothing where nothing is known.
    pub(super) fn words(&self) -> Option<String> {
        let bound = match (self.unknown, self.with_other_settings + self.rough) {
            (0, 0) => "about",
            (0, _) => "roughly",
            _ => "at least",
        };
        let time = Duration::try_from_secs_f64(self.seconds.round()).unwrap_or_default();
        (time > Duration::ZERO).then(|| format!("{bound} {}", duration(time)))
    }
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

    /// Seconds that a step took before, or takes by arithmetic.
    pub fn seconds(&self, id: &StepId, outlook: &Outlook<'_>) -> Option<Estimate<f64>> {
        self.before(id, outlook, |step| step.seconds).or_else(|| {
            let value = outlook.seconds(id.step)?;
            Some(Estimate { value, source: "rough, by arithmetic".into(), basis: Basis::Arithmetic })
        })
    }

    /// Bytes of memory that the program held in the step before, or that its networks or its betas need at least.
    pub fn memory(&self, id: &StepId, work: Option<&Work>, outlook: &Outlook<'_>) -> Option<Estimate<u64>> {
        self.before(id, outlook, |step| step.peak_bytes).or_else(|| {
            let of_networks = work.and_then(|work| u64::try_from(work.least_memory()?).ok());
            let value = of_networks.max(outlook.least_memory(id.step))?;
            Some(Estimate { value, source: "at least, by arithmetic".into(), basis: Basis::Arithmetic })
        })
    }

    /// What is recorded of a step: with the same settings of this subject, of another; else with other settings.
    fn before<T>(
        &self,
        id: &StepId,
        outlook: &Outlook<'_>,
        of: impl Fn(&StepRecord) -> Option<T>,
    ) -> Option<Estimate<T>> {
        let settings = outlook.settings_sha256(id.step);
        let known = || {
            self.0.iter().filter_map(|record| {
                let step = record.step(id)?;
                Some((&record.subject, step, of(step)?))
            })
        };
        if let Some((subject, _, value)) = known().find(|(_, step, _)| step.settings == settings) {
            return Some(Estimate { value, source: format!("as for {subject}"), basis: Basis::SameSettings });
        }
        known().next().map(|(subject, step, value)| {
            let settings = if step.settings.is_empty() {
                "with settings that were not recorded"
            } else {
                "with other settings"
            };
            Estimate { value, source: format!("as for {subject}, {settings}"), basis: Basis::OtherSettings }
        })
    }

    /// The same where what was measured with other settings, and may say little of these, does not go below the arithmetic.
    pub fn total_at_most<'a>(
        &self,
        ids: impl Iterator<Item = &'a StepId>,
        outlook: &Outlook<'_>,
    ) -> TotalTime {
        let mut total = TotalTime::default();
        for id in ids {
            let mut found = self.seconds(id, outlook);
            if let (Some(estimate), Some(computed)) = (&mut found, outlook.seconds(id.step))
                && estimate.basis == Basis::OtherSettings
            {
                estimate.value = estimate.value.max(computed);
            }
            total.add(found.as_ref());
        }
        total
    }

    /// The time of steps that are to be done.
    pub fn total<'a>(&self, ids: impl Iterator<Item = &'a StepId>, outlook: &Outlook<'_>) -> TotalTime {
        let mut total = TotalTime::default();
        ids.for_each(|id| total.add(self.seconds(id, outlook).as_ref()));
        total
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
    use crate::commands::config::ProjectConfig;
    use crate::pipelines::chain_record::{ChainStep, StepState};

    #[test]
    fn the_same_settings_go_before_others_and_those_are_said_to_be_others() {
        let root = tempfile::tempdir().unwrap();
        let mut config = ProjectConfig::default();
        config.paths.work = Some(root.path().join("nowhere"));
        let outlook = Outlook::of(&config);
        let record = |subject: &str, step: ChainStep, seconds, settings: &str| {
            let mut record = ChainRecord::new(subject);
            let known = StepRecord::new(step.into(), StepState::Done);
            record.set(StepRecord { seconds: Some(seconds), settings: settings.into(), ..known });
            record
        };
        let same = outlook.settings_sha256(ChainStep::Encode);
        record("subj02", ChainStep::Encode, 7.0, &same).write(root.path()).unwrap();
        std::fs::write(root.path().join("chain/subj03.json"), "[").unwrap();
        let of = |own: &ChainRecord, step: ChainStep| {
            let found = Estimates::read(root.path(), own).seconds(&step.into(), &outlook)?;
            Some((found.value, found.source, found.basis))
        };
        let own = record("subj01", ChainStep::Encode, 2.0, &same);
        assert_eq!(of(&own, ChainStep::Encode), Some((2.0, "as for subj01".into(), Basis::SameSettings)));
        // With other settings the subject's own time says less than that of another with the same.
        let own = record("subj01", ChainStep::Encode, 2.0, "ab");
        assert_eq!(of(&own, ChainStep::Encode), Some((7.0, "as for subj02".into(), Basis::SameSettings)));
        let own = record("subj01", ChainStep::Prepare, 3.0, "ab");
        let other = "as for subj01, with other settings";
        assert_eq!(of(&own, ChainStep::Prepare), Some((3.0, other.into(), Basis::OtherSettings)));
        let own = record("subj01", ChainStep::Prepare, 3.0, "");
        assert!(of(&own, ChainStep::Prepare).unwrap().1.ends_with("not recorded"));
        // Nothing is prepared and no tree is named: no sizes, no arithmetic.
        assert_eq!(of(&own, ChainStep::Report), None);
        let ids = [ChainStep::Prepare, ChainStep::Encode, ChainStep::Report].map(StepId::from);
        let total = Estimates::read(root.path(), &own).total(ids.iter(), &outlook);
        assert_eq!((total.seconds, total.with_other_settings, total.unknown), (10.0, 1, 1));
    }

    #[test]
    fn a_total_says_how_sure_it_is() {
        let total = TotalTime { seconds: 61.4, ..TotalTime::default() };
        assert_eq!(total.words().unwrap(), "about 1 min 01 s");
        assert_eq!(TotalTime { rough: 1, ..total }.words().unwrap(), "roughly 1 min 01 s");
        assert_eq!(TotalTime { rough: 1, unknown: 2, ..total }.words().unwrap(), "at least 1 min 01 s");
        assert_eq!(TotalTime::default().words(), None);
    }
}
