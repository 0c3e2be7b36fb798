//! An ablation's table: our counts with intervals and chance, the paper's beside.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::rows::{PaperNumbers, RowSpec};
use crate::metrics::combined_retrieval::CombinedRetrieval;
use crate::metrics::retrieval::{RetrievalCount, RetrievalSummary};

/// A line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TableRow {
    /// What is compared.
    pub label: String,
    /// Counts; none where the row was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retrieval: Option<RetrievalSummary>,
    /// Weights of a combination.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub weights: Vec<f64>,
    /// Why it was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// The paper's numbers.
    pub paper: PaperNumbers,
}

/// The whole table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AblationTable {
    /// Heading.
    pub title: String,
    /// Lines in the order of the file.
    pub rows: Vec<TableRow>,
    /// Where `table.json` and `table.md` are.
    pub folder: PathBuf,
}

impl TableRow {
    fn of(row: &RowSpec) -> Self {
        let RowSpec { label, paper, .. } = row;
        Self { label: label.clone(), retrieval: None, weights: Vec::new(), left_out: None, paper: *paper }
    }

    pub(super) fn done(row: &RowSpec, retrieval: &RetrievalSummary) -> Self {
        Self { retrieval: Some(*retrieval), ..Self::of(row) }
    }

    pub(super) fn combined(row: &RowSpec, combined: &CombinedRetrieval) -> Self {
        Self { weights: combined.weights.clone(), ..Self::done(row, &combined.retrieval) }
    }

    pub(super) fn left_out(row: &RowSpec, reason: &str) -> Self {
        Self { left_out: Some(reason.to_string()), ..Self::of(row) }
    }

    /// Label, forward, paper's forward, backward, paper's backward, chance.
    fn cells(&self) -> [String; 6] {
        let paper = |number: Option<f64>| number.map_or(String::new(), |number| number.to_string());
        let (forward, backward, chance) = match (&self.retrieval, &self.left_out) {
            (Some(found), _) => {
                (count(&found.forward), count(&found.backward), format!("{:.1}", found.chance_over_batches))
            }
            (None, reason) => (reason.clone().unwrap_or_default(), String::new(), String::new()),
        };
        let label = match self.weights.as_slice() {
            [] => self.label.clone(),
            weights => {
                let weights: Vec<String> = weights.iter().map(|weight| format!("{weight:.1}")).collect();
                format!("{} (weights {})", self.label, weights.join(", "))
            }
        };
        [label, forward, paper(self.paper.forward), backward, paper(self.paper.backward), chance]
    }
}

fn count(count: &RetrievalCount) -> String {
    let over = &count.over_batches;
    format!("{} / {:.1} [{:.1}, {:.1}]", count.first_batch, over.mean, over.low, over.high)
}

const HEAD: [&str; 6] = ["", "forward", "paper", "backward", "paper", "chance"];

impl AblationTable {
    /// Aligned columns for a terminal.
    pub fn text(&self) -> String {
        let lines = self.lines();
        let width =
            |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
        let mut text = format!("{}\n", self.title);
        for cells in &lines {
            let line: Vec<String> = cells
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            text.push_str(line.join("  ").trim_end());
            text.push('\n');
        }
        text + &self.legend()
    }

    /// The table as Markdown.
    pub fn markdown(&self) -> String {
        let lines = self.lines();
        let row = |cells: &[String; 6]| format!("| {} |\n", cells.join(" | "));
        let mut text = format!("# {}\n\n{}|---|---|---|---|---|---|\n", self.title, row(&lines[0]));
        for cells in &lines[1..] {
            text.push_str(&row(cells));
        }
        text + "\n" + &self.legend() + "\n"
    }

    fn lines(&self) -> Vec<[String; 6]> {
        std::iter::once(HEAD.map(String::from)).chain(self.rows.iter().map(TableRow::cells)).collect()
    }

    fn legend(&self) -> String {
        let batches = self.rows.iter().find_map(|row| row.retrieval.map(|r| (r.num_batches, r.batch_size)));
        let (num, size) = batches.unwrap_or((0, 0));
        format!(
            "Counts: first batch / mean over batches [95 % interval], by image; {num} batches of {size} validation trials. \
             Combinations: on the half of the images that did not choose the weights. Paper: NSD subject 1, of 300."
        )
    }
}
