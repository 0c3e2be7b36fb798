//! Whether a result is inductive: what was predicted of a held-out trial, or chosen before, depends on no held-out trial.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitRule;
use crate::data::standardize::Standardization;
use crate::models::mapper::{AnyMapperSnapshot, MapperKind, MapperTarget};
use crate::pipelines::mapper_provenance::MapperProvenance;
use crate::run::error::RunError;
use crate::training::mapper::preset::MapperPreset;
use crate::training::mapper::selection::EpochSelection;

/// Whether held-out trials had a part in what was predicted of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InferenceKind {
    /// None: a single new trial would be predicted the same.
    Inductive,
    /// Some: figures of others that are inductive cannot be compared with these.
    Transductive,
}

impl std::fmt::Display for InferenceKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Inductive => "inductive",
            Self::Transductive => "transductive",
        })
    }
}

/// How held-out trials had a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransductiveReason {
    /// Betas were scaled within each session, held-out trials with the others.
    ScaledBySession,
    /// Betas were scaled within each run, held-out trials with the others.
    ScaledByRun,
    /// Betas were scaled by the training trials of another split, which may be held out in this one.
    ScaledByOtherSplit,
    /// Predictions were given the moments of the training targets by their own over the held-out trials.
    RescaledByTest,
    /// The epochs of a mapper were chosen on the held-out trials.
    EpochsChosenOnHeldOut,
}

impl TransductiveReason {
    /// The reason as the end of a sentence.
    fn in_words(self) -> &'static str {
        match self {
            Self::ScaledBySession => {
                "betas were z-scored within each session, held-out trials with the others"
            }
            Self::ScaledByRun => "betas were z-scored within each run, held-out trials with the others",
            Self::ScaledByOtherSplit => {
                "betas were z-scored by the training trials of another split, some of which are held out in this one"
            }
            Self::RescaledByTest => "predictions were rescaled by their own moments over the held-out trials",
            Self::EpochsChosenOnHeldOut => "a mapper's epochs were chosen on the held-out trials",
        }
    }
}

/// The kind with its reasons; none of an inductive result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inference {
    /// Inductive or transductive.
    pub kind: InferenceKind,
    /// Every way in which held-out trials had a part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<TransductiveReason>,
}

impl Inference {
    /// Transductive where there is a reason.
    pub fn of(reasons: impl IntoIterator<Item = TransductiveReason>) -> Self {
        let mut reasons: Vec<TransductiveReason> = reasons.into_iter().collect();
        reasons.sort_unstable();
        reasons.dedup();
        let kind = if reasons.is_empty() { InferenceKind::Inductive } else { InferenceKind::Transductive };
        Self { kind, reasons }
    }

    /// Of a prepared subject's betas under a split, with whatever reasons there are beside their scaling.
    pub(crate) fn of_betas(
        subject: &PreparedSubject,
        rule: SplitRule,
        others: impl IntoIterator<Item = TransductiveReason>,
    ) -> Self {
        let scaling = of_scaling(subject.provenance().standardization, rule);
        Self::of(scaling.into_iter().chain(others))
    }

    /// One line for a text.
    pub fn line(&self) -> String {
        match self.kind {
            InferenceKind::Inductive => {
                "Inductive: no held-out trial had a part in what was predicted of another, or in what was chosen.".into()
            }
            InferenceKind::Transductive => {
                let reasons: Vec<&str> = self.reasons.iter().map(|reason| reason.in_words()).collect();
                format!("Transductive: {}.", reasons.join("; "))
            }
        }
    }
}

/// Whether the epochs of the mapper at `path` were chosen on the held-out trials; of an imported one nothing is known.
///
/// # Errors
/// [`RunError::Invalid`] where its provenance cannot be read.
pub(crate) fn of_epochs(
    path: &Path,
    mapper: &AnyMapperSnapshot,
    provenance: &Value,
) -> Result<Option<TransductiveReason>, RunError> {
    let trained = MapperProvenance::<ChosenEpochs>::of_provenance(path, provenance)?;
    let is_paper = mapper.network.kind() == MapperKind::Paper;
    let is_chosen_on_held_out = |trained: &MapperProvenance<ChosenEpochs>| {
        let ChosenEpochs { preset, train } = &trained.mapper;
        let is_preset = *preset == MapperPreset::Tuned && mapper.target != MapperTarget::Resnet;
        is_paper && !is_preset && train.selection == EpochSelection::Validation
    };
    Ok(trained.filter(is_chosen_on_held_out).map(|_| TransductiveReason::EpochsChosenOnHeldOut))
}

/// The part of a training's settings that says which trials chose its epochs.
#[derive(Deserialize)]
struct ChosenEpochs {
    #[serde(default)]
    preset: MapperPreset,
    #[serde(default)]
    train: ChosenBy,
}

/// Which trials chose.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ChosenBy {
    /// Held-out trials in files of older versions.
    selection: EpochSelection,
}

/// What a scaling of betas takes from held-out trials.
fn of_scaling(scaling: Standardization, rule: SplitRule) -> Option<TransductiveReason> {
    match scaling {
        Standardization::ZscorePerSession => Some(TransductiveReason::ScaledBySession),
        Standardization::ZscorePerRun => Some(TransductiveReason::ScaledByRun),
        Standardization::ZscoreByTraining if rule != SplitRule::Given => {
            Some(TransductiveReason::ScaledByOtherSplit)
        }
        Standardization::ZscoreByTraining | Standardization::None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalings_that_include_held_out_trials_are_named() {
        let of = |scaling, rule| Inference::of(of_scaling(scaling, rule));
        let by_session = of(Standardization::ZscorePerSession, SplitRule::FirstAppearance);
        assert_eq!(by_session.kind, InferenceKind::Transductive);
        assert!(by_session.line().starts_with("Transductive: betas were z-scored within each session"));
        let given = of(Standardization::ZscoreByTraining, SplitRule::Given);
        assert_eq!((given.kind, given.reasons.len()), (InferenceKind::Inductive, 0));
        let other = of(Standardization::ZscoreByTraining, SplitRule::Random);
        assert_eq!(other.reasons, [TransductiveReason::ScaledByOtherSplit]);
        assert_eq!(of(Standardization::None, SplitRule::Random).kind, InferenceKind::Inductive);
    }

    #[test]
    fn reasons_are_told_once_in_one_order() {
        use TransductiveReason::{EpochsChosenOnHeldOut, RescaledByTest, ScaledBySession};
        let found = Inference::of([EpochsChosenOnHeldOut, ScaledBySession, RescaledByTest, ScaledBySession]);
        assert_eq!(found.reasons, [ScaledBySession, RescaledByTest, EpochsChosenOnHeldOut]);
        let written = serde_json::to_value(&found).unwrap();
        assert_eq!(written["kind"], "transductive");
        assert_eq!(written["reasons"][2], "epochs-chosen-on-held-out");
        assert_eq!(
            serde_json::to_value(Inference::of([])).unwrap(),
            serde_json::json!({"kind": "inductive"})
        );
    }
}
