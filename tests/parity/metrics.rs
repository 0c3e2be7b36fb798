//! AUC-ROC (scikit-learn) and noise ceilings (NSD's manual) against `metrics.safetensors`.
//!
//! Catches: ties at their first rank, degenerate classes inside a mean, a ceiling of averaged trials that is off by their number.

use mindreader::data::nsd::noise_ceiling::{mixed_noise_ceiling_percent, noise_ceiling_percent};
use mindreader::metrics::classification::{compute_class_auc, compute_micro_auc};
use ndarray::Array2;

use crate::golden::{Golden, tolerance};

#[test]
fn areas_match_per_class_and_in_every_mean() {
    let Some(golden) = Golden::open("metrics") else { return };
    let (scores, shape) = golden.f32("auc.scores");
    let scores = Array2::from_shape_vec((shape[0], shape[1]), scores).unwrap();
    let labels = golden.ints("auc.labels").0.iter().map(|label| *label == 1).collect();
    let labels: Array2<bool> = Array2::from_shape_vec((shape[0], shape[1]), labels).unwrap();
    let auc = compute_class_auc(scores.view(), labels.view()).unwrap();
    // Degenerate classes are NaN there and absent here.
    let (expected, _) = golden.f32("auc.per_class");
    let (mut error, mut scale) = (0.0_f32, 0.0_f32);
    for (class, (actual, expected)) in auc.per_class.iter().zip(&expected).enumerate() {
        assert_eq!(actual.is_none(), expected.is_nan(), "class {class}");
        if let Some(actual) = actual {
            error = error.max((*actual as f32 - expected).abs());
            scale = scale.max(*expected);
        }
    }
    let tolerance = tolerance("metrics", "auc.per_class");
    assert!(error <= tolerance, "per class: error {error:.2e}, tolerance {tolerance:.2e}");
    golden.record("auc.per_class", "", error, scale, tolerance);
    let micro = |classes| compute_micro_auc(scores.view(), labels.view(), classes).unwrap().unwrap();
    for (name, actual) in [
        ("macro_valid", auc.group(0..6).unwrap().mean),
        ("weighted_valid", auc.weighted_mean(0..6).unwrap()),
        ("micro_all", micro(0..6)),
        // Classes 4 and 5 are the degenerate ones.
        ("micro_valid", micro(0..4)),
    ] {
        golden.expect(&format!("auc.{name}"), &[actual as f32]);
    }
    assert_eq!(auc.group(0..6).unwrap().num_classes, 4);
}

#[test]
fn noise_ceilings_match() {
    let Some(golden) = Golden::open("metrics") else { return };
    let (ratios, _) = golden.f32("ceiling.ncsnr");
    let compare = |name: &str, ceiling: &dyn Fn(f64) -> f64| {
        let ours: Vec<f32> = ratios.iter().map(|ratio| ceiling(f64::from(*ratio)) as f32).collect();
        golden.expect(name, &ours);
    };
    compare("ceiling.n1", &|ratio| noise_ceiling_percent(ratio, 1));
    compare("ceiling.n2", &|ratio| noise_ceiling_percent(ratio, 2));
    compare("ceiling.n3", &|ratio| noise_ceiling_percent(ratio, 3));
    let mixed = |ratio| mixed_noise_ceiling_percent(ratio, 3000, 2000, 5000);
    compare("ceiling.mixed_3000_2000_5000", &mixed);
}
