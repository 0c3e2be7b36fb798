//! Statistics and Fréchet distances against `fid.safetensors` (scipy and a symmetric eigen-decomposition).
//!
//! Catches: N for N − 1, a squared norm not squared, square roots of rounding where covariances are singular.

use mindreader::metrics::feature_stats::{CovarianceDivisor, FeatureStats, MeanCovariance};
use mindreader::metrics::frechet::frechet_distance;
use ndarray::{Array2, s};

use crate::golden::Golden;

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
    for set in ["full_rank", "identical", "rank_deficient", "rank_deficient_64", "d4"] {
        let both = ["x", "y"].map(|side| statistics(&golden, &format!("{set}.{side}")));
        for (index, side) in ["x", "y"].into_iter().enumerate() {
            let MeanCovariance { mean, covariance } = &both[index];
            let width = mean.nrows();
            let ours: Vec<f32> = mean.iter().map(|value| *value as f32).collect();
            golden.expect(&format!("{set}.mu_{side}"), &ours);
            let ours: Vec<f32> =
                (0..width * width).map(|at| covariance[(at / width, at % width)] as f32).collect();
            golden.expect(&format!("{set}.sigma_{side}"), &ours);
        }
        let distance = frechet_distance(&both[0], &both[1]).unwrap();
        // In f64: 1e-6 relative, 1e-7 absolute for equal sets.
        for name in ["frechet_eig", "frechet_scipy"].map(|route| format!("{set}.{route}")) {
            let expected = golden.f64_scalar(&name);
            let tolerance = (1e-6 * expected.abs()).max(1e-7);
            let error = (distance - expected).abs();
            assert!(error <= tolerance, "{name}: {distance}, expected {expected}");
            golden.record(&name, "", error as f32, expected as f32, tolerance as f32);
        }
    }
}
