//! Which measures a verdict is about: the best decoder by one protocol, and the drawn pictures.

use super::evidence::{Evidence, Standing, capital, standing, within};
use crate::commands::report::measures::{Measure, Question};
use crate::report::number_format::percent;

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

/// The first sentences.
pub(super) fn decoded(evidence: &Evidence<'_>, headlines: &[Headline<'_>]) -> String {
    let trials =
        evidence.held_out.map_or("held-out trials".into(), |count| format!("{count} held-out trials"));
    let mut sentences: Vec<String> = Vec::new();
    for headline in headlines {
        let found = in_words(headline);
        sentences.push(match sentences.is_empty() {
            true => format!("From the betas of {trials} of {}, {found}.", evidence.subject),
            false => format!("{}.", capital(&found)),
        });
        let steering = steering(evidence, headlines).filter(|_| sentences.len() == 1);
        sentences.extend(best_of(headline, steering));
    }
    sentences.join(" ")
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
        let place = match standing(mapper.value, mapper.chance) {
            Standing::Above => String::new(),
            Standing::Within => format!(", not distinguishable from chance ({})", percent(mapper.chance)),
            Standing::Below => format!(", below chance ({})", percent(mapper.chance)),
        };
        format!("the {}, from which pictures are drawn, finds {}{place}", mapper.name, within(mapper.value))
    })
}

/// That a choice flatters, and what the mapper behind the pictures finds.
fn best_of(Headline { of, .. }: &Headline<'_>, steering: Option<String>) -> Option<String> {
    let best = (*of > 1).then(|| format!("it is the best of {of} decoders counted alike here"));
    let parts: Vec<String> = best.into_iter().chain(steering).collect();
    (!parts.is_empty()).then(|| format!("{}.", capital(&parts.join("; "))))
}

fn in_words(Headline { measure, .. }: &Headline<'_>) -> String {
    let Measure { name, among, protocol, .. } = measure;
    let share = within(measure.value);
    match measure.question {
        Question::Retrieval | Question::BackwardRetrieval => format!(
            "the {name} ({protocol}) finds the picture that was seen among those of {among} trials in {share}"
        ),
        Question::Pairs => format!(
            "what is decoded by the {name} ({protocol}) is closer to its own picture than to another one in {share}"
        ),
        _ if *among == 2 => {
            format!("a drawn picture is told from one other picture in {share} ({protocol})")
        }
        _ => format!("a drawn picture is picked out of {among} in {share} ({protocol})"),
    }
}
