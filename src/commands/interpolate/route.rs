//! The way through the trials: which frame lies where, betas and embeddings at every place of it.

use ndarray::Array2;

use crate::tensor_ops::spherical::slerp;

/// A place on the way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// The trial behind and the trial ahead, by their places in the list.
    pub ends: [usize; 2],
    /// Share of the way between the two, 0..1.
    pub share: f64,
    /// Trials that were passed, as a number on one axis: 1.5 is half way from the second trial to the third.
    pub passed: f64,
}

/// From each trial to the next, and back to the first where the way is closed.
pub(super) fn legs(num_trials: usize, is_loop: bool) -> Vec<[usize; 2]> {
    let onwards = (1..num_trials).map(|trial| [trial - 1, trial]);
    let back = (is_loop && num_trials > 1).then_some([num_trials - 1, 0]);
    onwards.chain(back).collect()
}

/// The places of all frames: `frames` from one trial to the next, both included; the trials between two legs come once.
pub(super) fn places(legs: &[[usize; 2]], frames: usize) -> Vec<Place> {
    let steps = frames.saturating_sub(1).max(1);
    let on_leg = |(number, ends): (usize, &[usize; 2])| {
        let ends = *ends;
        // The last frame of a leg is the first of the next.
        let count = steps + usize::from(number + 1 == legs.len());
        (0..count).map(move |step| {
            let share = step as f64 / steps as f64;
            Place { ends, share, passed: number as f64 + share }
        })
    };
    legs.iter().enumerate().flat_map(on_leg).collect()
}

/// Rows on straight lines between the rows of the trials.
///
/// # Shapes
/// - of_trials: `[trials, width]`; output: `[places, width]`
pub(super) fn straight(of_trials: &Array2<f32>, places: &[Place]) -> Array2<f32> {
    let mut rows = Array2::zeros((places.len(), of_trials.ncols()));
    for (mut row, Place { ends: [from, to], share, .. }) in rows.rows_mut().into_iter().zip(places) {
        for ((value, from), to) in row.iter_mut().zip(of_trials.row(*from)).zip(of_trials.row(*to)) {
            *value = ((1.0 - share) * f64::from(*from) + share * f64::from(*to)) as f32;
        }
    }
    rows
}

/// Rows on arcs of the sphere between the rows of the trials.
///
/// # Shapes
/// - of_trials: `[trials, width]`; output: `[places, width]`
pub(super) fn spherical(of_trials: &Array2<f32>, places: &[Place]) -> Array2<f32> {
    let mut rows = Array2::zeros((places.len(), of_trials.ncols()));
    for (mut row, Place { ends, share, .. }) in rows.rows_mut().into_iter().zip(places) {
        let [from, to] = ends.map(|trial| of_trials.row(trial).to_vec());
        row.iter_mut().zip(slerp(&from, &to, *share)).for_each(|(value, found)| *value = found);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn trials_between_two_legs_come_once_and_a_loop_closes() {
        let places_of = |trials, is_loop, frames| places(&legs(trials, is_loop), frames);
        let shares = |places: &[Place]| places.iter().map(|place| place.share).collect::<Vec<_>>();
        let two = places_of(2, false, 5);
        assert_eq!(shares(&two), [0.0, 0.25, 0.5, 0.75, 1.0]);
        let three = places_of(3, true, 3);
        assert_eq!(shares(&three), [0.0, 0.5, 0.0, 0.5, 0.0, 0.5, 1.0]);
        assert_eq!(
            three.iter().map(|place| place.passed).collect::<Vec<_>>(),
            [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
        );
        assert_eq!((three[6].ends, three[2].ends), ([2, 0], [1, 2]));
        assert_eq!(legs(2, true), [[0, 1], [1, 0]]);
        assert_eq!((legs(1, true).len(), places(&[], 5).len()), (0, 0));
    }

    #[test]
    fn the_middle_of_a_line_is_the_mean_and_the_ends_are_the_trials() {
        let trials = array![[1.0, -2.0, 0.25], [3.0, 4.0, 0.5]];
        let rows = straight(&trials, &places(&legs(2, false), 3));
        assert_eq!(rows, array![[1.0, -2.0, 0.25], [2.0, 1.0, 0.375], [3.0, 4.0, 0.5]]);
    }

    #[test]
    fn an_arc_keeps_unit_norm_and_its_last_row_of_a_loop_is_its_first() {
        let trials = array![[1.0, 0.0, 0.0], [0.0, 0.6, 0.8], [0.0, -0.8, 0.6]];
        let rows = spherical(&trials, &places(&legs(3, true), 7));
        assert!(rows.rows().into_iter().all(|row| (row.dot(&row) - 1.0).abs() < 1e-6), "{rows}");
        assert_eq!((rows.row(0), rows.row(18), rows.row(6)), (trials.row(0), trials.row(0), trials.row(1)));
    }
}
