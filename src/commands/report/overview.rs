//! The chart of the first screen: every share with its interval, beside chance, exchanged betas and ceiling.

use super::measures::{Measure, Question};
use super::verdict::within;
use crate::metrics::bootstrap::Interval;
use crate::report::number_format::percent;
use crate::report::{Dot, DotChart, DotGroup, DotRow};

/// All measures but those of the backward direction, by what was asked and how it was counted; nothing where nothing was measured.
pub(super) fn chart(measures: &[Measure]) -> Option<DotChart> {
    let shown = |measure: &&Measure| !measure.is_aside;
    let mut groups: Vec<DotGroup> = Vec::new();
    for (question, heading) in [
        (Question::Retrieval, "Retrieval (forward): the right one comes first"),
        (Question::Identification, "Drawn pictures: nearest to their own"),
        (Question::Pairs, "Decoded targets, 2-way: nearer to their own"),
        (Question::Naming, "Names: what a drawn picture shows is there"),
    ] {
        let mut protocols: Vec<&str> = Vec::new();
        for measure in measures.iter().filter(shown).filter(|measure| measure.question == question) {
            if !protocols.contains(&measure.protocol.as_str()) {
                protocols.push(&measure.protocol);
            }
        }
        for protocol in protocols {
            let alike = |measure: &&Measure| measure.question == question && measure.protocol == protocol;
            let rows = measures.iter().filter(shown).filter(alike).map(row).collect();
            groups.push(DotGroup { name: heading.into(), protocol: protocol.into(), rows });
        }
    }
    (!groups.is_empty()).then(|| DotChart { groups, caption: caption(measures) })
}

fn row(measure: &Measure) -> DotRow {
    DotRow {
        name: measure.name.clone(),
        note: match measure.ceiling {
            Some(ceiling) => format!("{}; ceiling {}", within(measure.value), percent(ceiling)),
            None => within(measure.value),
        },
        value: dot(measure.value),
        floor: measure.floor.map(dot),
        chance: Some(measure.chance),
        ceiling: measure.ceiling,
    }
}

fn dot(Interval { mean, low, high }: Interval) -> Dot {
    Dot { at: mean, low, high }
}

/// What the marks are, and which of them no run has.
fn caption(measures: &[Measure]) -> String {
    let mut text =
        "Shares of held-out trials or pictures that are right; intervals resample images. Each decoder is compared in the space of its \
         own target, embeddings by their cosine, pixels by Pearson's correlation of luminances."
            .to_string();
    let has = |asked: &[Question]| {
        measures.iter().any(|measure| measure.ceiling.is_some() && asked.contains(&measure.question))
    };
    if has(&[Question::Identification]) {
        text.push_str(" Ceiling of drawn pictures: what the same generator draws from the true embeddings.");
    }
    if has(&[Question::Naming]) {
        text.push_str(" Ceiling of names: the originals, named by the same network.");
    }
    if has(&[Question::Retrieval, Question::BackwardRetrieval, Question::Pairs]) {
        text.push_str(
            " Ceiling of embeddings: the mean of what the same decoder finds in all presentations of an image, in place of one of \
             them; more presentations could give more, another decoder, too.",
        );
    }
    let without: Vec<&str> = [
        (Question::Retrieval, "retrieval"),
        (Question::Identification, "drawn pictures"),
        (Question::Pairs, "embeddings"),
    ]
    .into_iter()
    .filter(|(question, _)| {
        let mut asked = measures.iter().filter(|measure| measure.question == *question).peekable();
        asked.peek().is_some() && asked.all(|measure| measure.ceiling.is_none())
    })
    .map(|(_, name)| name)
    .collect();
    if !without.is_empty() {
        text.push_str(&format!(
            " Of {} no run measured a ceiling: the true embedding or picture would be right every time (100 %), what the noise of the \
             betas leaves is not known.",
            without.join(", ")
        ));
    }
    if measures.iter().all(|measure| measure.floor.is_none()) {
        text.push_str(" No control with exchanged betas is shown.");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measure_has_a_row_and_what_is_absent_is_said() {
        let value = Interval { mean: 0.25, low: 0.2, high: 0.3 };
        let measure = Measure {
            question: Question::Retrieval,
            name: "image mapper".into(),
            protocol: "among 60 trials, not centred".into(),
            is_aside: false,
            among: 60,
            value,
            chance: 1.0 / 60.0,
            floor: None,
            floor_chance: None,
            ceiling: None,
            class_level: None,
        };
        let centred = Measure { protocol: "among 60 trials, centred".into(), ..measure.clone() };
        let aside = Measure { is_aside: true, ..measure.clone() };
        let of_both = super::chart(&[centred, aside]).unwrap();
        assert_eq!((of_both.groups.len(), of_both.groups[0].rows.len()), (1, 1), "one protocol of a figure");
        let chart = chart(std::slice::from_ref(&measure)).unwrap();
        assert_eq!(chart.groups.len(), 1);
        assert_eq!(chart.groups[0].protocol, "among 60 trials, not centred");
        assert_eq!(chart.groups[0].rows[0].note, "25.0 % (20.0 % to 30.0 %)");
        assert!(chart.caption.contains("no run measured a ceiling") && chart.caption.contains("No control"));
        assert!(super::chart(&[]).is_none());
    }
}
