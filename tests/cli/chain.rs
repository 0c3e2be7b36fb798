//! `run`: steps that are done are not done again, and one that was killed goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::kill::{assert_equal_gans, assert_equal_metrics, tensors};
use crate::phantom::{TINY, assert_refused, copy_of_phantom, mindreader, phantom, replace, runs, stderr};

/// The tiny chain, with two regions and checkpoints every few steps.
const SETTINGS: [&str; 6] = [
    "run.stimulate=[\"floc-faces\"]",
    "run.silence=[\"streams:early\"]",
    "pretrain_clip.train.epochs=2",
    "finetune_gan.train.total_kimg=0.12",
    "finetune_gan.train.tick_kimg=0.016",
    "finetune_gan.train.checkpoint_ticks=1",
];

fn arguments(nsd: &Path, work: &Path) -> Vec<String> {
    let mut arguments: Vec<String> = ["run", "--config", TINY, "--nsd"].map(String::from).to_vec();
    arguments.push(nsd.display().to_string());
    arguments.extend(["--work".into(), work.display().to_string()]);
    arguments.extend(SETTINGS.iter().flat_map(|setting| ["--set".to_string(), (*setting).to_string()]));
    arguments
}

fn run(nsd: &Path, work: &Path, more: &[&str]) -> Output {
    mindreader().args(arguments(nsd, work)).args(more).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", stderr(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What became of every step: `done`, `was-done`, …
fn outcomes(nsd: &Path, work: &Path, more: &[&str]) -> Vec<(String, String)> {
    let done = json(&run(nsd, work, &[&["--json"], more].concat()));
    pairs(&done, "outcome")
}

/// How far every step is.
fn states(nsd: &Path, work: &Path, more: &[&str]) -> Vec<(String, String)> {
    let plan = json(&run(nsd, work, &[&["--json", "--dry-run"], more].concat()));
    pairs(&plan, "state")
}

fn pairs(value: &Value, field: &str) -> Vec<(String, String)> {
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_string();
    let rows = value["steps"].as_array().unwrap();
    rows.iter().map(|row| (text(row, "step"), text(row, field))).collect()
}

/// Steps in a state that begins so.
fn named<'a>(pairs: &'a [(String, String)], state: &str) -> Vec<&'a str> {
    pairs.iter().filter(|(_, found)| found.starts_with(state)).map(|(step, _)| step.as_str()).collect()
}

#[test]
fn steps_that_are_done_are_not_done_again_and_those_that_change_are() {
    let root = tempfile::tempdir().unwrap();
    let (nsd, work) = (copy_of_phantom(root.path()), root.path().join("work"));
    let first = states(&nsd, &work, &["--until", "mappers"]);
    let until = [
        "prepare",
        "pretrain-clip",
        "screen-captions",
        "image-mapper",
        "caption-mapper",
        "control-mapper",
        "control-caption-mapper",
    ];
    assert_eq!(named(&first, "to do"), until);
    assert!(!work.exists(), "a plan does nothing");
    let done = outcomes(&nsd, &work, &["--until", "mappers"]);
    assert_eq!(named(&done, "done"), until);
    assert!(named(&done, "left-out").contains(&"finetune-gan"), "{done:?}");
    assert_eq!(named(&outcomes(&nsd, &work, &["--until", "mappers"]), "was-done"), until);

    // A setting of stage one: nothing before it is touched.
    let changed = ["--until", "mappers", "--set", "train_mapper.train.phase1.epochs=1"];
    let states_of = |more: &[&str]| states(&nsd, &work, more);
    assert_eq!(named(&states_of(&changed), "to do"), &until[3..]);
    assert_eq!(named(&outcomes(&nsd, &work, &changed), "done"), &until[3..]);
    // The other way round it was done once: of each step the last result is known.
    assert_eq!(named(&states_of(&["--until", "mappers"]), "to do"), &until[3..]);
    assert_eq!(named(&states_of(&changed), "done"), until);

    // An output that is gone, or another.
    let mapper = runs(&work, "train-mapper-caption-subj01").pop().unwrap().join("best.safetensors");
    let bytes = fs::read(&mapper).unwrap();
    fs::remove_file(&mapper).unwrap();
    assert_eq!(named(&states_of(&changed), "to do"), ["caption-mapper"]);
    fs::write(&mapper, &bytes[1..]).unwrap();
    assert_eq!(named(&states_of(&changed), "to do"), ["caption-mapper"]);
    // The same bytes under another time are the same file.
    fs::write(&mapper, &bytes).unwrap();
    assert_eq!(named(&states_of(&changed), "done"), until);

    // An input that is another: captions of the stimuli.
    let annotations = nsd.join("nsddata_stimuli/stimuli/nsd/annotations");
    let captions = fs::read_dir(&annotations).unwrap().map(|entry| entry.unwrap().path());
    let captions = captions.into_iter().find(|path| path.to_string_lossy().contains("captions_")).unwrap();
    let text = fs::read_to_string(&captions).unwrap();
    replace(&captions, format!("{text} ").as_bytes());
    assert_eq!(named(&states_of(&changed), "done"), ["prepare"]);
    assert_eq!(named(&states_of(&changed), "to do"), &until[1..]);
}

#[test]
fn steps_are_chosen_and_what_makes_no_sense_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let work = root.path().join("work");
    let prepared = outcomes(phantom(), &work, &["--only", "prepare"]);
    assert_eq!(named(&prepared, "done"), ["prepare"]);
    assert_refused(
        &run(phantom(), &work, &["--only", "encode"]),
        &["step `encode`", "`pretrain-clip`, which it takes the result of, is not done", "--only"],
    );
    outcomes(phantom(), &work, &["--until", "pretrain-clip"]);
    let again = outcomes(phantom(), &work, &["--from", "pretrain-clip", "--until", "screen-captions"]);
    assert_eq!(named(&again, "was-done"), ["prepare"]);
    assert_eq!(named(&again, "done"), ["pretrain-clip", "screen-captions"]);
    assert_eq!(runs(&work, "pretrain-clip-subj01").len(), 2);
    let plan = states(phantom(), &work, &["--from", "screen-captions", "--until", "screen-captions"]);
    assert_eq!(named(&plan, "again"), ["screen-captions"]);
    for (arguments, needles) in [
        (&["--from", "decode"][..], &["`--from decode`", "prepare", "mappers"][..]),
        (&["--from", "encode", "--until", "prepare"], &["`--from encode`", "`prepare`"]),
        (&["--only", "encode", "--from", "prepare"], &["--only"]),
        (&["--set", "run.stimulate=[\"V1\", \"V1\"]"], &["run.stimulate", "`V1` twice"]),
        (&["--set", "run.stimulate=[\"nowhere\"]"], &["nowhere", "floc-faces"]),
    ] {
        assert_refused(&run(phantom(), &work, arguments), needles);
    }
    let record = work.join("chain/subj01.json");
    fs::write(&record, "{\"format\": 1, \"subject\": \"subj02\", \"steps\": []}").unwrap();
    assert_refused(&run(phantom(), &work, &[]), &["subj01.json", "subject", "done again"]);
}

#[test]
fn without_captions_only_pixels_are_decoded_unless_a_clip_is_named() {
    let root = tempfile::tempdir().unwrap();
    let (nsd, work) = (copy_of_phantom(root.path()), root.path().join("work"));
    fs::remove_dir_all(nsd.join("nsddata_stimuli/stimuli/nsd/annotations")).unwrap();
    let plan = states(&nsd, &work, &[]);
    assert_eq!(named(&plan, "to do"), ["prepare", "evaluate", "score", "report"]);
    // A CLIP of the phantom with captions serves the one without.
    let other = root.path().join("other");
    outcomes(phantom(), &other, &["--until", "pretrain-clip"]);
    let clip = runs(&other, "pretrain-clip-subj01").pop().unwrap().join("best.safetensors");
    let clip = clip.to_str().unwrap();
    let done = outcomes(&nsd, &work, &["--clip", clip]);
    let skipped = named(&done, "skipped");
    assert_eq!(skipped, ["pretrain-clip", "screen-captions", "caption-mapper", "control-caption-mapper"]);
    assert!(named(&done, "done").contains(&"microstim floc-faces"), "{done:?}");
    let drawn = runs(&work, "reconstruct-subj01").remove(0);
    let manifest: Value = serde_json::from_slice(&fs::read(drawn.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["images"][0]["condition"], "image");
}

/// Starts the chain and kills it after a while; whether it was still at work.
fn killed(work: &Path, moment: Duration) -> bool {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mindreader"));
    command.args(["--device", "cpu", "--quiet"]).args(arguments(phantom(), work));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(moment);
    let is_alive = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    is_alive
}

fn newest(work: &Path, ending: &str) -> PathBuf {
    runs(work, ending).pop().unwrap()
}

/// A result without the paths and durations that differ between equal results.
fn numbers(path: &Path) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                let is_path = |value: &Value| value.as_str().is_some_and(|text| text.starts_with('/'));
                fields.retain(|name, value| name != "sha256" && name != "seconds" && !is_path(value));
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    strip(&mut value);
    value
}

#[test]
fn killed_at_random_moments_a_chain_ends_as_if_it_had_not_been() {
    let root = tempfile::tempdir().unwrap();
    let (whole, broken) = (root.path().join("whole"), root.path().join("broken"));
    let started = Instant::now();
    let done = outcomes(phantom(), &whole, &[]);
    let longest = started.elapsed();
    assert!(named(&done, "skipped").is_empty(), "{done:?}");
    assert!(whole.join("report-subj01.html").is_file());
    let mut kills = 0;
    // Later and later: every step is hit by some kill.
    for share in [0.05, 0.15, 0.3, 0.3, 0.3, 0.3] {
        kills += usize::from(killed(&broken, longest.mul_f64(share)));
    }
    assert!(kills >= 3, "{kills} kills of a chain of {longest:?}");
    let rest = outcomes(phantom(), &broken, &[]);
    assert!(!named(&rest, "was-done").is_empty(), "{rest:?}");
    for mapper in ["image-subj01", "caption-subj01", "image-subj01-shuffled"] {
        let ending = format!("train-mapper-{mapper}");
        let [broken, whole] = [&broken, &whole].map(|work| newest(work, &ending));
        // The files also say which file of a CLIP they were trained for.
        assert!(
            tensors(&broken.join("best.safetensors")) == tensors(&whole.join("best.safetensors")),
            "{ending}"
        );
        assert_equal_metrics(&broken, &whole);
    }
    for gan in ["pretrain-gan-subj01", "finetune-gan-subj01"] {
        assert_equal_gans(&newest(&broken, gan), &newest(&whole, gan));
    }
    for (ending, file) in [
        ("evaluate-subj01", "evaluation.json"),
        ("evaluate-images-subj01", "evaluation.json"),
        ("microstim-floc-faces-excite-subj01", "summary.json"),
        ("encode-subj01", "summary.json"),
    ] {
        let of = |work: &Path| numbers(&newest(work, ending).join(file));
        assert_eq!(of(&broken), of(&whole), "{ending}");
    }
    assert_eq!(
        numbers(&broken.join("chain/subj01/score.json")),
        numbers(&whole.join("chain/subj01/score.json"))
    );
    let grid = |work: &Path| fs::read(newest(work, "reconstruct-subj01").join("grid.png")).unwrap();
    assert!(grid(&broken) == grid(&whole));
    let again = outcomes(phantom(), &broken, &[]);
    assert!(named(&again, "done").is_empty(), "{again:?}");
}

#[test]
fn a_training_that_was_killed_goes_on_from_its_checkpoint() {
    let root = tempfile::tempdir().unwrap();
    let work = root.path().join("work");
    outcomes(phantom(), &work, &["--until", "pretrain-gan"]);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mindreader"));
    command.args(["--device", "cpu", "--quiet"]).args(arguments(phantom(), &work));
    command.args(["--set", "finetune_gan.train.total_kimg=4"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    let checkpoint = loop {
        assert!(child.try_wait().unwrap().is_none() && started.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(20));
        let run = runs(&work, "finetune-gan-subj01").pop();
        let found = run.map(|run| run.join("checkpoint.mpk")).filter(|path| path.is_file());
        if let Some(found) = found {
            break found;
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    let longer = ["--set", "finetune_gan.train.total_kimg=4"];
    let interrupted = states(phantom(), &work, &longer);
    let expected = format!("interrupted, goes on from `{}`", checkpoint.display());
    assert!(interrupted.contains(&("finetune-gan".into(), expected)), "{interrupted:?}");
    // With another length it is another training.
    assert!(named(&states(phantom(), &work, &[]), "to do").contains(&"finetune-gan"));
    assert_eq!(runs(&work, "finetune-gan-subj01").len(), 1);
}
