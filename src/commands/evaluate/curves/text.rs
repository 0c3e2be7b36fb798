//! Curves as text: a line per point.

use super::found::{
    BottleneckCurve, ComparedRow, CurvePoint, Curves, DimensionsReached, LearningCurve, SharedOut,
    SplitComparison,
};
use super::wanted::Dimensions;
use crate::metrics::bootstrap::Interval;

/// Width of the names.
const NAME_WIDTH: usize = 66;

impl Curves {
    /// Every curve as lines of text.
    pub fn lines(&self) -> Vec<String> {
        let bottleneck = self.bottleneck.iter().flat_map(BottleneckCurve::lines);
        let learning = self.learning.iter().flat_map(LearningCurve::lines);
        bottleneck.chain(learning).chain(self.splits.iter().flat_map(SplitComparison::lines)).collect()
    }
}

impl BottleneckCurve {
    fn lines(&self) -> Vec<String> {
        let title = format!("{} behind a bottleneck", self.name);
        let mut lines = vec![String::new(), head(&title, "exchanged %")];
        for point in &self.points {
            let name = match point.dimensions {
                Dimensions::Of(1) => "1 dimension".into(),
                Dimensions::Of(count) => format!("{count} dimensions"),
                Dimensions::Full => "full".into(),
            };
            let floor = point.floor.map_or("none".into(), |floor| percent(floor.identification));
            lines.push(line(&name, &point.found, &floor));
        }
        lines.push(chance_text(self.chance));
        lines.extend(self.sentence());
        lines
    }

    /// How many dimensions most of the score takes.
    pub fn sentence(&self) -> Option<String> {
        let of_rank = match self.rank {
            0 => "The predictions do not vary at all".into(),
            1 => "The predictions spread in one direction".into(),
            rank => format!("The predictions spread in {rank} directions"),
        };
        let Some(DimensionsReached { dimensions, low, high }) = self.ninety_percent else {
            return Some(match self.points.last() {
                Some(point) if point.dimensions == Dimensions::Full => {
                    format!(
                        "{of_rank}; without a bottleneck the interval holds the floor, so no width is said to reach a part of the way."
                    )
                }
                _ => format!("{of_rank}."),
            });
        };
        Some(format!(
            "90 % of the way from floor to full, in pairs won: {dimensions} [{low}, {high}] of the listed dimensions. {of_rank}."
        ))
    }
}

impl LearningCurve {
    fn lines(&self) -> Vec<String> {
        let of = self.what();
        let title = format!("{}, shares of {of}", self.name);
        let mut lines = vec![String::new(), head(&title, "draws: worst, best %")];
        for point in &self.points {
            let name = format!("{:.0} %, {} {of}", 100.0 * point.share, point.count);
            let [low, high] = point.range_over_draws.map(|share| 100.0 * share);
            let range = format!("{}: {low:.1}, {high:.1}", point.draws);
            lines.push(line(&name, &point.found, &range));
        }
        let floor =
            self.floor.map_or(String::new(), |floor| format!(" Exchanged betas: {} %.", percent(floor)));
        lines.push(format!("{}{floor}", chance_text(self.chance)));
        lines.extend(self.sentence());
        lines
    }

    /// What the shares are of.
    pub fn what(&self) -> &'static str {
        match self.of {
            SharedOut::Images => "training images",
            SharedOut::Voxels => "voxels",
        }
    }

    /// Whether the curve still rises at its end.
    pub fn sentence(&self) -> Option<String> {
        let [.., before, last] = &self.points[..] else { return None };
        let step = self.last_step?;
        let from = format!(
            "From {:.0} % to {:.0} % of the {}: {} points",
            100.0 * before.share,
            100.0 * last.share,
            self.what(),
            points(step)
        );
        let what = match self.of {
            SharedOut::Images => "more images of this subject may find more",
            SharedOut::Voxels => "voxels that are not in this selection may find more",
        };
        // A rise that another draw of fewer would have had is none.
        let is_beyond_draws = last.found.identification.mean > before.range_over_draws[1];
        Some(match step.low > 0.0 && is_beyond_draws {
            true => format!("{from}; the curve still rises: {what}."),
            false => format!("{from}, no rise beyond its interval and the draws."),
        })
    }
}

impl SplitComparison {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![String::new(), head(&self.title(), "chance forward %")];
        for row in &self.rows {
            let [stored, random] = row.chance.map(|chance| format!("{:.1}", 100.0 * chance));
            lines.push(line(&format!("{}, {}", row.name, self.name), &row.stored, &stored));
            lines.push(line(&format!("{}, random", row.name), &row.random, &random));
            lines.push(difference_line("  random minus stored", row.difference));
            if let (Some(same), Some(of_training)) = (&row.same_candidates, row.of_training) {
                lines.push(line(&format!("{}, random, same candidates", row.name), same, &stored));
                lines.push(difference_line("  the same candidates, minus stored", of_training));
            }
        }
        lines.push(self.note());
        lines
    }

    /// Which splits, and how large.
    pub fn title(&self) -> String {
        let [train, held_out] =
            [self.train_images, self.held_out_images].map(|[fewest, most]| match fewest == most {
                true => fewest.to_string(),
                false => format!("{fewest} to {most}"),
            });
        let splits =
            if self.num_splits == 1 { "1 split".into() } else { format!("{} splits", self.num_splits) };
        format!("{}: {splits}, {train} images of training, {held_out} held out", self.name)
    }

    /// What the comparison says.
    pub fn note(&self) -> String {
        let paired = match self.rows.iter().all(|row: &ComparedRow| row.is_paired) {
            true => "of the same trials, which both hold out",
            false => "of different trials",
        };
        format!(
            "Random: splits with as many images of training and as many held out, fitted anew. What they find more ({paired}) comes from \
             training images that resemble those held out, and from candidates that resemble each other less; among the same candidates, from \
             training images alone. Pairs by chance: 50 %."
        )
    }
}

fn difference_line(name: &str, difference: Interval) -> String {
    format!("{name:<NAME_WIDTH$} {:>22}", points(difference))
}

fn head(title: &str, last: &str) -> String {
    format!(
        "{title:<NAME_WIDTH$} {:>22} {:>22} {:>22} {:>24} {last:>22}",
        "2-way %", "forward %", "backward %", "cosine"
    )
}

fn line(name: &str, point: &CurvePoint, last: &str) -> String {
    let CurvePoint { identification, forward, backward, cosine } = point;
    let [identification, forward, backward] =
        [identification, forward, backward].map(|share| percent(*share));
    let Interval { mean, low, high } = cosine;
    let cosine = format!("{mean:.3} [{low:.3}, {high:.3}]");
    format!(
        "{:<NAME_WIDTH$} {identification:>22} {forward:>22} {backward:>22} {cosine:>24} {last:>22}",
        format!("  {name}")
    )
}

fn chance_text(chance: f64) -> String {
    format!("Chance: 50 % of pairs, {:.1} % forward and backward.", 100.0 * chance)
}

fn percent(Interval { mean, low, high }: Interval) -> String {
    format!("{:.1} [{:.1}, {:.1}]", 100.0 * mean, 100.0 * low, 100.0 * high)
}

fn points(Interval { mean, low, high }: Interval) -> String {
    format!("{:+.1} [{:+.1}, {:+.1}]", 100.0 * mean, 100.0 * low, 100.0 * high)
}
