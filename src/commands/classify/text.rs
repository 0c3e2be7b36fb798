//! What was found, as text.

use super::config::MappedTraining;
use super::labels::{CategoryKind, LabelSource};
use super::summary::{CHANCE, ClassifierRow, ClassifySummary, GroupScore, MaskedCurve};
use crate::metrics::bootstrap::Interval;

impl ClassifySummary {
    /// A line per classifier, then what the figures mean.
    pub fn text(&self) -> String {
        let mut lines = vec![self.categories_line()];
        let is_coco = self.source == LabelSource::Coco;
        lines.push(head(is_coco));
        for row in &self.rows {
            lines.extend(row_lines(row, is_coco));
        }
        lines.extend(self.notes_lines());
        if !self.masking.is_empty() {
            lines.push(String::new());
            lines.extend(masking_lines(&self.masking));
        }
        lines.push(format!("Every category: {}", self.run.join("categories.csv").display()));
        lines.join("\n")
    }

    fn categories_line(&self) -> String {
        let count = |kind| self.categories.iter().filter(|of| of.is_scored && of.kind == kind).count();
        let what = match self.source {
            LabelSource::Coco => {
                format!("{} things and {} stuffs", count(CategoryKind::Thing), count(CategoryKind::Stuff))
            }
            LabelSource::Classes => format!("{} classes", count(CategoryKind::Class)),
        };
        format!(
            "{what}; left out as too rare: {} in training, {} among held-out images. {} trials of {} images train, {} of {} are held out.",
            self.left_out.in_training,
            self.left_out.in_test,
            self.num_train[0],
            self.num_train[1],
            self.num_test[0],
            self.num_test[1],
        )
    }

    fn notes_lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "Mean AUC-ROC over categories ± deviation over them [95 % interval over held-out images]; chance {CHANCE}. Exchanged: classifiers refitted \
             to labels that were exchanged between training images, the floor [interval; lowest and highest refit]."
        )];
        lines.push(
            "Network: three linear layers, all epochs, nothing chosen. Linear: ridge regression to labels, its penalty chosen on training images."
                .into(),
        );
        if self.rows.iter().any(|row| row.input.is_mapped()) {
            lines.push(match self.mapped_training {
                MappedTraining::Decoded => {
                    "Decoded: the classifier is trained on what the mapper decodes from the training trials, to which the mapper was fitted."
                        .into()
                }
                MappedTraining::Image => {
                    "Decoded: the classifier is trained on the vectors of the training images themselves.".into()
                }
            });
        }
        if self.rows.iter().any(|row| row.paper.is_some()) {
            lines.push("Paper: table 2, subject 1 of NSD, all 171 categories.".into());
        }
        lines.push(self.inference.line());
        lines
    }
}

fn head(is_coco: bool) -> String {
    let groups = if is_coco { format!(" {:>18} {:>18}", "things", "stuff") } else { String::new() };
    format!("{:<26}{groups} {:>36} {:>22}  exchanged", "", "all", "% of fMRI")
}

fn group(score: Option<&GroupScore>) -> String {
    score.map_or("none".into(), |score| format!("{:.3} ± {:.3}", score.auc.mean, score.deviation))
}

fn within(Interval { mean, low, high }: Interval, digits: usize) -> String {
    format!("{mean:.digits$} [{low:.digits$}, {high:.digits$}]")
}

fn row_lines(row: &ClassifierRow, is_coco: bool) -> Vec<String> {
    let scores = &row.scores;
    let groups = |things: String, stuff: String| {
        if is_coco { format!(" {things:>18} {stuff:>18}") } else { String::new() }
    };
    let name = format!("{}, {}", row.input.name(), row.classifier.name());
    let of_groups = groups(group(scores.things.as_ref()), group(scores.stuff.as_ref()));
    let Interval { mean, low, high } = scores.all.auc;
    let all = format!("{mean:.3} ± {:.3} [{low:.3}, {high:.3}]", scores.all.deviation);
    let percent = row.percent_of_fmri.map_or(String::new(), |percent| within(percent, 1));
    let exchanged = row.exchanged.as_ref().map_or("none".into(), |exchanged| {
        let [lowest, highest] = exchanged.range;
        format!("{}; {lowest:.3} to {highest:.3}", within(exchanged.scores.all.auc, 3))
    });
    let mut lines = vec![format!("{name:<26}{of_groups} {all:>36} {percent:>22}  {exchanged}")];
    if let Some(over) = row.over_linear {
        let Interval { mean, low, high } = over;
        let over = format!("{mean:+.3} [{low:+.3}, {high:+.3}]");
        lines.push(format!("{:<26}{} {over:>36}", "  over linear", groups(String::new(), String::new())));
    }
    if let Some(paper) = &row.paper {
        let of = |[mean, deviation]: [f64; 2]| format!("{mean:.3} ± {deviation:.3}");
        let of_groups = groups(of(paper.things), of(paper.stuff));
        let (all, percent) = (of(paper.all), format!("{:.1}", paper.percent_of_fmri));
        lines.push(format!("{:<26}{of_groups} {all:>36} {percent:>22}", "  paper"));
    }
    lines
}

/// A line per ratio, a column per curve.
fn masking_lines(curves: &[MaskedCurve]) -> Vec<String> {
    let mut lines = vec![
        "Masked voxels, mean AUC-ROC over all categories and draws [95 % interval over held-out images]:"
            .into(),
    ];
    for curve in curves {
        let trained = if curve.is_retrained { ", trained on masked trials" } else { "" };
        lines.push(format!("{}, {}{trained}", curve.input.name(), curve.classifier.name()));
        for point in &curve.points {
            lines.push(format!(
                "  {:>5.1} % masked  {}  {} draw{}",
                100.0 * point.ratio,
                within(point.auc, 3),
                point.masks,
                if point.masks == 1 { "" } else { "s" }
            ));
        }
    }
    lines
}
