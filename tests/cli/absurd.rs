//! Absurd numbers and hostile text: one line, exit code 2, before any work.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::phantom::{TINY, assert_refused, mindreader, phantom, replace, stderr};

/// Refused in one line of error, with at most one hint beside it, and nothing that steers a terminal.
fn assert_one_line(output: &Output, needles: &[&str]) {
    assert_refused(output, needles);
    let text = stderr(output);
    let errors = text.lines().filter(|line| !line.starts_with("hint: ")).count();
    assert!(errors == 1 && text.lines().count() <= 2, "{text}");
    assert!(text.chars().count() < 1500, "{text}");
    let steers = |letter: char| letter.is_control() && letter != '\n';
    assert!(!text.contains(steers), "{text:?}");
}

fn refuse(arguments: &[&str], needles: &[&str]) {
    assert_one_line(&mindreader().args(arguments).output().unwrap(), needles);
}

#[test]
fn errors_of_flags_name_the_flag_and_the_range() {
    for (arguments, needles) in [
        (&["evaluate", "--subject", "9"][..], &["`--subject`: found 9, expected 1 to 8"][..]),
        (&["evaluate", "--subject", "-1"], &["`--subject`: found -1, expected 1 to 8"]),
        (&["microstim", "--level", "nan"], &["`--level`: found NaN, expected 0 to 1000"]),
        (&["microstim", "--level", "inf"], &["`--level`: found inf"]),
        (&["microstim", "--level", "-1"], &["`--level`: found -1"]),
        (&["microstim", "--level", "1e300"], &["`--level`: found inf, expected 0 to 1000"]),
        (
            &["reconstruct", "--samples", "4294967295"],
            &["`--samples`: found 4294967295, expected 1 to 10000"],
        ),
        (&["reconstruct", "--samples", "-1"], &["`--samples`: found -1, expected 1 to 10000"]),
        (&["reconstruct", "--limit", "9223372036854775807"], &["`--limit`", "0 to 1000000"]),
        (&["reconstruct", "--limit", "1e3"], &["--limit", "1e3"]),
        (&["reconstruct", "--trial", "-1"], &["`--trial`: found -1, expected 0 to 1000000"]),
        (&["reconstruct", "--truncation", "nan"], &["`--truncation`: found NaN, expected 0 to 10"]),
        (&["interpolate", "--trials", "7"], &["`--trials`: found 1 of them, expected 2 to 100 trials"]),
        (&["interpolate", "--trials", "7,7"], &["`--trials`: found 7 twice in a row"]),
        (&["interpolate", "--trials", "7,-1"], &["`--trials`: found ", "0 to 1000000"]),
        (&["interpolate", "--frames", "1"], &["`--frames`: found 1, expected 2 to 500"]),
        (&["interpolate", "--path", "straight"], &["`--path`", "betas"]),
        (&["phantom", "--signal=-inf"], &["--signal"]),
        (&["phantom", "--signal", "-1"], &["`--signal`: found -1, expected 0 to 1000"]),
        (&["phantom", "--sessions", "0"], &["`--sessions`: found 0, expected 1 to 40"]),
        (&["prepare", "--sessions", "65536"], &["`--sessions`: found 65536, expected 1 to 40"]),
        (&["config", "--seed", "-1"], &["`--seed`: found -1, expected 0 to 9223372036854775807"]),
        (&["config", "--device", "cuda:99999999999999999999"], &["`--device`", "cuda:N"]),
        (&["config", "--precision", "f8"], &["`--precision`", "f8"]),
        (
            &["import-weights", "--from", "a", "--out", "b", "--vision-heads", "0"],
            &["--vision-heads", "1..=65536"],
        ),
        (
            &["import-weights", "--from", "a", "--out", "b", "--conv-clamp", "nan"],
            &["--conv-clamp", "0 to 1000000"],
        ),
        (&["import-weights", "--from", "a", "--out", "b", "--padding-left", "-1"], &["--padding-left"]),
        (
            &["split", "--rule", "cluster", "--clusters", "-1"],
            &["`--clusters`: found -1, expected 0 to 1000"],
        ),
        (&["split", "--rule", "cluster", "--clusters", "1"], &["`--clusters`: found 1, expected 2 to 1000"]),
        (&["split", "--rule", "cluster", "--cluster", "-1"], &["`--cluster`: found -1"]),
        (&["split", "--rule", "cluster", "--cluster", "5"], &["`--cluster`: found 5, expected 0 to 4"]),
        (&["split", "--rule", "tau", "--threshold", "-1"], &["`--threshold`: found -1, expected above -1"]),
        (&["split", "--rule", "tau", "--threshold", "nan"], &["`--threshold`: found NaN"]),
        (&["split", "--rule", "tau", "--test-fraction", "-1"], &["`--test-fraction`: found -1"]),
        (&["evaluate", "--bogus\u{1b}[2J"], &["--bogus"]),
        (&["compact-weights"], &["--from", "--out", "mindreader compact-weights --help"]),
    ] {
        refuse(arguments, needles);
    }
}

#[test]
fn errors_of_assignments_name_the_key_and_the_range() {
    let deep = format!("{}a=1", "a.".repeat(30_000));
    let long = format!("prepare.betas_version=[\"{}\"]", r"b\u001b[2J".repeat(3000));
    for (assignment, needles) in [
        (
            "pretrain_gan.network.z_dim=9223372036854775807",
            &["`pretrain_gan.network.z_dim`", "1 to 65536"][..],
        ),
        (
            "train_mapper.train.retrieval.bootstrap.resamples=4294967296",
            &["bootstrap.resamples`: found 4294967296, expected 0 to 1000000"],
        ),
        (
            "train_mapper.train.retrieval.bootstrap.confidence=nan",
            &["bootstrap.confidence`", "above 0 and below 1"],
        ),
        ("train_mapper.clamp=-1", &["`train_mapper.clamp`: found -1, expected 0 to 1000000"]),
        ("train_mapper.train.contrastive.temperature=-1", &["contrastive.temperature`: found -1"]),
        (deep.as_str(), &["30001"]),
        (long.as_str(), &["`prepare.betas_version`"]),
        ("subject=\u{1b}]0;x\u{7}", &["`subject`"]),
    ] {
        refuse(&["config", "--set", assignment], needles);
    }
}

#[test]
fn numbers_of_the_environment_are_checked_before_work() {
    for (name, value) in
        [("RAYON_NUM_THREADS", "100000"), ("RAYON_NUM_THREADS", "-1"), ("SOURCE_DATE_EPOCH", "1e300")]
    {
        let output = mindreader().arg("config").env(name, value).output().unwrap();
        assert_one_line(&output, &[name, value, "expected 0 to"]);
    }
    assert!(mindreader().arg("config").env("RAYON_NUM_THREADS", "2").output().unwrap().status.success());
}

#[test]
fn the_example_of_an_assignment_is_one_that_works() {
    let output = mindreader().args(["config", "--set", "a"]).output().unwrap();
    assert_one_line(&output, &["`--set a`: expected `key=value`"]);
    let text = stderr(&output);
    let (_, example) = text.split_once("hint: for example `--set ").unwrap();
    let (assignment, _) = example.split_once('`').unwrap();
    assert_eq!(assignment, "train_mapper.train.phase1.epochs=5");
    let output = mindreader().args(["config", "--set", assignment]).output().unwrap();
    let config: toml::Table = toml::from_str(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    assert_eq!(config["train_mapper"]["train"]["phase1"]["epochs"].as_integer(), Some(5));
}

#[test]
fn errors_of_a_configuration_name_file_line_and_key() {
    let root = tempfile::tempdir().unwrap();
    let config = root.path().join("mine.toml");
    let hostile = "x\\u001b[2J".repeat(1000);
    for (text, needles) in [
        (
            "seed = 1\n\n[phantom]\nsignal = -1.0\n".to_string(),
            &["mine.toml`, line 4: `phantom.signal`: found -1"][..],
        ),
        ("[train_mapper]\nclmp = 1\n".into(), &["mine.toml`, line 2: `train_mapper.clmp`: unknown key"]),
        ("seed = \n".into(), &["mine.toml`, line 1: "]),
        (format!("[microstim]\nroi = [\"{hostile}\"]\n"), &["line 2: `microstim.roi`"]),
        (format!("[microstim]\n\"{hostile}\" = 1\n"), &["line 2", "unknown key"]),
        (format!("device = \"{hostile}\"\n"), &["line 1: `device`"]),
        (format!("{}a = 1\n", "a.".repeat(30_000)), &["mine.toml"]),
        (format!("a = {}\n", "[".repeat(30_000)), &["mine.toml"]),
    ] {
        fs::write(&config, text).unwrap();
        refuse(&["config", "--config", config.to_str().unwrap()], needles);
    }
}

/// Files of every kind whose words are meant for the terminal.
#[test]
fn text_of_files_never_reaches_the_terminal_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let nsd = crate::phantom::copy_of_phantom(root.path());
    let escape = "\u{1b}]0;owned\u{7}\u{1b}[2J\r\n".repeat(300);
    let json = serde_json::json!({ "info": [escape], "images": escape, "annotations": escape }).to_string();
    let prepare = |nsd: &Path| {
        let work = root.path().join("work");
        let mut command = mindreader();
        command.args(["prepare", "--config", TINY, "--nsd"]).arg(nsd).arg("--work").arg(work);
        command.output().unwrap()
    };
    let table = nsd.join("nsddata/experiments/nsd/nsd_stim_info_merged.csv");
    let whole = fs::read(&table).unwrap();
    replace(&table, format!("{escape},nsdId\n{escape},{escape}\n").as_bytes());
    assert_one_line(&prepare(&nsd), &["nsd_stim_info_merged.csv"]);
    let mut row = whole.clone();
    row.extend_from_slice(format!("\"{}\",\"{}\"\n", escape.replace('"', ""), "9".repeat(3000)).as_bytes());
    replace(&table, &row);
    assert_one_line(&prepare(&nsd), &["nsd_stim_info_merged.csv"]);
    replace(&table, &whole);
    // Snapshots, evaluations, runs and rows that hold words in place of theirs.
    let file = |name: &str, bytes: &[u8]| {
        let path = root.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_string()
    };
    let header =
        serde_json::json!({ "__metadata__": { "kind": escape, "config": escape }, escape.as_str(): 3 });
    let header = header.to_string();
    let mut snapshot = (header.len() as u64).to_le_bytes().to_vec();
    snapshot.extend_from_slice(header.as_bytes());
    let snapshot = file("a.safetensors", &snapshot);
    let folder = root.path().join("run");
    fs::create_dir(&folder).unwrap();
    for name in ["summary.json", "manifest.json", "config.toml"] {
        fs::write(folder.join(name), &json).unwrap();
    }
    let (folder, out) = (folder.to_str().unwrap(), root.path().join("out.safetensors"));
    let (json, rows) = (
        file("a.json", json.as_bytes()),
        file("a.toml", format!("title = \"{}\"", "x".repeat(9)).as_bytes()),
    );
    let hostile_rows =
        file("b.toml", format!("title = '''{escape}'''\nrow = {:?}\n", escape.replace('\r', "")).as_bytes());
    let nsd = phantom().to_str().unwrap();
    for arguments in [
        &["compact-weights", "--from", &snapshot, "--out", out.to_str().unwrap()][..],
        &["import-weights", "--from", &snapshot, "--out", out.to_str().unwrap()],
        &["score", "--nsd", nsd, "--evaluation", &json],
        &["score", "--microstim", folder],
        &["evaluate-images", "--run", folder, "--clip", &snapshot],
        &["ablate", "--nsd", nsd, "--rows", &rows, "--clip", &snapshot, "--list"],
        &["ablate", "--nsd", nsd, "--rows", &hostile_rows, "--clip", &snapshot, "--list"],
        &["pretrain-gan", "--images", folder, "--clip", &snapshot, "--annotations", &json],
    ] {
        assert_one_line(&mindreader().args(arguments).output().unwrap(), &[]);
    }
    // What is listed on purpose is tamed too.
    let output = mindreader().args(["weights", &snapshot]).output().unwrap();
    let shown = [output.stdout, output.stderr].concat();
    assert!(!String::from_utf8_lossy(&shown).contains('\u{1b}'));
}
