//! What was found, as text: numbers, checks, and what the figures mean.

use super::checks::found::Checks;
use super::config::Centre;
use super::curves::found::Curves;
use super::summary::{CrossValidatedRow, CrossValidation, EvaluateSummary};
use crate::training::ridge::GridEdge;

impl EvaluateSummary {
    /// Every number beside what it is held against, the checks, and what the figures mean.
    pub fn table(&self) -> String {
        let mut lines: Vec<String> = self.cross_validation.iter().map(fold_line).collect();
        lines.extend(self.numbers().lines());
        lines.extend(self.ceiling_line());
        lines.extend(self.penalty_line());
        lines.extend(self.checks.iter().flat_map(Checks::lines));
        lines.extend(self.notes());
        lines.extend(self.curves.iter().flat_map(Curves::lines));
        lines.join("\n")
    }

    /// How many presentations are averaged, or why none are; nothing over folds.
    fn ceiling_line(&self) -> Option<String> {
        if self.cross_validation.is_some() {
            return None;
        }
        Some(match self.mean_presentations() {
            Some(presentations) => format!(
                "Averaged: {presentations:.1} presentations of each image; no bound for other decoders."
            ),
            None => "No ceiling: no held-out image has several presentations.".into(),
        })
    }

    /// The penalties of ridge regression; nothing where none was fitted.
    fn penalty_line(&self) -> Option<String> {
        let of_split = self.ridge.iter().filter_map(|row| {
            Some(format!("{} {}", row.name, penalty_text(row.penalty?, row.penalty_at_edge)))
        });
        let folds = self.cross_validation.iter().flat_map(|found| &found.rows);
        let of_folds = folds.filter(|row| !row.penalties.is_empty());
        let of_folds = of_folds.map(|row| format!("{} {}", row.name, penalties_text(row)));
        let penalties: Vec<String> = of_split.chain(of_folds).collect();
        (!penalties.is_empty()).then(|| {
            let grid: Vec<String> = self.penalties.iter().map(f64::to_string).collect();
            format!(
                "Penalties, chosen on training trials from {}: {}.",
                grid.join(", "),
                penalties.join("; ")
            )
        })
    }

    /// What the figures mean.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        notes.push(match self.centre {
            Centre::None => "Not centred: predictions and targets are compared as they are.".into(),
            Centre::TrainingMean => {
                "Centred: the mean target of the training trials is taken from predictions and targets."
                    .into()
            }
            Centre::RescaledByTest => {
                "Transductive: each output of the predictions has the mean and deviation of the training targets, by its own over the held-out \
                 trials; what is predicted of one trial depends on the others. Not centred."
                    .into()
            }
        });
        let has_ridge = !self.ridge.is_empty() || self.cross_validation.is_some();
        if has_ridge {
            notes.push(
                "Ridge: the baseline that this command fits, one penalty for all outputs; neither a mapper of the kind ridge nor \
                 the ridge inside a residual mapper."
                    .into(),
            );
        }
        if let Some(side) = self.pixel_side {
            notes.push(format!(
                "Pixels: luminance at {side} x {side}, compared by Pearson's correlation (cosine less each picture's mean)."
            ));
        }
        notes.extend(self.cross_validation.iter().flat_map(fold_notes));
        notes
    }
}

/// How often each trial was held out.
fn fold_line(found: &CrossValidation) -> String {
    format!("{} folds of {} images, each trial held out once.", found.folds, found.num_groups)
}

/// What mappers over folds are, and what they were kept from.
fn fold_notes(found: &CrossValidation) -> Vec<String> {
    let mut notes = vec![
        "A decoder that knows only which of k equal clusters an image is of, and guesses inside it, scores 1 - 1/(2k) two-way: 98.75 for 40; \
         without folds its score among these images is told."
            .into(),
    ];
    if found.rows.iter().any(|row| row.kind.is_some()) {
        notes.push(
            "Mappers were trained anew in every fold, on its training trials; differences are paired, in percentage points, with intervals \
             over images. `ridge` alone has one penalty for all outputs, the mapper of this kind one for each."
                .into(),
        );
    }
    if !found.control.is_empty() {
        notes.push(
            "Exchanged rows differ from each other and from chance by luck alone: every decoder fits the same exchanged betas in its own way, \
             with a penalty of its own."
                .into(),
        );
    }
    if found.rows.iter().any(|row| row.epochs_chosen_on.is_some()) {
        notes.push(
            "The paper's network: its epochs were chosen on a part of the fold's training images, which it was not fitted to, and \
             not on the trials that are counted."
                .into(),
        );
    }
    notes
}

/// A penalty, and whether it lies at an end of the grid.
fn penalty_text(penalty: f64, edge: Option<GridEdge>) -> String {
    match edge {
        None => penalty.to_string(),
        Some(GridEdge::Smallest) => format!("{penalty} (smallest of the grid)"),
        Some(GridEdge::Largest) => format!("{penalty} (largest of the grid)"),
    }
}

/// The penalties of the folds, and how many of them lie at an end of the grid.
fn penalties_text(row: &CrossValidatedRow) -> String {
    let penalties: Vec<String> = row.penalties.iter().map(f64::to_string).collect();
    let edge = match row.folds_at_edge {
        0 => String::new(),
        folds => format!(" ({folds} at an end of the grid)"),
    };
    format!("{}{edge}", penalties.join(", "))
}
