//! Effects of stimulated regions on what the decoded embedding is about, in one table: regions × sentences.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::commands::microstim::{MicrostimSummary, ProbeChange};
use crate::metrics::bootstrap::Interval;
use crate::pipelines::stimulation::Stimulation;
use crate::run::error::RunError;

/// File of a run of `microstim`.
const SUMMARY_FILE: &str = "summary.json";

/// Change of similarity to a sentence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeEffect {
    /// The sentence.
    pub sentence: String,
    /// Mean change over trials, in units of the deviation of the similarity over trials before; none without such a deviation.
    pub effect: Option<Interval>,
}

/// A region that was driven or silenced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionEffects {
    /// The run.
    pub run: PathBuf,
    /// The region as it was given.
    pub roi: String,
    /// What was done.
    pub action: Stimulation,
    /// Its voxels.
    pub num_voxels: usize,
    /// Trials.
    pub num_trials: usize,
    /// Effects by sentence, in the order of the run: largest rise first.
    pub probes: Vec<ProbeEffect>,
}

/// Effects of several regions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EffectTable {
    /// One per run.
    pub regions: Vec<RegionEffects>,
}

/// Reads finished runs of `microstim`.
///
/// # Errors
/// [`RunError`] for a folder that holds no such run, or one of a version that did not keep the deviations.
pub fn microstim_effects(runs: &[PathBuf]) -> Result<EffectTable, RunError> {
    Ok(EffectTable { regions: runs.iter().map(|run| region(run)).collect::<Result<_, _>>()? })
}

fn region(run: &Path) -> Result<RegionEffects, RunError> {
    let path = run.join(SUMMARY_FILE);
    let bytes = RunError::read(&path, "`score --microstim`: give folders of finished `microstim` runs")?;
    let summary: MicrostimSummary = serde_json::from_slice(&bytes)
        .map_err(|error| RunError::invalid(&path, "content", "a summary of `microstim`", error))?;
    let effect = |probe: &ProbeChange| {
        let spread = probe.spread.ok_or_else(|| {
            let expected = "the deviation over trials; run `mindreader microstim` again";
            RunError::invalid(&path, format!("`spread` of `{}`", probe.sentence), expected, "none")
        })?;
        let Interval { mean, low, high } = probe.change;
        let scaled = || Interval { mean: mean / spread, low: low / spread, high: high / spread };
        Ok(ProbeEffect { sentence: probe.sentence.clone(), effect: (spread > 0.0).then(scaled) })
    };
    Ok(RegionEffects {
        run: run.to_path_buf(),
        probes: summary.probes.iter().map(effect).collect::<Result<_, RunError>>()?,
        roi: summary.roi,
        action: summary.action,
        num_voxels: summary.num_voxels,
        num_trials: summary.num_trials,
    })
}

impl EffectTable {
    /// A row of sentences, then a row per region with its name first.
    pub fn cells(&self) -> Vec<Vec<String>> {
        let mut sentences: Vec<&str> = Vec::new();
        for probe in self.regions.iter().flat_map(|region| &region.probes) {
            if !sentences.contains(&probe.sentence.as_str()) {
                sentences.push(&probe.sentence);
            }
        }
        let mut rows = vec![vec![String::new()]];
        rows[0].extend(sentences.iter().map(|sentence| (*sentence).to_string()));
        for region in &self.regions {
            let action = match region.action {
                Stimulation::Excite => "driven",
                Stimulation::Silence => "silenced",
            };
            let mut row = vec![format!(
                "{} {action}, {} voxels, {} trials",
                region.roi, region.num_voxels, region.num_trials
            )];
            row.extend(sentences.iter().map(|sentence| {
                let probe = region.probes.iter().find(|probe| probe.sentence == *sentence);
                match probe.and_then(|probe| probe.effect) {
                    Some(Interval { mean, low, high }) => format!("{mean:+.2} [{low:+.2}, {high:+.2}]"),
                    None => "-".into(),
                }
            }));
            rows.push(row);
        }
        rows
    }

    /// The table as text: a line per region, a column per sentence.
    pub fn text(&self) -> String {
        let rows = self.cells();
        let num_columns = rows.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..num_columns)
            .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        let mut lines: Vec<String> = rows
            .iter()
            .map(|row| {
                let cells = row.iter().zip(&widths).enumerate();
                let cells = cells.map(|(column, (cell, width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                });
                cells.collect::<Vec<_>>().join("  ")
            })
            .collect();
        lines.push(
            "Change of the cosine with each sentence in units of its deviation over trials before, with 95% intervals."
                .into(),
        );
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run_folder(root: &Path, roi: &str, spread: Option<f64>) -> PathBuf {
        let run = root.join(roi);
        std::fs::create_dir(&run).unwrap();
        let probe = |sentence: &str, mean: f64| {
            json!({"sentence": sentence, "before": 0.1, "after": 0.1 + mean, "spread": spread,
                   "change": {"mean": mean, "low": mean - 0.1, "high": mean + 0.1}})
        };
        let summary = json!({
            "run": run, "roi": roi, "action": "excite", "num_voxels": 7, "num_trials": 8, "grid": "grid.png",
            "image_embedding_cosine": 0.5, "caption_embedding_cosine": 0.5,
            "probes": [probe("a person", 0.4), probe(&format!("only {roi}"), -0.2)],
        });
        std::fs::write(run.join("summary.json"), summary.to_string()).unwrap();
        run
    }

    #[test]
    fn effects_are_in_units_of_the_spread() {
        let root = tempfile::tempdir().unwrap();
        let runs =
            [run_folder(root.path(), "faces", Some(0.2)), run_folder(root.path(), "places", Some(0.0))];
        let table = microstim_effects(&runs).unwrap();
        let effect = table.regions[0].probes[0].effect.unwrap();
        assert!((effect.mean - 2.0).abs() < 1e-12 && (effect.low - 1.5).abs() < 1e-12);
        assert_eq!(table.regions[1].probes[0].effect, None);
        let text = table.text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("a person") && lines[0].contains("only places"), "{text}");
        assert!(
            lines[1].starts_with("faces driven, 7 voxels, 8 trials")
                && lines[1].contains("+2.00 [+1.50, +2.50]"),
            "{text}"
        );
        assert!(lines[1].ends_with('-') && !lines[2].contains('['), "{text}");
    }

    #[test]
    fn runs_that_are_none_or_too_old_are_named() {
        let root = tempfile::tempdir().unwrap();
        let error = |run: PathBuf| microstim_effects(&[run]).unwrap_err().to_string();
        assert!(error(run_folder(root.path(), "old", None)).contains("run `mindreader microstim` again"));
        assert!(error(root.path().join("none")).contains("--microstim"));
        std::fs::write(root.path().join("summary.json"), "{}").unwrap();
        assert!(error(root.path().into()).contains("a summary of `microstim`"));
    }
}
