//! Tables: facts, retrieval against chance, captions, hashes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::run_files::json_file;
use crate::commands::evaluate_images::NamingSummary;
use crate::commands::screen_captions::JudgedCaption;
use crate::commands::train_mapper::TrainMapperSummary;
use crate::error::Result;
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::identification::IdentificationAccuracy;
use crate::metrics::share::share_interval;
use crate::pipelines::brain_decoder::DecoderHashes;
use crate::pipelines::drawing_manifest::Manifest;
use crate::pipelines::pictures::picture_features::FeatureKind;
use crate::report::number_format::{number, percent};
use crate::report::{Block, Section, Table};

/// Facts: name and value.
pub(crate) fn facts(facts: &[(String, String)]) -> Table {
    Table {
        head: vec!["".into(), "".into()],
        rows: facts.iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect(),
        caption: String::new(),
    }
}

/// Images whose captions are listed.
const EXAMPLES: usize = 4;

/// Retrieval counts of every mapper run, beside chance.
pub(crate) fn retrieval(runs: &[(String, PathBuf)]) -> Result<Section> {
    let mut rows = Vec::new();
    for (name, run) in runs {
        let summary: TrainMapperSummary = json_file(&run.join("summary.json"), "a summary of train-mapper")?;
        let retrieval = summary.retrieval;
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
    let head = ["mapper", "direction", "found in the first batch", "mean over batches (95 %)", "chance"];
    Ok(Section::new("Retrieval of held-out images")
        .text(
            "Forward: each decoded embedding looks for its image among all images of a batch. Backward: each image \
             looks for its decoded embedding. Held-out images took no part in training. The run with exchanged betas \
             is the control: it must be at chance.",
        )
        .with(Block::Table(Table {
            head: head.map(String::from).to_vec(),
            rows,
            caption: "Matches are counted by image, so a repeated presentation in the batch counts as found; chance \
                      takes that into account. Intervals resample images."
                .into(),
        })))
}

/// Identification accuracies, beside chance.
pub(crate) fn identification(
    named: &[(String, Vec<IdentificationAccuracy>)],
    features: Option<FeatureKind>,
) -> Section {
    let features = match features {
        Some(FeatureKind::Classifier) => "a scene classifier that no other network was trained with.",
        Some(FeatureKind::FidInception | FeatureKind::NarrowInception) => "an Inception network.",
        Some(FeatureKind::ClipImage) | None => {
            "the CLIP that the generator was trained with: that flatters it."
        }
    };
    let row = |name: &String, accuracy: &IdentificationAccuracy| {
        let IdentificationAccuracy { ways, mean, expected, chance, .. } = accuracy;
        vec![
            name.clone(),
            format!("{ways}-way"),
            percent(*mean),
            format!("{} to {}", percent(expected.low), percent(expected.high)),
            percent(*chance),
        ]
    };
    let rows = named.iter().flat_map(|(name, all)| all.iter().map(move |accuracy| row(name, accuracy)));
    let head = ["pictures", "choice", "right", "95 % (images resampled)", "chance"];
    Section::new("Identification of pictures")
        .text(format!(
            "Each picture is compared with its own ground truth and with other held-out images, in features of {features} \
             The control's picture is drawn from a mapper that learned from exchanged betas: it must be at chance."
        ))
        .with(Block::Table(Table {
            head: head.map(String::from).to_vec(),
            rows: rows.collect(),
            caption: "Means of 10 repeats with wrong images drawn anew.".into(),
        }))
}

/// Shares of pictures of which something can be named, beside chance and the ground truth.
pub(crate) fn naming(named: &[(String, NamingSummary)]) -> Section {
    let mut rows = Vec::new();
    for (pictures, summary) in named {
        for (kind, share) in summary.kinds() {
            let own = share.generated.own;
            rows.push(vec![
                pictures.clone(),
                format!("{kind}, one of {}", share.num_classes),
                percent(own.mean),
                format!("{} to {}", percent(own.low), percent(own.high)),
                share.generated.others.map_or("none".into(), percent_within),
                percent_within(share.truth.own),
            ]);
        }
    }
    let head = ["pictures", "kind", "right", "95 % (images resampled)", "chance", "ground truth"];
    Section::new("What can be named")
        .text(
            "A small network that was trained on other images, and with no other network, says which thing and which stuff it \
             finds most probable in a picture; it is right when the image's annotations show that.",
        )
        .with(Block::Table(Table {
            head: head.map(String::from).to_vec(),
            rows,
            caption: "Chance: the same names held against the annotations of all other images. Ground truth: the images themselves, \
                      named by the same network."
                .into(),
        }))
}

/// A share with its interval.
fn percent_within(Interval { mean, low, high }: Interval) -> String {
    format!("{} ({} to {})", percent(mean), percent(low), percent(high))
}

/// How many captions survived the screening, with examples.
pub(crate) fn captions(path: &Path) -> Result<Section> {
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
    let examples = images.iter().take(EXAMPLES).map(|(image, captions)| {
        let list = |kept: bool| {
            let chosen = captions.iter().filter(|caption| caption.kept == kept);
            chosen
                .map(|caption| format!("{} ({})", caption.caption, percent(caption.probability)))
                .collect::<Vec<_>>()
                .join(" · ")
        };
        vec![image.clone(), list(true), list(false)]
    });
    Ok(Section::new("Caption screening")
        .text("A caption is kept when its probability under CLIP is more than half that of the image's best one.")
        .with(Block::Table(Table {
            head: ["captions kept", "images", "share (95 %)"].map(String::from).to_vec(),
            rows: histogram
                .into_iter()
                .map(|(kept, count)| vec![kept.to_string(), count.to_string(), share(count)])
                .collect(),
            caption: String::new(),
        }))
        .with(Block::Table(Table {
            head: ["image", "kept (probability)", "dropped (probability)"].map(String::from).to_vec(),
            rows: examples.collect(),
            caption: "Examples.".into(),
        })))
}

/// Hashes of the networks that drew the pictures.
pub(crate) fn weights(run: &Path) -> Result<Table> {
    let hashes = Manifest::read(run, "the report")?.weights_sha256;
    let rows = hashes.into_iter().flat_map(|DecoderHashes { image_mapper, second_mapper, generator }| {
        [("image mapper", image_mapper), ("caption mapper", second_mapper), ("generator", generator)]
    });
    Ok(Table {
        head: ["network", "SHA-256 of the snapshot"].map(String::from).to_vec(),
        rows: rows.map(|(name, hash)| vec![name.into(), hash]).collect(),
        caption: String::new(),
    })
}
