//! Which steps are done: `--from`, `--until`, `--only`.

use crate::error::{Error, Result};
use crate::pipelines::chain_record::ChainStep;

/// Name of the trainings of mappers together.
const MAPPERS: &str = "mappers";

/// What becomes of the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The first step of those that are chosen.
    first: ChainStep,
    /// The last one.
    last: ChainStep,
    /// What becomes of them.
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Steps up to the last are done unless they are done.
    WhatIsMissing,
    /// Those chosen are done again, those before them unless they are done.
    Again,
    /// Those chosen are done again; no other is touched.
    OnlyAgain,
}

/// What is done with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// Done unless it is done.
    Complete,
    /// Done, also where it is done.
    Again,
    /// Not done; what is there of it is used.
    LeaveAsItIs,
    /// Behind the last one that is wanted.
    LeaveOut,
}

impl Selection {
    /// Every step that is not done.
    pub const ALL: Self = Self { first: ChainStep::ALL[0], last: LAST, way: Way::WhatIsMissing };

    /// As the command line says it; names are those of [`ChainStep`], or `mappers`.
    ///
    /// # Errors
    /// An unknown name, names that contradict each other.
    pub fn parse(from: Option<&str>, until: Option<&str>, only: Option<&str>) -> Result<Self> {
        if let Some(only) = only {
            if from.is_some() || until.is_some() {
                return Err(Error::bad_input(
                    "`--only` names the one step: leave out `--from` and `--until`",
                ));
            }
            let (first, last) = steps_of("--only", only)?;
            return Ok(Self { first, last, way: Way::OnlyAgain });
        }
        let last = until.map(|name| steps_of("--until", name)).transpose()?.map_or(LAST, |(_, last)| last);
        let Some(from) = from else { return Ok(Self { last, ..Self::ALL }) };
        let (first, _) = steps_of("--from", from)?;
        if first > last {
            let message = format!("`--from {from}`: expected a step up to `{last}`, which `--until` names");
            return Err(Error::bad_input(message));
        }
        Ok(Self { first, last, way: Way::Again })
    }

    /// What is done with a step.
    pub(super) fn wish(&self, step: ChainStep) -> Wish {
        let is_chosen = (self.first..=self.last).contains(&step);
        match self.way {
            Way::OnlyAgain if is_chosen => Wish::Again,
            Way::OnlyAgain if step < self.first => Wish::LeaveAsItIs,
            _ if step > self.last => Wish::LeaveOut,
            Way::Again if is_chosen => Wish::Again,
            _ => Wish::Complete,
        }
    }

    /// The step from which on nothing counts as done any more.
    pub(super) fn again_from(&self) -> Option<(ChainStep, ChainStep)> {
        (self.way != Way::WhatIsMissing).then_some((self.first, self.last))
    }
}

/// The last of all steps.
const LAST: ChainStep = ChainStep::ALL[ChainStep::ALL.len() - 1];

/// First and last of the steps that a name means.
fn steps_of(flag: &str, name: &str) -> Result<(ChainStep, ChainStep)> {
    if name == MAPPERS {
        return Ok((ChainStep::ImageMapper, ChainStep::ControlCaptionMapper));
    }
    match ChainStep::ALL.into_iter().find(|step| step.name() == name) {
        Some(step) => Ok((step, step)),
        None => {
            let names: Vec<&str> = ChainStep::ALL.iter().map(|step| step.name()).collect();
            let message = format!("`{flag} {name}`: expected one of {}, {MAPPERS}", names.join(", "));
            Err(Error::bad_input(message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(from: Option<&str>, until: Option<&str>, only: Option<&str>) -> Vec<Wish> {
        let selection = Selection::parse(from, until, only).unwrap();
        use ChainStep::{CaptionMapper, FinetuneGan, ImageMapper, Prepare, Report};
        [Prepare, ImageMapper, CaptionMapper, FinetuneGan, Report].map(|step| selection.wish(step)).to_vec()
    }

    #[test]
    fn steps_are_chosen_by_name() {
        use Wish::{Again, Complete, LeaveAsItIs, LeaveOut};
        assert_eq!(wishes(None, None, None), [Complete; 5]);
        assert_eq!(
            wishes(None, Some("image-mapper"), None),
            [Complete, Complete, LeaveOut, LeaveOut, LeaveOut]
        );
        assert_eq!(wishes(Some("caption-mapper"), None, None), [Complete, Complete, Again, Again, Again]);
        let between = wishes(Some("mappers"), Some("mappers"), None);
        assert_eq!(between, [Complete, Again, Again, LeaveOut, LeaveOut]);
        let only = wishes(None, None, Some("finetune-gan"));
        assert_eq!(only, [LeaveAsItIs, LeaveAsItIs, LeaveAsItIs, Again, LeaveOut]);
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        let refused = |from, until, only| Selection::parse(from, until, only).unwrap_err().to_string();
        let error = refused(Some("report"), Some("prepare"), None);
        assert_eq!(error, "`--from report`: expected a step up to `prepare`, which `--until` names");
        assert!(refused(Some("prepare"), None, Some("encode")).contains("leave out `--from`"));
        let error = refused(None, Some("decode"), None);
        assert!(
            error.contains("`--until decode`: expected one of prepare, ") && error.ends_with(", mappers")
        );
    }
}
