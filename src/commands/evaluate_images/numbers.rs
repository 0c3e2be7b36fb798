//! What was measured on pictures as numbers with their context.

use super::classes::ClassSummary;
use super::config::IdentifiedTrials;
use super::naming::{NamedKind, NamingSummary};
use super::summary::{EvaluateImagesSummary, IdentificationSummary};
use crate::commands::reconstruct::PictureSource;
use crate::metrics::bootstrap::Interval;
use crate::metrics::identification::IdentificationAccuracy;
use crate::pipelines::measured::{
    Context, Measured, MeasuredTable, Presentations, Reference, ReferenceKind, Unit,
};
use crate::pipelines::pictures::picture_features::FeatureKind;

/// What was measured on the pictures of one run.
#[derive(Clone, Copy)]
pub struct JudgedPictureSet<'a> {
    /// Whose pictures: `decoded pictures`.
    pub decoder: &'a str,
    /// Single trials or averaged presentations.
    pub presentations: Presentations,
    /// The features in which they were compared.
    pub features: FeatureKind,
    /// Is each picture closest to its own ground truth?
    pub identification: &'a IdentificationSummary,
    /// Is what can be named in a picture there?
    pub naming: Option<&'a NamingSummary>,
    /// Are the pictures of the right class?
    pub classes: Option<&'a ClassSummary>,
}

impl JudgedPictureSet<'_> {
    /// Identification for every number of ways, then names, then classes.
    pub fn numbers(&self) -> Vec<Measured> {
        let mut numbers = self.identification();
        let kinds = self.naming.into_iter().flat_map(|naming| naming.kinds().map(move |kind| (naming, kind)));
        numbers.extend(kinds.map(|(naming, (name, kind))| self.named(naming, name, kind)));
        numbers.extend(self.classes.map(|classes| self.classed(classes)));
        numbers
    }

    fn share(&self, quantity: String, protocol: String, value: Interval) -> Measured {
        Measured {
            quantity,
            protocol,
            decoder: self.decoder.into(),
            presentations: self.presentations,
            unit: Unit::Share,
            value,
            chance: None,
            references: Vec::new(),
            over_ridge: None,
        }
    }

    fn identification(&self) -> Vec<Measured> {
        let IdentificationSummary { trials, num_trials, accuracies, .. } = self.identification;
        let of = match trials {
            IdentifiedTrials::FirstOfImage => "the first of each image",
            IdentifiedTrials::All => "all",
        };
        let protocol =
            format!("{num_trials} pictures ({of}), features of {}, not centred", self.features.in_words());
        let number = |accuracy: &IdentificationAccuracy| {
            let classes = self.classes.filter(|_| accuracy.ways == 2);
            Measured {
                chance: Some(accuracy.chance),
                references: classes
                    .map(|classes| Reference::exact(ReferenceKind::ClassOnly, classes.pairs_by_class))
                    .into_iter()
                    .collect(),
                ..self.share(
                    format!("{}-way identification", accuracy.ways),
                    protocol.clone(),
                    accuracy.expected,
                )
            }
        };
        accuracies.iter().map(number).collect()
    }

    fn named(&self, naming: &NamingSummary, name: &str, kind: &NamedKind) -> Measured {
        let others =
            kind.generated.others.map(|others| Reference::within(ReferenceKind::OtherImages, others));
        let originals = Reference::within(ReferenceKind::Originals, kind.truth.own);
        let area = 100.0 * naming.min_share;
        let protocol = format!("one of {}, shown from {area:.1} % of the area on", kind.num_classes);
        Measured {
            references: others.into_iter().chain([originals]).collect(),
            ..self.share(format!("{name} named that are shown"), protocol, kind.generated.own)
        }
    }

    fn classed(&self, classes: &ClassSummary) -> Measured {
        let protocol = format!(
            "nearest of {} classes by the features of {} training pictures",
            classes.num_classes, classes.num_train_images
        );
        Measured {
            chance: classes.generated.others.map(|others| others.mean),
            references: vec![Reference::within(ReferenceKind::Originals, classes.truth.own)],
            ..self.share("class that is right".into(), protocol, classes.generated.own)
        }
    }
}

/// Numbers with those that other pictures got by the same protocol beside them.
pub fn beside(own: Vec<Measured>, others: &[(ReferenceKind, Vec<Measured>)]) -> Vec<Measured> {
    let with_others = |mut number: Measured| {
        for (kind, numbers) in others {
            let is_alike = |other: &&Measured| {
                (&other.quantity, &other.protocol) == (&number.quantity, &number.protocol)
            };
            let found = numbers.iter().find(is_alike).map(|other| Reference::within(*kind, other.value));
            number.references.extend(found);
        }
        number
    };
    own.into_iter().map(with_others).collect()
}

impl EvaluateImagesSummary {
    /// Every share with its context.
    pub fn numbers(&self) -> MeasuredTable {
        let presentations = self.presentations;
        let set = JudgedPictureSet {
            decoder: picture_words(self.source),
            presentations,
            features: self.features.kind,
            identification: &self.identification,
            naming: self.naming.as_ref(),
            classes: self.classes.as_ref(),
        };
        let context = Context {
            subject: Some(self.subject.clone()),
            split: self.split_record.clone(),
            folds: None,
            num_images: self.num_images,
            num_trials: self.num_pictures,
            seed: self.seed,
            inference: self.inference.clone(),
        };
        MeasuredTable::new(context, set.numbers())
    }
}

/// Whose pictures a source gives.
pub fn picture_words(source: PictureSource) -> &'static str {
    match source {
        PictureSource::Betas => "decoded pictures",
        PictureSource::Truth => "pictures from true embeddings",
        PictureSource::TrainingMean => "pictures from the mean embedding",
        PictureSource::NearestTraining => "nearest training images",
        PictureSource::RandomTraining => "random training images",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::naming::NamingRate;

    fn interval(mean: f64) -> Interval {
        Interval { mean, low: mean - 0.1, high: mean + 0.1 }
    }

    fn rate(own: f64, others: f64) -> NamingRate {
        NamingRate { own: interval(own), others: Some(interval(others)), num_names: 3, num_pictures: 20 }
    }

    fn identification(two_way: f64) -> IdentificationSummary {
        IdentificationSummary {
            trials: IdentifiedTrials::FirstOfImage,
            num_trials: 20,
            repeats: 5,
            accuracies: vec![IdentificationAccuracy {
                ways: 2,
                mean: two_way,
                deviation: 0.01,
                expected: interval(two_way),
                chance: 0.5,
            }],
            skipped_ways: vec![50],
        }
    }

    #[test]
    fn pictures_stand_beside_chance_class_control_and_originals() {
        let things = NamedKind { num_classes: 9, generated: rate(0.6, 0.3), truth: rate(0.7, 0.3) };
        let naming = NamingSummary {
            classifier: "c".into(),
            sha256: String::new(),
            min_share: 0.01,
            things: Some(things),
            stuff: None,
        };
        let classes = ClassSummary {
            num_classes: 2,
            num_train_images: 90,
            pairs_by_class: 0.778,
            generated: rate(0.8, 0.5),
            truth: rate(1.0, 0.5),
        };
        let (own, control) = (identification(0.9), identification(0.45));
        let set = |identification| JudgedPictureSet {
            decoder: "decoded pictures",
            presentations: Presentations::Single,
            features: FeatureKind::Classifier,
            identification,
            naming: Some(&naming),
            classes: Some(&classes),
        };
        let others = [(ReferenceKind::ExchangedBetas, set(&control).numbers())];
        let numbers = beside(set(&own).numbers(), &others);
        let [pairs, named, classed] = &numbers[..] else { panic!("{numbers:?}") };
        let of = |number: &Measured, kind| number.reference(kind).map(|found| found.value);
        assert_eq!(
            (pairs.quantity.as_str(), pairs.value.mean, pairs.chance),
            ("2-way identification", 0.9, Some(0.5))
        );
        assert!(
            pairs.protocol.contains("20 pictures") && pairs.protocol.contains("scene classifier"),
            "{pairs:?}"
        );
        assert_eq!(of(pairs, ReferenceKind::ClassOnly), Some(0.778));
        assert_eq!(of(pairs, ReferenceKind::ExchangedBetas), Some(0.45));
        assert_eq!((named.value.mean, of(named, ReferenceKind::OtherImages)), (0.6, Some(0.3)));
        assert_eq!(of(named, ReferenceKind::Originals), Some(0.7));
        assert_eq!(
            (classed.value.mean, classed.chance, of(classed, ReferenceKind::Originals)),
            (0.8, Some(0.5), Some(1.0))
        );
        // Features of another network are another protocol.
        let other = JudgedPictureSet {
            features: FeatureKind::ClipImage,
            naming: None,
            classes: None,
            ..set(&control)
        };
        let apart = beside(set(&own).numbers(), &[(ReferenceKind::ExchangedBetas, other.numbers())]);
        assert!(apart.iter().all(|number| of(number, ReferenceKind::ExchangedBetas).is_none()), "{apart:?}");
    }
}
