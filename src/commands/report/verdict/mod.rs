//! The verdict: three sentences that follow from the numbers by fixed rules.
//!
//! "Above chance" is only what has chance below its whole interval; a control holds only where its interval contains chance. What
//! cannot be said is said to be so.

mod evidence;
mod headline;

pub(super) use self::evidence::{Evidence, within};
use self::evidence::{Standing, capital, standing};
use self::headline::{Headline, best, decoded, first_of_pictures};
use super::measures::{Measure, Question};
use crate::metrics::bootstrap::Interval;
use crate::report::number_format::{number, percent};

/// Three sentences: what was decoded, how far above chance and below the ceiling, whether the controls hold.
pub(super) fn sentences(evidence: &Evidence<'_>) -> Vec<String> {
    let measures = evidence.measures;
    // Without drawn pictures the decoded embeddings are identified.
    let identified = first_of_pictures(measures).or_else(|| best(measures, Question::Pairs));
    let found: Vec<Headline<'_>> =
        best(measures, Question::Retrieval).into_iter().chain(identified).collect();
    if found.is_empty() {
        return vec![format!(
            "Nothing that was decoded from {} has been measured yet: no shown run counts retrieval or identification of \
             held-out images; `{}` makes the first that does.",
            evidence.subject, evidence.first_command
        )];
    }
    let headlines: Vec<&Measure> = found.iter().map(|headline| headline.measure).collect();
    vec![decoded(evidence, &found), distance(evidence, &headlines), controls(evidence, &headlines)]
}

fn distance(evidence: &Evidence<'_>, headlines: &[&Measure]) -> String {
    let standings: Vec<String> = headlines
        .iter()
        .map(|measure| format!("{}{}", against_chance(measure), against_class(measure).unwrap_or_default()))
        .collect();
    format!("{}; {}.", capital(&standings.join(", ")), ceiling(evidence))
}

fn against_chance(measure: &Measure) -> String {
    let (name, chance) = (word(measure), percent(measure.chance));
    match standing(measure.value, measure.chance) {
        Standing::Above if measure.chance > 0.0 && measure.chance < 0.2 => {
            format!("{name} is {} times chance ({chance})", number(measure.value.mean / measure.chance))
        }
        Standing::Above => {
            let points = 100.0 * (measure.value.mean - measure.chance);
            format!("{name} is {points:.1} points above chance ({chance})")
        }
        Standing::Within => {
            format!("{name} is not distinguishable from chance: its interval contains {chance}")
        }
        Standing::Below => format!("{name} is below chance ({chance})"),
    }
}

/// Whether a figure is more than that of who knows the class alone; nothing where the data say nothing of classes.
fn against_class(measure: &Measure) -> Option<String> {
    let level = measure.class_level?;
    let place = match standing(measure.value, level) {
        Standing::Above => "above",
        Standing::Within => "not distinguishable from",
        Standing::Below => "below",
    };
    Some(format!(", {place} the {} of who knows only the class of each picture", percent(level)))
}

/// What the same generator draws of the true embeddings, beside what it draws of the decoded ones.
fn ceiling_of_pictures(measure: &Measure, ceiling: f64) -> String {
    if ceiling <= measure.value.mean {
        return format!(
            "the same generator draws no better from the true embeddings ({} in {} identification, {} from decoded ones): it is the \
             limit of these pictures",
            percent(ceiling),
            measure.name,
            percent(measure.value.mean)
        );
    }
    let place = match measure.value.high < ceiling {
        true => "below",
        false => "not distinguishable from",
    };
    format!(
        "{} identification of the drawn pictures is right in {}, {place} the {} of pictures that the same generator draws from \
         the true embeddings",
        measure.name,
        percent(measure.value.mean),
        percent(ceiling)
    )
}

/// How far the decoder or the encoding model is from the most that can be expected.
fn ceiling(evidence: &Evidence<'_>) -> String {
    let with_ceiling = |question| {
        let mut of_question = evidence.measures.iter().filter(move |measure| measure.question == question);
        of_question.find_map(|measure| Some((measure, measure.ceiling?)))
    };
    if let Some((measure, ceiling)) = with_ceiling(Question::Naming) {
        let kind = measure.name.split(',').next().unwrap_or_default();
        let place = match measure.value.high < ceiling {
            true => "below the ceiling",
            false => "not distinguishable from the ceiling",
        };
        return format!(
            "{kind} are named rightly in {} of the drawn pictures, {place} of {} for the originals",
            percent(measure.value.mean),
            percent(ceiling)
        );
    }
    if let Some((measure, ceiling)) = with_ceiling(Question::Identification) {
        return ceiling_of_pictures(measure, ceiling);
    }
    if let Some((measure, ceiling)) = with_ceiling(Question::Pairs) {
        let place = match measure.value.high < ceiling {
            true => "below",
            false => "not distinguishable from",
        };
        return format!(
            "what is decoded by the {} is closer to its own picture in {}, {place} the {} that the same decoder reaches with the \
             presentations of an image averaged",
            measure.name,
            percent(measure.value.mean),
            percent(ceiling)
        );
    }
    match evidence.encoding {
        Some((accuracy, Some(ceiling))) => format!(
            "no run measured a ceiling of these, but an encoding model predicts voxels with r = {} where their noise leaves {}",
            number(accuracy),
            number(ceiling)
        ),
        _ => "no shown run measured a ceiling".into(),
    }
}

fn controls(evidence: &Evidence<'_>, headlines: &[&Measure]) -> String {
    let mut with_floor: Vec<(&Measure, Interval)> =
        headlines.iter().filter_map(|measure| Some((*measure, measure.floor?))).collect();
    if with_floor.is_empty() {
        // A control by another protocol is one, too.
        let controlled = evidence.measures.iter().find_map(|measure| Some((measure, measure.floor?)));
        with_floor.extend(controlled.filter(|(measure, _)| measure.question == Question::Retrieval));
    }
    if with_floor.is_empty() {
        return format!(
            "No control with exchanged betas is shown, so nothing here says that these figures come from the betas; `{}` makes one.",
            evidence.control_command
        );
    }
    let broken: Vec<_> = with_floor
        .iter()
        .filter(|(measure, floor)| standing(*floor, measure.chance_of_floor()) != Standing::Within)
        .collect();
    let mut sentence = if broken.is_empty() {
        let held: Vec<String> = with_floor
            .iter()
            .map(|(measure, floor)| format!("{} {}", word(measure), within(*floor)))
            .collect();
        let verb = if held.len() == 1 { "the control holds" } else { "the controls hold" };
        format!("With exchanged betas chance is within the interval ({}): {verb}", held.join("; "))
    } else {
        let broken: Vec<String> = broken
            .iter()
            .map(|(measure, floor)| {
                let side = match standing(*floor, measure.chance_of_floor()) {
                    Standing::Below => "below",
                    _ => "above",
                };
                format!(
                    "{} is {}, {side} chance ({})",
                    word(measure),
                    within(*floor),
                    percent(measure.chance)
                )
            })
            .collect();
        format!(
            "The controls do not hold: with exchanged betas {}, so that not all of these figures comes from the betas",
            broken.join(", ")
        )
    };
    sentence.push_str(&reservations(evidence, headlines));
    sentence.push('.');
    sentence
}

/// What takes away from the controls: headlines without one, intervals that overlap, further controls off chance.
fn reservations(evidence: &Evidence<'_>, headlines: &[&Measure]) -> String {
    let mut text = String::new();
    for measure in headlines {
        match measure.floor {
            None => text.push_str(&format!("; {} has no control", word(measure))),
            Some(floor) if measure.value.low <= floor.high => {
                text.push_str(&format!(
                    "; the interval of {} overlaps with that of its control",
                    word(measure)
                ));
            }
            Some(_) => {}
        }
    }
    let is_headline = |measure: &Measure| headlines.iter().any(|headline| **headline == *measure);
    let others: Vec<&Measure> =
        evidence.measures.iter().filter(|measure| measure.floor.is_some() && !is_headline(measure)).collect();
    let off: Vec<String> = others
        .iter()
        .filter(|measure| {
            measure.floor.is_some_and(|floor| standing(floor, measure.chance_of_floor()) != Standing::Within)
        })
        .map(|measure| measure.label())
        .collect();
    if !off.is_empty() {
        let (off_chance, all) = (off.len(), others.len());
        let verb = if off_chance == 1 { "excludes" } else { "exclude" };
        text.push_str(&format!(
            "; of {all} further controls {off_chance} {verb} chance ({})",
            off.join("; ")
        ));
    }
    text
}

fn word(measure: &Measure) -> &'static str {
    match measure.question {
        Question::Retrieval => "retrieval",
        Question::BackwardRetrieval => "backward retrieval",
        Question::Identification => "identification",
        Question::Pairs => "2-way identification of embeddings",
        Question::Naming => "naming",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(mean: f64, low: f64, high: f64) -> Interval {
        Interval { mean, low, high }
    }

    fn measure(question: Question, value: Interval, chance: f64, floor: Option<Interval>) -> Measure {
        let (name, among) = match question {
            Question::Retrieval => ("image mapper", 100),
            _ => ("2-way", 2),
        };
        Measure {
            question,
            name: name.into(),
            protocol: "not centred".into(),
            is_aside: false,
            among,
            value,
            chance,
            floor,
            floor_chance: None,
            ceiling: None,
            class_level: None,
        }
    }

    fn verdict(measures: &[Measure]) -> Vec<String> {
        sentences(&Evidence {
            subject: "subj01".into(),
            held_out: Some(100),
            measures,
            encoding: None,
            control_command: "mindreader control".into(),
            first_command: "mindreader first".into(),
        })
    }

    #[test]
    fn an_interval_that_touches_chance_is_not_above_it() {
        for (low, high, expected) in [
            (0.51, 0.6, Standing::Above),
            (0.5, 0.6, Standing::Within),
            (0.4, 0.5, Standing::Within),
            (0.4, 0.6, Standing::Within),
            (0.3, 0.49, Standing::Below),
        ] {
            assert_eq!(standing(interval(0.5, low, high), 0.5), expected, "{low} to {high}");
        }
    }

    #[test]
    fn figures_above_chance_with_controls_at_chance() {
        let found = verdict(&[
            measure(Question::Retrieval, interval(0.25, 0.2, 0.3), 0.01, Some(interval(0.01, 0.0, 0.03))),
            measure(
                Question::Identification,
                interval(0.84, 0.8, 0.88),
                0.5,
                Some(interval(0.48, 0.4, 0.56)),
            ),
        ]);
        assert_eq!(found.len(), 3);
        assert_eq!(
            found[0],
            "From the betas of 100 held-out trials of subj01, the image mapper (not centred) finds the picture that was seen among \
             those of 100 trials in 25.0 % (20.0 % to 30.0 %). A drawn picture is told from one other picture in 84.0 % (80.0 % \
             to 88.0 %) (not centred)."
        );
        assert_eq!(
            found[1],
            "Retrieval is 25 times chance (1.0 %), identification is 34.0 points above chance (50.0 %); no shown run measured a \
             ceiling."
        );
        assert!(found[2].ends_with("the controls hold."), "{}", found[2]);
    }

    #[test]
    fn what_is_not_above_chance_and_controls_that_do_not_hold_are_said_plainly() {
        let found = verdict(&[measure(
            Question::Identification,
            interval(0.55, 0.48, 0.62),
            0.5,
            Some(interval(0.6, 0.52, 0.68)),
        )]);
        assert!(
            found[1].starts_with("Identification is not distinguishable from chance: its interval contains"),
            "{}",
            found[1]
        );
        assert!(
            found[2].starts_with("The controls do not hold: with exchanged betas identification is 60.0 %")
        );
        assert!(
            found[2].contains(", above chance (50.0 %)") && found[2].contains("overlaps"),
            "{}",
            found[2]
        );
        let below = verdict(&[measure(
            Question::Retrieval,
            interval(0.002, 0.0, 0.005),
            0.01,
            Some(interval(0.001, 0.0, 0.004)),
        )]);
        assert!(below[1].starts_with("Retrieval is below chance (1.0 %)"), "{}", below[1]);
        assert!(below[2].contains("do not hold") && below[2].contains("below chance"), "{}", below[2]);
    }

    #[test]
    fn a_missing_control_is_no_control_that_holds() {
        let above = |question| measure(question, interval(0.9, 0.8, 1.0), 0.5, None);
        let found = verdict(&[above(Question::Retrieval)]);
        assert!(
            found[2].starts_with("No control") && found[2].contains("`mindreader control`"),
            "{}",
            found[2]
        );
        let half = Measure { floor: Some(interval(0.5, 0.4, 0.6)), ..above(Question::Retrieval) };
        let found = verdict(&[half, above(Question::Identification)]);
        assert!(found[2].contains("the control holds; identification has no control."), "{}", found[2]);
        assert_eq!(verdict(&[]).len(), 1);
        assert!(verdict(&[])[0].contains("`mindreader first`"));
    }

    #[test]
    fn the_best_decoder_of_a_protocol_is_named_whatever_it_predicts() {
        let held = Some(interval(0.1, 0.0, 0.3));
        let found = |name: &str, mean: f64| Measure {
            name: name.into(),
            among: 10,
            ..measure(Question::Retrieval, interval(mean, mean - 0.1, mean + 0.1), 0.1, held)
        };
        let elsewhere = Measure { protocol: "5 folds".into(), ..found("ridge baseline to caption", 0.95) };
        let aside = Measure { is_aside: true, ..found("image mapper", 0.99) };
        let drawn = measure(Question::Identification, interval(0.6, 0.4, 0.8), 0.5, held);
        let (mapper, pixels) = (found("image mapper", 0.2), found("ridge baseline to pixels", 0.9));
        let said = verdict(&[mapper, pixels, elsewhere, aside, drawn]);
        let expected = "the ridge baseline to pixels (not centred) finds the picture that was seen among those of 10 trials in 90.0 % \
                        (80.0 % to 100.0 %). It is the best of 2 decoders counted alike here; the image mapper, from which pictures are \
                        drawn, finds 20.0 % (10.0 % to 30.0 %), not distinguishable from chance (10.0 %). A drawn picture is told";
        assert!(said[0].contains(expected), "{}", said[0]);
        assert!(
            said[1].starts_with("Retrieval is 9 times chance") || said[1].contains("9.00 times"),
            "{}",
            said[1]
        );
    }

    #[test]
    fn what_the_class_alone_gives_is_held_against_two_way_figures() {
        for (low, high, place) in
            [(0.8, 0.9, "above"), (0.6, 0.85, "not distinguishable from"), (0.6, 0.7, "below")]
        {
            let drawn = measure(Question::Identification, interval(0.7, low, high), 0.5, None);
            let found = verdict(&[Measure { class_level: Some(0.778), ..drawn }]);
            let expected = format!(", {place} the 77.8 % of who knows only the class of each picture;");
            assert!(found[1].contains(&expected), "{}", found[1]);
        }
    }

    #[test]
    fn without_pictures_embeddings_are_identified() {
        let held = Some(interval(0.5, 0.4, 0.6));
        let pairs = measure(Question::Pairs, interval(0.9, 0.8, 1.0), 0.5, held);
        let pairs = Measure { name: "ridge baseline to pixels".into(), ..pairs };
        let found = verdict(std::slice::from_ref(&pairs));
        let expected = "by the ridge baseline to pixels (not centred) is closer to its own picture";
        assert!(found[0].contains(expected), "{}", found[0]);
        assert!(
            found[1].starts_with("2-way identification of embeddings is 40.0 points above"),
            "{}",
            found[1]
        );
        let drawn = measure(Question::Identification, interval(0.6, 0.4, 0.8), 0.5, held);
        assert!(verdict(&[pairs, drawn])[0].contains("a drawn picture is told"));
    }

    #[test]
    fn further_controls_and_ceilings_are_told() {
        let held = Some(interval(0.5, 0.4, 0.6));
        let headline = measure(Question::Identification, interval(0.9, 0.8, 1.0), 0.5, held);
        let other = Measure {
            name: "10-way".into(),
            among: 10,
            chance: 0.1,
            floor: Some(interval(0.2, 0.15, 0.25)),
            ..headline.clone()
        };
        let named = Measure {
            question: Question::Naming,
            name: "things, one of 9".into(),
            value: interval(0.3, 0.2, 0.4),
            floor: None,
            ceiling: Some(0.8),
            ..headline.clone()
        };
        let pairs = Measure {
            question: Question::Pairs,
            name: "ridge baseline to image".into(),
            value: interval(0.7, 0.6, 0.8),
            ceiling: Some(0.9),
            ..headline.clone()
        };
        let without_names = verdict(&[headline.clone(), pairs.clone()]);
        let expected =
            "by the ridge baseline to image is closer to its own picture in 70.0 %, below the 90.0 %";
        assert!(without_names[1].contains(expected), "{}", without_names[1]);
        let found = verdict(&[headline, other, pairs, named]);
        assert!(found[2].contains("of 2 further controls 1 excludes chance (10-way)"), "{}", found[2]);
        assert!(
            found[1].contains(
                "things are named rightly in 30.0 % of the drawn pictures, below the ceiling of 80.0 %"
            ),
            "{}",
            found[1]
        );
    }
}
