use std::path::Path;

use super::*;
use crate::commands::evaluate::EvaluateConfig;
use crate::commands::fixtures::linear_brain::{settings as data, write_all};
use crate::commands::fixtures::small_gan::{write_gan, write_gan_of_seed, write_tree};
use crate::data::nsd::tree::NsdTree;
use crate::run::error::RunError;
use crate::run::interrupt::Interrupted;
use crate::run::progress::Silent;
use crate::training::frame::epoch_loop::CHECKPOINT_FILE;
use crate::training::gan::image_view::SmallImages;

const ROWS: &str = r#"
title = "A table"
[[training]]
name = "first"
target = "image"
settings = { train = { phase1 = { epochs = 6 }, phase2 = { epochs = 0 } } }
[[training]]
name = "finetuned"
target = "image"
init_from = "first"
settings = { train = { phase1 = { epochs = 0 }, phase2 = { epochs = 2 } } }
[[training]]
name = "caption"
target = "caption"
settings = { train = { phase1 = { epochs = 2 }, phase2 = { epochs = 0 } } }
[[training]]
name = "resnet"
target = "resnet"
[[row]]
label = "MSE + cos"
training = "first"
paper = { forward = 21, backward = 49 }
[[row]]
label = "three terms"
training = "finetuned"
[[row]]
label = "linear"
ridge = "first"
[[row]]
label = "image + caption"
combine = ["finetuned", "caption"]
[[row]]
label = "low level"
training = "resnet"
"#;

fn settings(root: &Path, only: &[&str]) -> AblateSettings {
    AblateSettings {
        rows_path: "rows/mine.toml".into(),
        rows_text: ROWS.into(),
        only: only.iter().map(ToString::to_string).collect(),
        data: data(root),
        resnet: None,
        evaluate: EvaluateConfig::default(),
        finetuning: FinetuningSources::default(),
        ablations: root.join("ablations"),
    }
}

fn states(settings: &AblateSettings) -> Vec<String> {
    list(settings).unwrap().into_iter().map(|training| training.state).collect()
}

/// Times of change of all finished runs.
fn finished(root: &Path) -> Vec<(PathBuf, std::time::SystemTime)> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(root.join("ablations")).unwrap().flatten() {
        for run in std::fs::read_dir(folder.path()).unwrap().flatten() {
            let summary = run.path().join("summary.json");
            if let Ok(metadata) = summary.metadata() {
                found.push((summary, metadata.modified().unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn rows_are_trained_once_and_the_table_stands_beside_the_papers() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_all(root);
    let all = settings(root, &[]);
    let needs_resnet = "left out: needs a ResNet-50, `--resnet FILE`";
    assert_eq!(states(&all), ["to do", "to do", "to do", needs_resnet]);

    // One row and what it starts from.
    let table = run(&settings(root, &["three terms"]), &mut Silent).unwrap();
    assert_eq!(table.rows.len(), 1);
    assert_eq!(states(&all), ["done", "done", "to do", needs_resnet]);
    let before = finished(root);
    assert_eq!(before.len(), 2);

    let table = run(&all, &mut Silent).unwrap();
    let after = finished(root);
    assert_eq!(after.len(), 3);
    assert!(before.iter().all(|run| after.contains(run)), "what was done is read");
    let found = |row: usize| table.rows[row].retrieval.unwrap();
    // The linear brain: ridge regression finds most of its images.
    assert!(found(2).forward.first_batch > found(0).chance_first_batch as usize * 3);
    assert_eq!(table.rows[3].weights.len(), 2);
    assert_eq!(table.rows[4].left_out.as_deref(), Some(needs_resnet));
    let markdown = std::fs::read_to_string(table.folder.join("table.md")).unwrap();
    assert!(markdown.contains("| MSE + cos |") && markdown.contains("| 49 |"), "{markdown}");
    assert!(table.folder.ends_with("ablations/mine") && table.folder.join("table.json").is_file());
    let again = run(&all, &mut Silent).unwrap();
    assert_eq!(again.text(), table.text());
    assert_eq!(finished(root), after);

    // Another setting is another training, of the row and of what starts from it.
    let mut other = all;
    other.data.mapper.clamp = 1.0;
    assert_eq!(states(&other), ["to do", "to do", "to do", needs_resnet]);
}

#[test]
fn an_interrupted_row_goes_on_from_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_all(root);
    let undisturbed = run(&settings(root, &["MSE + cos"]), &mut Silent).unwrap();
    let training = &list(&settings(root, &[])).unwrap()[0];
    let runs = training.folder.clone().unwrap();
    let run_folder = runs.join("00000-train-mapper-image-subj02");
    let best = std::fs::read(run_folder.join("best.safetensors")).unwrap();
    std::fs::remove_file(run_folder.join("summary.json")).unwrap();
    assert!(run_folder.join(CHECKPOINT_FILE).is_file());
    assert_eq!(states(&settings(root, &[]))[0], "interrupted");
    let resumed = run(&settings(root, &["MSE + cos"]), &mut Silent).unwrap();
    assert_eq!(resumed.text(), undisturbed.text());
    assert_eq!(std::fs::read(run_folder.join("best.safetensors")).unwrap(), best);
    assert!(!runs.join("00001-train-mapper-image-subj02").exists());
}

const GAN_ROWS: &str = r#"
title = "Generators"
[[training]]
name = "image"
target = "image"
settings = { train = { phase1 = { epochs = 2 }, phase2 = { epochs = 0 } } }
[[training]]
name = "caption"
target = "caption"
settings = { train = { phase1 = { epochs = 2 }, phase2 = { epochs = 0 } } }
[[finetuning]]
name = "caption"
image_mapper = "image"
second_mapper = "caption"
settings = { condition = "caption" }
[[finetuning]]
name = "joint"
image_mapper = "image"
second_mapper = "caption"
settings = { mappers = { mode = "end-to-end" } }
[[finetuning]]
name = "supervised"
gan = "supervised"
[[finetuning]]
name = "low level"
settings = { train = { loss = { low_level_weight = 10.0 } } }
[[finetuning]]
name = "no mapper"
[[row]]
label = "caption, frozen"
finetuning = "caption"
paper = { fid = 12.5 }
[[row]]
label = "both, end to end"
finetuning = "joint"
[[row]]
label = "from another GAN"
finetuning = "supervised"
[[row]]
label = "low level"
finetuning = "low level"
[[row]]
label = "newest mappers"
finetuning = "no mapper"
"#;

fn gan_settings(root: &Path) -> AblateSettings {
    let mut settings = settings(root, &[]);
    settings.rows_path = "rows/generators.toml".into();
    settings.rows_text = GAN_ROWS.into();
    settings.data.stimuli = NsdTree::new(root.join("nsd")).stimuli();
    settings.finetuning.nsd = root.join("nsd");
    settings.finetuning.gan = Some(root.join("gan"));
    settings.finetuning.reconstruct.limit = 6;
    let train = &mut settings.finetuning.finetune_gan.train;
    train.total_kimg = 0.008;
    train.batch_size = Some(4);
    train.tick_kimg = 0.004;
    train.crop.small_images = SmallImages::Enlarge;
    settings
}

#[test]
fn rows_of_generators_are_finetuned_drawn_and_judged_once() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_all(root);
    write_gan(&root.join("gan"));
    write_tree(root);
    let all = gan_settings(root);
    let left_out = |name: &str| match name {
        "supervised" => "left out: needs the GAN `supervised`, `--gan supervised=DIR`",
        "low level" => "left out: needs a ResNet-50, `--resnet FILE`",
        _ => "left out: run `mindreader train-mapper --target image` first",
    };
    let missing = ["supervised", "low level", "no mapper"].map(|name| left_out(name).to_string());
    let with = |start: [&str; 4]| {
        start.map(String::from).into_iter().chain(missing.clone()).collect::<Vec<String>>()
    };
    assert_eq!(states(&all), with(["to do", "to do", "to do", "to do"]));

    let table = run(&all, &mut Silent).unwrap();
    assert_eq!(states(&all), with(["done", "done", "done", "done"]));
    let numbers = table.rows[0].pictures.as_ref().unwrap();
    assert!(numbers.distance.contains("not a FID") && numbers.test > 0.0, "{numbers:?}");
    assert_eq!(numbers.num_pictures, 6);
    assert!(table.rows[1].pictures.is_some());
    assert!(table.rows[2..].iter().all(|row| row.pictures.is_none() && row.left_out.is_some()));
    let text = table.text();
    let line = |label: &str| text.lines().find(|line| line.starts_with(label)).unwrap();
    assert!(
        line("caption, frozen").contains("12.5") && line("both, end to end").contains("missing"),
        "{text}"
    );
    assert!(line("from another GAN").contains("--gan supervised=DIR"), "{text}");
    assert!(text.contains("missing in the text"), "{text}");
    let markdown = std::fs::read_to_string(table.folder.join("table.md")).unwrap();
    assert!(markdown.contains("| 2-way % |"), "{markdown}");

    // What is done is read; another way of drawing draws the same network anew.
    let before = finished(root);
    let again = run(&all, &mut Silent).unwrap();
    assert_eq!(again.text(), text);
    let mut fewer = gan_settings(root);
    fewer.finetuning.reconstruct.limit = 4;
    fewer.only = vec!["caption, frozen".into()];
    let table = run(&fewer, &mut Silent).unwrap();
    assert_eq!(table.rows[0].pictures.as_ref().unwrap().num_pictures, 4);
    assert_eq!(finished(root), before);

    // A finetuning that was interrupted goes on in its folder and ends with the same numbers.
    let state = list(&all).unwrap().into_iter().find(|state| state.name == "joint").unwrap();
    let gan_run = state.folder.unwrap().join("00000-finetune-gan-subj02");
    for entry in std::fs::read_dir(&gan_run).unwrap().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "json") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    assert_eq!(states(&all), with(["done", "done", "done", "interrupted"]));
    assert_eq!(run(&all, &mut Silent).unwrap().text(), text);
    // Another GAN is another finetuning.
    let mut other = gan_settings(root);
    other.finetuning.gans.insert("supervised".into(), root.join("gan"));
    let states = states(&other);
    assert_eq!(states[4], "left out: run `mindreader train-mapper --target image` first");
}

#[test]
fn mappers_are_judged_by_what_a_generator_draws_that_was_not_finetuned() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_all(root);
    write_gan(&root.join("gan"));
    write_tree(root);
    let mut all = gan_settings(root);
    all.rows_path = "rows/mappers.toml".into();
    all.rows_text = ROWS.replace("backward = 49", "backward = 49, fid = 73.46");
    all.only = ["MSE + cos", "linear", "image + caption"].map(String::from).to_vec();
    let gan = all.finetuning.gan.take();
    let without = run(&all, &mut Silent).unwrap();
    assert!(without.rows.iter().all(|row| row.pictures.is_none()));
    assert!(without.text().contains("73.46") && without.text().contains("`--gan language-free=DIR`"));

    all.finetuning.gan = gan;
    let table = run(&all, &mut Silent).unwrap();
    let numbers = table.rows[0].pictures.as_ref().unwrap();
    assert!(numbers.num_pictures == 6 && numbers.test > 0.0, "{numbers:?}");
    assert!(table.rows[1..].iter().all(|row| row.pictures.is_none()), "mappers only");
    let line = table.text().lines().find(|line| line.starts_with("MSE + cos")).unwrap().to_string();
    assert!(line.contains(&format!("{:.2}", numbers.test)) && line.ends_with("73.46"), "{line}");
    assert!(table.text().contains("not finetuned, to the ground truth"), "{}", table.text());
    // Drawn from the mapper's embedding alone, by the pretrained generator.
    let training = &list(&all).unwrap()[0];
    let key = training.folder.as_ref().unwrap().file_name().unwrap();
    let drawn = root.join("ablations/pictures").join(key).join("00000-reconstruct-subj02/config.toml");
    let drawn: toml::Table = toml::from_str(&std::fs::read_to_string(drawn).unwrap()).unwrap();
    assert_eq!(drawn["reconstruct"]["condition"].as_str(), Some("image"));
    let generator = root.join("gan").join(crate::training::gan::run_files::GENERATOR_FILE);
    assert_eq!(drawn["networks"]["generator"].as_str(), generator.to_str());

    // Judged once; another generator is another distance.
    assert_eq!(run(&all, &mut Silent).unwrap().text(), table.text());
    let runs = || std::fs::read_dir(root.join("ablations/pictures").join(key)).unwrap().count();
    assert_eq!(runs(), 1);
    write_gan_of_seed(&root.join("other"), 2);
    all.finetuning.gans.insert("language-free".into(), root.join("other"));
    let other = run(&all, &mut Silent).unwrap();
    assert_ne!(other.rows[0].pictures.as_ref().unwrap().test, numbers.test);
    assert_eq!(runs(), 2);
}

#[test]
fn unknown_rows_are_named() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let error = run(&settings(folder.path(), &["MSE"]), &mut Silent).unwrap_err();
    assert!(error.downcast_ref::<RunError>().is_some() && error.downcast_ref::<Interrupted>().is_none());
    assert!(error.to_string().contains("MSE + cos, three terms"), "{error}");
    assert!(!folder.path().join("ablations").exists());
}
