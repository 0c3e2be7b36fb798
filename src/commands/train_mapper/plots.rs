//! What a finished mapper run shows of itself: `plots/*.svg` in its folder.

use ndarray::Array2;

use crate::pipelines::gan::sample_sheet::evenly_spread;
use crate::pipelines::training_curves::mapper_curves;
use crate::report::{LineChart, Series};
use crate::run::error::RunError;
use crate::run::run_dir::RunDir;

/// Validation trials in the plots; more clouds than this hide each other.
const NUM_TRIALS: usize = 4;

/// The trials of the plots, evenly spread.
pub(crate) fn shown_trials(validation: &[usize]) -> Vec<usize> {
    evenly_spread(validation.len(), NUM_TRIALS).into_iter().map(|index| validation[index]).collect()
}

/// Writes the losses of each phase, retrieval, and the embeddings of `trials` (the paper's figure 9).
///
/// # Shapes
/// - predicted, target: `[trials, embed_dim]`
///
/// # Errors
/// When the metrics cannot be read or a plot cannot be written.
pub(crate) fn write(
    dir: &RunDir,
    trials: &[usize],
    predicted: &Array2<f32>,
    target: &Array2<f32>,
) -> Result<(), RunError> {
    let mut plots = mapper_curves(dir.path())?;
    plots.push(("predicted-true".into(), scatter(trials, predicted, target)));
    plots.push(("components".into(), components(trials, predicted, target)));
    for (name, chart) in plots {
        if let Some(svg) = chart.to_svg_file() {
            dir.write_atomic(&format!("plots/{name}.svg"), svg.as_bytes())?;
        }
    }
    Ok(())
}

/// Every component of every trial, true value across, predicted value up; a perfect mapper lies on the diagonal.
fn scatter(trials: &[usize], predicted: &Array2<f32>, target: &Array2<f32>) -> LineChart {
    let pairs = |row: usize| {
        let pairs = target.row(row).into_iter().zip(predicted.row(row));
        pairs.map(|(truth, guess)| (f64::from(*truth), f64::from(*guess))).collect::<Vec<_>>()
    };
    let ends = target.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(f64::from(*value)), high.max(f64::from(*value)))
    });
    let diagonal = Series::new("equal", vec![(ends.0, ends.0), (ends.1, ends.1)]);
    let clouds =
        trials.iter().enumerate().map(|(row, trial)| Series::dots(format!("trial {trial}"), pairs(row)));
    LineChart {
        title: "Embeddings of validation trials".into(),
        x_label: "true component".into(),
        y_label: "predicted component".into(),
        series: std::iter::once(diagonal).chain(clouds).collect(),
        ..LineChart::default()
    }
}

/// The components of the first trial in order of their true value, which makes a good prediction rise.
fn components(trials: &[usize], predicted: &Array2<f32>, target: &Array2<f32>) -> LineChart {
    let mut series = Vec::new();
    let mut title = String::new();
    if let Some(trial) = trials.first() {
        title = format!("Embedding of validation trial {trial}");
        let mut order: Vec<usize> = (0..target.ncols()).collect();
        order.sort_by(|one, other| target[[0, *one]].total_cmp(&target[[0, *other]]));
        let curve = |values: &Array2<f32>| {
            let ranked = order.iter().enumerate();
            ranked.map(|(rank, column)| (rank as f64, f64::from(values[[0, *column]]))).collect()
        };
        series = vec![Series::dots("predicted", curve(predicted)), Series::new("true", curve(target))];
    }
    let (x_label, y_label) = ("component, by true value".into(), "value".into());
    LineChart { title, x_label, y_label, series, ..LineChart::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn components_are_paired_and_ranked_by_their_true_value() {
        let target = array![[0.3, -0.1, 0.2], [0.0, 0.5, 0.0]];
        let predicted = array![[0.25, 0.0, 0.1], [0.1, 0.4, 0.0]];
        let chart = scatter(&[7, 9], &predicted, &target);
        let names: Vec<&str> = chart.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["equal", "trial 7", "trial 9"]);
        assert_eq!(chart.series[2].points[1], (0.5, f64::from(0.4_f32)));
        let chart = components(&[7, 9], &predicted, &target);
        assert_eq!(chart.series[0].points[0], (0.0, 0.0));
        assert_eq!(chart.series[1].points[2], (2.0, f64::from(0.3_f32)));
        assert!(components(&[], &predicted, &target).series.is_empty());
    }
}
