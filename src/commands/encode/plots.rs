//! Charts of an encoder's run: the paper's figure 16.

use ndarray::Array2;

use super::inputs::Inputs;
use crate::report::{LineChart, Series};
use crate::run::error::RunError;
use crate::run::run_dir::RunDir;

/// Voxels of a chart of betas.
const SHOWN_VOXELS: usize = 1000;
/// Trials with such a chart, of different images.
const SHOWN_TRIALS: usize = 2;

/// Writes the charts; their files inside the run folder.
///
/// # Shapes
/// - predicted, measured: `[held-out trials, voxels]`; accuracy: a value per voxel
///
/// # Errors
/// A file that cannot be written.
pub(super) fn write(
    dir: &RunDir,
    prefix: &str,
    inputs: &Inputs,
    accuracy: &[f64],
    [predicted, measured]: [&Array2<f32>; 2],
) -> Result<Vec<String>, RunError> {
    let mut charts = Vec::new();
    if let Some(ceiling) = &inputs.ceiling {
        charts.push(("accuracy-against-ceiling".to_string(), against_ceiling(accuracy, ceiling)));
    }
    for (number, row) in shown_trials(&inputs.held_out_images).into_iter().enumerate() {
        let trial = inputs.split.validation[row];
        charts.push((format!("betas-{}", number + 1), betas(trial, row, predicted, measured)));
    }
    let mut files = Vec::new();
    for (name, chart) in charts {
        let Some(svg) = chart.to_svg_file() else { continue };
        let file = format!("plots/{prefix}{name}.svg");
        dir.write_atomic(&file, svg.as_bytes())?;
        files.push(file);
    }
    Ok(files)
}

/// Figure 16b: every voxel, its ceiling across, its accuracy up; on the line what the noise leaves is reached.
fn against_ceiling(accuracy: &[f64], ceiling: &[f64]) -> LineChart {
    let points: Vec<(f64, f64)> = ceiling.iter().copied().zip(accuracy.iter().copied()).collect();
    let top = ceiling.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    LineChart {
        title: "Every voxel against its noise ceiling".into(),
        x_label: "noise ceiling, r of single trials".into(),
        y_label: "accuracy, r of single trials".into(),
        series: vec![Series::dots("voxels", points), Series::new("equal", vec![(0.0, 0.0), (top, top)])],
        ..LineChart::default()
    }
}

/// Figure 16a: betas of one held-out trial, of the first voxels.
fn betas(trial: usize, row: usize, predicted: &Array2<f32>, measured: &Array2<f32>) -> LineChart {
    let series = |name: &str, of: &Array2<f32>| {
        let values = of.row(row);
        let points = values.iter().take(SHOWN_VOXELS).enumerate();
        Series::new(name, points.map(|(voxel, beta)| (voxel as f64, f64::from(*beta))).collect())
    };
    LineChart {
        title: format!("Held-out trial {trial}"),
        x_label: "voxel".into(),
        y_label: "beta, z-scored".into(),
        series: vec![series("measured", measured), series("predicted", predicted)],
        ..LineChart::default()
    }
}

/// The first held-out trials of different images.
fn shown_trials(images: &[u64]) -> Vec<usize> {
    let mut seen = Vec::new();
    let mut rows = Vec::new();
    for (row, image) in images.iter().enumerate() {
        if rows.len() < SHOWN_TRIALS && !seen.contains(image) {
            seen.push(*image);
            rows.push(row);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shown_trials_are_of_different_images() {
        assert_eq!(shown_trials(&[5, 5, 7, 5, 8]), [0, 2]);
        assert_eq!(shown_trials(&[5, 5]), [0]);
    }

    #[test]
    fn voxels_stand_at_their_ceiling_and_accuracy() {
        let chart = against_ceiling(&[0.1, f64::NAN], &[0.4, 0.5]);
        assert_eq!(chart.series[0].points[0], (0.4, 0.1));
        assert_eq!(chart.series[1].points, [(0.0, 0.0), (0.5, 0.5)]);
    }
}
