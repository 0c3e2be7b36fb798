//! The published sizes, with random weights, against PyTorch: FID Inception under both preprocessings, ResNet-50 stage by stage.
//!
//! Runs where `scripts/python-env --torch` has made its environment; the scripts are in `tests/weights`.
//! Catches: a swapped 1×7 and 7×1, the order of branches, padding counted in a mean, the mean for the maximum in the last block,
//! half-pixel centres for corners. Tolerance: 20 times PyTorch's own f32 error, at least 2e-6 of the largest value.

use std::path::{Path, PathBuf};
use std::process::Command;

use burn::tensor::Tensor;
use mindreader::models::inception::InceptionPreprocessing;
use mindreader::models::resnet::ResnetConfig;
use mindreader::tensor_ops::backend::{Base, cpu};
use mindreader::weights::{inception, resnet50};

use crate::foreign_weights::fill;
use crate::golden::{Golden, assert_close, values};

/// Python with torch, or nothing after saying so.
pub fn python(test: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/python-env");
    let found = Command::new("bash").arg(script).args(["--torch", "--existing"]).output().unwrap();
    if found.status.success() {
        return Some(PathBuf::from(String::from_utf8_lossy(&found.stdout).trim()));
    }
    eprintln!("skipped: {test}: {}", String::from_utf8_lossy(&found.stderr).trim());
    None
}

/// Runs a script of `tests/weights` on a new folder.
pub fn reference(script: &str) -> Option<tempfile::TempDir> {
    let python = python(script)?;
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/weights").join(script);
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "the Python side failed:\n{}", String::from_utf8_lossy(&output.stderr));
    Some(folder)
}

fn compare(expected: &Golden, name: &str, actual: &[f32]) {
    let (golden, _) = expected.f32(name);
    let largest = golden.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let tolerance = (20.0 * expected.scalar(&format!("deviation.{name}"))).max(2e-6 * largest);
    assert_close(name, actual, &golden, tolerance);
}

#[test]
fn fid_inception_at_full_width() {
    let Some(folder) = reference("inception_reference.py") else { return };
    let weights = Golden::read(&folder.path().join("inception_weights.safetensors"));
    let expected = Golden::read(&folder.path().join("inception_expected.safetensors"));
    let config = inception::config_from_shapes(&|key| weights.has(key).then(|| weights.f32(key).1)).unwrap();
    assert_eq!(config.feature_width(), 2048);
    let mut network = config.init::<Base>(0, &cpu()).unwrap();
    fill(&mut network, &weights, "", inception::foreign_name, inception::reason_unused);
    for label in ["large", "odd"] {
        let pixels: Tensor<Base, 4> = expected.tensor(&format!("{label}.pixels_255"), &cpu());
        for (name, preprocessing) in [
            ("tensorflow", InceptionPreprocessing::TensorFlow),
            ("pytorch_fid", InceptionPreprocessing::PytorchFid),
        ] {
            let input = preprocessing.apply(pixels.clone());
            compare(&expected, &format!("{label}.{name}.input"), &values(input));
            let features = network.features(pixels.clone(), preprocessing);
            compare(&expected, &format!("{label}.{name}.features"), &values(features));
        }
    }
}

#[test]
fn resnet50_at_full_width() {
    let Some(folder) = reference("resnet50_reference.py") else { return };
    let weights = Golden::read(&folder.path().join("resnet50_weights.safetensors"));
    let expected = Golden::read(&folder.path().join("resnet50_expected.safetensors"));
    let config = resnet50::config_from_shapes(&|key| weights.has(key).then(|| weights.f32(key).1)).unwrap();
    assert_eq!(config, ResnetConfig::default());
    let mut network = config.init::<Base>(0, &cpu()).unwrap();
    fill(&mut network, &weights, "", resnet50::foreign_name, resnet50::reason_unused);
    let features = network.forward(expected.tensor("x", &cpu()));
    for (name, actual) in [
        ("stem", values(features.stem)),
        ("maxpool", values(features.maxpool)),
        ("layer1", values(features.layer1)),
        ("layer2", values(features.layer2)),
        ("layer3", values(features.layer3)),
        ("layer4", values(features.layer4)),
        ("pooled", values(features.pooled)),
    ] {
        compare(&expected, name, &actual);
    }
}
