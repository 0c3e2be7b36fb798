//! Wrong arguments and settings.

use crate::phantom::{assert_refused, mindreader, phantom};

#[test]
fn help_names_every_subcommand() {
    let output = mindreader().arg("--help").output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    for command in [
        "demo",
        "init",
        "run",
        "doctor",
        "phantom",
        "prepare",
        "split",
        "import-weights",
        "weights",
        "compact-weights",
        "pretrain-clip",
        "pretrain-classifier",
        "screen-captions",
        "train-mapper",
        "evaluate",
        "pretrain-gan",
        "finetune-gan",
        "reconstruct",
        "evaluate-images",
        "interpolate",
        "microstim",
        "report",
    ] {
        assert!(text.contains(command), "{command}");
    }
}

#[test]
fn unknown_subcommands_flags_and_keys_are_usage_errors() {
    for arguments in [&["decode"][..], &["prepare", "--region", "V1"], &[]] {
        let output = mindreader().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    let root = tempfile::tempdir().unwrap();
    let config = root.path().join("mine.toml");
    std::fs::write(&config, "[prepare]\nregion = [\"V1\"]\n").unwrap();
    let output = mindreader().args(["prepare", "--nsd", "x", "--config"]).arg(&config).output().unwrap();
    assert_refused(&output, &["mine.toml", "region", "roi"]);
    let output =
        mindreader().args(["prepare", "--nsd", "x", "--set", "prepare.sessions=many"]).output().unwrap();
    assert_refused(&output, &["sessions", "many"]);
    let output = mindreader().args(["prepare", "--nsd", "x", "--set", "prepare"]).output().unwrap();
    assert_refused(&output, &["key=value"]);
    let output = mindreader().args(["prepare", "--nsd", "x", "--config", "none.toml"]).output().unwrap();
    assert_refused(&output, &["none.toml"]);
}

#[test]
fn a_missing_root_and_a_device_that_is_not_there_are_named() {
    assert_refused(&mindreader().arg("prepare").output().unwrap(), &["paths.nsd", "--nsd"]);
    let output = mindreader().args(["doctor", "--nsd", "x", "--device", "gpu"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn doctor_and_json() {
    let output = mindreader().args(["doctor", "--json", "--nsd"]).arg(phantom()).output().unwrap();
    assert!(output.status.success());
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["sessions"], serde_json::json!([1]));
}
