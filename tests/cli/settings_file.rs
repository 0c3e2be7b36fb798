//! `mindreader.toml` of the working directory.

use std::fs;

use crate::phantom::{TINY, assert_refused, mapper_work, mindreader, phantom, runs, stderr};

#[test]
fn the_folders_settings_are_read_and_said_unless_others_are_named() {
    let root = tempfile::tempdir().unwrap();
    let config = |more: &[&str]| {
        let output =
            mindreader().current_dir(root.path()).args(["config", "--json"]).args(more).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        value["subject"].as_u64().unwrap()
    };
    assert_eq!(config(&[]), 1);
    fs::write(root.path().join("mindreader.toml"), "subject = 4\n[paths]\nnsd = \"nsd\"\n").unwrap();
    fs::write(root.path().join("mine.toml"), "subject = 5\n").unwrap();
    assert_eq!(config(&[]), 4);
    assert_eq!(config(&["--config", "mine.toml"]), 5);
    assert_eq!(config(&["--config", "none"]), 1);
    assert_eq!(config(&["--subject", "2"]), 2);
    // Not that of a folder around the working directory.
    fs::create_dir(root.path().join("inner")).unwrap();
    let output =
        mindreader().current_dir(root.path().join("inner")).args(["config", "--json"]).output().unwrap();
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["subject"], 1);

    let loud = std::process::Command::new(env!("CARGO_BIN_EXE_mindreader"))
        .current_dir(root.path())
        .args(["doctor", "--device", "cpu"])
        .env_remove("MINDREADER_LOG")
        .output()
        .unwrap();
    let said = stderr(&loud);
    assert!(said.lines().any(|line| line == "using the settings `mindreader.toml`"), "{said}");
    // The path in it is that of the working directory.
    assert!(said.contains("`nsd` is missing"), "{said}");

    fs::write(root.path().join("mindreader.toml"), "subject = 9\n").unwrap();
    let output = mindreader().current_dir(root.path()).arg("config").output().unwrap();
    assert_refused(&output, &["mindreader.toml", "line 1", "subject", "1 to 8"]);
}

#[test]
fn init_writes_settings_with_which_commands_need_no_arguments() {
    let root = tempfile::tempdir().unwrap();
    let work = mapper_work(root.path());
    let typed = |arguments: &[&str]| mindreader().current_dir(root.path()).args(arguments).output().unwrap();
    let output = typed(&["init", "--json", "--nsd", phantom().to_str().unwrap()]);
    assert!(output.status.success(), "{}", stderr(&output));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&summary["subject"], &summary["next"]),
        (&"subj01".into(), &"mindreader pretrain-gan".into())
    );
    assert_refused(&typed(&["init"]), &["mindreader.toml` is there already", "--overwrite"]);

    // Small networks: what the tests of other commands name by `--config`.
    let settings = root.path().join("mindreader.toml");
    let own = fs::read_to_string(&settings).unwrap();
    let paths = own.split("[paths]").nth(1).unwrap();
    fs::write(&settings, format!("{}\n[paths]{paths}", fs::read_to_string(TINY).unwrap())).unwrap();
    let output = typed(&["train-mapper", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let both: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&both["image"]["target"], &both["caption"]["target"]), (&"image".into(), &"caption".into()));
    for target in ["image", "caption"] {
        assert_eq!(runs(&work, &format!("train-mapper-{target}-subj01")).len(), 1, "{target}");
    }
    let checkpoint = runs(&work, "train-mapper-image-subj01")[0].join("checkpoint.mpk");
    let resume = ["train-mapper", "--resume", checkpoint.to_str().unwrap()];
    assert_refused(&typed(&resume), &["`--resume` is about one mapper", "--target image"]);
    assert_refused(&typed(&["finetune-gan"]), &["pretrain-gan"]);

    // Without captions, of which there are none in the tree either, the image mapper goes alone.
    fs::remove_file(work.join("captions/subj01.json")).unwrap();
    let elsewhere = root.path().join("tree");
    fs::create_dir_all(elsewhere.join("nsddata_stimuli/stimuli/nsd")).unwrap();
    let stimuli = "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5";
    fs::hard_link(phantom().join(stimuli), elsewhere.join(stimuli))
        .or_else(|_| fs::copy(phantom().join(stimuli), elsewhere.join(stimuli)).map(drop))
        .unwrap();
    let output = typed(&["train-mapper", "--json", "--nsd", "tree"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("no caption mapper is trained"), "{}", stderr(&output));
    let image: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(image.get("caption").is_none(), "{image}");
}
