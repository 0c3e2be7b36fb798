//! Score against the dimensions of a bottleneck, against data, and on splits that leave no resemblance: as `evaluate` found it.

use super::finished_run::{EVALUATION_FILE, FinishedRun};
use super::run_files::json_file;
use crate::commands::evaluate::EvaluateSummary;
use crate::commands::evaluate::curves::found::{
    BottleneckCurve, CurvePoint, Curves, LearningCurve, SplitComparison,
};
use crate::commands::evaluate::curves::wanted::Dimensions;
use crate::metrics::bootstrap::Interval;
use crate::report::number_format::{number, percent};
use crate::report::{Block, LineChart, Section, Series, Table};
use crate::run::error::RunError;

const BOTTLENECK: &str = "A linear bottleneck between betas and decoder, fitted to training trials, lets so many numbers pass; `full` is the decoder without one, the \
                          ceiling. Where few of them \
                          reach the full score, the pictures owe the rest to what the networks know already. Floor: the same from exchanged betas; \
                          for a mapper, held-out betas exchanged between held-out trials.";
const LEARNING: &str = "Ridge regression fitted anew to random shares of the training images, with all their presentations, and of the voxels; bars \
                        are intervals over held-out images, of the mean over draws.";
const SPLITS: &str =
    "Splits that keep images which resemble each other on one side, beside random ones of the same sizes.";

/// Curves and tables of the run; nothing where it has none.
pub(super) fn section(run: Option<&FinishedRun>) -> Result<Option<Section>, RunError> {
    let Some(run) = run else { return Ok(None) };
    let summary: EvaluateSummary = json_file(&run.folder.join(EVALUATION_FILE), "what `evaluate` writes")?;
    Ok(summary.curves.as_ref().map(of_curves))
}

fn of_curves(curves: &Curves) -> Section {
    let mut section = Section::new("Where the score comes from");
    if !curves.bottleneck.is_empty() {
        section = with_bottleneck(section, curves);
    }
    if !curves.learning.is_empty() {
        section = with_learning(section, curves);
    }
    if !curves.splits.is_empty() {
        section = with_splits(section, curves);
    }
    section
}

fn with_bottleneck(section: Section, curves: &Curves) -> Section {
    let mut section = section.text(BOTTLENECK);
    // A single width is no curve.
    let drawn = curves.bottleneck.iter().filter(|curve| curve.rank > 1 && curve.points.len() > 1);
    section.blocks.extend(drawn.map(|curve| Block::Chart(bottleneck_chart(curve))));
    let sentences = curves.bottleneck.iter();
    let sentences = sentences.filter_map(|curve| Some(format!("{}: {}", curve.name, curve.sentence()?)));
    section.blocks.extend(sentences.map(Block::Text));
    let tables = curves.bottleneck.iter().map(|curve| Block::Table(bottleneck_table(curve)));
    section.blocks.push(Block::Folded("Every width of the bottleneck".into(), tables.collect()));
    section
}

fn with_learning(section: Section, curves: &Curves) -> Section {
    let mut section = section.text(LEARNING);
    let drawn = curves.learning.iter().filter(|curve| curve.points.len() > 1);
    section.blocks.extend(drawn.map(|curve| Block::Chart(learning_chart(curve))));
    let rising = curves.learning.iter().filter(|curve| curve.last_step.is_some_and(|step| step.low > 0.0));
    let rising: Vec<String> =
        rising.filter_map(|curve| Some(format!("{}: {}", curve.name, curve.sentence()?))).collect();
    if rising.is_empty() {
        section = section.text("No curve rises beyond its interval at its last step.");
    }
    section.blocks.extend(rising.into_iter().map(Block::Text));
    let tables = curves.learning.iter().map(|curve| Block::Table(learning_table(curve)));
    section.blocks.push(Block::Folded("Every share".into(), tables.collect()));
    section
}

fn with_splits(section: Section, curves: &Curves) -> Section {
    let mut section = section.text(SPLITS);
    for comparison in &curves.splits {
        let ridge = comparison.rows.iter().filter(|row| row.kind.is_none());
        section.blocks.extend(ridge.map(|row| {
            let (Interval { mean, low, high }, among) = match row.of_training {
                Some(of_training) => (of_training, "among the same candidates "),
                None => (row.difference, ""),
            };
            Block::Text(format!(
                "{}, {}: {} of pairs won, on random splits {}; difference {among}{} ({} to {}), chance 50 %.",
                comparison.name,
                row.name,
                within(row.stored.identification),
                within(row.random.identification),
                percent(mean),
                percent(low),
                percent(high)
            ))
        }));
    }
    let tables = curves.splits.iter().map(|comparison| Block::Table(splits_table(comparison)));
    section.blocks.push(Block::Folded("Stored and random splits".into(), tables.collect()));
    section
}

/// Pairs won, in per cent, over the dimensions; without a bottleneck it is drawn at the rank.
fn bottleneck_chart(curve: &BottleneckCurve) -> LineChart {
    let place = |dimensions| match dimensions {
        Dimensions::Of(count) => count as f64,
        Dimensions::Full => curve.rank.max(1) as f64,
    };
    let points: Vec<_> = curve
        .points
        .iter()
        .map(|point| (place(point.dimensions), ends(point.found.identification)))
        .collect();
    let floor: Vec<_> = curve
        .points
        .iter()
        .filter_map(|point| Some((place(point.dimensions), ends(point.floor?.identification))))
        .collect();
    let across = [points.first(), points.last()].map(|point| point.map_or(1.0, |point| point.0));
    let mut series = vec![Series::within("score", &points)];
    if !floor.is_empty() {
        series.push(Series::within("exchanged betas", &floor));
    }
    let full = curve.points.iter().find(|point| point.dimensions == Dimensions::Full);
    series.extend(full.map(|full| Series::level("full", 100.0 * full.found.identification.mean, across)));
    series.push(Series::level("chance", 50.0, across));
    LineChart {
        title: curve.name.clone(),
        x_label: format!("dimensions, of {}", curve.rank),
        y_label: "pairs won, %".into(),
        series,
        is_log_x: true,
    }
}

fn learning_chart(curve: &LearningCurve) -> LineChart {
    let points: Vec<_> =
        curve.points.iter().map(|point| (100.0 * point.share, ends(point.found.identification))).collect();
    let across = [points.first(), points.last()].map(|point| point.map_or(0.0, |point| point.0));
    let mut series = vec![Series::within("score", &points)];
    series.extend(curve.floor.map(|floor| Series::level("exchanged betas", 100.0 * floor.mean, across)));
    series.push(Series::level("chance", 50.0, across));
    let of_all = curve.points.last().map_or(String::new(), |point| format!(" (to {})", point.count));
    LineChart {
        title: format!("{}, {}", curve.name, curve.what()),
        x_label: format!("share of the {}{of_all}, %", curve.what()),
        y_label: "pairs won, %".into(),
        series,
        ..LineChart::default()
    }
}

/// In per cent: the mean and its ends.
fn ends(Interval { mean, low, high }: Interval) -> [f64; 3] {
    [mean, low, high].map(|share| 100.0 * share)
}

fn bottleneck_table(curve: &BottleneckCurve) -> Table {
    let row = |point: &crate::commands::evaluate::curves::found::BottleneckPoint| {
        let floor = point.floor.map_or("none".into(), |floor| within(floor.identification));
        [vec![point.dimensions.to_string()], cells(&point.found), vec![floor]].concat()
    };
    Table {
        head: head("dimensions", "pairs won, floor"),
        rows: curve.points.iter().map(row).collect(),
        caption: format!("{}. {}", curve.name, chance(curve.chance)),
    }
}

fn learning_table(curve: &LearningCurve) -> Table {
    let row = |point: &crate::commands::evaluate::curves::found::LearningPoint| {
        let [low, high] = point.range_over_draws.map(percent);
        let share = format!("{}: {} {}", percent(point.share), point.count, curve.what());
        [vec![share], cells(&point.found), vec![format!("{}: {low} to {high}", point.draws)]].concat()
    };
    let floor = curve.floor.map_or(String::new(), |floor| format!(" Exchanged betas: {}.", within(floor)));
    Table {
        head: head("share", "draws: pairs won"),
        rows: curve.points.iter().map(row).collect(),
        caption: format!(
            "{}. {}{floor} {}",
            curve.name,
            chance(curve.chance),
            curve.sentence().unwrap_or_default()
        ),
    }
}

fn splits_table(comparison: &SplitComparison) -> Table {
    let rows = comparison.rows.iter().flat_map(|row| {
        let of = |name: &str, point: &CurvePoint, chance: f64| {
            [vec![format!("{}, {name}", row.name)], cells(point), vec![percent(chance)]].concat()
        };
        let same = row.same_candidates.as_ref();
        let same = same.map(|point| of("random, same candidates", point, row.chance[0]));
        let both =
            [of(&comparison.name, &row.stored, row.chance[0]), of("random", &row.random, row.chance[1])];
        both.into_iter().chain(same)
    });
    Table {
        head: head("decoder, splits", "chance forward"),
        rows: rows.collect(),
        caption: format!("{}. {}", comparison.title(), comparison.note()),
    }
}

fn head(first: &str, last: &str) -> Vec<String> {
    [first, "pairs won (95 %)", "forward", "backward", "cosine", last].map(String::from).to_vec()
}

fn cells(point: &CurvePoint) -> Vec<String> {
    let Interval { mean, low, high } = point.cosine;
    vec![
        within(point.identification),
        within(point.forward),
        within(point.backward),
        format!("{} ({} to {})", number(mean), number(low), number(high)),
    ]
}

fn chance(share: f64) -> String {
    format!("Chance: 50 % of pairs, {} forward and backward.", percent(share))
}

fn within(Interval { mean, low, high }: Interval) -> String {
    format!("{} ({} to {})", percent(mean), percent(low), percent(high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::evaluate::curves::found::{
        BottleneckPoint, DimensionsReached, LearningPoint, SharedOut,
    };
    use crate::pipelines::targets::decoded_target::DecodedTarget;

    fn point(mean: f64) -> CurvePoint {
        let of = |mean: f64| Interval { mean, low: mean - 0.1, high: mean + 0.1 };
        CurvePoint { identification: of(mean), forward: of(0.3), backward: of(0.3), cosine: of(0.4) }
    }

    fn bottleneck() -> BottleneckCurve {
        let at =
            |dimensions, mean| BottleneckPoint { dimensions, found: point(mean), floor: Some(point(0.5)) };
        BottleneckCurve {
            name: "ridge, image".into(),
            target: DecodedTarget::Image,
            mapper: None,
            rank: 30,
            chance: 0.1,
            points: vec![at(Dimensions::Of(1), 0.6), at(Dimensions::Full, 0.9)],
            ninety_percent: Some(DimensionsReached {
                dimensions: Dimensions::Full,
                low: Dimensions::Of(1),
                high: Dimensions::Full,
            }),
        }
    }

    #[test]
    fn a_bottleneck_is_drawn_between_floor_and_ceiling() {
        let chart = bottleneck_chart(&bottleneck());
        let names: Vec<&str> = chart.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["score", "exchanged betas", "full", "chance"]);
        assert_eq!(chart.series[0].points, [(1.0, 60.0), (30.0, 90.0)]);
        assert!((chart.series[0].intervals[1].0 - 80.0).abs() < 1e-9 && chart.is_log_x);
        assert_eq!(chart.series[2].points, [(1.0, 90.0), (30.0, 90.0)]);
        let table = bottleneck_table(&bottleneck());
        assert_eq!((table.rows.len(), table.rows[1][0].as_str()), (2, "full"));
    }

    #[test]
    fn a_section_has_charts_first_and_folds_its_tables() {
        let share = |share, mean| LearningPoint {
            share,
            count: 40,
            draws: 3,
            found: point(mean),
            range_over_draws: [0.4, 0.6],
        };
        let learning = LearningCurve {
            name: "ridge, image".into(),
            target: DecodedTarget::Image,
            of: SharedOut::Images,
            chance: 0.1,
            floor: Some(point(0.5).identification),
            points: vec![share(0.5, 0.6), share(1.0, 0.8)],
            last_step: Some(Interval { mean: 0.2, low: 0.1, high: 0.3 }),
        };
        let curves = Curves { bottleneck: vec![bottleneck()], learning: vec![learning], splits: vec![] };
        let section = of_curves(&curves);
        let charts = section.blocks.iter().filter(|block| matches!(block, Block::Chart(_))).count();
        let folded = section.blocks.iter().filter(|block| matches!(block, Block::Folded(..))).count();
        assert_eq!((charts, folded), (2, 2));
        let is_said = |needle: &str| {
            section.blocks.iter().any(|block| matches!(block, Block::Text(text) if text.contains(needle)))
        };
        assert!(is_said("full [1, full] of the listed") && is_said("the curve still rises: more images"));
    }
}
