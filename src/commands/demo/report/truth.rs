//! Estimates from the files of a phantom beside what its author knows.

use crate::commands::score::{CeilingScore, ScoreSummary};
use crate::report::number_format::{number, percent};
use crate::report::{Block, Section, Table};

/// Noise ceilings by kind of voxel, captions by grade.
pub(crate) fn section(score: &ScoreSummary) -> Section {
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
        vec![grade.clone(), found.num_captions.to_string(), percent(found.recall), percent(found.precision)]
    });
    let best = score.best_caption_is_specific.map_or(String::new(), |share| {
        format!(
            " The caption that CLIP found most probable is a specific one for {} of the images.",
            percent(share)
        )
    });
    section.with(Block::Table(Table {
        head: ["caption", "number", "kept (recall)", "share of the kept (precision)"].map(String::from).to_vec(),
        rows: rows.collect(),
        caption: format!(
            "Specific: things, colours, relation and place. Partial: one or two things. Generic: inside or outside. Wrong: \
             about another scene.{best}"
        ),
    }))
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
