//! What is said: on stderr, in the log of the run, and by the libraries on request.

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;

use crate::phantom::{TINY, assert_refused, mindreader, phantom, runs, stderr};

/// A short training with all that it says.
fn pretrain_clip(work: &Path, arguments: &[&str], log: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindreader"));
    command.args(["pretrain-clip", "--device", "cpu", "--config", TINY, "--nsd"]).arg(phantom());
    command.arg("--work").arg(work).args(arguments).env_remove("MINDREADER_LOG");
    if let Some(log) = log {
        command.env("MINDREADER_LOG", log);
    }
    command.output().unwrap()
}

fn prepare(work: &Path) {
    let mut command = mindreader();
    let prepared =
        command.args(["prepare", "--config", TINY, "--nsd"]).arg(phantom()).arg("--work").arg(work);
    assert!(prepared.output().unwrap().status.success());
}

/// Lines of the newest run's log, each without its time.
fn logged(work: &Path) -> Vec<String> {
    let run = runs(work, "").pop().unwrap();
    let text = fs::read_to_string(run.join("log.txt")).unwrap();
    let without_time = |line: &str| {
        let (time, message) = line.split_once("  ").unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{line}");
        message.to_string()
    };
    text.lines().map(without_time).collect()
}

#[test]
fn a_run_logs_what_stderr_says_and_a_resumed_one_goes_on() {
    let root = tempfile::tempdir().unwrap();
    prepare(root.path());
    let output = pretrain_clip(root.path(), &[], None);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    let log = logged(root.path());
    assert!(log[0].starts_with("mindreader ") && log[0].contains("pretrain-clip"), "{}", log[0]);
    assert_eq!(log[1..], said.lines().collect::<Vec<_>>());
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("using the prepared subject `"), "{said}");
    let is_done = |line: &&str| line.starts_with("reading images: done (");
    assert!(lines[1] == "reading images ..." && lines[2..].iter().any(is_done), "{said}");

    let checkpoint = runs(root.path(), "")[0].join("checkpoint.mpk");
    let resume = ["--quiet", "--resume", checkpoint.to_str().unwrap()];
    let refused = ["--set", "pretrain_clip.train.epochs=9"];
    let output = pretrain_clip(root.path(), &[&resume[..], &refused].concat(), None);
    assert_refused(&output, &["settings.training.epochs: found 4, expected 9"]);
    let added = &logged(root.path())[log.len()..];
    assert!(added[0].starts_with("mindreader "), "{added:?}");
    // Quiet on stderr is not quiet in the log.
    assert!(added.iter().any(|line| line == "reading images ..."), "{added:?}");
    assert_eq!(added.last().unwrap(), stderr(&output).lines().last().unwrap());
}

#[test]
fn what_lies_beneath_is_heard_on_request() {
    let root = tempfile::tempdir().unwrap();
    prepare(root.path());
    let output = pretrain_clip(root.path(), &["--quiet"], Some("debug"));
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("DEBUG mindreader::run::checkpoint: checkpoint written path="), "{said}");
    assert!(!said.contains("reading images"), "{said}");
    assert!(logged(root.path()).iter().any(|line| line.contains("checkpoint written")));
    let output = pretrain_clip(root.path(), &["--quiet"], Some("burn_core=loud"));
    assert_refused(&output, &["MINDREADER_LOG=burn_core=loud", "hint: MINDREADER_LOG=debug"]);
}

#[test]
fn as_json_every_line_is_an_object() {
    let root = tempfile::tempdir().unwrap();
    prepare(root.path());
    let output = pretrain_clip(root.path(), &["--log-format", "json"], None);
    let said = stderr(&output);
    assert!(output.status.success(), "{said}");
    let lines: Vec<serde_json::Value> =
        said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(
        lines[0]["fields"]["message"].as_str().unwrap().starts_with("using the prepared subject"),
        "{said}"
    );
    assert_eq!(lines[1]["fields"]["message"], "reading images ...");
    assert_eq!(lines[1]["fields"]["task"], "reading images");
    assert!(lines[1]["timestamp"].is_string(), "{said}");
    let failed =
        mindreader().args(["prepare", "--log-format", "json", "--nsd", "/nowhere"]).output().unwrap();
    let error: serde_json::Value = serde_json::from_str(stderr(&failed).lines().next().unwrap()).unwrap();
    assert_eq!(error["level"], "ERROR");
    assert!(error["fields"]["message"].as_str().unwrap().starts_with("error: "), "{error}");
}
