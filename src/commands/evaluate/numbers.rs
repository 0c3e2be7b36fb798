//! What was found as numbers with their context: each beside chance, the same decoder from exchanged betas, and its ceiling.

use std::collections::BTreeSet;

use super::summary::{CombinationRow, CrossValidatedRow, CrossValidation, DecoderRow, EvaluateSummary};
use crate::metrics::bootstrap::Interval;
use crate::metrics::pairwise::PairwiseIdentification;
use crate::metrics::retrieval::RetrievalSummary;
use crate::metrics::trust::lures::Lures;
use crate::pipelines::measured::{
    Context, Measured, MeasuredTable, Presentations, Reference, ReferenceKind, Unit,
};
use crate::pipelines::targets::decoded_target::DecodedTarget;

/// Right is another presentation of the same image, too.
const BY_IMAGE: &str = "by image";

/// Whose a number is, and how its decoder was compared.
struct Counted<'a> {
    quantity: &'a str,
    protocol: String,
    decoder: &'a str,
    unit: Unit,
    chance: Option<f64>,
}

impl Counted<'_> {
    /// A number beside the same of its control.
    fn beside(self, value: Interval, floor: Option<Interval>) -> Measured {
        let floor = floor.map(|floor| Reference::within(ReferenceKind::ExchangedBetas, floor));
        Measured {
            quantity: self.quantity.into(),
            protocol: self.protocol,
            decoder: self.decoder.into(),
            presentations: Presentations::Single,
            unit: self.unit,
            value,
            chance: self.chance,
            references: floor.into_iter().collect(),
            over_ridge: None,
        }
    }
}

/// A decoder under the name by which it is told from the others.
type Named<'a> = (String, &'a DecoderRow);

impl EvaluateSummary {
    /// Every number with its context. A control whose decoder is there is the floor of that one; any other has rows of its own.
    pub fn numbers(&self) -> MeasuredTable {
        let numbers = match &self.cross_validation {
            Some(found) => self.over_folds(found),
            None => self.on_the_split(),
        };
        let images: BTreeSet<u32> = self.images.iter().copied().collect();
        let context = Context {
            subject: self.subject.clone(),
            split: self.split_record.clone(),
            folds: self.cross_validation.as_ref().map(|found| found.folds),
            num_images: images.len(),
            num_trials: self.num_trials,
            seed: self.seed,
            inference: self.inference.clone(),
        };
        MeasuredTable::new(context, numbers)
    }

    /// Mappers and regressions that are no other's floor, under their names; the same name is numbered.
    pub(super) fn shown_rows(&self) -> Vec<Named<'_>> {
        let decoders: Vec<&DecoderRow> = self.mappers.iter().chain(&self.ridge).collect();
        let floors: Vec<*const DecoderRow> =
            decoders.iter().filter_map(|row| self.floor(row)).map(std::ptr::from_ref).collect();
        let controls = self.mapper_control.iter().chain(&self.ridge_control);
        let alone = controls.filter(|control| !floors.contains(&std::ptr::from_ref(*control)));
        let mut rows: Vec<Named<'_>> = Vec::new();
        for row in decoders.iter().copied().chain(alone) {
            let same = rows.iter().filter(|(_, other)| other.name == row.name).count();
            let name = if same == 0 { row.name.clone() } else { format!("{} ({})", row.name, same + 1) };
            rows.push((name, row));
        }
        rows
    }

    fn on_the_split(&self) -> Vec<Measured> {
        let rows = self.shown_rows();
        let by_image = |row: &DecoderRow| row.by_image;
        let by_index = |row: &DecoderRow| row.by_index;
        let mut numbers = self.retrieval(&rows, BY_IMAGE, by_image);
        numbers.extend(rows.iter().filter_map(|named| self.pairs(named)));
        numbers.extend(rows.iter().filter_map(|named| self.rank(named)));
        numbers.extend(rows.iter().map(|named| self.cosine(named)));
        // Where every trial has an image of its own the two protocols are one.
        if rows.iter().any(|(_, row)| row.by_image != row.by_index) {
            numbers.extend(self.retrieval(&rows, "by trial", by_index));
        }
        numbers.extend(self.combined(&rows));
        numbers
    }

    /// Both directions of every decoder.
    fn retrieval(
        &self,
        rows: &[Named<'_>],
        matching: &str,
        counts: impl Fn(&DecoderRow) -> RetrievalSummary,
    ) -> Vec<Measured> {
        let mut numbers = Vec::new();
        for (quantity, direction) in DIRECTIONS {
            for (name, row) in rows {
                let found = counts(row);
                let floor = self.floor(row).map(&counts);
                let floor = floor.filter(|floor| floor.batch_size == found.batch_size);
                let counted = Counted {
                    quantity,
                    protocol: format!("{}, {matching}, {}", batches(&found), self.centre.in_words()),
                    decoder: name,
                    unit: Unit::CountOf(found.batch_size),
                    chance: Some(found.chance_over_batches),
                };
                let by_class = self
                    .class_levels
                    .filter(|levels| matching == BY_IMAGE && levels.batch_size == found.batch_size);
                let by_class =
                    by_class.map(|levels| Reference::exact(ReferenceKind::ClassOnly, levels.found));
                let over = row.over_ridge.as_ref().filter(|_| found == row.by_image);
                let mut number = Measured {
                    over_ridge: over.map(|over| direction.of(over.forward, over.backward)),
                    ..counted
                        .beside(direction.of_counts(&found), floor.map(|floor| direction.of_counts(&floor)))
                };
                number.references.extend(by_class);
                numbers.push(number);
            }
        }
        numbers
    }

    /// Share of pairs won.
    fn pairs(&self, (name, row): &Named<'_>) -> Option<Measured> {
        let found = row.identification?;
        let floor = self.floor(row).and_then(|control| control.identification);
        let counted = Counted {
            quantity: "2-way identification",
            protocol: self.among(&found),
            decoder: name,
            unit: Unit::Share,
            chance: Some(found.chance),
        };
        let mut number = counted.beside(found.share, floor.map(|floor| floor.share));
        let clusters = self.checks.iter().flat_map(|checks| &checks.clusters);
        let mut clusters =
            clusters.filter(|clusters| clusters.target == row.target && self.lures == Lures::Test);
        number.references.extend(
            clusters.next().map(|found| Reference::exact(ReferenceKind::ClusterOnly, found.cluster_only)),
        );
        let by_class = self.class_levels.filter(|_| self.lures == Lures::Test);
        number
            .references
            .extend(by_class.map(|levels| Reference::exact(ReferenceKind::ClassOnly, levels.pairs)));
        number.references.extend(averaged(row, |found| found.share));
        Some(number)
    }

    /// Place of the own image.
    fn rank(&self, (name, row): &Named<'_>) -> Option<Measured> {
        let found = row.identification?;
        let floor = self.floor(row).and_then(|control| control.identification);
        let counted = Counted {
            quantity: "rank of the own image",
            protocol: self.among(&found),
            decoder: name,
            unit: Unit::Rank,
            chance: Some(found.chance_rank),
        };
        let mut number = counted.beside(found.mean_rank, floor.map(|floor| floor.mean_rank));
        number.references.extend(averaged(row, |found| found.mean_rank));
        Some(number)
    }

    /// Cosine with the target beside those that need no decoder.
    fn cosine(&self, (name, row): &Named<'_>) -> Measured {
        let quantity = match row.target {
            DecodedTarget::Pixels => "correlation with the picture",
            _ => "cosine with the target",
        };
        let counted = Counted {
            quantity,
            protocol: self.centre.in_words().into(),
            decoder: name,
            unit: Unit::Correlation,
            chance: None,
        };
        let mut number = counted.beside(row.cosine, self.floor(row).map(|control| control.cosine));
        let checks = self.checks.iter().flat_map(|checks| &checks.rows);
        let mut checks = checks.filter(|checked| checked.name == row.name);
        let levels = checks.next().and_then(|checked| checked.cosine_levels);
        number.references.extend(levels.into_iter().flat_map(|levels| {
            let mean =
                levels.mean_embedding.map(|mean| Reference::within(ReferenceKind::MeanEmbedding, mean));
            let random = Reference::within(ReferenceKind::RandomTrainingImage, levels.random_training_image);
            let nearest =
                Reference::within(ReferenceKind::NearestTrainingImage, levels.nearest_training_image);
            mean.into_iter().chain([random, nearest])
        }));
        number
    }

    /// Combinations of mappers, on the images that did not choose their weights.
    fn combined(&self, rows: &[Named<'_>]) -> Vec<Measured> {
        let mut numbers = Vec::new();
        for (quantity, direction) in DIRECTIONS {
            for row in &self.combinations {
                let found = row.combined.retrieval;
                let counted = Counted {
                    quantity,
                    protocol: format!(
                        "{}, by image, {}, images that had no part in the choice of weights",
                        batches(&found),
                        self.centre.in_words()
                    ),
                    decoder: &parts(row, rows),
                    unit: Unit::CountOf(found.batch_size),
                    chance: Some(found.chance_over_batches),
                };
                numbers.push(counted.beside(direction.of_counts(&found), None));
            }
        }
        numbers
    }

    /// What an image is told from.
    fn among(&self, found: &PairwiseIdentification) -> String {
        let (num, centred) = (found.num_images, self.centre.in_words());
        match self.lures {
            Lures::Test => format!("among {num} images, {centred}"),
            Lures::Train => format!("among {} training images, {centred}", num.saturating_sub(1)),
            Lures::Cluster => format!("among up to {num} images of the same cluster, {centred}"),
        }
    }

    fn over_folds(&self, found: &CrossValidation) -> Vec<Measured> {
        let [fewest, most] = found.candidates;
        let among = if fewest == most { most.to_string() } else { format!("{fewest} to {most}") };
        let trials = format!("among the {among} trials of a fold, by image, {}", self.centre.in_words());
        let images = format!("among the images of a fold, {}", self.centre.in_words());
        let mut numbers = Vec::new();
        for (quantity, direction) in DIRECTIONS {
            numbers.extend(found.shown_rows().map(|row| {
                let floor = found.floor(row).filter(|floor| !std::ptr::eq(*floor, row));
                let chance = Some(row.chance);
                let (protocol, decoder, unit) = (trials.clone(), row.name.as_str(), Unit::Share);
                let counted = Counted { quantity, protocol, decoder, unit, chance };
                Measured {
                    over_ridge: row.over_ridge.map(|over| direction.of(over.forward, over.backward)),
                    ..counted.beside(
                        direction.of(row.forward, row.backward),
                        floor.map(|floor| direction.of(floor.forward, floor.backward)),
                    )
                }
            }));
        }
        numbers.extend(found.shown_rows().map(|row| pairs_of_fold(found, row, &images)));
        numbers.extend(found.shown_rows().map(|row| {
            let floor = found.floor(row).filter(|floor| !std::ptr::eq(*floor, row));
            let (quantity, protocol) = ("cosine with the target", self.centre.in_words().to_string());
            let (decoder, unit) = (row.name.as_str(), Unit::Correlation);
            let counted = Counted { quantity, protocol, decoder, unit, chance: None };
            counted.beside(row.cosine, floor.map(|floor| floor.cosine))
        }));
        numbers
    }
}

impl CrossValidation {
    /// Decoders, and controls that are none's floor.
    fn shown_rows(&self) -> impl Iterator<Item = &CrossValidatedRow> {
        let floors: Vec<*const CrossValidatedRow> =
            self.rows.iter().filter_map(|row| self.floor(row)).map(std::ptr::from_ref).collect();
        let alone =
            self.control.iter().filter(move |control| !floors.contains(&std::ptr::from_ref(*control)));
        self.rows.iter().chain(alone)
    }
}

fn pairs_of_fold(found: &CrossValidation, row: &CrossValidatedRow, protocol: &str) -> Measured {
    let floor = found.floor(row).filter(|floor| !std::ptr::eq(*floor, row));
    let counted = Counted {
        quantity: "2-way identification",
        protocol: protocol.into(),
        decoder: &row.name,
        unit: Unit::Share,
        chance: Some(row.identification.chance),
    };
    Measured {
        over_ridge: row.over_ridge.map(|over| over.identification),
        ..counted.beside(row.identification.share, floor.map(|floor| floor.identification.share))
    }
}

/// Which of two counts.
#[derive(Clone, Copy)]
enum Direction {
    Forward,
    Backward,
}

/// Directions and what they are called.
const DIRECTIONS: [(&str, Direction); 2] =
    [("retrieval, forward", Direction::Forward), ("retrieval, backward", Direction::Backward)];

impl Direction {
    fn of(self, forward: Interval, backward: Interval) -> Interval {
        match self {
            Self::Forward => forward,
            Self::Backward => backward,
        }
    }

    fn of_counts(self, found: &RetrievalSummary) -> Interval {
        self.of(found.forward.over_batches, found.backward.over_batches)
    }
}

/// How many candidates, and how many batches a mean is over.
fn batches(found: &RetrievalSummary) -> String {
    match found.num_batches {
        1 => format!("among {} trials", found.batch_size),
        num => format!("among {} trials, mean of {num} batches", found.batch_size),
    }
}

/// Ceiling by averaged presentations.
fn averaged(row: &DecoderRow, of: fn(&PairwiseIdentification) -> Interval) -> Option<Reference> {
    let averaged = row.averaged?;
    Some(Reference::within(ReferenceKind::AveragedPresentations, of(&averaged.identification)))
}

/// `0.5 x image mapper + 0.5 x caption mapper`.
fn parts(row: &CombinationRow, rows: &[Named<'_>]) -> String {
    let name =
        |mapper: usize| rows.get(mapper).map_or_else(|| format!("mapper {mapper}"), |(name, _)| name.clone());
    let parts = row.mappers.iter().zip(&row.combined.weights);
    let parts: Vec<String> =
        parts.map(|(mapper, weight)| format!("{weight:.1} x {}", name(*mapper))).collect();
    parts.join(" + ")
}
