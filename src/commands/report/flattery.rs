//! What makes figures better than they would be elsewhere, as the runs' own settings say it.

use super::gathered::Gathered;
use super::measures::JudgedPictures;
use crate::pipelines::pictures::picture_features::FeatureKind;
use crate::pipelines::trial_choice::Repeats;
use crate::report::number_format::number;

/// The demo's settings, some of which were tried out on held-out images.
const DEMO: &str = include_str!("../../../configs/demo.toml");

/// Sentences that stand beside figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flattery {
    /// Beside the counts of mappers.
    pub counts: Option<String>,
    /// Beside decoded pictures and what was measured on them.
    pub pictures: Option<String>,
}

impl Flattery {
    /// What flatters the figures of these runs; `signal`: that of a phantom.
    pub fn of(gathered: &Gathered, judged: Option<&JudgedPictures>, signal: Option<f64>) -> Self {
        let counts = of_counts(gathered, signal);
        let pictures = match gathered.drawn {
            Some(_) => counts.iter().cloned().chain(of_pictures(gathered, judged, signal)).collect(),
            None => vec![],
        };
        Self { counts: sentence(&counts), pictures: sentence(&pictures) }
    }
}

fn of_counts(gathered: &Gathered, signal: Option<f64>) -> Vec<String> {
    let strength = signal.filter(|signal| *signal > 1.0);
    let strength = strength.map(|signal| format!("the phantom's signal is {} times NSD's", number(signal)));
    // Of other kinds everything is chosen on training trials.
    let is_chosen = gathered.mappers.iter().any(|run| run.config.is_epoch_chosen_on_held_out());
    let epoch = is_chosen.then(|| {
        "the epoch of each mapper was chosen on the held-out trials that are then counted, as in the paper's code".to_string()
    });
    strength.into_iter().chain(epoch).collect()
}

fn of_pictures(gathered: &Gathered, judged: Option<&JudgedPictures>, signal: Option<f64>) -> Vec<String> {
    let drawn = gathered.drawn.as_ref().and_then(|run| run.config.reconstruct.as_ref());
    let averaged = drawn.is_some_and(|section| section.repeats == Repeats::Average).then(|| {
        "the presentations of a held-out image are averaged before it is decoded, where the paper decodes single trials".into()
    });
    let features = judged.is_some_and(|judged| judged.features.kind == FeatureKind::ClipImage);
    let features = features
        .then(|| "pictures are compared in features of the CLIP that the generator was trained with".into());
    let tried = (signal.is_some() && is_finetuned_as_in_the_demo(gathered)).then(|| {
        "length, weights and decay of the finetuning in the demo's configuration were tried out on held-out images of such a \
         phantom"
            .to_string()
    });
    averaged.into_iter().chain(features).chain(tried).collect()
}

/// Whether every setting that the demo gives a finetuning has the demo's value.
fn is_finetuned_as_in_the_demo(gathered: &Gathered) -> bool {
    let found = gathered.finetuning.as_ref().and_then(|run| run.config.finetune_gan.as_ref()?.get("train"));
    let demo: Option<toml::Table> = toml::from_str(DEMO).ok();
    let demo = demo.as_ref().and_then(|demo| demo.get("finetune_gan")?.get("train"));
    found.zip(demo).is_some_and(|(found, demo)| has_all(found, demo))
}

/// Whether `found` has every key of `wanted` with its value; whole numbers and others are the same numbers.
fn has_all(found: &toml::Value, wanted: &toml::Value) -> bool {
    let as_number = |value: &toml::Value| value.as_float().or(value.as_integer().map(|whole| whole as f64));
    match (found, wanted) {
        (toml::Value::Table(found), toml::Value::Table(wanted)) => {
            wanted.iter().all(|(key, wanted)| found.get(key).is_some_and(|found| has_all(found, wanted)))
        }
        _ => match (as_number(found), as_number(wanted)) {
            // Numbers in single precision are written with all digits of the double that they are.
            (Some(found), Some(wanted)) => (found - wanted).abs() <= 1e-6 * wanted.abs(),
            _ => found == wanted,
        },
    }
}

/// One sentence of all reasons.
fn sentence(reasons: &[String]) -> Option<String> {
    (!reasons.is_empty()).then(|| format!("These figures flatter: {}.", reasons.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::report::finished_run::FinishedRun;

    /// A run in a folder of its own with these settings.
    fn run(root: &std::path::Path, name: &str, file: &str, config: &str) -> Option<FinishedRun> {
        let folder = root.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.toml"), config).unwrap();
        std::fs::write(folder.join(file), "{}").unwrap();
        Some(FinishedRun::open(&folder).unwrap())
    }

    #[test]
    fn what_flatters_stands_beside_the_figures_as_the_settings_say() {
        let root = tempfile::tempdir().unwrap();
        let demo: toml::Table = toml::from_str(DEMO).unwrap();
        let finetuning = toml::Table::from_iter([("finetune_gan".to_string(), demo["finetune_gan"].clone())]);
        let finetuning = toml::to_string(&finetuning).unwrap();
        let averaged = "[reconstruct]\nrepeats = \"average\"\n";
        let mut gathered = Gathered {
            mappers: run(root.path(), "m", "summary.json", "[mapper]\n").into_iter().collect(),
            finetuning: run(root.path(), "g", "summary.json", &finetuning),
            drawn: run(root.path(), "r", "manifest.json", averaged),
            ..Gathered::default()
        };
        let Flattery { counts, pictures } = Flattery::of(&gathered, None, Some(3.0));
        let (counts, pictures) = (counts.unwrap(), pictures.unwrap());
        for reason in
            ["signal is 3 times NSD's", "averaged", "tried out on held-out images", "epoch of each mapper"]
        {
            assert!(pictures.contains(reason), "{reason}: {pictures}");
        }
        assert!(counts.contains("3 times") && !counts.contains("averaged"), "{counts}");

        // An epoch that training images chose flatters nothing.
        let fair = run(root.path(), "fair", "summary.json", "[mapper.train]\nselection = \"train-part\"\n");
        let fair = Gathered { mappers: fair.into_iter().collect(), ..Gathered::default() };
        assert_eq!(Flattery::of(&fair, None, None).counts, None);

        // A measured brain, single trials: only the epoch.
        gathered.drawn = run(root.path(), "single", "manifest.json", "[reconstruct]\n");
        let pictures = Flattery::of(&gathered, None, None).pictures.unwrap();
        assert!(pictures.contains("epoch"), "{pictures}");
        for reason in ["signal", "averaged", "tried out"] {
            assert!(!pictures.contains(reason), "{reason}: {pictures}");
        }
        // Another length of the finetuning was not tried out.
        let other = finetuning.replace("total_kimg = 4", "total_kimg = 5");
        assert_ne!(other, finetuning);
        gathered.finetuning = run(root.path(), "other", "summary.json", &other);
        let pictures = Flattery::of(&gathered, None, Some(1.0)).pictures.unwrap();
        assert!(!pictures.contains("tried out") && !pictures.contains("signal"), "{pictures}");
        assert_eq!(Flattery::of(&Gathered::default(), None, None), Flattery::default());
    }
}
