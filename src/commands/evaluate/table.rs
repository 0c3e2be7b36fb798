//! What was found, as text: a block for retrieval, a block for identification, and what the figures mean.

use super::checks::found::Checks;
use super::config::Centre;
use super::curves::found::Curves;
use super::summary::{CrossValidatedRow, CrossValidation, DecoderRow, EvaluateSummary, PairedDifference};
use crate::metrics::bootstrap::Interval;
use crate::metrics::pairwise::PairwiseIdentification;
use crate::metrics::retrieval::{RetrievalCount, RetrievalSummary};
use crate::metrics::trust::lures::Lures;
use crate::pipelines::inference::Inference;
use crate::training::ridge::GridEdge;

/// Least width of the names.
const NAME_WIDTH: usize = 32;
/// Stands in front of a paired difference.
const MINUS_RIDGE: &str = "  minus ridge regression";

impl EvaluateSummary {
    /// The counts as text: a line per decoder, then a line per combination; then identification and rank.
    pub fn table(&self) -> String {
        let mut lines = match &self.cross_validation {
            Some(found) => self.cross_validation_lines(found),
            None => {
                let mut lines = self.retrieval_lines();
                lines.extend(self.identification_lines());
                lines.extend(self.checks.iter().flat_map(Checks::lines));
                lines
            }
        };
        lines.extend(self.notes());
        lines.extend(self.curves.iter().flat_map(Curves::lines));
        lines.join("\n")
    }

    /// Every decoder, under the name that stands in front of its figures.
    fn rows(&self) -> impl Iterator<Item = (String, &DecoderRow)> {
        let mappers = self.mappers.iter().enumerate();
        let mappers = mappers.map(|(number, row)| (format!("{number} {}", row.name), row));
        let others = self.mapper_control.iter().chain(&self.ridge).chain(&self.ridge_control);
        mappers.chain(others.map(|row| (row.name.clone(), row)))
    }

    fn retrieval_lines(&self) -> Vec<String> {
        let mut lines =
            vec![format!("{:<32} {:>26} {:>26} {:>8} {:>8}", "", "forward", "backward", "chance", "cosine")];
        for (name, row) in self.rows() {
            lines.push(retrieval_line(&name, &row.by_image, Some(row.cosine.mean)));
            if row.mapper.is_some() {
                lines.push(retrieval_line("  by index", &row.by_index, None));
            }
            lines.extend(row.over_ridge.as_ref().map(difference_line));
        }
        for row in &self.combinations {
            let parts = row.mappers.iter().zip(&row.combined.weights);
            let parts: Vec<String> =
                parts.map(|(mapper, weight)| format!("{weight:.1} x {mapper}")).collect();
            let name = format!("held out: {}", parts.join(" + "));
            lines.push(retrieval_line(&name, &row.combined.retrieval, None));
        }
        lines.push(self.counts_note());
        if !self.combinations.is_empty() {
            lines.push("Held out: images that had no part in the choice of the weights; by image.".into());
        }
        lines
    }

    /// Of how many the counts are.
    fn counts_note(&self) -> String {
        let sizes = |found: &RetrievalSummary| (found.num_batches, found.batch_size);
        let all = self.rows().next().map(|(_, row)| sizes(&row.by_image));
        let held_out = self.combinations.first().map(|row| sizes(&row.combined.retrieval));
        let in_words = |(batches, size): (usize, usize)| match batches {
            1 => format!("one batch of {size} trials"),
            _ => format!("{batches} batches of {size} trials"),
        };
        let all = in_words(all.unwrap_or_default());
        let held_out = held_out.map_or(String::new(), |sizes| format!(", held out {}", in_words(sizes)));
        format!("Counts: first batch / mean over batches [interval over images]; {all}{held_out}.")
    }

    fn identification_lines(&self) -> Vec<String> {
        let mut lines = vec![String::new(), identification_head(self.lures_head())];
        for (name, row) in self.rows() {
            if let Some(found) = &row.identification {
                let penalty = row.penalty.map(|penalty| penalty_text(penalty, row.penalty_at_edge));
                lines.push(identification_line(&name, found, &penalty.unwrap_or_default()));
            }
            if let Some(averaged) = &row.averaged {
                lines.push(identification_line("  presentations averaged", &averaged.identification, ""));
            }
        }
        lines.push(match self.mean_presentations() {
            Some(presentations) => format!(
                "Averaged: the mean of what is decoded from an image's presentations ({presentations:.1} of each image), what less \
                 noise gives the same decoder; no bound for others."
            ),
            None => "No ceiling: no held-out image has several presentations.".into(),
        });
        lines
    }

    /// What images are told from.
    fn lures_head(&self) -> &'static str {
        match self.lures {
            Lures::Test => "2-way, held-out images",
            Lures::Train => "2-way, lures: training images",
            Lures::Cluster => "2-way, lures: same cluster",
        }
    }

    fn cross_validation_lines(&self, found: &CrossValidation) -> Vec<String> {
        let CrossValidation { folds, num_groups, candidates: [fewest, most], .. } = found;
        let candidates = if fewest == most { fewest.to_string() } else { format!("{fewest} or {most}") };
        let trials = self.num_trials;
        let mut lines = vec![format!(
            "{folds} folds of {num_groups} images, {trials} trials, each held out once; candidates are the {candidates} trials of its fold."
        )];
        let rows = || found.rows.iter().chain(&found.control);
        let width = rows().map(|row| row.name.chars().count()).max().unwrap_or(0).max(NAME_WIDTH);
        lines.push(format!(
            "{:<width$} {:>26} {:>26} {:>8} {:>8}",
            "", "forward %", "backward %", "chance", "cosine"
        ));
        for row in rows() {
            let [forward, backward] = [row.forward, row.backward].map(percent_within);
            let (chance, cosine) = (100.0 * row.chance, row.cosine.mean);
            let name = &row.name;
            lines.push(format!("{name:<width$} {forward:>26} {backward:>26} {chance:>8.1} {cosine:>8.3}"));
            if let Some(over) = &row.over_ridge {
                let [forward, backward] = [over.forward, over.backward].map(points_within);
                lines.push(format!("{MINUS_RIDGE:<width$} {forward:>26} {backward:>26}"));
            }
        }
        lines.extend([
            String::new(),
            identification_head(&format!("{:<width$}", "2-way, images of the fold")),
        ]);
        for row in rows() {
            let name = format!("{:<width$}", row.name);
            lines.push(identification_line(&name, &row.identification, &penalties_text(row)));
            if let Some(over) = &row.over_ridge {
                lines.push(format!("{MINUS_RIDGE:<width$} {:>22}", points_within(over.identification)));
            }
        }
        lines
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
        let has_control = !self.ridge_control.is_empty()
            || self.cross_validation.as_ref().is_some_and(|found| !found.control.is_empty());
        if has_control {
            notes.push(
                "Exchanged: ridge regression from betas that were exchanged between trials; the floor."
                    .into(),
            );
        }
        notes.extend(self.cross_validation.iter().flat_map(fold_notes));
        notes.extend(self.inference.as_ref().map(Inference::line));
        if !self.penalties.is_empty() {
            let grid: Vec<String> = self.penalties.iter().map(f64::to_string).collect();
            notes.push(format!("Penalties were chosen on training trials from {}.", grid.join(", ")));
        }
        notes
    }
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

/// A share in per cent.
fn percent_within(Interval { mean, low, high }: Interval) -> String {
    format!("{:.1} [{:.1}, {:.1}]", 100.0 * mean, 100.0 * low, 100.0 * high)
}

/// A difference of shares in percentage points.
fn points_within(Interval { mean, low, high }: Interval) -> String {
    format!("{:+.1} [{:+.1}, {:+.1}]", 100.0 * mean, 100.0 * low, 100.0 * high)
}

fn retrieval_line(name: &str, found: &RetrievalSummary, cosine: Option<f64>) -> String {
    let count = |count: &RetrievalCount| {
        let Interval { mean, low, high } = count.over_batches;
        match found.num_batches {
            1 => format!("{} of {} [{low:.1}, {high:.1}]", count.first_batch, found.batch_size),
            _ => format!("{} / {mean:.1} [{low:.1}, {high:.1}]", count.first_batch),
        }
    };
    let (forward, backward) = (count(&found.forward), count(&found.backward));
    let chance = found.chance_over_batches;
    let cosine = cosine.map_or(String::new(), |cosine| format!("{cosine:.3}"));
    format!("{name:<32} {forward:>26} {backward:>26} {chance:>8.1} {cosine:>8}")
}

/// What a mapper finds more than ridge regression.
fn difference_line(over: &PairedDifference) -> String {
    let of = |Interval { mean, low, high }: Interval| format!("{mean:+.1} [{low:+.1}, {high:+.1}]");
    format!("{:<32} {:>26} {:>26}", MINUS_RIDGE, of(over.forward), of(over.backward))
}

fn identification_head(name: &str) -> String {
    format!(
        "{name:<32} {:>22} {:>7} {:>24} {:>7} {:>12}  penalty",
        "%", "chance", "mean rank", "median", "chance, of"
    )
}

fn identification_line(name: &str, found: &PairwiseIdentification, penalty: &str) -> String {
    let PairwiseIdentification { share, chance, mean_rank, median_rank, chance_rank, num_images } = found;
    let share = format!("{:.1} [{:.1}, {:.1}]", 100.0 * share.mean, 100.0 * share.low, 100.0 * share.high);
    let chance = 100.0 * chance;
    let rank = format!("{:.1} [{:.1}, {:.1}]", mean_rank.mean, mean_rank.low, mean_rank.high);
    let chance_rank = format!("{chance_rank:.1}, {num_images}");
    format!("{name:<32} {share:>22} {chance:>7.1} {rank:>24} {median_rank:>7.1} {chance_rank:>12}  {penalty}")
        .trim_end()
        .to_string()
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
