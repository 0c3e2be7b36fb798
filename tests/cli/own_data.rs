//! Data of one's own: brought in by the binary, then every command on them without an NSD tree; and `scripts/fetch-data`.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::phantom::{TINY, assert_refused, mindreader, stderr};

/// Sixty trials of thirty pictures; a picture drives voxels by its brightness and by where its bright half is.
pub fn write_lab(root: &Path) {
    fs::create_dir_all(root.join("pictures")).unwrap();
    let (mut betas, mut trials, mut captions) =
        (String::new(), String::from("image,session,split\n"), String::from("image,caption\n"));
    for picture in 0..30_u32 {
        let (grey, is_left) = ((picture * 8) as u8, picture % 2 == 0);
        let image = image::RgbImage::from_fn(24, 24, |x, _| {
            let lit = (x < 12) == is_left;
            image::Rgb(if lit { [255, 255, 255] } else { [grey, grey, grey] })
        });
        image.save(root.join(format!("pictures/p{picture:02}.png"))).unwrap();
        let side = if is_left { "left" } else { "right" };
        captions += &format!("p{picture:02}.png,light on the {side}\n");
    }
    for trial in 0..60_u32 {
        let picture = trial % 30;
        let split = if picture >= 24 { "test" } else { "train" };
        trials += &format!("p{picture:02}.png,{},{split}\n", trial / 30 + 1);
        let voxel = |voxel: u32| match voxel % 3 {
            0 => f64::from(picture),
            1 => f64::from(picture % 2) * 9.0,
            _ => f64::from((trial * 7 + voxel * 5) % 11),
        };
        let row: Vec<String> = (0..40).map(|number| voxel(number).to_string()).collect();
        betas += &(row.join(",") + "\n");
    }
    for (name, text) in [("betas.csv", betas), ("trials.csv", trials), ("captions.csv", captions)] {
        fs::write(root.join(name), text).unwrap();
    }
    let targets: String =
        (0..30_u32).map(|picture| format!("{},{},1\n", picture % 2, f64::from(picture) / 30.0)).collect();
    fs::write(root.join("targets.csv"), targets).unwrap();
    let regions: String = (0..40).map(|voxel| format!("{},{}\n", voxel % 3 == 0, voxel % 3 == 1)).collect();
    let regions = regions.replace("true", "1").replace("false", "0");
    fs::write(root.join("rois.csv"), format!("V1,floc-faces\n{regions}")).unwrap();
}

fn run(root: &Path, arguments: &[&str]) -> Output {
    mindreader()
        .current_dir(root)
        .args(arguments)
        .args(["--config", TINY, "--work", "work", "--json", "--set", "train_mapper.train.phase2.batch=32"])
        .output()
        .unwrap()
}

/// What brings it in.
pub const IMPORT: [&str; 11] = [
    "import",
    "--subject",
    "lab",
    "--betas",
    "betas.csv",
    "--trials",
    "trials.csv",
    "--images",
    "pictures",
    "--captions",
    "captions.csv",
];

#[test]
fn an_imported_subject_goes_through_every_command_without_nsd() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_lab(root);
    let done = |arguments: &[&str]| -> serde_json::Value {
        let output = run(root, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let summary = done(&[&IMPORT[..], &["--rois", "rois.csv", "--targets", "targets.csv"]].concat());
    assert_eq!((summary["subject"].as_str(), summary["num_test_trials"].as_u64()), (Some("lab"), Some(12)));
    let of = |command: &[&str]| done(&[command, &["--subject", "lab"]].concat());
    of(&["pretrain-clip"]);
    of(&["screen-captions"]);
    let mapper = of(&["train-mapper", "--target", "image"]);
    assert_eq!(mapper["num_validation_trials"], 12);
    assert_eq!(mapper["split_record"]["rule"], "given");
    assert_eq!(mapper["split_record"]["num_test_images"], 6);
    of(&["train-mapper", "--target", "caption"]);
    let snapshot = mapper["snapshot"].as_str().unwrap().to_string();
    let evaluation = of(&["evaluate", "--mappers", &snapshot, "--ridge"]);
    assert_eq!(evaluation["split_record"], mapper["split_record"]);
    let own = of(&["train-mapper", "--target", "image", "--set", "train_mapper.own_targets=true"]);
    assert_ne!(own["run_dir"], mapper["run_dir"]);
    of(&["train-mapper", "--target", "image"]);
    let encoded = of(&["encode"]);
    assert!(encoded.get("accuracy").is_none() && encoded["views"].as_array().unwrap().is_empty());
    assert!(encoded["regions"]["V1:V1"]["accuracy"].as_f64().unwrap().is_finite());
    of(&["pretrain-gan"]);
    of(&["finetune-gan"]);
    let drawn = of(&["reconstruct"]);
    let judged = of(&["evaluate-images", "--run", drawn["run"].as_str().unwrap()]);
    assert_eq!(judged["split_record"], mapper["split_record"]);
    of(&["microstim", "--roi", "floc-faces"]);
    let all = done(&["screen-captions", "--subject", "all"]);
    assert!(all.get("lab").is_some(), "{all}");
}

#[test]
fn classes_of_imported_pictures_are_told_from_betas() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_lab(root);
    let classify = |more: &[&str]| {
        let small = ["classify.min_test_images=3", "classify.hidden.fmri=[8, 8]", "classify.exchanges=1"];
        let sets: Vec<&str> = small.into_iter().flat_map(|set| ["--set", set]).collect();
        run(root, &[&["classify", "--subject", "lab"], &sets[..], more].concat())
    };
    assert!(run(root, &IMPORT[..9]).status.success());
    assert_refused(&classify(&[]), &["classes.csv` is missing", "column `class`"]);
    let trials = fs::read_to_string(root.join("trials.csv")).unwrap();
    let with_class = trials.lines().enumerate().map(|(row, line)| match row {
        0 => format!("{line},class\n"),
        _ => format!("{line},{}\n", if row % 2 == 1 { "left" } else { "right" }),
    });
    fs::write(root.join("trials.csv"), with_class.collect::<String>()).unwrap();
    let imported = run(root, &[&IMPORT[..9], &["--overwrite"]].concat());
    assert!(imported.status.success(), "{}", stderr(&imported));
    let done = classify(&["--masks", "2", "--set", "classify.mask.ratios=[0.0, 0.5, 1.0]"]);
    assert!(done.status.success(), "{}", stderr(&done));
    let found: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((found["source"].as_str(), found["num_test"][1].as_u64()), (Some("classes"), Some(6)));
    assert_eq!(found["categories"][1]["name"], "right");
    // Betas alone: there is no CLIP, no ResNet-50 and no mapper, and that is said.
    assert_eq!(found["rows"].as_array().unwrap().len(), 2);
    assert_eq!(found["notes"].as_array().unwrap().len(), 2);
    assert_eq!(found["rows"][1]["classifier"], "linear");
    assert_eq!(found["rows"][1]["scores"]["all"]["auc"]["mean"], 1.0);
    assert_eq!(found["masking"][0]["points"][2]["auc"]["mean"], 0.5);
    assert!(root.join(found["run"].as_str().unwrap()).join("charts/categories-fmri.svg").is_file());
    assert_refused(&classify(&["--masks", "0"]), &["--masks", "1 to 1000"]);
}

/// As a newcomer types it: without any configuration.
fn plain(root: &Path, arguments: &[&str]) -> Output {
    mindreader().current_dir(root).args(arguments).args(["--json"]).output().unwrap()
}

#[test]
fn without_a_configuration_sizes_fit_the_data_and_a_report_comes_of_two_commands() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_lab(root);
    let import = &IMPORT[..9];
    let imported = plain(root, import);
    assert!(imported.status.success(), "{}", stderr(&imported));
    let sizes = fs::read_to_string(root.join("work/imported/lab/sizes.toml")).unwrap();
    assert!(sizes.contains("30 pictures of 24 pixels on the CPU"), "{sizes}");
    let resolution = |arguments: &[&str]| {
        let output = plain(root, &[&["config", "--subject", "lab"], arguments].concat());
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        found["pretrain_gan"]["network"]["resolution"].as_u64().unwrap()
    };
    assert_eq!(resolution(&[]), 32);
    assert_eq!(resolution(&["--set", "pretrain_gan.network.resolution=64"]), 64);
    fs::write(root.join("own.toml"), "[pretrain_gan.train]\nbatch_size = 4\n").unwrap();
    assert_eq!(resolution(&["--config", "own.toml"]), 256);

    // No captions and no CLIP: pixels are decoded.
    let output = plain(root, &["run", "--subject", "lab"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("lab has no captions that a CLIP could be trained on"),
        "{}",
        stderr(&output)
    );
    let page = fs::read_to_string(root.join("work/report-lab.html")).unwrap();
    assert!(page.contains("ridge baseline to pixels"), "{page}");

    // Of the paper's sizes nothing is begun unasked; the trainings of small ones are no matter of days.
    let again = plain(root, &[&IMPORT[..], &["--overwrite"]].concat());
    assert!(again.status.success(), "{}", stderr(&again));
    let papers = [
        "run",
        "--subject",
        "lab",
        "--set",
        "pretrain_gan.train.total_kimg=250000",
        "--until",
        "pretrain-gan",
    ];
    assert_refused(
        &plain(root, &papers),
        &["more than 24 hours", "nothing was begun", "`--yes`", "run.accept_long"],
    );
    assert!(!root.join("work/chain/lab").join("score.json").exists());
    let plan = plain(root, &["run", "--subject", "lab", "--dry-run"]);
    let plan: serde_json::Value = serde_json::from_slice(&plan.stdout).unwrap();
    let seconds = plan["total"]["seconds"].as_f64().unwrap();
    assert!((1.0..900.0).contains(&seconds), "{seconds}");
}

#[test]
fn a_chain_of_an_imported_subject_goes_on_and_begins_anew_with_other_betas() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_lab(root);
    let done = |arguments: &[&str]| -> serde_json::Value {
        let output = run(root, &[arguments, &["--subject", "lab"]].concat());
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let steps_in = |found: &serde_json::Value, field: &str, state: &str| -> Vec<String> {
        let steps = found["steps"].as_array().unwrap().iter();
        let of_state = steps.filter(|step| step[field].as_str().unwrap().starts_with(state));
        of_state.map(|step| step["step"].as_str().unwrap().to_string()).collect()
    };
    done(&[&IMPORT[..1], &IMPORT[3..], &["--targets", "targets.csv"]].concat());
    let until = ["run", "--until", "image-mapper"];
    let trained = ["pretrain-clip", "screen-captions", "image-mapper"];
    assert_eq!(steps_in(&done(&until), "outcome", "done"), trained);
    assert_eq!(steps_in(&done(&until), "outcome", "was-done"), trained);
    // A split of the images, which the next import makes those of others.
    let split = done(&["split", "--space", "pixels", "--rule", "cluster", "--clusters", "2"]);
    let split = root.join(split["splits"][0]["file"].as_str().unwrap());
    assert!(split.is_file());

    let betas = fs::read_to_string(root.join("betas.csv")).unwrap();
    fs::write(root.join("betas.csv"), betas.replacen("0,", "5,", 1)).unwrap();
    let replaced = [&IMPORT[..1], &IMPORT[3..], &["--targets", "targets.csv", "--overwrite"]].concat();
    let removed = done(&replaced)["removed"].as_array().unwrap().len();
    assert_eq!(removed, 5, "three files of captions, two splits");
    assert!(!split.exists() && !root.join("work/captions/lab.json").exists());
    let plan = done(&["run", "--until", "image-mapper", "--dry-run"]);
    assert_eq!(steps_in(&plan, "state", "to do"), trained);

    // Imported embeddings steer no GAN: what draws is left out, before anything is trained.
    let own = done(&["run", "--dry-run", "--set", "train_mapper.own_targets=true"]);
    let skipped = steps_in(&own, "state", "skipped");
    let drawing = ["pretrain-gan", "finetune-gan", "reconstruct", "evaluate-images", "microstim"];
    assert!(drawing.iter().all(|step| skipped.iter().any(|skipped| skipped == step)), "{skipped:?}");
    assert!(steps_in(&own, "state", "to do").contains(&"evaluate".to_string()), "{own}");
}

#[test]
fn what_is_of_nsd_is_refused_for_other_subjects_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_lab(root);
    for command in [&["prepare"][..], &["doctor"], &["phantom"]] {
        let output = run(root, &[command, &["--subject", "lab", "--nsd", "nsd"]].concat());
        assert_refused(&output, &["unknown subject of NSD `lab`"]);
    }
    assert_refused(
        &run(root, &["encode", "--subject", "a b"]),
        &["--subject", "1 to 8, `all`, or the name of an imported subject: 1 to 40 letters"],
    );
    assert_refused(&run(root, &["import", "--subject", "1"]), &["found subj01", "--subject NAME"]);
    assert_refused(&run(root, &["import", "--subject", "lab", "--standardize", "x"]), &["--standardize"]);
    let wrong = [&IMPORT[..], &["--set", "import.coordinates=c.csv"]].concat();
    assert_refused(&run(root, &wrong), &["import.affine", "not set"]);
    fs::write(root.join("trials.csv"), b"image\n\xff\n").unwrap();
    assert_refused(&run(root, &IMPORT), &["trials.csv"]);
    assert!(!root.join("work/prepared").exists(), "nothing half-written may stay");
}

#[test]
fn fetched_data_are_checked_and_never_half_there() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/fetch-data");
    let fetch = |arguments: &[&str]| {
        std::process::Command::new("bash")
            .arg(&script)
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let listed = fetch(&[]);
    assert!(listed.status.success() && String::from_utf8_lossy(&listed.stdout).contains("digits69"));
    assert_eq!(fetch(&["letters"]).status.code(), Some(2));
    let mirror = folder.path().join("m/ChangdeDu/DGMM/286503c79b010fd285065da7092ca43f873c1f58");
    fs::create_dir_all(&mirror).unwrap();
    fs::write(mirror.join("digit69_28x28.mat"), "other bytes").unwrap();
    let base = format!("file://{}", folder.path().join("m").display());
    let output = fetch(&["digits69", "--base-url", &base]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("curl is missing") {
        println!("skipped: no curl");
        return;
    }
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("expected 44513e09ad2398566aedd550088b817a3c0bf9cd7873f87078ecd7fdf170b22d"),
        "{said}"
    );
    assert_eq!(fs::read_dir(folder.path().join("data")).unwrap().count(), 0);
}

#[test]
fn one_image_has_no_folds_and_the_message_says_how_many_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("pictures")).unwrap();
    image::RgbImage::from_fn(8, 8, |x, y| image::Rgb([(x * y) as u8; 3]))
        .save(root.join("pictures/a.png"))
        .unwrap();
    let betas: String =
        (0..6).map(|trial| format!("{trial},{},{}\n", trial * trial % 7, trial * 3 % 5)).collect();
    fs::write(root.join("betas.csv"), betas).unwrap();
    fs::write(root.join("trials.csv"), format!("image,session\n{}", "a.png,1\n".repeat(6))).unwrap();
    let output = run(
        root,
        &[
            "import",
            "--subject",
            "lab",
            "--betas",
            "betas.csv",
            "--trials",
            "trials.csv",
            "--images",
            "pictures",
        ],
    );
    assert!(output.status.success(), "{}", stderr(&output));
    let output = run(root, &["evaluate", "--subject", "lab", "--ridge-only", "--folds", "2"]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    // Behind warnings of what has no CLIP.
    let expected = "lab.h5`: number of images is 1, expected at least 4 for `evaluate.folds`";
    assert!(
        text.lines().last().is_some_and(|line| line.starts_with("error: ") && line.ends_with(expected)),
        "{text}"
    );
}
