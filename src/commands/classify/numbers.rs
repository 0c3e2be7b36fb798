//! How well categories are told, as numbers with their context.

use super::summary::{CHANCE, ClassifierRow, ClassifySummary, GroupScore, GroupScores};
use crate::pipelines::measured::{
    Context, Measured, MeasuredTable, Presentations, Reference, ReferenceKind, Unit,
};

/// Takes the score of a group of categories.
type OfGroup = fn(&GroupScores) -> Option<GroupScore>;

impl ClassifySummary {
    /// Mean AUC of every group of categories, input and classifier, beside the refits to exchanged labels and the paper's.
    pub fn numbers(&self) -> MeasuredTable {
        let groups: [(&str, OfGroup); 3] = [
            ("all", |scores| Some(scores.all)),
            ("things", |scores| scores.things),
            ("stuff", |scores| scores.stuff),
        ];
        let numbers = groups.iter().flat_map(|(group, of_group)| {
            self.rows.iter().filter_map(move |row| number(row, group, *of_group))
        });
        let [num_trials, num_images] = self.num_test;
        let context = Context {
            subject: self.subject.clone(),
            split: Some(self.split_record.clone()),
            folds: None,
            num_images,
            num_trials,
            seed: self.seed,
            inference: Some(self.inference.clone()),
        };
        MeasuredTable::new(context, numbers.collect())
    }
}

fn number(row: &ClassifierRow, group: &str, of_group: OfGroup) -> Option<Measured> {
    let score = of_group(&row.scores)?;
    let exchanged = row.exchanged.as_ref().and_then(|exchanged| {
        let auc = of_group(&exchanged.scores)?.auc;
        // Its interval resamples images and not refits, which differ by more where an input has few dimensions.
        let [lowest, highest] = exchanged.range;
        let interval = (group == "all").then(|| [auc.low.min(lowest), auc.high.max(highest)]);
        Some(Reference { kind: ReferenceKind::ExchangedLabels, value: auc.mean, interval })
    });
    let paper = row.paper.as_ref().and_then(|paper| match group {
        "all" => Some(paper.all[0]),
        "things" => Some(paper.things[0]),
        "stuff" => Some(paper.stuff[0]),
        _ => None,
    });
    let paper = paper.map(|paper| Reference::exact(ReferenceKind::Paper, paper));
    Some(Measured {
        quantity: format!("categories told, {group}"),
        protocol: format!("mean over {} categories", score.num_categories),
        decoder: format!("{}, {}", row.input.name(), row.classifier.name()),
        presentations: Presentations::Single,
        unit: Unit::Auc,
        value: score.auc,
        chance: Some(CHANCE),
        references: exchanged.into_iter().chain(paper).collect(),
        over_ridge: row.over_linear.filter(|_| group == "all"),
    })
}
