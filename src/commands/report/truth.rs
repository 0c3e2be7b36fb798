//! Estimates from the files of a phantom beside what its author knows.

use crate::commands::score::{CeilingScore, ScoreSummary};
use crate::metrics::bootstrap::Interval;
use crate::report::number_format::{number, percent};
use crate::report::{Block, Section, Table};

/// Noise ceilings by kind of voxel, captions by grade.
pub(super) fn section(score: &ScoreSummary) -> Section {
    let mut section = Section::new("Against the truth").text(
        "This brain was made, so its answers are known. The noise ceiling is estimated from repeated presentations as \
         NSD does it, and compared with the signal-to-noise ratio that each voxel was given; the screening of captions \
         is compared with the grades of the grammar that wrote them.",
    );
    let mut rows = vec![ceiling_row("all", &score.noise_ceiling)];
    rows.extend(score.noise_ceiling_by_kind.iter().map(|(kind, ceiling)| ceiling_row(kind, ceiling)));
    section = section.with(Block::Table(Table {
        head: ["voxels", "number", "median true", "median estimated", "bias", "r"].map(String::from).to_vec(),
        rows,
        caption: "Noise ceiling for means of three trials, in percent of the variance; bias: mean of estimate minus \
                  truth; r: correlation over voxels."
            .into(),
    }));
    if score.captions.is_empty() {
        return section;
    }
    let rows = score.captions.iter().map(|(grade, found)| {
        let share = |share: f64, interval: Option<Interval>| percent_within(interval, percent(share));
        vec![
            grade.clone(),
            found.num_captions.to_string(),
            share(found.recall, found.recall_interval),
            share(found.precision, found.precision_interval),
        ]
    });
    let best = score.best_caption_is_specific.map_or(String::new(), |share| {
        format!(
            " The caption that CLIP found most probable is a specific one for {} of the images.",
            percent_within(score.best_caption_is_specific_interval, percent(share))
        )
    });
    section.with(Block::Table(Table {
        head: ["caption", "number", "kept (recall, 95 %)", "share of the kept (precision, 95 %)"].map(String::from).to_vec(),
        rows: rows.collect(),
        caption: format!(
            "Specific: things, colours, relation and place. Partial: one or two things. Generic: inside or outside. Wrong: \
             about another scene.{best}"
        ),
    }))
}

/// A share with its interval, where there is one.
fn percent_within(interval: Option<Interval>, share: String) -> String {
    match interval {
        Some(Interval { low, high, .. }) => format!("{share} ({} to {})", percent(low), percent(high)),
        None => share,
    }
}

fn ceiling_row(name: &str, score: &CeilingScore) -> Vec<String> {
    vec![
        name.to_string(),
        score.num_voxels.to_string(),
        number(score.median_true),
        number(score.median_estimated),
        number(score.bias),
        score.correlation.map_or("none".into(), number),
    ]
}
