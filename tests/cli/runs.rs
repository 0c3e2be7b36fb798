//! Runs are what they say: finished ones are taken, one process writes, a resumed run is the one that was begun.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::phantom::{TINY, assert_refused, files, mapper_work, mindreader, phantom, runs, stderr};

fn command(name: &str, work: &Path) -> assert_cmd::Command {
    let mut command = mindreader();
    command.args([name, "--config", TINY, "--nsd"]).arg(phantom()).arg("--work").arg(work);
    command
}

fn run(name: &str, work: &Path, more: &[&str]) -> Output {
    command(name, work).args(more).output().unwrap()
}

fn succeed(output: &Output) {
    assert!(output.status.success(), "{}", stderr(output));
}

/// An image mapper in training for longer than any test waits.
fn long_training(work: &Path, resume: Option<&Path>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindreader"));
    command
        .args(["train-mapper", "--target", "image", "--device", "cpu", "--quiet", "--config", TINY, "--nsd"])
        .arg(phantom())
        .arg("--work")
        .arg(work)
        .args(["--set", "train_mapper.train.phase1.epochs=100000"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Some(checkpoint) = resume {
        command.arg("--resume").arg(checkpoint);
    }
    command.spawn().unwrap()
}

/// Waits until the run has logged more than `count` epochs; its folder.
fn wait_for_epochs(child: &mut Child, work: &Path, count: usize) -> PathBuf {
    let started = Instant::now();
    loop {
        let folder = runs(work, "train-mapper-image-subj01").pop();
        let epochs = |run: &PathBuf| {
            fs::read_to_string(run.join("metrics.jsonl")).map_or(0, |text| text.lines().count())
        };
        if let Some(run) = folder.filter(|run| epochs(run) > count && !run.join("summary.json").exists()) {
            return run;
        }
        assert!(child.try_wait().unwrap().is_none(), "training ended");
        assert!(started.elapsed() < Duration::from_secs(120), "training did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_run_is_passed_over_and_said_to_be_unless_it_is_named() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    succeed(&run("train-mapper", &work, &["--target", "image"]));
    let finished = runs(&work, "train-mapper-image-subj01").pop().unwrap();
    succeed(&run("train-mapper", &work, &["--target", "caption"]));
    let mut child = long_training(&work, None);
    let killed = wait_for_epochs(&mut child, &work, 1);
    kill(child);
    assert!(killed > finished && killed.join("best.safetensors").is_file());

    let evaluate = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_mindreader"))
            .args(["evaluate", "--device", "cpu", "--config", TINY, "--nsd"])
            .arg(phantom())
            .arg("--work")
            .arg(&work)
            .args(more)
            .env_remove("MINDREADER_LOG")
            .output()
            .unwrap()
    };
    let output = evaluate(&[]);
    succeed(&output);
    let text = stderr(&output);
    let line = |start: &str| text.lines().filter(|line| line.starts_with(start)).collect::<Vec<_>>();
    let [warning] = line("warning: ")[..] else { panic!("{text}") };
    assert!(warning.contains("passed over as not finished"), "{warning}");
    assert!(warning.contains(&killed.display().to_string()), "{warning}");
    let kind = "(kind paper, learned from each trial's own betas)";
    let of_image = format!("using the image mapper {kind} `{}/best.safetensors`", finished.display());
    assert!(line("using the image mapper").contains(&of_image.as_str()), "{text}");
    assert_eq!((line("using the prepared subject").len(), line("using the clip").len()), (1, 1), "{text}");

    let named = killed.join("best.safetensors");
    let output = evaluate(&["--mappers", named.to_str().unwrap()]);
    succeed(&output);
    let text = stderr(&output);
    assert!(text.contains(&format!("using the image mapper {kind} `{}`", named.display())), "{text}");
    assert!(!text.contains("passed over"), "{text}");
}

#[test]
fn a_report_shows_what_is_there_and_says_what_is_missing() {
    let root = tempfile::tempdir().unwrap();
    let empty = root.path().join("empty");
    let output = run("report", &empty, &[]);
    assert_refused(&output, &["runs/*-subj01", "no finished run of subj01", "train-mapper --target image"]);
    assert!(!empty.exists());

    let work = mapper_work(root.path());
    let output = run("report", &work, &["--json"]);
    succeed(&output);
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["shown"].as_array().unwrap().len(), 1, "the CLIP's training: {summary}");
    assert!(summary["verdict"][0].as_str().unwrap().starts_with("Nothing that was decoded"), "{summary}");
    let missing = summary["missing"][0]["command"].as_str().unwrap();
    let expected = format!(
        "mindreader train-mapper --target image --subject 1 --nsd {} --work {} --config {TINY} --device cpu",
        phantom().display(),
        work.display()
    );
    assert_eq!(missing, expected);
    let page = fs::read_to_string(work.join("report-subj01.html")).unwrap();
    assert!(page.contains(missing) && page.contains("This subject is a phantom"), "{missing}");

    let output = run("report", &work, &["--runs", work.to_str().unwrap()]);
    assert_refused(&output, &["config.toml` is missing", "folders of finished runs"]);
    let output = run("report", &work, &["--subject", "all", "--out", "page.html"]);
    assert_refused(&output, &["the page of `--out` belongs to one subject"]);
}

#[test]
fn the_second_of_two_resumed_runs_is_told_who_the_first_is() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let mut child = long_training(&work, None);
    let folder = wait_for_epochs(&mut child, &work, 1);
    let checkpoint = folder.join("checkpoint.mpk");
    let resume = ["--target", "image", "--set", "train_mapper.train.phase1.epochs=100000", "--resume"];
    let second =
        |more: &[&str]| command("train-mapper", &work).args(resume).arg(&checkpoint).args(more).output();
    let output = second(&[]).unwrap();
    let holder = format!("process {} on ", child.id());
    assert_refused(&output, &[&folder.display().to_string(), &holder, " since 20"]);
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));

    // Killed, it holds nothing; what it left of its lock keeps nobody out.
    kill(child);
    assert!(folder.join("run.lock").is_file());
    let epochs = fs::read_to_string(folder.join("metrics.jsonl")).unwrap().lines().count();
    let mut child = long_training(&work, Some(&checkpoint));
    wait_for_epochs(&mut child, &work, epochs + 1);
    kill(child);
}

#[test]
fn the_advice_after_a_divergence_can_be_followed() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    for (name, more, key, ending) in [
        (
            "train-mapper",
            &["--target", "image"][..],
            "train_mapper.train.optimiser.learning_rate",
            "train-mapper-image-subj01",
        ),
        ("pretrain-clip", &[], "pretrain_clip.train.learning_rate", "pretrain-clip-subj01"),
        ("pretrain-classifier", &[], "pretrain_classifier.train.learning_rate", "pretrain-classifier-subj01"),
    ] {
        let at_rate = |rate: &str| {
            let mut command = command(name, &work);
            command.args(more).args(["--set", &format!("{key}={rate}")]);
            command
        };
        let output = at_rate("1e30").output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{name}: {text}");
        assert!(text.contains("lower the `learning_rate` and continue"), "{name}: {text}");
        let folder = runs(&work, ending).pop().unwrap();
        let advised = text.split("`--resume ").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
        assert_eq!(Path::new(advised), folder.join("checkpoint.mpk"), "{text}");

        let output = at_rate("1e-3").args(["--resume", advised]).output().unwrap();
        succeed(&output);
        assert!(folder.join("summary.json").is_file(), "{name}");
        assert_eq!(runs(&work, ending).pop(), Some(folder), "{name}: it went on in its folder");
    }
}

#[test]
fn prepared_files_are_found_by_what_the_settings_describe() {
    let root = tempfile::tempdir().unwrap();
    let work = root.path().join("work");
    let names = || {
        files(&work.join("prepared"))
            .iter()
            .map(|path| path.file_name().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    // What a killed command left goes with the next one that writes there.
    fs::create_dir_all(work.join("prepared")).unwrap();
    for (name, bytes) in
        [(".partial-x7Kp2a", &b"\x89HDF\r\n\x1a\nhalf"[..]), (".partial-mindreader-x7Kp2b", b"half")]
    {
        fs::write(work.join("prepared").join(name), bytes).unwrap();
    }
    succeed(&run("prepare", &work, &["--roi", "V1"]));
    succeed(&run("prepare", &work, &["--sessions", "1"]));
    assert_eq!(names(), ["subj01-V1-func1pt8mm.h5", "subj01-nsdgeneral-func1pt8mm-sessions01.h5"]);

    let missing = "subj01-nsdgeneral-func1pt8mm.h5` is missing";
    let there = "there are `subj01-V1-func1pt8mm.h5`, `subj01-nsdgeneral-func1pt8mm-sessions01.h5`";
    assert_refused(&run("pretrain-classifier", &work, &[]), &[missing, there, "prepare.*"]);
    let quick = ["--set", "pretrain_clip.train.epochs=1"];
    succeed(&run("pretrain-clip", &work, &[&quick[..], &["--set", "prepare.sessions=1"]].concat()));
}

#[test]
fn all_subjects_have_their_turn_and_those_that_fail_a_line_each() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let output = run("prepare", &work, &["--subject", "all", "--overwrite", "--json"]);
    succeed(&output);
    let summaries: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summaries.as_object().unwrap().keys().collect::<Vec<_>>(), ["subj01"]);

    let own = work.join("prepared/subj01-nsdgeneral-func1pt8mm.h5");
    fs::copy(&own, own.with_file_name("subj02-nsdgeneral-func1pt8mm.h5")).unwrap();
    let output = run("screen-captions", &work, &["--subject", "all"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let [of_subject, of_all] = said.lines().collect::<Vec<_>>()[..] else { panic!("{said}") };
    assert!(
        of_subject.starts_with("error: subj02: ") && of_subject.contains("pretrain-clip-subj02"),
        "{said}"
    );
    assert_eq!(of_all, "error: 1 of 2 subjects failed: subj02");
    let text = String::from_utf8_lossy(&output.stdout);
    let is_of_subject =
        |line: &str| line.starts_with("subj01, ") || line.ends_with(" lines more, with `--json`");
    assert!(text.lines().all(is_of_subject) && text.contains("num kept"), "{text}");
}
