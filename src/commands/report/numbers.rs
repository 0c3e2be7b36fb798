//! Tables: retrieval against chance, identification, captions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::measures::{Findings, JudgedPictures, centred, row_name};
use super::run_files::json_file;
use crate::commands::evaluate::checks::found::Checks;
use crate::commands::evaluate::{Centre, CrossValidatedRow, CrossValidation, DecoderRow, EvaluateSummary};
use crate::commands::screen_captions::JudgedCaption;
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::identification::IdentificationAccuracy;
use crate::metrics::pairwise::PairwiseIdentification;
use crate::metrics::retrieval::RetrievalSummary;
use crate::metrics::share::share_interval;
use crate::pipelines::inference::Inference;
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
        let table = Block::Table(counts(named, Centre::None));
        let title = "Counts of every mapper by its own run, not centred";
        section = section.with(Block::Folded(title.into(), vec![table]));
    }
    if let Some(evaluation) = &findings.evaluation {
        for line in evaluation.checks.iter().flat_map(Checks::flag_lines) {
            section = section.text(line);
        }
        section = section.with(of_evaluation(evaluation, findings.class_level));
    }
    if let Some(found) = findings.folds.as_ref().and_then(|folds| folds.cross_validation.as_ref()) {
        let centre = findings.folds.as_ref().map_or(Centre::None, |folds| folds.centre);
        section = section.with(over_folds(found, centre));
    }
    section
}

/// Mappers and ridge regression, alone and combined.
fn of_evaluation(evaluation: &EvaluateSummary, class_level: Option<f64>) -> Block {
    let decoders = || evaluation.mappers.iter().chain(&evaluation.mapper_control);
    let rows = || decoders().chain(&evaluation.ridge).chain(&evaluation.ridge_control);
    let centre = evaluation.centre;
    let mut blocks = vec![
        Block::Table(counts(rows().map(|row| (row_name(&row.name), row.by_image)), centre)),
        Block::Text(BASELINE.into()),
    ];
    let pairs: Vec<Vec<String>> = rows().flat_map(pairs_rows).collect();
    if !pairs.is_empty() {
        blocks.push(Block::Table(pairs_table(pairs, centre)));
        blocks.extend(class_level.map(|level| Block::Text(class_alone(level))));
        blocks.extend(ceiling_note(evaluation).map(Block::Text));
        let checks = evaluation.checks.iter();
        let found =
            checks.flat_map(|checks| checks.cluster_line().into_iter().chain(checks.permutation_line()));
        blocks.extend(found.chain(evaluation.inference.as_ref().map(Inference::line)).map(Block::Text));
    }
    if !evaluation.combinations.is_empty() {
        blocks.push(Block::Text(format!(
            "Below, mappers are combined; {} trials chose the weights, the others count.",
            evaluation.num_search_trials
        )));
        blocks.push(Block::Table(combined(evaluation)));
    }
    let title = format!("Mappers, ridge baseline and combinations, {}", centred(centre));
    Block::Folded(title, blocks)
}

fn combined(evaluation: &EvaluateSummary) -> Table {
    let name = |mapper: &usize| match evaluation.mappers.get(*mapper) {
        Some(row) => row.name.clone(),
        None => format!("mapper {mapper}"),
    };
    let named = evaluation.combinations.iter().map(|row| {
        let parts = row.mappers.iter().zip(&row.combined.weights);
        let parts: Vec<String> =
            parts.map(|(mapper, weight)| format!("{} × {}", number(*weight), name(mapper))).collect();
        (parts.join(" + "), row.combined.retrieval)
    });
    counts(named, evaluation.centre)
}

/// Ridge regression over folds, and its control.
fn over_folds(found: &CrossValidation, centre: Centre) -> Block {
    let both = || found.rows.iter().chain(&found.control);
    let row = |row: &CrossValidatedRow| {
        let [forward, backward] = [row.forward, row.backward].map(percent_within);
        let edge = match row.kind {
            None => format!("{} of {}", row.folds_at_edge, found.folds),
            Some(_) => String::new(),
        };
        vec![row_name(&row.name), forward, backward, percent(row.chance), edge]
    };
    let [fewest, most] = found.candidates;
    let among = if fewest == most { most.to_string() } else { format!("{fewest} to {most}") };
    let head =
        ["decoder", "forward (95 %)", "backward (95 %)", "chance", "folds with a penalty at the grid's end"];
    let shares = Table {
        head: head.map(String::from).to_vec(),
        rows: both().map(row).collect(),
        caption: format!(
            "Every trial was held out once, in {} folds of {} images; it looks for its own among the {among} trials of \
             its fold, {}. Whatever was chosen was chosen on the other folds.",
            found.folds,
            found.num_groups,
            centred(centre)
        ),
    };
    let pairs = both().map(|row| pairs_row(&row_name(&row.name), &row.identification)).collect();
    let blocks = vec![Block::Table(shares), Block::Table(pairs_table(pairs, centre))];
    Block::Folded(format!("Decoders over {} folds, {}", found.folds, centred(centre)), blocks)
}

/// Single trials of a decoder, then its averaged presentations.
fn pairs_rows(row: &DecoderRow) -> Vec<Vec<String>> {
    let name = row_name(&row.name);
    let single = row.identification.iter().map(|found| pairs_row(&name, found));
    let averaged = row
        .averaged
        .iter()
        .map(|averaged| pairs_row(&format!("{name}, presentations averaged"), &averaged.identification));
    single.chain(averaged).collect()
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

fn pairs_row(name: &str, found: &PairwiseIdentification) -> Vec<String> {
    let Interval { mean, low, high } = found.mean_rank;
    vec![
        name.to_string(),
        percent_within(found.share),
        percent(found.chance),
        format!("{} ({} to {})", number(mean), number(low), number(high)),
        number(found.median_rank),
        number(found.chance_rank),
        found.num_images.to_string(),
    ]
}

fn pairs_table(rows: Vec<Vec<String>>, centre: Centre) -> Table {
    let ranks = ["mean rank (95 %)", "median rank", "rank by chance", "of images"];
    let head = ["decoder", "pairs won (95 %)", "chance"].into_iter().chain(ranks);
    Table {
        head: head.map(String::from).collect(),
        rows,
        caption: format!(
            "2-way identification of decoded targets, and the rank of the own image among the others (column \"of images\"); {}.",
            centred(centre)
        ),
    }
}

fn counts(named: impl Iterator<Item = (String, RetrievalSummary)>, centre: Centre) -> Table {
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
        caption: format!(
            "Embeddings are compared {}. Matches are counted by image, so a repeated presentation in the batch counts as found; \
             chance takes that into account. Intervals resample images.",
            match centre {
                Centre::None => "as they are, not centred",
                Centre::TrainingMean => "after the mean target of the training trials is taken off (centred)",
                Centre::RescaledByTest =>
                    "after predictions got mean and deviation of the training targets by their own over the held-out trials (transductive)",
            }
        ),
    }
}

/// Identification accuracies of decoded pictures and of the control's, beside chance.
pub(super) fn identification(judged: &JudgedPictures, control: Option<&JudgedPictures>) -> Section {
    let features = match judged.features.kind {
        FeatureKind::Classifier => "a scene classifier that no other network was trained with.",
        FeatureKind::FidInception | FeatureKind::NarrowInception => "an Inception network.",
        FeatureKind::ClipImage => "the CLIP that the generator was trained with: that flatters it.",
    };
    let other = control.filter(|control| control.features.kind != judged.features.kind);
    let other = other.map_or("", |_| " The control was measured in features of another network.");
    let row = |name: &str, accuracy: &IdentificationAccuracy| {
        // The share over all choices of wrong images, as in the chart: the mean of some drawn choices would be a second figure of the
        // same thing.
        let IdentificationAccuracy { ways, expected, chance, .. } = accuracy;
        vec![
            name.to_string(),
            format!("{ways}-way"),
            percent(expected.mean),
            format!("{} to {}", percent(expected.low), percent(expected.high)),
            percent(*chance),
        ]
    };
    let named = [(Some(judged), "decoded"), (control, CONTROL)];
    let named = named.into_iter().filter_map(|(judged, name)| Some((judged?, name)));
    let rows = named.flat_map(|(judged, name)| {
        judged.identification.accuracies.iter().map(move |accuracy| row(name, accuracy))
    });
    let head = ["pictures", "choice", "right", "95 % (images resampled)", "chance"];
    let table = Table {
        head: head.map(String::from).to_vec(),
        rows: rows.collect(),
        caption:
            "Means over all choices of wrong images; features are compared by their cosine, not centred."
                .into(),
    };
    Section::new("Identification of pictures")
        .text(format!(
            "Each picture ({} of {} images) is compared with its own ground truth and with other held-out images, in features of \
             {features} The control's picture is drawn from a mapper that learned from exchanged betas: it must be at \
             chance.{other}",
            judged.num_pictures, judged.num_images
        ))
        .with_some(judged.classes.as_ref().map(|classes| Block::Text(class_alone(classes.pairs_by_class))))
        .with(Block::Folded("Every choice".into(), vec![Block::Table(table)]))
}

/// What the class alone is worth, below figures of 2-way identification.
pub(super) fn class_alone(level: f64) -> String {
    format!("Who knows only the class of each picture gets {} of the 2-way choices right.", percent(level))
}

/// Name of what exchanged betas gave.
pub(super) const CONTROL: &str = "control: exchanged betas";

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
