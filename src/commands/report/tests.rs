//! Pages of runs that are written by hand: only a mapper, nothing, controls in any order, files that lie.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::*;
use crate::error::ErrorClass;
use crate::pipelines::project::{Project, ProjectPaths};
use crate::run::progress::Silent;

/// A work folder of subject 1.
struct Work(tempfile::TempDir);

impl Work {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn write(&self, file: &str, content: &str) {
        let path = self.path(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn settings(&self) -> ReportSettings {
        let paths = ProjectPaths { work: Some(self.0.path().to_path_buf()), ..ProjectPaths::default() };
        ReportSettings::resolve(&Project { paths, ..Project::default() }, vec![], None)
    }

    fn report(&self) -> ReportSummary {
        run(&self.settings(), &mut Silent).unwrap()
    }

    fn page(&self) -> String {
        std::fs::read_to_string(self.report().report).unwrap()
    }

    /// Why there is no page; nothing was written then.
    fn error(&self) -> String {
        let settings = self.settings();
        let error = run(&settings, &mut Silent).unwrap_err();
        assert_eq!(error.class(), ErrorClass::BadInput, "{error}");
        assert!(!settings.out.exists());
        error.to_string()
    }

    /// A mapper that finds `found` of 20 images, in an interval of 4 to either side.
    fn mapper(&self, number: u32, betas: &str, found: f64) -> String {
        let name = if betas == "shuffled" { "image-subj01-shuffled" } else { "image-subj01" };
        let run = format!("runs/{number:05}-train-mapper-{name}");
        let count = json!({"first_batch": 3, "over_batches": {"mean": found, "low": (found - 4.0).max(0.0), "high": found + 4.0}});
        let summary = json!({
            "run_dir": run, "snapshot": "best.safetensors", "target": "image", "num_train_trials": 80,
            "num_validation_trials": 20, "num_parameters": 7, "phases": [], "seconds": 1.0,
            "retrieval": {"batch_size": 20, "num_batches": 1, "forward": count, "backward": count,
                          "chance_first_batch": 1.0, "chance_over_batches": 1.0},
        });
        self.write(&format!("{run}/summary.json"), &summary.to_string());
        self.write(&format!("{run}/metrics.jsonl"), "{\"epoch\":1,\"phase\":1,\"train_loss\":0.5}\n");
        let config = format!(
            "subject = 1\ntarget = \"image\"\nbetas = \"{betas}\"\nprepared = \"gone.h5\"\n[mapper]\n"
        );
        self.write(&format!("{run}/config.toml"), &config);
        run
    }

    /// Pictures of three images, and what was measured on them.
    fn drawing(&self, number: u32, config: &str, right: f64) -> String {
        let run = format!("runs/{number:05}-reconstruct-subj01");
        self.write(&format!("{run}/config.toml"), config);
        let entry = |image: u32| json!({"file": format!("{image}.png"), "trials": [image], "nsd_id": image, "sample": 0, "ground_truth": format!("{image}.png")});
        let manifest = json!({"subject": "subj01", "images": [entry(5), entry(3), entry(4)], "warnings": ["The <networks> differ."]});
        for image in 3..6 {
            let path = self.path(&format!("{run}/{image}.png"));
            image::RgbImage::from_pixel(2, 2, image::Rgb([number as u8, image, 9])).save(path).unwrap();
        }
        self.write(&format!("{run}/manifest.json"), &manifest.to_string());
        let judged = format!("runs/{:05}-evaluate-images-subj01", number + 50);
        self.write(
            &format!("{judged}/config.toml"),
            &format!("evaluated = {:?}\n[evaluate_images]\n", self.path(&run)),
        );
        let expected = json!({"mean": right, "low": right - 0.1, "high": right + 0.1});
        let accuracy =
            json!({"ways": 2, "mean": right, "deviation": 0.0, "expected": expected, "chance": 0.5});
        let picture =
            |image: u32| json!({"file": format!("{image}.png"), "similarity": 0.5, "rank": 1, "of": 3});
        let evaluation = json!({
            "run": judged, "evaluated": self.path(&run), "num_pictures": 3, "num_images": 3,
            "features": {"kind": "classifier", "snapshot": "judge.safetensors"},
            "identification": {"trials": "all", "num_trials": 3, "repeats": 10, "accuracies": [accuracy], "skipped_ways": []},
            "pictures": [picture(3), picture(4), picture(5)],
        });
        self.write(&format!("{judged}/evaluation.json"), &evaluation.to_string());
        run
    }
}

fn commands(summary: &ReportSummary) -> Vec<&str> {
    let first = |part: &'_ MissingPart| part.command.find(" --subject").unwrap();
    summary.missing.iter().map(|part| &part.command["mindreader ".len()..first(part)]).collect()
}

#[test]
fn without_a_finished_run_there_is_no_page() {
    let work = Work::new();
    assert!(
        work.error()
            .contains("*-subj01` is missing; it is needed for a report: it holds no finished run of subj01")
    );
    let killed = work.mapper(0, "measured", 10.0);
    std::fs::remove_file(work.path(&killed).join("summary.json")).unwrap();
    let error = work.error();
    assert!(
        error.contains("1 were killed or are under way") && error.contains("train-mapper --target image"),
        "{error}"
    );
}

#[test]
fn a_mapper_alone_has_a_page_that_says_what_is_missing() {
    let work = Work::new();
    work.mapper(0, "measured", 10.0);
    let summary = work.report();
    assert_eq!(summary.report, work.path("report-subj01.html"));
    assert_eq!(summary.shown.len(), 1);
    assert!(summary.verdict[0].contains("20 held-out trials of subj01"), "{:?}", summary.verdict);
    assert!(summary.verdict[0].contains("50.0 % (30.0 % to 70.0 %)"), "{:?}", summary.verdict);
    assert!(summary.verdict[1].starts_with("Retrieval is 10 times chance (5.0 %)"), "{:?}", summary.verdict);
    assert!(summary.verdict[2].starts_with("No control"), "{:?}", summary.verdict);
    let missing = commands(&summary);
    for command in
        ["train-mapper --target image --shuffle-betas", "reconstruct", "encode", "evaluate --ridge"]
    {
        assert!(missing.contains(&command), "{command}: {missing:?}");
    }
    assert!(!missing.contains(&"train-mapper --target image"));
    let html = work.page();
    assert!(
        html.contains("Not on this page yet") && html.contains("epoch of each mapper was chosen"),
        "{html}"
    );
    for needle in ["<script", "<link", "@import", "http://", "https://"] {
        assert!(!html.replace("http://www.w3.org/2000/svg", "").contains(needle), "{needle}");
    }
}

#[test]
fn controls_are_told_by_their_settings_whatever_their_order() {
    for (image, control) in [(0, 1), (1, 0)] {
        let work = Work::new();
        work.mapper(image, "measured", 10.0);
        let control = work.mapper(control, "shuffled", 1.0);
        let steered = |mapper: &str, rest: &str| {
            let snapshot = work.path(mapper).join("best.safetensors");
            format!("{rest}\n[networks]\nimage_mapper = {snapshot:?}\n[reconstruct]\nrepeats = \"average\"\n")
        };
        let first = if image == 0 { (2, 3) } else { (3, 2) };
        work.drawing(first.0, &steered(&control, ""), 0.5);
        work.drawing(first.1, &steered("runs/gone-train-mapper", ""), 0.9);
        let summary = work.report();
        let parts: Vec<&str> = summary.shown.iter().map(|shown| shown.part.as_str()).collect();
        assert_eq!(
            parts,
            [
                "image mapper",
                "control: exchanged betas",
                "decoded pictures",
                "control pictures",
                "decoded pictures, measured",
                "control pictures, measured",
            ]
        );
        assert!(
            summary.verdict[0].contains("told from one other picture in 90.0 %"),
            "{:?}",
            summary.verdict
        );
        assert!(summary.verdict[2].ends_with("the controls hold."), "{:?}", summary.verdict);
        let html = work.page();
        for needle in [
            "control: exchanged betas",
            "The first 3 held-out images in the order of the experiment, not picked",
            "The &#60;networks&#62; differ.",
            "0.50, 1/3",
            "averaged before it is decoded",
            "by the image mapper in",
        ] {
            assert!(html.contains(needle), "{needle}");
        }
        // The order is the manifest's.
        let places = ["image 5", "image 3", "image 4"].map(|image| html.find(image).unwrap());
        assert!(places.is_sorted());
    }
}

#[test]
fn a_control_that_does_not_hold_is_said() {
    let work = Work::new();
    work.mapper(0, "measured", 10.0);
    work.mapper(1, "shuffled", 8.0);
    let verdict = work.report().verdict;
    assert!(
        verdict[2].starts_with("The controls do not hold: with exchanged betas retrieval is 40.0 %"),
        "{verdict:?}"
    );
}

#[test]
fn the_command_of_a_missing_control_draws_as_the_pictures_were_drawn() {
    let work = Work::new();
    work.mapper(0, "measured", 10.0);
    let control = work.mapper(1, "shuffled", 1.0);
    work.drawing(2, "[reconstruct]\nrepeats = \"average\"\nlimit = 4\n", 0.9);
    let summary = work.report();
    let snapshot = work.path(&control).join("best.safetensors");
    let expected = format!(
        "reconstruct --condition image --samples 1 --average --limit 4 --set paths.image_mapper={}",
        snapshot.display()
    );
    assert!(commands(&summary).contains(&expected.as_str()), "{:?}", summary.missing);
}

#[test]
fn drawings_of_training_trials_are_not_held_out_ones() {
    let work = Work::new();
    work.drawing(0, "[reconstruct]\ntrials = \"train\"\n", 0.9);
    let summary = work.report();
    assert!(summary.shown.is_empty());
    assert_eq!(
        summary.notes,
        ["00000-reconstruct-subj01 is not shown: it did not draw the held-out trials."]
    );
    assert!(summary.verdict[0].starts_with("Nothing that was decoded"), "{:?}", summary.verdict);
}

#[test]
fn files_that_lie_are_named_with_the_field() {
    let work = Work::new();
    let mapper = work.mapper(0, "measured", 10.0);
    let summary = work.path(&mapper).join("summary.json");
    let honest: Value = serde_json::from_slice(&std::fs::read(&summary).unwrap()).unwrap();
    let mut lying = honest.clone();
    lying["retrieval"]["forward"]["over_batches"]["mean"] = json!(2000.0);
    for (text, expected) in [
        ("[", "summary.json`: content: found "),
        ("{}", "missing field `run_dir`"),
        (&lying.to_string(), "summary.json`: retrieval.forward.over_batches: found 2000"),
        (&honest.to_string().replace("\"batch_size\":20", "\"batch_size\":0"), "over_batches: found 10"),
        (
            &honest.to_string().replace("\"batch_size\":20", "\"batch_size\":-1"),
            "summary.json`: content: found ",
        ),
    ] {
        std::fs::write(&summary, text).unwrap();
        let error = work.error();
        assert!(error.contains(expected) && !error.contains('\n'), "{expected}: {error}");
    }
    std::fs::write(&summary, honest.to_string()).unwrap();
    std::fs::write(work.path(&mapper).join("config.toml"), "target = 7\n[mapper]\n").unwrap();
    assert!(work.error().contains("config.toml`: content: found line 1: "), "{}", work.error());
}

#[test]
fn named_runs_are_shown_and_others_are_not() {
    let work = Work::new();
    let first = work.mapper(0, "measured", 10.0);
    work.mapper(1, "measured", 2.0);
    let mut settings = work.settings();
    settings.runs = vec![work.path(&first)];
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!(summary.shown, [ShownRun { part: "image mapper".into(), run: work.path(&first) }]);
    settings.runs = vec![work.path("runs/none")];
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("none/config.toml` is missing"), "{error}");
}

#[test]
fn text_of_files_is_text_on_the_page() {
    let work = Work::new();
    work.mapper(0, "measured", 10.0);
    let captions = json!({"7": [{"caption": "<script>alert(1)</script>", "probability": 0.9, "kept": true}]});
    work.write("captions/subj01-probabilities.json", &captions.to_string());
    let html = work.page();
    assert!(html.contains("&#60;script&#62;alert(1)") && !html.contains("<script"));
}

#[test]
fn a_page_that_is_written_twice_is_the_same() {
    let work = Work::new();
    work.mapper(0, "measured", 10.0);
    assert_eq!(work.page(), work.page());
    assert!(Path::new(&work.report().report).is_file());
}

#[test]
fn what_a_chain_made_together_is_shown_together() {
    let work = Work::new();
    let chained = work.mapper(0, "measured", 10.0);
    let newer = work.mapper(1, "measured", 2.0);
    let record = json!({
        "format": 1, "subject": "subj01",
        "steps": [{"step": "image-mapper", "state": "done", "run": chained}],
    });
    work.write("chain/subj01.json", &record.to_string());
    let summary = work.report();
    assert_eq!(summary.shown, [ShownRun { part: "image mapper".into(), run: work.path(&chained) }]);
    assert!(summary.notes[0].contains(newer.trim_start_matches("runs/")), "{:?}", summary.notes);
    work.write("chain/subj01.json", "{");
    std::fs::remove_file(summary.report).unwrap();
    assert!(work.error().contains("subj01.json`: content: found "), "{}", work.error());
}

#[test]
fn figures_of_other_splits_are_told_apart() {
    let work = Work::new();
    let with_split = |run: String, sha256: &str| {
        let path = work.path(&run).join("summary.json");
        let mut summary: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        summary["split_record"] = json!({"rule": "given", "num_test_images": 7, "sha256": sha256});
        std::fs::write(path, summary.to_string()).unwrap();
    };
    with_split(work.mapper(0, "measured", 10.0), "0123456789abcdef");
    assert!(
        work.page().contains("given, 7 pictures, SHA-256 0123456789ab…") && work.report().notes.is_empty()
    );
    with_split(work.mapper(1, "shuffled", 1.0), "ff");
    let note = "Other pictures were held out than for the image mapper: control: exchanged betas.";
    assert!(work.report().notes[0].starts_with(note), "{:?}", work.report().notes);
}

/// What `evaluate` finds of `right` of 20 held-out trials.
fn decoder(name: &str, target: &str, right: f64) -> Value {
    let interval = |mean: f64| json!({"mean": mean, "low": mean - 1.0, "high": mean + 1.0});
    let count = json!({"first_batch": 3, "over_batches": interval(right)});
    let counted = json!({
        "batch_size": 20, "num_batches": 1, "forward": count, "backward": count,
        "chance_first_batch": 1.0, "chance_over_batches": 1.0,
    });
    // Of what finds one of 20 half of the pairs are right.
    let won = 0.5 + 0.5 * (right - 1.0) / 19.0;
    let share = json!({"mean": won, "low": won - 0.05, "high": won + 0.02});
    let pairs = json!({
        "share": share, "chance": 0.5, "mean_rank": interval(2.0), "median_rank": 2.0, "chance_rank": 10.5, "num_images": 20,
    });
    let hits: Vec<bool> = vec![false; 20];
    json!({
        "name": name, "target": target, "cosine": {"mean": 0.5, "low": 0.4, "high": 0.6}, "by_image": counted,
        "by_index": counted, "identification": pairs, "hits": {"forward": hits, "backward": hits},
    })
}

#[test]
fn the_first_screen_counts_every_decoder_by_one_protocol_and_names_the_best() {
    let work = Work::new();
    work.mapper(0, "measured", 10.0);
    work.mapper(1, "shuffled", 1.0);
    let run = "runs/00002-evaluate-subj01";
    work.write(&format!("{run}/config.toml"), "[data]\n[evaluate]\ncentre = \"training-mean\"\n");
    let exchanged = decoder("ridge, pixels, exchanged", "pixels", 1.0);
    let evaluation = json!({
        "run": run, "num_trials": 20, "num_search_trials": 0, "images": (0..20).collect::<Vec<_>>(),
        "centre": "training-mean", "mappers": [decoder("image mapper", "image", 12.0)],
        "ridge": [decoder("ridge, image", "image", 8.0), decoder("ridge, pixels", "pixels", 18.0)],
        "ridge_control": [exchanged], "combinations": [],
    });
    work.write(&format!("{run}/evaluation.json"), &evaluation.to_string());
    let verdict = work.report().verdict;
    let best = "the ridge baseline to pixels (among 20 trials, centred by the training mean) finds";
    assert!(verdict[0].contains("It is the best of 3 decoders counted alike here."), "{verdict:?}");
    assert!(verdict[0].contains(best) && verdict[0].contains("90.0 % (85.0 % to 95.0 %)"), "{verdict:?}");
    assert!(verdict[2].contains("the controls hold"), "{verdict:?}");
    let html = work.page();
    let screen = html.split("The subject").next().unwrap();
    assert!(screen.contains(">among 20 trials, centred by the training mean<"), "{screen}");
    assert!(!screen.contains("not centred") && !screen.contains("50.0 % (30.0 %"), "{screen}");
    for needle in
        ["by its own run, not centred", "The ridge baseline is the regression", "Mappers, ridge baseline"]
    {
        assert!(html.contains(needle), "{needle}");
    }
}

#[test]
fn pictures_stand_beside_ceiling_and_memory_and_raters_get_all_of_them_blind() {
    let work = Work::new();
    let drawn = work.drawing(2, "[reconstruct]\n", 0.8);
    work.drawing(3, "[reconstruct]\nsource = \"truth\"\n", 0.88);
    work.drawing(4, "[reconstruct]\nsource = \"nearest-training\"\n", 0.7);
    let settings = ReportSettings { rater_pack: Some(work.path("pack")), ..work.settings() };
    let summary = run(&settings, &mut Silent).unwrap();
    let parts: Vec<&str> = summary.shown.iter().map(|shown| shown.part.as_str()).collect();
    assert!(parts.contains(&"pictures from truth, measured"), "{parts:?}");
    let decoded = summary.shown.iter().find(|shown| shown.part == "decoded pictures").unwrap();
    assert!(decoded.run.ends_with(&drawn), "what is not decoded is not taken for it");
    let page = std::fs::read_to_string(&summary.report).unwrap();
    for text in ["ceiling: the truth", "2-way, nearest training image", "70.0 % (60.0 % to 80.0 %)"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(page.contains("class=\"ceiling\""), "the ceiling is drawn");
    let told = "2-way identification of the drawn pictures is right in 80.0 %, not distinguishable from the 88.0 % of pictures";
    assert!(summary.verdict[1].contains(told), "{:?}", summary.verdict);

    // Three images from three sources: nothing in the pack tells which is which.
    let questions = std::fs::read_to_string(work.path("pack/questions.csv")).unwrap();
    assert!(questions.starts_with("question,file,answer\n1,question0001.png,\n"), "{questions}");
    let key_path = summary.rater_key.clone().unwrap();
    assert_eq!(key_path, work.path("pack-key.csv"));
    let mut key = csv::Reader::from_path(&key_path).unwrap();
    let rows: Vec<csv::StringRecord> = key.records().map(Result::unwrap).collect();
    assert_eq!((rows.len(), questions.lines().count()), (9, 10));
    let decoded = rows.iter().filter(|row| &row[2] == "decoded").count();
    assert!(decoded == 3 && rows.iter().all(|row| row[3] != row[4]), "{rows:?}");
    for row in &rows {
        let sheet = image::open(work.path(&format!("pack/question{:0>4}.png", &row[0]))).unwrap().into_rgb8();
        // Two pixels enlarged to 192, with gaps of eight: the image that was seen has its number in the second channel.
        let seen = |x: u32| sheet.get_pixel(x, 90).0[1].to_string();
        let [left, right] = [seen(90), seen(490)];
        assert_eq!(if &row[1] == "left" { &left } else { &right }, &row[3], "{row:?}");
        assert_eq!(if &row[1] == "left" { &right } else { &left }, &row[4], "{row:?}");
    }
    let again = run(&settings, &mut Silent).unwrap_err();
    assert!(again.to_string().contains("--rater-pack") && again.class() == ErrorClass::BadInput, "{again}");
}

#[test]
fn a_pack_that_cannot_be_is_refused_before_anything_is_written() {
    let work = Work::new();
    let refused = |pack: PathBuf, out: PathBuf| {
        let settings = ReportSettings { rater_pack: Some(pack), out, ..work.settings() };
        let error = run(&settings, &mut Silent).unwrap_err();
        assert_eq!(error.class(), ErrorClass::BadInput, "{error}");
        assert!(!settings.out.exists() && !work.path("pack").exists() && !work.path("pack-key.csv").exists());
        error.to_string()
    };
    work.mapper(0, "measured", 10.0);
    let error = refused(work.path("pack"), work.path("a.html"));
    assert!(error.contains("`--rater-pack`: no decoded pictures"), "{error}");
    work.drawing(2, "[reconstruct]\n", 0.8);
    for out in ["pack", "pack/a.html", "pack-key.csv"] {
        let error = refused(work.path("pack"), work.path(out));
        assert!(error.contains("--out") && error.contains("outside of the pack"), "{error}");
    }
    let error = refused(PathBuf::from("/"), work.path("a.html"));
    assert!(error.contains("--rater-pack") && error.contains("a folder with a name"), "{error}");
}
