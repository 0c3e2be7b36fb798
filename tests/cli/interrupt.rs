//! Ctrl-C during training leaves a checkpoint that the same command continues from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::phantom::{TINY, mindreader, phantom, stderr};

fn checkpoint(work: &Path) -> Option<PathBuf> {
    let runs = fs::read_dir(work.join("runs")).ok()?;
    runs.flatten().map(|run| run.path().join("checkpoint.mpk")).find(|path| path.is_file())
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// Waits until the run has written `count` events; the child must still be at work.
fn wait_for_events(child: &mut Child, work: &Path, count: usize) {
    let started = Instant::now();
    loop {
        let runs = fs::read_dir(work.join("runs")).into_iter().flatten().flatten();
        if runs.map(|run| lines(&run.path().join("metrics.jsonl"))).max().unwrap_or(0) >= count {
            return;
        }
        assert!(child.try_wait().unwrap().is_none(), "training ended before it could be interrupted");
        assert!(started.elapsed() < Duration::from_secs(120), "training did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_interrupted_training_continues_from_its_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let work = root.path();
    let common = |command: &mut assert_cmd::Command| {
        command.args(["--config", TINY, "--nsd"]).arg(phantom()).arg("--work").arg(work);
    };
    let mut prepare = mindreader();
    prepare.arg("prepare");
    common(&mut prepare);
    assert!(prepare.output().unwrap().status.success());

    // Long enough that the signal arrives in time.
    let long =
        ["--set", "pretrain_clip.train.epochs=60", "--set", "pretrain_clip.train.evaluate_every_epochs=1"];
    let mut child = Command::new(env!("CARGO_BIN_EXE_mindreader"))
        .args(["pretrain-clip", "--device", "cpu", "--quiet", "--config", TINY, "--nsd"])
        .arg(phantom())
        .arg("--work")
        .arg(work)
        .args(long)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_events(&mut child, work, 2);
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("--resume"), "{}", stderr(&output));

    let path = checkpoint(work).expect("a checkpoint");
    let events = path.with_file_name("metrics.jsonl");
    let before = lines(&events);
    let mut resume = mindreader();
    resume.args(["pretrain-clip", "--resume"]).arg(&path).args(long);
    common(&mut resume);
    let output = resume.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(lines(&events), 60, "{before} before");
    assert!(path.with_file_name("best.safetensors").is_file());
}
