//! An ablation's table: our counts with intervals and chance, or the numbers of our pictures, the paper's beside.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::pictures::{PictureNumbers, WAYS};
use super::rows::{PaperNumbers, RowSpec};
use crate::metrics::combined_retrieval::CombinedRetrieval;
use crate::metrics::retrieval::{RetrievalCount, RetrievalSummary};
use crate::pipelines::measured::{
    Context, Measured, MeasuredTable, Presentations, Reference, ReferenceKind, Unit,
};

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
    /// Numbers of a GAN's pictures.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pictures: Option<PictureNumbers>,
    /// Why it was left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// The paper's numbers.
    pub paper: PaperNumbers,
}

/// What a table's columns are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableContent {
    /// Retrieval counts of mappers.
    #[default]
    Counts,
    /// Numbers of GANs' pictures.
    Pictures,
}

/// The whole table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AblationTable {
    /// Heading.
    pub title: String,
    /// What its columns are.
    #[serde(default)]
    pub content: TableContent,
    /// Lines in the order of the file.
    pub rows: Vec<TableRow>,
    /// What all numbers share; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    /// Where `table.json` and `table.md` are.
    pub folder: PathBuf,
}

impl TableRow {
    fn of(row: &RowSpec) -> Self {
        let RowSpec { label, paper, .. } = row;
        let (label, paper) = (label.clone(), *paper);
        Self { label, retrieval: None, weights: Vec::new(), pictures: None, left_out: None, paper }
    }

    pub(super) fn done(row: &RowSpec, retrieval: &RetrievalSummary) -> Self {
        Self { retrieval: Some(*retrieval), ..Self::of(row) }
    }

    pub(super) fn combined(row: &RowSpec, combined: &CombinedRetrieval) -> Self {
        Self { weights: combined.weights.clone(), ..Self::done(row, &combined.retrieval) }
    }

    pub(super) fn judged(row: &RowSpec, pictures: PictureNumbers) -> Self {
        Self { pictures: Some(pictures), ..Self::of(row) }
    }

    pub(super) fn left_out(row: &RowSpec, reason: &str) -> Self {
        Self { left_out: Some(reason.to_string()), ..Self::of(row) }
    }

    fn label(&self) -> String {
        match self.weights.as_slice() {
            [] => self.label.clone(),
            weights => {
                let weights: Vec<String> = weights.iter().map(|weight| format!("{weight:.1}")).collect();
                format!("{} (weights {})", self.label, weights.join(", "))
            }
        }
    }

    /// Both directions, with the paper's.
    fn numbers(&self) -> Vec<Measured> {
        let Some(found) = &self.retrieval else { return Vec::new() };
        let directions = [
            ("forward", &found.forward, self.paper.forward),
            ("backward", &found.backward, self.paper.backward),
        ];
        let number = |(direction, count, paper): (&str, &RetrievalCount, Option<f64>)| Measured {
            quantity: format!("retrieval, {direction}"),
            protocol: format!(
                "among {} trials, mean of {} batches, by image",
                found.batch_size, found.num_batches
            ),
            decoder: self.label(),
            presentations: Presentations::Single,
            unit: Unit::CountOf(found.batch_size),
            value: count.over_batches,
            chance: Some(found.chance_over_batches),
            references: paper
                .map(|paper| Reference::exact(ReferenceKind::Paper, paper))
                .into_iter()
                .collect(),
            over_ridge: None,
        };
        directions.map(number).into()
    }

    /// As [`COUNTS`].
    fn count_cells(&self) -> Vec<String> {
        let paper = |number: Option<f64>| number.map_or(String::new(), |number| number.to_string());
        let (forward, backward, chance) = match (&self.retrieval, &self.left_out) {
            (Some(found), _) => {
                (count(&found.forward), count(&found.backward), format!("{:.1}", found.chance_over_batches))
            }
            (None, reason) => (reason.clone().unwrap_or_default(), String::new(), String::new()),
        };
        vec![self.label(), forward, paper(self.paper.forward), backward, paper(self.paper.backward), chance]
    }

    /// Distance of what a pretrained generator draws, and the paper's.
    fn distance_cells(&self) -> [String; 2] {
        let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.2}"));
        [number(self.pictures.as_ref().map(|found| found.test)), number(self.paper.fid)]
    }

    /// As [`PICTURES`], then one cell per number of ways.
    fn picture_cells(&self) -> Vec<String> {
        let number = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.2}"));
        let paper = self.paper.fid.map_or("missing".to_string(), |fid| fid.to_string());
        let Some(found) = &self.pictures else {
            let mut cells = vec![self.label(), self.left_out.clone().unwrap_or_default(), paper];
            cells.resize(PICTURES.len() + WAYS.len(), String::new());
            return cells;
        };
        let mut cells = vec![self.label(), number(Some(found.test)), paper, number(found.train)];
        cells.extend(WAYS.map(|ways| found.percent(ways).unwrap_or_default()));
        cells
    }
}

fn count(count: &RetrievalCount) -> String {
    let over = &count.over_batches;
    format!("{} / {:.1} [{:.1}, {:.1}]", count.first_batch, over.mean, over.low, over.high)
}

const COUNTS: [&str; 6] = ["", "forward", "paper", "backward", "paper", "chance"];
const DISTANCES: [&str; 2] = ["distance", "paper's FID"];
const PICTURES: [&str; 4] = ["", "distance", "paper's FID", "to training set"];

impl AblationTable {
    /// The counts with their context, the paper's beside them; none of a table of pictures, whose runs of `evaluate-images` have their own.
    pub fn numbers(&self) -> Option<MeasuredTable> {
        let context = self.context.clone().filter(|_| self.content == TableContent::Counts)?;
        Some(MeasuredTable::new(context, self.rows.iter().flat_map(TableRow::numbers).collect()))
    }

    /// Aligned columns for a terminal.
    pub fn text(&self) -> String {
        let lines = self.lines();
        let columns = lines.first().map_or(0, Vec::len);
        let width =
            |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
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
        let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let rule = "---|".repeat(lines.first().map_or(0, Vec::len));
        let mut text = format!("# {}\n\n{}|{rule}\n", self.title, row(&lines[0]));
        for cells in &lines[1..] {
            text.push_str(&row(cells));
        }
        text + "\n" + &self.legend() + "\n"
    }

    /// Whether a table of counts has distances beside them.
    fn has_distances(&self) -> bool {
        self.rows.iter().any(|row| row.paper.fid.is_some() || row.pictures.is_some())
    }

    fn lines(&self) -> Vec<Vec<String>> {
        let head = match self.content {
            TableContent::Counts => {
                let distances = if self.has_distances() { &DISTANCES[..] } else { &[] };
                COUNTS.iter().chain(distances).map(ToString::to_string).collect()
            }
            TableContent::Pictures => {
                let ways = WAYS.map(|ways| format!("{ways}-way %"));
                PICTURES.map(String::from).into_iter().chain(ways).collect()
            }
        };
        let cells = |row: &TableRow| match self.content {
            TableContent::Counts => {
                let mut cells = row.count_cells();
                cells.extend(self.has_distances().then(|| row.distance_cells()).into_iter().flatten());
                cells
            }
            TableContent::Pictures => row.picture_cells(),
        };
        std::iter::once(head).chain(self.rows.iter().map(cells)).collect()
    }

    fn legend(&self) -> String {
        let legend = match self.content {
            TableContent::Counts => self.legend_of_counts(),
            TableContent::Pictures => self.legend_of_pictures(),
        };
        match &self.context {
            Some(context) => format!("{}\n{legend}", context.lines().join("\n")),
            None => legend,
        }
    }

    fn legend_of_pictures(&self) -> String {
        let paper = "Paper: its FIDs of table 1 are missing in the text that this program was written from; nothing stands in for \
                     them.";
        let Some(found) = self.rows.iter().find_map(|row| row.pictures.as_ref()) else { return paper.into() };
        let floor = found.train_floor.map_or(String::new(), |floor| {
            format!(" The ground truth itself is {floor:.2} from the training set.")
        });
        let bias = if found.is_rank_deficient {
            " Fewer pictures than features: distances are too large."
        } else {
            ""
        };
        let chances: Vec<String> =
            found.ways.iter().map(|way| format!("{:.0} %", 100.0 * way.chance)).collect();
        format!(
            "Distance: {}, {} pictures of {} validation images to their ground truth.{floor}{bias} Identification: the first \
             picture of each image [95 % over resampled images]; chance {}. {paper}",
            found.distance,
            found.num_pictures,
            found.num_images,
            chances.join(", ")
        )
    }

    /// What the distances beside counts are, or what is needed for them.
    fn legend_of_distances(&self) -> String {
        if !self.has_distances() {
            return String::new();
        }
        let what = "Distance: of what a pretrained generator draws from each mapper's embeddings of the validation trials, not \
                    finetuned, to the ground truth";
        let paper = "The paper's: FID with a language-free Lafite of COCO.";
        let Some(found) = self.rows.iter().find_map(|row| row.pictures.as_ref()) else {
            return format!(
                " {what}; it needs a generator: `--gan language-free=DIR`, `paths.pretrained_gan` or a run of `pretrain-gan`. {paper}"
            );
        };
        let bias = if found.is_rank_deficient {
            " Fewer pictures than features: distances are too large."
        } else {
            ""
        };
        let PictureNumbers { distance, num_pictures, num_images, .. } = found;
        format!(" {what}; {distance}, {num_pictures} pictures of {num_images} images.{bias} {paper}")
    }

    fn legend_of_counts(&self) -> String {
        let batches = self.rows.iter().find_map(|row| row.retrieval.map(|r| (r.num_batches, r.batch_size)));
        let (num, size) = batches.unwrap_or((0, 0));
        format!(
            "Counts: first batch / mean over batches [95 % interval], by image; {num} batches of {size} validation trials. \
             Combinations: on the half of the images that did not choose the weights. Paper: NSD subject 1, of 300.{}",
            self.legend_of_distances()
        )
    }
}
