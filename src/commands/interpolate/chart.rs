//! Similarity along a way as a chart.

use super::truth::FrameSimilarity;
use crate::report::{LineChart, Marks, Series};

/// Most trials of a way that have curves of their own: as many as there are colours beside the floor's.
const MOST_CURVES: usize = 5;

/// Cosines of the frames' embeddings with what the trials showed, beside the floor and, for two trials, the ceiling.
pub(super) fn similarity_chart(
    title: String,
    trials: &[usize],
    passed: &[f64],
    frames: &[&FrameSimilarity],
) -> LineChart {
    let at = |value: &dyn Fn(&FrameSimilarity) -> Option<f64>| -> Vec<(f64, f64)> {
        let points = passed.iter().zip(frames);
        points.filter_map(|(passed, frame)| Some((*passed, value(frame)?))).collect()
    };
    let curve = |number: usize, trial: &usize| {
        Series::new(format!("to trial {trial}"), at(&|frame| frame.to_trials.get(number).copied()))
    };
    let mut series: Vec<Series> =
        trials.iter().take(MOST_CURVES).enumerate().map(|(number, trial)| curve(number, trial)).collect();
    if trials.len() == 2 {
        series.extend(trials.iter().enumerate().map(|(number, trial)| Series {
            marks: Marks::Dashed,
            ..Series::new(
                format!("to trial {trial}, perfect decoder"),
                at(&|frame| frame.perfect.get(number).copied()),
            )
        }));
    }
    let floor: Vec<(f64, [f64; 3])> = passed
        .iter()
        .zip(frames)
        .filter_map(|(passed, frame)| {
            let others = frame.others?;
            Some((*passed, [others.mean, others.low, others.high]))
        })
        .collect();
    series.push(Series::within("to other held-out images (95 %)", &floor));
    LineChart {
        title,
        x_label: "trials passed".into(),
        y_label: "cosine with the true embedding".into(),
        series,
        ..LineChart::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::bootstrap::Interval;
    use crate::models::mapper::MapperTarget;

    #[test]
    fn two_trials_have_a_ceiling_and_many_have_none() {
        let frame = |to: &[f64]| FrameSimilarity {
            target: MapperTarget::Image,
            to_trials: to.to_vec(),
            perfect: to.to_vec(),
            others: Some(Interval { mean: 0.1, low: 0.0, high: 0.2 }),
        };
        let (first, last) = (frame(&[0.9, 0.2]), frame(&[0.3, 0.8]));
        let passed = [0.0, 1.0];
        let chart = similarity_chart("way".into(), &[4, 9], &passed, &[&first, &last]);
        let names: Vec<&str> = chart.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names[..2], ["to trial 4", "to trial 9"]);
        assert_eq!((chart.series.len(), names[2]), (5, "to trial 4, perfect decoder"));
        assert_eq!(chart.series[1].points, [(0.0, 0.2), (1.0, 0.8)]);
        assert_eq!(chart.series[4].intervals, [(0.0, 0.2), (0.0, 0.2)]);
        let many = similarity_chart("way".into(), &[1, 2, 3, 4, 5, 6, 7], &passed, &[&first, &last]);
        assert_eq!(many.series.len(), 6);
    }
}
