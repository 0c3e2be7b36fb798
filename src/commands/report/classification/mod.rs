//! Categories told from betas and embeddings: what `classify` found.

use super::run_files::json_file;
use super::settings::ReportSettings;
use crate::commands::classify::{CHANCE, ClassifierRow, ClassifySummary, GroupScore, LabelSource};
use crate::metrics::bootstrap::Interval;
use crate::report::{Block, Section, Table};
use crate::run::error::RunError;
use crate::run::run_dir::SUMMARY_FILE;

const LEAD: &str = "Area under the ROC curve of each category on held-out trials, mean over categories. Floor: classifiers refitted to labels that were exchanged between \
                    training images. Ceiling of what is decoded: the embedding of the image itself.";

/// Table and curve of the subject's newest runs; nothing where it has none, or where runs are named.
///
/// # Errors
/// Runs that cannot be looked at, a summary that cannot be read.
pub(super) fn section(settings: &ReportSettings) -> Result<Option<Section>, RunError> {
    if !settings.runs.is_empty() {
        return Ok(None);
    }
    let name = format!("classify-{}", settings.project.subject);
    let runs = settings.project.found_runs(|run| run == name)?.finished;
    let read = |run: &std::path::PathBuf| -> Result<ClassifySummary, RunError> {
        json_file(&run.join(SUMMARY_FILE), "a summary of `classify`")
    };
    let summaries = runs.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let Some(newest) = summaries.last() else { return Ok(None) };
    let masked = summaries.iter().rev().find_map(ClassifySummary::masking_chart);
    let section = Section::new("Categories").text(LEAD).with(Block::Table(table(newest)));
    Ok(Some(section.with_some(masked.map(Block::Chart))))
}

fn table(summary: &ClassifySummary) -> Table {
    let is_coco = summary.source == LabelSource::Coco;
    let groups: &[&str] = if is_coco { &["things", "stuff"] } else { &[] };
    let head = ["classifier"].iter().chain(groups).chain(&["all (95 %)", "% of fMRI", "exchanged labels"]);
    let head = head.chain(is_coco.then_some(&"paper, subject 1")).map(ToString::to_string).collect();
    let inference = summary.inference.line();
    Table {
        head,
        rows: summary.rows.iter().map(|row| cells(row, is_coco)).collect(),
        caption: format!(
            "Mean ± deviation over {} categories; chance {CHANCE}. {inference}",
            summary.rows.first().map_or(0, |row| row.scores.all.num_categories)
        ),
    }
}

fn cells(row: &ClassifierRow, is_coco: bool) -> Vec<String> {
    let group = |score: &Option<GroupScore>| {
        score.map_or("none".into(), |score| format!("{:.3} ± {:.3}", score.auc.mean, score.deviation))
    };
    let within = |Interval { mean, low, high }: Interval, digits: usize| {
        format!("{mean:.digits$} ({low:.digits$} to {high:.digits$})")
    };
    let mut cells = vec![format!("{}, {}", row.input.name(), row.classifier.name())];
    if is_coco {
        cells.extend([&row.scores.things, &row.scores.stuff].map(group));
    }
    cells.push(within(row.scores.all.auc, 3));
    cells.push(row.percent_of_fmri.map_or("none".into(), |percent| within(percent, 1)));
    cells.push(row.exchanged.map_or("none".into(), |floor| within(floor.scores.all.auc, 3)));
    if is_coco {
        cells.push(
            row.paper.map_or(String::new(), |paper| format!("{:.3} ± {:.3}", paper.all[0], paper.all[1])),
        );
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::classify::{ClassifierInput, ClassifierKind, GroupScores};

    #[test]
    fn a_row_has_as_many_cells_as_heads() {
        let auc = Interval { mean: 0.8, low: 0.75, high: 0.85 };
        let all = GroupScore { auc, deviation: 0.1, num_categories: 4 };
        let row = ClassifierRow {
            input: ClassifierInput::Fmri,
            classifier: ClassifierKind::Network,
            scores: GroupScores { things: Some(all), stuff: None, all },
            percent_of_fmri: Some(Interval { mean: 100.0, low: 100.0, high: 100.0 }),
            over_linear: None,
            exchanged: None,
            penalty: None,
            penalty_at_edge: None,
            paper: None,
        };
        let expected = [
            "fMRI, network",
            "0.800 ± 0.100",
            "none",
            "0.800 (0.750 to 0.850)",
            "100.0 (100.0 to 100.0)",
            "none",
            "",
        ];
        assert_eq!(cells(&row, true), expected);
        assert_eq!(cells(&row, false).len(), 4);
    }
}
