//! Generator and discriminator out of a network pickle: the right one, every value, every setting.

use mindreader::models::stylegan2::{
    ConditionHeads, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig, HeadNormalisation,
    ProjectionTerm,
};
use mindreader::run::snapshot::Snapshot;
use mindreader::tensor_ops::backend::{Base, cpu};
use serde_json::json;

use crate::arrived::assert_arrived;
use crate::made::{Made, describe, import, stderr};

#[test]
fn averaged_generator_by_default_and_the_others_by_name() {
    let Some(made) = Made::new("generators of a pickle", "network_pickle", "numpy") else { return };
    for (network, arguments) in [
        ("G_ema", &[][..]),
        ("G", &["--network", "G", "--overwrite"]),
        ("D", &["--kind", "discriminator", "--overwrite"]),
    ] {
        let (path, summary) = made.import("snapshot.pkl", arguments);
        assert_eq!(summary["network"], network);
        assert_eq!(summary["problems"], json!([]));
        let dropped = summary["dropped"].as_array().unwrap();
        assert!(
            dropped.iter().all(|dropped| dropped["tensor"].as_str().unwrap().ends_with("resample_filter"))
        );
        assert_arrived(&made, network, &path);
    }
}

#[test]
fn settings_of_the_file_win_over_assumptions() {
    let Some(made) = Made::new("settings of a pickle", "network_pickle", "numpy") else { return };
    let (path, summary) = made.import("snapshot.pkl", &[]);
    assert_eq!(summary["assumed"], json!([]));
    let file = Snapshot::open(&path, "generator").unwrap();
    let config: GeneratorConfig = file.config().unwrap();
    let expected = GeneratorConfig {
        z_dim: 12,
        w_dim: 12,
        heads: ConditionHeads::TwoByMaximum,
        condition_dim: 24,
        second_condition_dim: 16,
        code_dim: 12,
        mapping_layers: 2,
        resolution: 8,
        channel_base: 16384,
        channel_max: 8,
        conv_clamp: 256.0,
        ..Default::default()
    };
    assert_eq!(config, expected);
    let _: Generator<Base> = file.load_into(config.init(0, &cpu()).unwrap()).unwrap();
    let provenance = file.provenance();
    assert_eq!(
        (&provenance["imported_from"], &provenance["network"]),
        (&json!("snapshot.pkl"), &json!("G_ema"))
    );
    assert_eq!(provenance["sha256"].as_str().unwrap().len(), 64);
    assert!(provenance["imported_at"].as_str().unwrap().ends_with('Z'));

    let (path, _) = made.import("snapshot.pkl", &["--network", "D", "--overwrite"]);
    let file = Snapshot::open(&path, "discriminator").unwrap();
    let config: DiscriminatorConfig = file.config().unwrap();
    assert_eq!(config.head_normalisation, HeadNormalisation::UnitNorm);
    assert_eq!(config.projection, ProjectionTerm::Off, "the file says that the heads do not enter the score");
    assert_eq!((config.mbstd_group, config.mbstd_channels, config.condition_dim), (4, 1, 24));
    let _: Discriminator<Base> = file.load_into(config.init(0, &cpu()).unwrap()).unwrap();

    let described = describe(&path, &[]);
    assert_eq!(described["container"], "snapshot");
    assert_eq!(described["networks"][0]["kind"], "discriminator");
    assert_eq!(described["provenance"]["network"], "D");
}

#[test]
fn a_copied_second_head_of_an_old_file() {
    let Some(made) = Made::new("duplication", "network_pickle", "numpy") else { return };
    let (_, summary) = made.import("one_head.pkl", &[]);
    assert_eq!(summary["config"]["heads"], "one");
    let (path, summary) = made.import("one_head.pkl", &["--second-head", "duplicate", "--overwrite"]);
    assert_eq!(summary["config"]["heads"], "two-by-maximum");
    assert_eq!(summary["config"]["second_condition_dim"], 24);
    let file = Snapshot::open(&path, "generator").unwrap();
    let config: GeneratorConfig = file.config().unwrap();
    let _: Generator<Base> = file.load_into(config.init(0, &cpu()).unwrap()).unwrap();

    // A branch that was trained is not thrown away by accident (docs/spec/open-questions.md OQ-31).
    let out = made.path("two.safetensors");
    let output = import(&made.path("snapshot.pkl"), &out, &["--second-head", "duplicate"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--second-head overwrite"), "{}", stderr(&output));
    let output = import(&made.path("snapshot.pkl"), &out, &["--second-head", "overwrite"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let replaced = summary["dropped"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|d| d["reason"].as_str().unwrap().contains("copy"));
    // Five layers with two linear maps of two tensors.
    assert_eq!(replaced.count(), 20);
    assert_eq!(summary["config"]["second_condition_dim"], 24);
}
