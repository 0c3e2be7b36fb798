//! The checks as text: a line per decoder, and what the columns mean.

use super::found::{Checks, Flag, LeakCheck, RowChecks};
use crate::metrics::bootstrap::Interval;
use crate::metrics::trust::lures::NearestTraining;

impl Checks {
    /// A block of lines.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![String::new(), head()];
        lines.extend(self.rows.iter().map(line));
        lines.extend(self.cluster_line());
        lines.push(
            "Chance of a cluster: one of all / always the largest. Dimensions: participation ratio of predictions, of targets. Training \
             nearer: trials whose prediction has a training target nearer than its own."
                .into(),
        );
        lines.extend(self.permutation_line());
        lines.push(leak_line(&self.leak));
        lines.extend(self.flag_lines());
        lines
    }

    /// What looks wrong, a line each; one that says so where nothing does.
    pub fn flag_lines(&self) -> Vec<String> {
        if self.flags.is_empty() {
            return vec!["Flags: none (docs/trust.md says what these checks cannot tell).".into()];
        }
        let line = |flag: &Flag| match &flag.decoder {
            Some(decoder) => format!("Flag {}: {decoder}: {}.", flag.check, flag.text),
            None => format!("Flag {}: {}.", flag.check, flag.text),
        };
        self.flags.iter().map(line).collect()
    }

    /// How far the cluster alone carries.
    pub fn cluster_line(&self) -> Option<String> {
        let first = self.clusters.first()?;
        let of_targets = self.clusters.iter().map(|found| {
            format!("{:.1} ({}, one of {})", 100.0 * found.cluster_only, found.target, found.num_clusters)
        });
        let of_targets: Vec<String> = of_targets.collect();
        Some(format!(
            "A decoder that knows only the cluster of {} scores {} two-way; clusters by k-means of the training targets.",
            first.num_clusters,
            of_targets.join(", ")
        ))
    }

    /// The permutation tests.
    pub fn permutation_line(&self) -> Option<String> {
        let tests: Vec<String> = self
            .rows
            .iter()
            .filter_map(|row| {
                let test = row.permutation?;
                let [low, high] = test.null_range.map(|share| 100.0 * share);
                let (observed, mean) = (100.0 * test.observed, 100.0 * test.null_mean);
                let words = test.in_words();
                Some(format!("{}: {observed:.1} against {mean:.1} [{low:.1}, {high:.1}], {words}", row.name))
            })
            .collect();
        (!tests.is_empty()).then(|| {
            format!(
                "Permutation test, two-way of refits to permuted pairs, mean [least, largest]: {}.",
                tests.join("; ")
            )
        })
    }
}

fn head() -> String {
    format!(
        "{:<32} {:>22} {:>14} {:>22} {:>14} {:>24} {:>7}",
        "checks", "cluster %", "chance", "within cluster %", "dimensions", "training nearer %", "chance"
    )
}

fn line(row: &RowChecks) -> String {
    let RowChecks { name, cluster, within_cluster, dimensions, nearest_training, .. } = row;
    let NearestTraining { nearer, chance, .. } = nearest_training;
    let cluster_chance = format!("{:.1} / {:.1}", 100.0 * cluster.chance, 100.0 * cluster.largest);
    let within = within_cluster.map_or("-".into(), |found| percent(found.identification.share));
    let dimensions = format!(
        "{:.1}, {:.1}",
        dimensions.predicted.participation_ratio, dimensions.target.participation_ratio
    );
    format!(
        "{name:<32} {:>22} {cluster_chance:>14} {within:>22} {dimensions:>14} {:>24} {:>7.1}",
        percent(cluster.share),
        percent(*nearer),
        100.0 * chance
    )
}

fn leak_line(leak: &LeakCheck) -> String {
    let mut parts = vec![format!("{} images", leak.same_image)];
    parts.extend(leak.same_pixels.map(|count| format!("{count} pairs with equal pixels")));
    parts.extend(leak.near_targets.map(|count| format!("{count} pairs with nearly equal targets")));
    format!("On both sides of the split: {}.", parts.join(", "))
}

fn percent(Interval { mean, low, high }: Interval) -> String {
    format!("{:.1} [{:.1}, {:.1}]", 100.0 * mean, 100.0 * low, 100.0 * high)
}
