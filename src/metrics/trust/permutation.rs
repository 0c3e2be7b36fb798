//! A permutation test: what was observed beside what refits to permuted pairs give.

use serde::{Deserialize, Serialize};

/// What was observed, its null distribution, and the probability of so much by chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PermutationTest {
    /// Refits to permuted pairs.
    pub num_permutations: usize,
    /// Of the true pairs.
    pub observed: f64,
    /// Mean over the permutations: the floor.
    pub null_mean: f64,
    /// Least and largest of the permutations.
    pub null_range: [f64; 2],
    /// `(1 + #{null ≥ observed})/(1 + permutations)` (Phipson and Smyth 2010): never 0, because the true pairs are one of the
    /// permutations.
    pub p: f64,
    /// The smallest p that so many permutations can show, `1/(1 + permutations)`.
    pub resolution: f64,
}

impl PermutationTest {
    /// Of no permutation there is no test.
    ///
    /// ```
    /// use mindreader::metrics::trust::permutation::PermutationTest;
    ///
    /// let test = PermutationTest::of(0.7, &[0.5, 0.4, 0.7]).unwrap();
    /// assert_eq!((test.p, test.resolution, test.null_range), (0.5, 0.25, [0.4, 0.7]));
    /// ```
    pub fn of(observed: f64, null: &[f64]) -> Option<Self> {
        let count = null.len();
        let range = |pick: fn(f64, f64) -> f64| null.iter().copied().reduce(pick);
        Some(Self {
            num_permutations: count,
            observed,
            null_range: [range(f64::min)?, range(f64::max)?],
            null_mean: null.iter().sum::<f64>() / count as f64,
            p: (1 + null.iter().filter(|value| **value >= observed).count()) as f64 / (1 + count) as f64,
            resolution: 1.0 / (1 + count) as f64,
        })
    }

    /// `p ≤ 0.048, the smallest that 20 permutations can show`, or `p = 0.14`.
    pub fn in_words(&self) -> String {
        match self.p <= self.resolution {
            true => {
                format!(
                    "p ≤ {}, the smallest that {} permutations can show",
                    two_digits(self.p),
                    self.num_permutations
                )
            }
            false => format!("p = {} of {} permutations", two_digits(self.p), self.num_permutations),
        }
    }
}

/// A probability with two significant digits, and two decimals at least.
fn two_digits(p: f64) -> String {
    let decimals = if p > 0.0 { (1.0 - p.log10().floor()).max(2.0) as usize } else { 2 };
    format!("{p:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_true_pairs_are_one_of_the_permutations() {
        let null: Vec<f64> = (0..20).map(|at| 0.45 + f64::from(at) * 0.005).collect();
        let test = PermutationTest::of(0.9, &null).unwrap();
        assert!((test.p - 1.0 / 21.0).abs() < 1e-15 && (test.null_mean - 0.4975).abs() < 1e-12);
        assert_eq!(test.in_words(), "p ≤ 0.048, the smallest that 20 permutations can show");
        let test = PermutationTest::of(0.5, &null).unwrap();
        assert_eq!(test.p, 11.0 / 21.0);
        assert_eq!(test.in_words(), "p = 0.52 of 20 permutations");
        let many = PermutationTest::of(0.9, &vec![0.5; 1000]).unwrap();
        assert!(many.in_words().starts_with("p ≤ 0.00100,"), "{}", many.in_words());
        assert_eq!(PermutationTest::of(0.9, &[]), None);
    }
}
