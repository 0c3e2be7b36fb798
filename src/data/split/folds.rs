//! k folds over pictures: which of them is held out.

use rand::seq::SliceRandom;

use crate::tensor_ops::random::keyed_rng;

/// The fold of every picture when they are dealt out at random: sizes differ by one at most.
pub(super) fn random_folds(num_pictures: usize, folds: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..num_pictures).collect();
    order.shuffle(&mut keyed_rng(seed, "split folds", 0));
    let mut fold_of = vec![0; num_pictures];
    for (place, picture) in order.into_iter().enumerate() {
        fold_of[picture] = place % folds;
    }
    fold_of
}

/// The fold of every picture when they are cut into runs of neighbours: sizes differ by one at most.
pub(super) fn folds_in_order(num_pictures: usize, folds: usize) -> Vec<usize> {
    (0..num_pictures).map(|picture| picture * folds / num_pictures.max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(fold_of: &[usize], folds: usize) -> Vec<usize> {
        (0..folds).map(|fold| fold_of.iter().filter(|found| **found == fold).count()).collect()
    }

    #[test]
    fn folds_are_even_and_keyed() {
        assert_eq!(folds_in_order(7, 3), [0, 0, 0, 1, 1, 2, 2]);
        assert_eq!(sizes(&random_folds(7, 3, 1), 3), [3, 2, 2]);
        assert_eq!(random_folds(50, 5, 1), random_folds(50, 5, 1));
        assert_ne!(random_folds(50, 5, 1), random_folds(50, 5, 2));
        assert_ne!(random_folds(50, 5, 1), folds_in_order(50, 5));
        assert!(random_folds(0, 5, 1).is_empty() && folds_in_order(0, 5).is_empty());
    }
}
