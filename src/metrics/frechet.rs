//! Fréchet distance of two normal distributions (Dowson and Landau 1982; FID: Heusel et al. 2017).
//!
//! `‖μ_a − μ_b‖² + tr Σ_a + tr Σ_b − 2·tr (Σ_a Σ_b)^½`. The last trace is the sum of the singular values of `A·B` for any
//! `A·Aᵀ = Σ_a`, `B·Bᵀ = Σ_b` taken as Aᵀ·B. Factors come from symmetric eigen-decompositions, so nothing is inverted and
//! no square root is taken of a number that rounding has made: singular covariances (fewer images than features) keep
//! full accuracy.

use faer::{Mat, Side};

use super::feature_stats::MeanCovariance;
use crate::error::{Classified, ErrorClass};

/// Why there is no distance.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrechetError {
    /// Features of different networks.
    #[error(
        "Fréchet distance: found {found} features in the second set, expected {expected} as in the first"
    )]
    Width {
        /// Features of the second set.
        found: usize,
        /// Features of the first set.
        expected: usize,
    },
    /// Values that are not finite, or a decomposition that did not converge.
    #[error("Fréchet distance: the covariance of the {set} set cannot be decomposed: {reason}")]
    Decomposition {
        /// `first`, `second` or `joint`.
        set: &'static str,
        /// What the decomposition reports.
        reason: String,
    },
}

impl Classified for FrechetError {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Width { .. } => ErrorClass::BadInput,
            Self::Decomposition { .. } => ErrorClass::Failure,
        }
    }
}

/// The squared Fréchet distance, at least 0 up to rounding.
///
/// ```
/// use mindreader::metrics::feature_stats::{CovarianceDivisor, FeatureStats};
/// use mindreader::metrics::frechet::frechet_distance;
/// use ndarray::array;
///
/// let moments = |shift: f32| {
///     let mut stats = FeatureStats::new(2);
///     stats.add(array![[shift, 0.0], [shift + 1.0, 1.0], [shift, 2.0]].view())?;
///     stats.finish(CovarianceDivisor::Samples)
/// };
/// // Equal covariances, means three apart.
/// let distance = frechet_distance(&moments(0.0)?, &moments(3.0)?)?;
/// assert!((distance - 9.0).abs() < 1e-9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`FrechetError`] for sets of different widths and for covariances that are not finite.
pub fn frechet_distance(a: &MeanCovariance, b: &MeanCovariance) -> Result<f64, FrechetError> {
    let (expected, found) = (a.mean.nrows(), b.mean.nrows());
    if expected != found {
        return Err(FrechetError::Width { found, expected });
    }
    let between_means = (&a.mean - &b.mean).squared_norm_l2();
    let factor_a = factor(&a.covariance, "first")?;
    let factor_b = factor(&b.covariance, "second")?;
    let trace = |matrix: &Mat<f64>| (0..matrix.nrows()).map(|index| matrix[(index, index)]).sum::<f64>();
    Ok(between_means + trace(&a.covariance) + trace(&b.covariance)
        - 2.0 * sum_of_singular_values(&(factor_a.transpose() * &factor_b))?)
}

/// `A` with `A·Aᵀ = covariance`, one column per eigenvalue that is not rounding.
fn factor(covariance: &Mat<f64>, set: &'static str) -> Result<Mat<f64>, FrechetError> {
    let failed = |reason: String| FrechetError::Decomposition { set, reason };
    if !covariance.is_all_finite() {
        return Err(failed("a value is not finite".into()));
    }
    let eigen = covariance
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| failed("its values do not converge; features are too large".into()))?;
    let (vectors, values) = (eigen.U(), eigen.S());
    let largest = values.column_vector().iter().fold(0.0_f64, |largest, value| largest.max(*value));
    // A singular covariance has eigenvalues of this size with either sign; the root of one that is only rounding is
    // some 1e-8 of the largest root, and there may be thousands.
    let rounding = largest * covariance.nrows() as f64 * f64::EPSILON;
    let kept: Vec<usize> = (0..covariance.nrows()).filter(|index| values[*index] > rounding).collect();
    Ok(Mat::from_fn(covariance.nrows(), kept.len(), |row, column| {
        vectors[(row, kept[column])] * values[kept[column]].sqrt()
    }))
}

fn sum_of_singular_values(product: &Mat<f64>) -> Result<f64, FrechetError> {
    if product.nrows() == 0 || product.ncols() == 0 {
        return Ok(0.0);
    }
    let failed = |reason: String| FrechetError::Decomposition { set: "joint", reason };
    let values = product
        .singular_values()
        .map_err(|_| failed("its values do not converge; features are too large".into()))?;
    Ok(values.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::Col;

    fn normal(mean: &[f64], diagonal: &[f64]) -> MeanCovariance {
        MeanCovariance {
            mean: Col::from_fn(mean.len(), |index| mean[index]),
            covariance: Mat::from_fn(mean.len(), mean.len(), |i, j| if i == j { diagonal[i] } else { 0.0 }),
        }
    }

    #[test]
    fn diagonal_covariances_by_hand() {
        let a = normal(&[0.0, 0.0], &[1.0, 4.0]);
        let b = normal(&[3.0, 4.0], &[9.0, 0.0]);
        // 25 + (1 − 3)² + (2 − 0)²
        assert!((frechet_distance(&a, &b).unwrap() - 33.0).abs() < 1e-12);
        assert!(frechet_distance(&a, &a).unwrap().abs() < 1e-12);
        let point = normal(&[1.0, 1.0], &[0.0, 0.0]);
        assert!((frechet_distance(&a, &point).unwrap() - 7.0).abs() < 1e-12);
    }

    #[test]
    fn other_widths_and_broken_covariances_are_refused() {
        let a = normal(&[0.0, 0.0], &[1.0, 4.0]);
        let error = frechet_distance(&a, &normal(&[0.0], &[1.0])).unwrap_err();
        assert_eq!(error, FrechetError::Width { found: 1, expected: 2 });
        let error = frechet_distance(&a, &normal(&[0.0, 0.0], &[1.0, f64::NAN])).unwrap_err();
        assert!(error.to_string().contains("second set"), "{error}");
    }
}
