//! ResNet and Inception as torchvision writes them.

use mindreader::models::inception::InceptionConfig;
use mindreader::models::resnet::ResnetConfig;
use mindreader::run::snapshot::Snapshot;
use mindreader::tensor_ops::backend::{Base, cpu};
use serde_json::json;

use crate::arrived::assert_arrived;
use crate::made::Made;

/// An Inception that is moved takes more stack than a test's thread has in builds without optimisation.
const STACK_BYTES: usize = 64 << 20;

#[test]
fn torchvision_files_without_their_classifiers() {
    std::thread::Builder::new().stack_size(STACK_BYTES).spawn(compare).unwrap().join().unwrap();
}

fn compare() {
    let Some(made) = Made::new("torchvision", "feature_networks", "torchvision") else { return };
    let (path, summary) = made.import("resnet.pth", &[]);
    assert_eq!((&summary["kind"], &summary["problems"]), (&json!("resnet"), &json!([])));
    assert_arrived(&made, "resnet", &path);
    let file = Snapshot::open(&path, "resnet").unwrap();
    let config: ResnetConfig = file.config().unwrap();
    assert_eq!(config.blocks, [1, 2, 1, 1]);
    let network = file.load_into(config.init::<Base>(0, &cpu()).unwrap()).unwrap();
    // Sixteen convolutions in float32.
    made.assert_close("resnet", "pooled", network.pooled(made.tensor::<4>("resnet", "pixels")), 1e-4);

    let (path, summary) = made.import("inception.pth", &["--kind", "inception"]);
    assert_eq!((&summary["kind"], &summary["problems"]), (&json!("inception"), &json!([])));
    // 94 counters and the classifier.
    assert_eq!(summary["dropped"].as_array().unwrap().len(), 94 + 2);
    assert_arrived(&made, "inception", &path);
    let file = Snapshot::open(&path, "inception").unwrap();
    let config: InceptionConfig = file.config().unwrap();
    file.load_into(config.init::<Base>(0, &cpu()).unwrap()).unwrap();
}
