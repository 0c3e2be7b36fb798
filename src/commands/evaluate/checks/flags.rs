//! What looks wrong, by criteria that docs/trust.md justifies.

use super::found::{CheckName, Flag, LeakCheck, RowChecks};
use super::judged::Judged;
use crate::commands::evaluate::summary::DecoderRow;
use crate::data::split::SplitRecord;
use crate::metrics::bootstrap::Interval;

/// A decoder has collapsed where its output has less than this share of the dimensions of ridge regression's.
const SHARE_OF_RIDGE: f64 = 0.5;
/// So few dimensions are a line, whatever the noise,
const LINE: f64 = 1.2;
/// where the targets have so many.
const NO_LINE: f64 = 2.0;
/// Larger probabilities are no finding.
const SIGNIFICANCE: f64 = 0.05;

/// All flags: of each decoder that learned from every trial's own betas, then of the split.
pub(super) fn flags<'a>(
    found: &[RowChecks],
    rows: impl Iterator<Item = &'a DecoderRow>,
    judged: &[Judged],
    leak: &LeakCheck,
    held_out: &SplitRecord,
) -> Vec<Flag> {
    let mut flags = Vec::new();
    for ((checks, row), judged) in found.iter().zip(rows).zip(judged) {
        if !checks.is_measured() {
            continue;
        }
        let ridge = of_ridge(found, checks);
        let is_ridge = row.mapper.is_none();
        let ridge = ridge.filter(|_| !is_ridge);
        let share = row.identification.map(|found| found.share);
        let is_above_chance = share.is_some_and(|share| share.low > 0.5);
        let texts = [
            (CheckName::WithinCluster, within_cluster(checks, share)),
            (CheckName::OutputCollapse, collapse(checks, ridge, is_above_chance)),
            (CheckName::Permutation, permutation(checks)),
            (CheckName::FitGap, fit_gap(checks, ridge)),
            (CheckName::SplitRecord, split_record(judged, held_out)),
        ];
        let of_row = texts.into_iter().filter_map(|(check, text)| {
            Some(Flag { check, decoder: Some(checks.name.clone()), text: text? })
        });
        flags.extend(of_row);
    }
    flags.extend(split_leak(leak));
    flags
}

/// Ridge regression to the same target: of two measured rows the one without a training cosine.
fn of_ridge<'a>(found: &'a [RowChecks], row: &RowChecks) -> Option<&'a RowChecks> {
    found
        .iter()
        .find(|other| other.is_measured() && other.training_cosine.is_none() && other.target == row.target)
}

/// Two-way identification or the cluster above chance, and nothing inside the cluster. Where every trial wins the same share of its
/// pairs, as by who knows the cluster of a few images exactly, the interval of two-way identification is wide and the cluster tells.
fn within_cluster(checks: &RowChecks, two_way: Option<Interval>) -> Option<String> {
    let within = checks.within_cluster?.identification;
    let cluster = &checks.cluster;
    let is_above_chance = two_way.is_some_and(|share| share.low > 0.5)
        || cluster.share.low > cluster.chance.max(cluster.largest);
    (is_above_chance && within.share.low <= within.chance).then(|| {
        format!(
            "two-way identification is {}, the cluster is found in {}, but among images of the same cluster identification is {} with 50 \
             inside the interval: the cluster may be all that is decoded",
            two_way.map_or("unknown".into(), percent),
            percent(cluster.share),
            percent(within.share)
        )
    })
}

/// An output of fewer dimensions than noise explains.
fn collapse(checks: &RowChecks, ridge: Option<&RowChecks>, is_above_chance: bool) -> Option<String> {
    let dimensions = &checks.dimensions;
    let (own, target) = (dimensions.predicted.participation_ratio, dimensions.target.participation_ratio);
    let of_ridge = ridge.map(|ridge| ridge.dimensions.predicted.participation_ratio);
    match of_ridge {
        // At chance the dimensions are those of noise.
        _ if !is_above_chance && own > LINE => None,
        Some(ridge) if own < SHARE_OF_RIDGE * ridge => Some(format!(
            "the output has {own:.1} dimensions, less than half of the {ridge:.1} that ridge regression finds in the same betas; the \
             targets have {target:.1}"
        )),
        _ if own < LINE && target >= NO_LINE => {
            Some(format!("the output has {own:.1} dimensions, nearly a line; the targets have {target:.1}"))
        }
        _ => None,
    }
}

/// No better than permuted pairs.
pub(super) fn permutation(checks: &RowChecks) -> Option<String> {
    let test = checks.permutation.filter(|test| test.p > SIGNIFICANCE && test.resolution <= SIGNIFICANCE)?;
    Some(format!(
        "refits to permuted pairs do as well: {:.1} against {:.1} [{:.1}, {:.1}], {}",
        100.0 * test.observed,
        100.0 * test.null_mean,
        100.0 * test.null_range[0],
        100.0 * test.null_range[1],
        test.in_words()
    ))
}

/// Held-out trials are fitted as training trials are, and better than ridge regression can.
fn fit_gap(checks: &RowChecks, ridge: Option<&RowChecks>) -> Option<String> {
    let (training, held_out) = (checks.training_cosine?, checks.centred_cosine);
    let honest = ridge?.centred_cosine;
    (held_out.high >= training.low && held_out.low > honest.high).then(|| {
        format!(
            "held-out trials are fitted ({:.3}) as the training trials are ({:.3}), and better than by ridge regression ({:.3}): were they \
             among its training trials?",
            held_out.mean, training.mean, honest.mean
        )
    })
}

/// Other pictures were held out when it was trained.
fn split_record(judged: &Judged, held_out: &SplitRecord) -> Option<String> {
    let record = judged.mapper.as_ref()?.held_out.as_ref()?;
    (record.sha256 != held_out.sha256).then(|| {
        let short = |record: &SplitRecord| record.sha256.chars().take(8).collect::<String>();
        format!(
            "its training held out other pictures ({} of {}, here {} of {}): it may have been fitted to held-out trials",
            short(record),
            record.rule,
            short(held_out),
            held_out.rule
        )
    })
}

/// Pictures on both sides.
fn split_leak(leak: &LeakCheck) -> Option<Flag> {
    let LeakCheck { same_image, same_pixels, near_targets, examples } = leak;
    let (same_pixels, near) = (same_pixels.unwrap_or(0), near_targets.unwrap_or(0));
    if *same_image + same_pixels + near == 0 {
        return None;
    }
    let examples: Vec<String> = examples.iter().map(|[one, other]| format!("{one} and {other}")).collect();
    let first = if examples.is_empty() { String::new() } else { format!("; first {}", examples.join(", ")) };
    let text = format!(
        "training and held-out trials share {same_image} images, {same_pixels} pairs of pictures with equal pixels and {near} with nearly equal \
         targets{first}"
    );
    Some(Flag { check: CheckName::SplitLeak, decoder: None, text })
}

fn percent(Interval { mean, low, high }: Interval) -> String {
    format!("{:.1} [{:.1}, {:.1}]", 100.0 * mean, 100.0 * low, 100.0 * high)
}
