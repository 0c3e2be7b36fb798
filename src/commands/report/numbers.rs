//! Tables: retrieval against chance, identification, captions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::measures::{Findings, JudgedPictures, row_name};
use super::run_files::json_file;
use crate::commands::evaluate::checks::found::Checks;
use crate::commands::evaluate::{CrossValidation, EvaluateSummary};
use crate::commands::screen_captions::JudgedCaption;
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::retrieval::RetrievalSummary;
use crate::metrics::share::share_interval;
use crate::pipelines::measured::{MeasuredTable, NumberBlock};
use crate::pipelines::pictures::picture_features::FeatureKind;
use crate::report::number_format::{number, percent};
use crate::report::{Block, Section, Table};
use crate::run::error::RunError;

/// Images whose captions are listed.
const EXAMPLES: usize = 4;

/// What `evaluate` fits beside the mappers.
const BASELINE: &str = "The ridge baseline is the regression that the evaluation itself fits to each target, one penalty for all outputs. It is \
                        neither a mapper of the kind ridge, whose penalties are chosen output by output, nor the ridge inside a residual \
                        mapper.";

/// Retrieval counts of every mapper, of ridge regression and of combined mappers, beside chance; 2-way identification and rank.
pub(super) fn retrieval(findings: &Findings) -> Section {
    let mut section = Section::new("Retrieval of held-out images").text(
        "Forward: each decoded embedding looks for its image among all images of a batch. Backward: each image \
         looks for its decoded embedding. Held-out images took no part in training. The run with exchanged betas \
         is the control: it must be at chance.",
    );
    if !findings.mappers.is_empty() {
        let named = findings.mappers.iter().map(|(name, summary)| (name.clone(), summary.retrieval));
        let table = Block::Table(counts(named));
        let title = "Counts of every mapper by its own run, not centred";
        section = section.with(Block::Folded(title.into(), vec![table]));
    }
    if let Some(evaluation) = &findings.evaluation {
        for line in evaluation.checks.iter().flat_map(Checks::flag_lines) {
            section = section.text(line);
        }
        section = section.with(of_evaluation(evaluation, findings.class_level));
    }
    if let Some((folds, found)) =
        findings.folds.as_ref().and_then(|folds| Some((folds, folds.cross_validation.as_ref()?)))
    {
        section = section.with(over_folds(folds, found));
    }
    section
}

/// Mappers and ridge regression, alone and combined.
fn of_evaluation(evaluation: &EvaluateSummary, class_level: Option<f64>) -> Block {
    let mut blocks = number_blocks(&evaluation.numbers());
    blocks.push(Block::Text(BASELINE.into()));
    blocks.extend(class_level.map(|level| Block::Text(class_alone(level))));
    blocks.extend(ceiling_note(evaluation).map(Block::Text));
    let checks = evaluation.checks.iter();
    let found = checks.flat_map(|checks| checks.cluster_line().into_iter().chain(checks.permutation_line()));
    blocks.extend(found.map(Block::Text));
    if !evaluation.combinations.is_empty() {
        blocks.push(Block::Text(format!(
            "Of combined mappers {} trials chose the weights, the others count.",
            evaluation.num_search_trials
        )));
    }
    Block::Folded(
        format!("Mappers, ridge baseline and combinations, {}", evaluation.centre.in_words()),
        blocks,
    )
}

/// Decoders over folds, and their controls.
fn over_folds(evaluation: &EvaluateSummary, found: &CrossValidation) -> Block {
    let mut blocks = vec![Block::Text(format!(
        "Every trial was held out once, in {} folds of {} images. Whatever was chosen was chosen on the other folds.",
        found.folds, found.num_groups
    ))];
    blocks.extend(number_blocks(&evaluation.numbers()));
    let at_edge: Vec<String> = found
        .rows
        .iter()
        .filter(|row| row.folds_at_edge > 0)
        .map(|row| format!("{} in {} of {} folds", row_name(&row.name), row.folds_at_edge, found.folds))
        .collect();
    if !at_edge.is_empty() {
        let text = format!(
            "A penalty lies at an end of the grid: {}. A wider grid may hold a better one.",
            at_edge.join(", ")
        );
        blocks.push(Block::Text(text));
    }
    Block::Folded(format!("Decoders over {} folds, {}", found.folds, evaluation.centre.in_words()), blocks)
}

/// The context of numbers, a table per quantity, and what the columns mean.
fn number_blocks(numbers: &MeasuredTable) -> Vec<Block> {
    let context = numbers.context().lines().into_iter().map(Block::Text);
    let explanations = numbers.explanations();
    let explanations = (!explanations.is_empty()).then(|| Block::Text(explanations.join(" ")));
    context.chain(tables(numbers, |_| true)).chain(explanations).collect()
}

/// A table for each quantity that is wanted.
pub(super) fn tables(numbers: &MeasuredTable, is_wanted: impl Fn(&str) -> bool) -> Vec<Block> {
    let table = |block: NumberBlock| {
        let mut rows = block.rows;
        for name in rows.iter_mut().filter_map(|row| row.first_mut()) {
            *name = row_name(name);
        }
        Block::Table(Table { head: block.head, rows, caption: block.title })
    };
    numbers.blocks().into_iter().filter(|block| is_wanted(&block.quantity)).map(table).collect()
}

/// What averaging is, or why there is none; nothing of older files, which do not say.
fn ceiling_note(evaluation: &EvaluateSummary) -> Option<String> {
    if let Some(presentations) = evaluation.mean_presentations() {
        return Some(format!(
            "Averaged: the mean of what is decoded from an image's presentations ({} on average), what less noise gives the same \
             decoder. It is shown as the ceiling; another decoder may pass it.",
            number(presentations)
        ));
    }
    let images: BTreeSet<u32> = evaluation.images.iter().copied().collect();
    (images.len() == evaluation.images.len())
        .then(|| "No ceiling: no held-out image has several presentations.".into())
}

fn counts(named: impl Iterator<Item = (String, RetrievalSummary)>) -> Table {
    let mut rows = Vec::new();
    for (name, retrieval) in named {
        for (direction, count) in [("forward", retrieval.forward), ("backward", retrieval.backward)] {
            let Interval { mean, low, high } = count.over_batches;
            let (found, of) = (count.first_batch as f64, retrieval.batch_size as f64);
            rows.push(vec![
                name.clone(),
                direction.into(),
                format!("{} of {}", number(found), number(of)),
                format!("{} ({} to {})", number(mean), number(low), number(high)),
                number(retrieval.chance_over_batches),
            ]);
        }
    }
    let head = ["decoder", "direction", "found in the first batch", "mean over batches (95 %)", "chance"];
    Table {
        head: head.map(String::from).to_vec(),
        rows,
        caption: "Embeddings are compared as they are, not centred. Matches are counted by image, so a repeated presentation in the batch \
                  counts as found; chance takes that into account. Intervals resample images."
            .into(),
    }
}

/// Identification of decoded pictures, beside chance, control, ceiling and training images.
pub(super) fn identification(judged: &JudgedPictures, numbers: &MeasuredTable) -> Section {
    let features = match judged.features.kind {
        FeatureKind::Classifier => "a scene classifier that no other network was trained with.",
        FeatureKind::FidInception | FeatureKind::NarrowInception => "an Inception network.",
        FeatureKind::ClipImage => "the CLIP that the generator was trained with: that flatters it.",
    };
    let mut blocks: Vec<Block> = numbers.context().lines().into_iter().map(Block::Text).collect();
    blocks.extend(tables(numbers, |quantity| quantity.ends_with("identification")));
    blocks.push(Block::Text(numbers.explanations().join(" ")));
    Section::new("Identification of pictures")
        .text(format!(
            "Each picture ({} of {} images) is compared with its own ground truth and with other held-out images, in features of \
             {features} The control's picture is drawn from a mapper that learned from exchanged betas: it must be at chance.",
            judged.num_pictures, judged.num_images
        ))
        .with_some(judged.classes.as_ref().map(|classes| Block::Text(class_alone(classes.pairs_by_class))))
        .with(Block::Folded("Every choice".into(), blocks))
}

/// What the class alone is worth, below figures of 2-way identification.
pub(super) fn class_alone(level: f64) -> String {
    format!("Who knows only the class of each picture gets {} of the 2-way choices right.", percent(level))
}

/// A share with its interval.
pub(super) fn percent_within(Interval { mean, low, high }: Interval) -> String {
    format!("{} ({} to {})", percent(mean), percent(low), percent(high))
}

/// How many captions survived the screening, with examples.
pub(super) fn captions(path: &Path) -> Result<Section, RunError> {
    let images: BTreeMap<String, Vec<JudgedCaption>> = json_file(path, "captions with probabilities")?;
    let mut histogram = BTreeMap::new();
    for captions in images.values() {
        *histogram.entry(captions.iter().filter(|caption| caption.kept).count()).or_insert(0_usize) += 1;
    }
    let ids: Vec<u64> = (0..images.len() as u64).collect();
    let share = |count: usize| {
        let hits: Vec<bool> = (0..images.len()).map(|image| image < count).collect();
        let share = share_interval(&hits, &ids, &BootstrapConfig::default());
        share.map_or("none".into(), percent_within)
    };
    let kept = Table {
        head: ["captions kept", "images", "share (95 %)"].map(String::from).to_vec(),
        rows: histogram
            .into_iter()
            .map(|(kept, count)| vec![kept.to_string(), count.to_string(), share(count)])
            .collect(),
        caption: String::new(),
    };
    Ok(Section::new("Caption screening")
        .text("A caption is kept when its probability under CLIP is more than half that of the image's best one.")
        .with(Block::Folded("Captions kept, and examples".into(), vec![
            Block::Table(kept),
            Block::Table(examples(&images)),
        ])))
}

/// Captions of the first images.
fn examples(images: &BTreeMap<String, Vec<JudgedCaption>>) -> Table {
    let rows = images.iter().take(EXAMPLES).map(|(image, captions)| {
        let list = |kept: bool| {
            let chosen = captions.iter().filter(|caption| caption.kept == kept);
            let chosen =
                chosen.map(|caption| format!("{} ({})", caption.caption, percent(caption.probability)));
            chosen.collect::<Vec<_>>().join(" · ")
        };
        vec![image.clone(), list(true), list(false)]
    });
    Table {
        head: ["image", "kept (probability)", "dropped (probability)"].map(String::from).to_vec(),
        rows: rows.collect(),
        caption: "Examples: the first images.".into(),
    }
}
