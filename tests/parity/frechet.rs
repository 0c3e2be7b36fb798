//! Statistics and Fréchet distances against `fid.safetensors` (scipy and a symmetric eigen-decomposition).
//!
//! Catches: N for N − 1, a squared norm not squared, square roots of rounding where covariances are singular.
//! Tolerance of distances: 1e-6 relative, 1e-7 absolute for equal sets.

use mindreader::metrics::feature_stats::{CovarianceDivisor, FeatureStats, MeanCovariance};
use mindreader::metrics::frechet::frechet_distance;
use ndarray::{Array2, s};

use crate::golden::{Golden, assert_close};

fn statistics(golden: &Golden, name: &str) -> MeanCovariance {
    let (values, shape) = golden.f32(name);
    let rows = Array2::from_shape_vec((shape[0], shape[1]), values).unwrap();
    let mut stats = FeatureStats::new(shape[1]);
    // In two batches of different size.
    let cut = shape[0] / 3;
    stats.add(rows.slice(s![..cut, ..])).unwrap();
    stats.add(rows.slice(s![cut.., ..])).unwrap();
    stats.finish(CovarianceDivisor::SamplesLessOne).unwrap()
}

#[test]
fn means_covariances_and_distances_match() {
    let Some(golden) = Golden::open("fid") else { return };
    for (set, mean_tols, covariance_tols) in [
        ("full_rank", [3.6e-7, 1.1e-6], [9e-6, 9.2e-6]),
        ("identical", [5.6e-7, 5.6e-7], [2.8e-6, 2.8e-6]),
        ("rank_deficient", [1.5e-6, 1.3e-6], [7.2e-6, 6.9e-6]),
        ("rank_deficient_64", [2.7e-6, 1.6e-6], [1.7e-5, 1.3e-5]),
        ("d4", [1.2e-7, 1.9e-6], [2.3e-6, 5.1e-6]),
    ] {
        let both = ["x", "y"].map(|side| statistics(&golden, &format!("{set}.{side}")));
        for (index, side) in ["x", "y"].into_iter().enumerate() {
            let MeanCovariance { mean, covariance } = &both[index];
            let width = mean.nrows();
            let ours: Vec<f32> = mean.iter().map(|value| *value as f32).collect();
            let name = format!("{set}.mu_{side}");
            assert_close(&name, &ours, &golden.f32(&name).0, mean_tols[index]);
            let ours: Vec<f32> =
                (0..width * width).map(|at| covariance[(at / width, at % width)] as f32).collect();
            let name = format!("{set}.sigma_{side}");
            assert_close(&name, &ours, &golden.f32(&name).0, covariance_tols[index]);
        }
        let distance = frechet_distance(&both[0], &both[1]).unwrap();
        for (route, relative) in [("frechet_eig", 1e-6), ("frechet_scipy", 1e-6)] {
            let expected = golden.f64_scalar(&format!("{set}.{route}"));
            let tolerance = (relative * expected.abs()).max(1e-7);
            let error = (distance - expected).abs();
            assert!(error <= tolerance, "{set}.{route}: {distance}, expected {expected}");
            eprintln!("{set}.{route}: error {error:.2e}, tolerance {tolerance:.2e}, value {expected:.3e}");
        }
    }
}
