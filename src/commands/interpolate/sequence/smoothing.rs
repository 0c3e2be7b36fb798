//! Exponential smoothing of embeddings in time.

use ndarray::{Array2, ArrayView1};

/// When a scan was: its session and its place in the experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub session: u16,
    /// 0-based trial.
    pub trial: usize,
}

/// Embeddings smoothed in time, at unit norm: `e_t = (1 − a) e_{t−1} + a x_t`, anew in every session. Of scans between which others lie
/// that are not among the rows, as many steps are taken as scans have passed: `e_t = (1 − a)^g e_{t−1} + (1 − (1 − a)^g) x_t`. With a
/// strength a of 1 nothing is smoothed. A row that comes to nothing stays so.
///
/// # Shapes
/// - rows, output: `[scans, embed_dim]`, in time order; moments: one per row; strength: above 0 and at most 1
pub(super) fn smoothed(rows: &Array2<f32>, moments: &[Moment], strength: f64) -> Array2<f32> {
    let mut found = Array2::zeros(rows.dim());
    let mut state: Vec<f64> = Vec::new();
    let mut last: Option<Moment> = None;
    for ((mut into, row), moment) in found.rows_mut().into_iter().zip(rows.rows()).zip(moments) {
        let passed = last
            .filter(|last| last.session == moment.session)
            .map(|last| moment.trial.saturating_sub(last.trial).max(1));
        let kept = passed.map_or(0.0, |passed| (1.0 - strength).powf(passed as f64));
        state = next(&state, row, kept);
        let norm = state.iter().map(|value| value * value).sum::<f64>().sqrt();
        let divisor = if norm > 0.0 { norm } else { 1.0 };
        into.iter_mut().zip(&state).for_each(|(value, state)| *value = (state / divisor) as f32);
        last = Some(*moment);
    }
    found
}

fn next(state: &[f64], row: ArrayView1<'_, f32>, kept: f64) -> Vec<f64> {
    let blend = |(place, value): (usize, &f32)| {
        let before = state.get(place).copied().unwrap_or_default();
        kept * before + (1.0 - kept) * f64::from(*value)
    };
    row.iter().enumerate().map(blend).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn moments(of: &[(u16, usize)]) -> Vec<Moment> {
        of.iter().map(|(session, trial)| Moment { session: *session, trial: *trial }).collect()
    }

    fn assert_near(found: &Array2<f32>, expected: &[[f64; 2]]) {
        for (row, expected) in found.rows().into_iter().zip(expected) {
            let norm = expected.iter().map(|value| value * value).sum::<f64>().sqrt();
            let is_near = row.iter().zip(expected).all(|(a, b)| (f64::from(*a) - b / norm).abs() < 1e-6);
            assert!(is_near, "{found}, expected {expected:?}");
        }
    }

    #[test]
    fn steps_by_hand() {
        let rows = array![[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]];
        let found = smoothed(&rows, &moments(&[(1, 0), (1, 1), (1, 2)]), 0.25);
        // 0.75 (1, 0) + 0.25 (0, 1), then 0.75 of that and 0.25 (0, 1).
        assert_near(&found, &[[1.0, 0.0], [0.75, 0.25], [0.5625, 0.4375]]);
        // A scan between them is not among the rows: 0.75² is left of the first.
        let found = smoothed(&rows, &moments(&[(1, 4), (1, 6), (1, 7)]), 0.25);
        assert_near(&found, &[[1.0, 0.0], [0.5625, 0.4375], [0.421_875, 0.578_125]]);
    }

    #[test]
    fn sessions_begin_anew_and_the_full_strength_changes_nothing() {
        let rows = array![[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]];
        let found = smoothed(&rows, &moments(&[(1, 0), (2, 1), (2, 2)]), 0.5);
        assert_near(&found, &[[1.0, 0.0], [0.0, 1.0], [0.3, 0.9]]);
        let all = smoothed(&rows, &moments(&[(1, 0), (1, 1), (1, 2)]), 1.0);
        assert_near(&all, &[[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]);
        assert_eq!(smoothed(&Array2::zeros((1, 2)), &moments(&[(1, 0)]), 0.5), Array2::<f32>::zeros((1, 2)));
    }
}
