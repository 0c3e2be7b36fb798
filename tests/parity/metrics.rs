//! AUC-ROC (scikit-learn) and noise ceilings (NSD's manual) against `metrics.safetensors`.
//!
//! Catches: ties at their first rank, degenerate classes inside a mean, a ceiling of averaged trials that is off by their number.

use mindreader::data::nsd::noise_ceiling::{mixed_noise_ceiling_percent, noise_ceiling_percent};
use mindreader::metrics::classification::{compute_class_auc, compute_micro_auc};
use ndarray::Array2;

use crate::golden::{Golden, assert_close};

#[test]
fn areas_match_per_class_and_in_every_mean() {
    let Some(golden) = Golden::open("metrics") else { return };
    let (scores, shape) = golden.f32("auc.scores");
    let scores = Array2::from_shape_vec((shape[0], shape[1]), scores).unwrap();
    let labels = golden.ints("auc.labels").0.iter().map(|label| *label == 1).collect();
    let labels: Array2<bool> = Array2::from_shape_vec((shape[0], shape[1]), labels).unwrap();
    let auc = compute_class_auc(scores.view(), labels.view()).unwrap();
    let (expected, _) = golden.f32("auc.per_class");
    for (class, (actual, expected)) in auc.per_class.iter().zip(&expected).enumerate() {
        assert_eq!(actual.is_none(), expected.is_nan(), "class {class}");
        if let Some(actual) = actual {
            assert_close(&format!("class {class}"), &[*actual as f32], &[*expected], 1.7e-6);
        }
    }
    let micro = |classes| compute_micro_auc(scores.view(), labels.view(), classes).unwrap().unwrap();
    for (name, actual, tolerance) in [
        ("macro_valid", auc.group(0..6).unwrap().mean, 1.5e-6),
        ("weighted_valid", auc.weighted_mean(0..6).unwrap(), 1.5e-6),
        ("micro_all", micro(0..6), 1.4e-6),
        // Classes 4 and 5 are the degenerate ones.
        ("micro_valid", micro(0..4), 1.5e-6),
    ] {
        assert_close(name, &[actual as f32], &golden.f32(&format!("auc.{name}")).0, tolerance);
    }
    assert_eq!(auc.group(0..6).unwrap().num_classes, 4);
}

#[test]
fn noise_ceilings_match() {
    let Some(golden) = Golden::open("metrics") else { return };
    let (ratios, _) = golden.f32("ceiling.ncsnr");
    let compare = |name: &str, ceiling: &dyn Fn(f64) -> f64, tolerance: f32| {
        let ours: Vec<f32> = ratios.iter().map(|ratio| ceiling(f64::from(*ratio)) as f32).collect();
        assert_close(name, &ours, &golden.f32(name).0, tolerance);
    };
    compare("ceiling.n1", &|ratio| noise_ceiling_percent(ratio, 1), 1.9e-4);
    compare("ceiling.n2", &|ratio| noise_ceiling_percent(ratio, 2), 2e-4);
    compare("ceiling.n3", &|ratio| noise_ceiling_percent(ratio, 3), 2e-4);
    let mixed = |ratio| mixed_noise_ceiling_percent(ratio, 3000, 2000, 5000);
    compare("ceiling.mixed_3000_2000_5000", &mixed, 2e-4);
}
