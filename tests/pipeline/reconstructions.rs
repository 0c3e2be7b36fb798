//! What `reconstruct` can draw: trials, means, conditions, several z, truncation, grids.

use std::path::Path;

use image::RgbImage;
use mindreader::commands::config::ProjectConfig;
use mindreader::commands::evaluate_images::{self, EvaluateImagesSettings};
use mindreader::commands::reconstruct::{
    self, GridLayout, ReconstructConfig, ReconstructSettings, ReconstructSummary,
};
use mindreader::models::condition_source::ConditionSource;
use mindreader::pipelines::trial_choice::{Repeats, TrialChoice};
use mindreader::run::progress::Silent;
use serde_json::Value;

/// Side of the tiny generator's pictures, and the gap between those of a grid.
const SIDE: u32 = 16;
const GAP: u32 = 2;

struct Drawn {
    summary: ReconstructSummary,
    manifest: Value,
}

impl Drawn {
    fn entries(&self) -> &[Value] {
        self.manifest["images"].as_array().unwrap()
    }

    fn picture(&self, entry: &Value) -> RgbImage {
        image::open(self.summary.run.join(entry["file"].as_str().unwrap())).unwrap().into_rgb8()
    }

    /// Columns and rows of the grid.
    fn grid(&self) -> (u32, u32) {
        let (width, height) = image::open(&self.summary.grid).unwrap().into_rgb8().dimensions();
        ((width - GAP) / (SIDE + GAP), (height - GAP) / (SIDE + GAP))
    }
}

fn draw(chain: &ProjectConfig, change: impl FnOnce(&mut ReconstructConfig)) -> Drawn {
    let mut settings =
        ReconstructSettings::resolve(&chain.project(), &chain.reconstruct, &chain.train_mapper).unwrap();
    settings.reconstruct = ReconstructConfig { limit: 6, ..Default::default() };
    change(&mut settings.reconstruct);
    let summary = reconstruct::run(&settings, &mut Silent).unwrap();
    let manifest = serde_json::from_slice(&std::fs::read(&summary.manifest).unwrap()).unwrap();
    Drawn { summary, manifest }
}

/// Batches of other sizes may round the last digit another way.
fn is_same(one: &RgbImage, other: &RgbImage) -> bool {
    one.as_raw().iter().zip(other.as_raw()).all(|(a, b)| a.abs_diff(*b) <= 1)
}

/// All checks on the finished chain, by its configuration.
pub fn check(chain: &ProjectConfig) {
    single_trials_and_batches(chain);
    conditions(chain);
    samples_and_truncation(chain);
    repeats(chain);
    contradictions(chain);
}

fn single_trials_and_batches(chain: &ProjectConfig) {
    let all = draw(chain, |_| ());
    assert_eq!((all.summary.num_images, all.grid()), (6, (6, 2)));
    let entry = &all.entries()[3];
    let trial = entry["trials"][0].as_u64().unwrap() as usize;
    let alone = draw(chain, |config| config.trials = TrialChoice::Trial(trial));
    assert_eq!((alone.summary.num_images, alone.grid()), (1, (1, 2)));
    assert!(is_same(&alone.picture(&alone.entries()[0]), &all.picture(entry)), "trial {trial}");
    let every = draw(chain, |config| config.limit = 0);
    assert!(every.summary.num_images > 100 && every.grid().0 <= 12, "all validation trials");
    // Random noise belongs to the picture, not to its batch.
    let noisy = |batch| {
        draw(chain, |config| {
            config.batch = batch;
            config.noise = mindreader::pipelines::brain_decoder::PixelNoise::Random;
        })
    };
    let (one, four) = (noisy(1), noisy(4));
    for (a, b) in one.entries().iter().zip(four.entries()) {
        assert!(is_same(&one.picture(a), &four.picture(b)), "{a}");
    }
    let settings = &all.manifest["settings"];
    assert_eq!((&settings["samples"], &settings["condition"]), (&1.into(), &"both".into()));
    for key in ["seed", "split", "precision", "device", "resolution", "weights_sha256", "program", "subject"]
    {
        assert!(!all.manifest[key].is_null(), "{key}");
    }
    assert!(entry["repetitions"][0].as_u64().unwrap() < 3 && entry["position"] == trial);
}

fn conditions(chain: &ProjectConfig) {
    let (image, caption, both) = (ConditionSource::Image, ConditionSource::Caption, ConditionSource::Both);
    let three = draw(chain, |config| config.conditions = vec![image, caption, both]);
    assert_eq!((three.summary.num_images, three.grid()), (18, (6, 4)));
    let mut differ = false;
    for condition in [image, caption, both] {
        let alone = draw(chain, |config| config.condition = Some(condition));
        let of_three: Vec<&Value> =
            three.entries().iter().filter(|entry| entry["condition"] == condition.to_string()).collect();
        assert_eq!(of_three.len(), 6);
        for (entry, other) in alone.entries().iter().zip(of_three) {
            assert_eq!((&entry["trials"], &entry["position"]), (&other["trials"], &other["position"]));
            assert_eq!(alone.picture(entry), three.picture(other), "{condition}: the z is the same");
        }
        differ |=
            condition != image && alone.picture(&alone.entries()[0]) != three.picture(&three.entries()[0]);
    }
    assert!(differ, "conditions change the picture");
    // An evaluation takes one picture per trial: that of the first condition.
    let mut settings = EvaluateImagesSettings::resolve(
        &chain.project(),
        &chain.evaluate_images,
        Some(three.summary.run.clone()),
    )
    .unwrap();
    settings.evaluate_images.real = evaluate_images::RealSets::Test;
    assert_eq!(evaluate_images::run(&settings, &mut Silent).unwrap().num_pictures, 6);
}

fn samples_and_truncation(chain: &ProjectConfig) {
    let two = draw(chain, |config| config.samples = 2);
    assert_eq!((two.summary.num_images, two.grid()), (12, (6, 3)));
    let pair = |drawn: &Drawn| {
        let entries = drawn.entries();
        assert_eq!((&entries[0]["trials"], &entries[0]["sample"]), (&entries[1]["trials"], &0.into()));
        (drawn.picture(&entries[0]), drawn.picture(&entries[1]))
    };
    let (first, second) = pair(&two);
    assert_ne!(first, second, "another z");
    let mean = draw(chain, |config| {
        config.samples = 2;
        config.truncation_psi = 0.0;
    });
    let (first, second) = pair(&mean);
    assert_eq!(first, second, "w is its mean whatever z is");
    assert_eq!(mean.manifest["settings"]["truncation_psi"], 0.0);
}

fn repeats(chain: &ProjectConfig) {
    let each = draw(chain, |config| {
        config.grid = GridLayout::Repeats;
        config.limit = 3;
    });
    assert_eq!(
        (each.summary.num_images, each.grid()),
        (9, (4, 3)),
        "three images, ground truth and three trials"
    );
    for of_image in each.entries().chunks(3) {
        let ids: Vec<&Value> = of_image.iter().map(|entry| &entry["nsd_id"]).collect();
        assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
        let repetitions: Vec<u64> =
            of_image.iter().map(|entry| entry["repetitions"][0].as_u64().unwrap()).collect();
        assert_eq!(repetitions, [0, 1, 2]);
    }
    let mean = draw(chain, |config| {
        config.repeats = Repeats::Average;
        config.limit = 3;
    });
    assert_eq!((mean.summary.num_images, mean.grid()), (3, (3, 2)));
    assert!(mean.entries().iter().all(|entry| entry["trials"].as_array().unwrap().len() == 3));
    let settings: ReconstructConfig = toml::from_str("repeats = \"each\"\ngrid = \"repeats\"").unwrap();
    assert_eq!((settings.repeats, settings.grid), (Repeats::Single, GridLayout::Repeats));
}

fn contradictions(chain: &ProjectConfig) {
    let mut settings =
        ReconstructSettings::resolve(&chain.project(), &chain.reconstruct, &chain.train_mapper).unwrap();
    settings.reconstruct.grid = GridLayout::Repeats;
    settings.reconstruct.repeats = Repeats::Average;
    let runs = || std::fs::read_dir(Path::new(&chain.project().runs())).unwrap().count();
    let before = runs();
    assert!(
        reconstruct::run(&settings, &mut Silent).unwrap_err().to_string().contains("`reconstruct.repeats`")
    );
    assert_eq!(runs(), before, "no folder for a run that cannot be");
}
