//! What is found where, and what the file says.

use serde_json::json;

use super::*;
use crate::commands::config::ProjectConfig;
use crate::commands::fixtures::linear_brain::write_all;
use crate::commands::fixtures::small_gan::write_gan;
use crate::pipelines::project::ProjectPaths;

fn settings(root: &Path) -> InitSettings {
    let paths = ProjectPaths { work: Some(root.join("work")), ..ProjectPaths::default() };
    InitSettings {
        file: root.join("mindreader.toml"),
        look: vec![root.to_path_buf()],
        project: Project { paths, ..Project::default() },
        subject: None,
        prepare: PrepareConfig::default(),
        existing: ExistingOutput::Refuse,
    }
}

fn entry<'a>(summary: &'a InitSummary, key: &str) -> &'a InitEntry {
    summary.paths.iter().find(|entry| entry.key == key).unwrap()
}

#[test]
fn an_empty_folder_gets_a_file_that_says_how_to_come_by_everything() {
    let root = tempfile::tempdir().unwrap();
    let settings = settings(root.path());
    let summary = run(&settings).unwrap();
    assert_eq!((summary.subject.as_str(), summary.next.as_str()), ("subj01", "mindreader phantom --nsd nsd"));
    let text = std::fs::read_to_string(&settings.file).unwrap();
    for needle in [
        "subject = 1",
        "# nsd = \"\"",
        "# clip = \"\"",
        "`mindreader pretrain-clip`",
        "`mindreader pretrain-gan`",
    ] {
        assert!(text.contains(needle), "{needle}: {text}");
    }
    let config: ProjectConfig = toml::from_str(&text).unwrap();
    assert_eq!(config.paths.work, Some(root.path().join("work")));
    // It is written once.
    let error = run(&settings).unwrap_err().to_string();
    assert!(error.contains("mindreader.toml` is there already") && error.contains("--overwrite"), "{error}");
    assert!(run(&InitSettings { existing: ExistingOutput::Replace, ..settings }).is_ok());
}

#[test]
fn tree_subject_clip_and_gan_are_found_where_they_usually_lie() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    for folder in
        ["nsd/nsddata", "nsd/nsddata_betas/ppdata/subj04/func1pt8mm/betas_fithrf_GLMdenoise_RR", "weights"]
    {
        std::fs::create_dir_all(at(folder)).unwrap();
    }
    write_all(&at("weights"));
    write_gan(&at("weights/gan"));
    let settings = settings(root.path());
    let summary = run(&settings).unwrap();
    assert_eq!(summary.subject, "subj04");
    let found = |key: &str| entry(&summary, key).value.clone().unwrap();
    assert_eq!(found("nsd"), at("nsd"));
    assert_eq!(found("clip"), at("weights/clip.safetensors"));
    assert_eq!(found("pretrained_gan"), at("weights/gan"));
    assert!(summary.obstacles[0].starts_with("cannot run: prepare; missing"), "{:?}", summary.obstacles);
    let text = std::fs::read_to_string(&settings.file).unwrap();
    let config: ProjectConfig = toml::from_str(&text).unwrap();
    assert_eq!((config.subject, config.paths.nsd), (SubjectId::new(4).unwrap(), Some(at("nsd"))));
    assert!(text.contains("# cannot run: prepare; missing"), "{text}");

    // What is named goes before what is found.
    let mut named = InitSettings { existing: ExistingOutput::Replace, ..settings };
    std::fs::copy(at("weights/clip.safetensors"), at("mine.safetensors")).unwrap();
    named.project.paths.clip = Some(at("mine.safetensors"));
    named.subject = Some(SubjectId::new(7).unwrap());
    let summary = run(&named).unwrap();
    assert_eq!(
        (summary.subject.as_str(), entry(&summary, "clip").value.clone()),
        ("subj07", Some(at("mine.safetensors")))
    );
    named.look.push(at("nowhere"));
    let error = run(&named).unwrap_err().to_string();
    assert!(error.contains("nowhere") && error.contains("--look"), "{error}");
}

#[test]
fn what_is_named_must_be_what_it_should_be() {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    write_all(&at("weights"));
    std::fs::write(at("text"), "text").unwrap();
    for (name, flag) in ["nope", "text", "weights"]
        .iter()
        .flat_map(|name| ["--nsd", "--clip", "--gan"].map(|flag| (*name, flag)))
    {
        let mut settings = settings(root.path());
        let paths = &mut settings.project.paths;
        match flag {
            "--nsd" => paths.nsd = Some(at(name)),
            "--clip" => paths.clip = Some(at(name)),
            _ => paths.pretrained_gan = Some(at(name)),
        }
        let error = run(&settings).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(&format!("`{flag}`")) && text.contains(name), "{text}");
        assert!(!settings.file.exists(), "{text}");
    }
}

#[test]
fn a_work_folder_is_a_folder_or_nothing_yet() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("text"), "text").unwrap();
    let mut settings = settings(root.path());
    settings.project.paths.work = Some(root.path().join("text"));
    let text = run(&settings).unwrap_err().to_string();
    assert!(text.contains("`--work`: found `") && text.contains("expected a folder"), "{text}");
    settings.project.paths.work = Some(root.path().join("new"));
    run(&settings).unwrap();
}

#[test]
fn a_subject_that_is_not_there_yet_is_not_called_imported() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = settings(root.path());
    settings.subject = Some("zz".parse().unwrap());
    let summary = run(&settings).unwrap();
    let note = entry(&summary, "nsd").note.clone().unwrap();
    assert_eq!(note, "not needed: `mindreader import` brings the subject in");
    assert_eq!(summary.next, "mindreader import");
}

#[test]
fn an_imported_subject_needs_no_tree() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join("work/prepared")).unwrap();
    std::fs::write(root.path().join("work/prepared/digits.h5"), "").unwrap();
    let settings = settings(root.path());
    let summary = run(&settings).unwrap();
    assert_eq!((summary.subject.as_str(), summary.next.as_str()), ("digits", "mindreader pretrain-clip"));
    let text = std::fs::read_to_string(&settings.file).unwrap();
    assert!(
        text.contains("subject = \"digits\"") && text.contains("not needed: the subject was imported"),
        "{text}"
    );
    assert_eq!(toml::from_str::<ProjectConfig>(&text).unwrap().subject.to_string(), "digits");
}

#[test]
fn runs_of_the_project_need_no_key() {
    let root = tempfile::tempdir().unwrap();
    let run_folder = root.path().join("work/runs/00000-pretrain-clip-subj01");
    std::fs::create_dir_all(&run_folder).unwrap();
    std::fs::write(run_folder.join("best.safetensors"), "trained").unwrap();
    std::fs::write(run_folder.join("summary.json"), "{}").unwrap();
    let summary = run(&settings(root.path())).unwrap();
    let clip = entry(&summary, "clip");
    let note = clip.note.as_deref().unwrap();
    assert!(
        clip.value.is_none() && note.contains("not needed") && note.contains("00000-pretrain-clip"),
        "{note}"
    );
    assert_eq!(serde_json::to_value(clip).unwrap()["value"], json!(null));
}
