//! Which measures a verdict is about: the best decoder by one protocol, and the drawn pictures.

use super::evidence::{Evidence, within};
use crate::commands::report::measures::{Measure, Question};

/// A measure of the verdict.
pub(super) struct Headline<'a> {
    pub measure: &'a Measure,
    /// How many decoders were counted by the same protocol; this one has the highest share.
    pub of: usize,
}

/// The best decoder of those that were counted by the first protocol of a question, whatever it predicts; among equals the first.
pub(super) fn best(measures: &[Measure], question: Question) -> Option<Headline<'_>> {
    let shown = || measures.iter().filter(|measure| measure.question == question && !measure.is_aside);
    let protocol = &shown().next()?.protocol;
    let alike = || shown().filter(|measure| measure.protocol == *protocol);
    let measure = alike().reduce(|best, next| if next.value.mean > best.value.mean { next } else { best })?;
    Some(Headline { measure, of: alike().count() })
}

/// The 2-way figure of drawn pictures, the first of its kind.
pub(super) fn first_of_pictures(measures: &[Measure]) -> Option<Headline<'_>> {
    let measure = measures.iter().find(|measure| measure.question == Question::Identification)?;
    Some(Headline { measure, of: 1 })
}

/// The first sentence.
pub(super) fn decoded(evidence: &Evidence<'_>, headlines: &[Headline<'_>]) -> String {
    let trials =
        evidence.held_out.map_or("held-out trials".into(), |count| format!("{count} held-out trials"));
    let mut found: Vec<String> = headlines.iter().map(in_words).collect();
    if let (Some(first), Some(steering)) = (found.first_mut(), steering(evidence, headlines)) {
        first.push_str(&steering);
    }
    format!("From the betas of {trials} of {}, {}.", evidence.subject, found.join(", and "))
}

/// What the mapper that steers the drawn pictures finds by the same protocol, where another decoder finds more.
fn steering(evidence: &Evidence<'_>, headlines: &[Headline<'_>]) -> Option<String> {
    let best = headlines.first().filter(|headline| headline.measure.question == Question::Retrieval)?;
    let has_pictures = headlines.iter().any(|headline| headline.measure.question == Question::Identification);
    let alike = |measure: &&Measure| {
        (measure.question, &measure.protocol) == (Question::Retrieval, &best.measure.protocol)
            && !measure.is_aside
            && measure.name.starts_with("image mapper")
    };
    let mapper = evidence.measures.iter().find(alike).filter(|mapper| *mapper != best.measure)?;
    has_pictures.then(|| {
        format!(" (the {}, from which pictures are drawn, in {})", mapper.name, within(mapper.value))
    })
}

fn in_words(Headline { measure, of }: &Headline<'_>) -> String {
    let Measure { name, among, protocol, .. } = measure;
    let share = within(measure.value);
    let best =
        if *of > 1 { format!(", the best of {of} decoders counted alike here") } else { String::new() };
    match measure.question {
        Question::Retrieval | Question::BackwardRetrieval => format!(
            "the {name} ({protocol}{best}) finds the picture that was seen among those of {among} trials in {share}"
        ),
        Question::Pairs => format!(
            "what is decoded by the {name} ({protocol}{best}) is closer to its own picture than to another one in {share}"
        ),
        _ if *among == 2 => {
            format!("a drawn picture is told from one other picture in {share} ({protocol})")
        }
        _ => format!("a drawn picture is picked out of {among} in {share} ({protocol})"),
    }
}
