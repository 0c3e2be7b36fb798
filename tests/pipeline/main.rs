//! The whole chain on a tiny phantom, through the library: every command on the files of the last, and the same
//! numbers from the same seed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![recursion_limit = "256"]

mod image_sources;
mod microstimulation;
mod reconstructions;

use std::path::Path;

use mindreader::commands::ablate::AblationRows;
use mindreader::commands::config::ProjectConfig;
use mindreader::commands::evaluate::{self, EvaluateSettings};
use mindreader::commands::evaluate_images::{self, EvaluateImagesSettings};
use mindreader::commands::finetune_gan::{self, FinetuneGanSettings};
use mindreader::commands::microstim::{self, MicrostimSettings, MicrostimSummary};
use mindreader::commands::phantom::{self, PhantomSettings};
use mindreader::commands::prepare::{self, PrepareSettings};
use mindreader::commands::pretrain_classifier::{self, PretrainClassifierSettings};
use mindreader::commands::pretrain_clip::{self, PretrainClipSettings};
use mindreader::commands::pretrain_gan::{self, PretrainGanSettings};
use mindreader::commands::reconstruct::{self, ReconstructSettings};
use mindreader::commands::report::{self, ReportSettings};
use mindreader::commands::score::{self, ScoreSettings};
use mindreader::commands::screen_captions::{self, ScreenCaptionsSettings};
use mindreader::commands::train_mapper::{self, BetasControl, TrainMapperSettings};
use mindreader::data::formats::hdf5::H5File;
use mindreader::data::prepared::PreparedSubject;
use mindreader::models::mapper::MapperTarget;
use mindreader::pipelines::brain_decoder::LoadedMapper;
use mindreader::pipelines::trial_choice::{Repeats, TrialChoice, betas_of, choose_trials};
use mindreader::run::device::DeviceChoice;
use mindreader::run::existing_output::ExistingOutput;
use mindreader::run::progress::Silent;
use mindreader::tensor_ops::backend::cpu;
use mindreader::training::gan::mappers::config::MapperMode;

/// The configuration of a file in `configs`, with its files below `root`.
fn configuration(file: &str, root: &Path) -> ProjectConfig {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(file);
    let mut config: ProjectConfig = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    config.device = DeviceChoice::Cpu;
    config.paths.nsd = Some(root.join("nsd"));
    config.paths.work = Some(root.join("work"));
    config
}

#[test]
fn every_configuration_is_accepted() {
    let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut found = 0;
    let mut folders = vec![configs];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                if path.parent().is_some_and(|folder| folder.ends_with("ablations")) {
                    AblationRows::parse(&path, &text).unwrap();
                } else {
                    let parsed: Result<ProjectConfig, _> = toml::from_str(&text);
                    assert!(parsed.is_ok(), "{}: {}", path.display(), parsed.unwrap_err());
                }
                found += 1;
            }
        }
    }
    assert!(found >= 4, "only {found} configurations");
}

#[test]
fn the_chain_runs_from_files_to_pictures_and_report() {
    let root = tempfile::tempdir().unwrap();
    let mut config = configuration("phantom-tiny.toml", root.path());
    config.phantom.novel_categories = vec!["dog".into(), "car".into()];
    config.phantom.near_duplicates = 0.8;
    config.finetune_gan.snapshots.clip_features = true;
    config.finetune_gan.snapshots.frechet_ticks = 1;
    let quiet = &mut Silent;
    phantom::run(
        &PhantomSettings::resolve(&config.project(), &config.phantom, ExistingOutput::Refuse).unwrap(),
        quiet,
    )
    .unwrap();
    let prepared = prepare::run(
        &PrepareSettings::resolve(&config.project(), &config.prepare, ExistingOutput::Refuse).unwrap(),
        quiet,
    )
    .unwrap();
    assert_eq!(prepared.num_trials, 750);
    assert_eq!(prepared.num_images, 250);

    let clip = pretrain_clip::run(
        &PretrainClipSettings::resolve(&config.project(), &config.pretrain_clip, None).unwrap(),
        quiet,
    )
    .unwrap();
    let screened = screen_captions::run(
        &ScreenCaptionsSettings::resolve(&config.project(), &config.screen_captions).unwrap(),
        quiet,
    )
    .unwrap();
    assert_eq!(screened.num_images, 250);
    assert!(screened.mean_kept >= 1.0);
    let mut train = |target| {
        let settings = TrainMapperSettings::resolve(
            &config.project(),
            &config.train_mapper,
            target,
            BetasControl::Measured,
            None,
        )
        .unwrap();
        train_mapper::run(&settings, &mut *quiet).unwrap()
    };
    let image = train(MapperTarget::Image);
    let caption = train(MapperTarget::Caption);
    // 250 photographs, each shown three times; 85 % of them, 212, for training.
    assert_eq!((image.num_train_trials, image.num_validation_trials), (636, 114));
    let pretrained = pretrain_gan::run(
        &PretrainGanSettings::resolve(&config.project(), &config.pretrain_gan, None).unwrap(),
        quiet,
    )
    .unwrap();
    let finetuned = finetune_gan::run(
        &FinetuneGanSettings::resolve(&config.project(), &config.finetune_gan, None).unwrap(),
        quiet,
    )
    .unwrap();
    assert!(finetuned.duplicated_head, "the pretrained GAN has one head");
    assert!(pretrained.snapshots.frechet.is_none(), "no network measures it");
    let sets = &finetuned.snapshots.frechet.as_ref().unwrap().last;
    let counts: Vec<_> =
        sets.iter().map(|set| (set.real, set.distance.num_real, set.distance.num_other)).collect();
    let (train, test) = (image.num_train_trials, image.num_validation_trials);
    assert_eq!(counts, [("test", test, test), ("train", train, test)]);

    let reconstructed = reconstruct::run(
        &ReconstructSettings::resolve(&config.project(), &config.reconstruct, &config.train_mapper).unwrap(),
        quiet,
    )
    .unwrap();
    assert_eq!(reconstructed.num_images, 4);
    let evaluated = evaluate_images::run(
        &EvaluateImagesSettings::resolve(&config.project(), &config.evaluate_images, None).unwrap(),
        quiet,
    )
    .unwrap();
    assert_eq!(evaluated.evaluated, reconstructed.run);
    assert!(evaluated.frechet.name.contains("not a FID"), "the features are the small CLIP's");
    let train = evaluated.frechet.train.unwrap();
    assert_eq!((train.num_real, train.num_other), (image.num_train_trials, 4));
    assert!(train.value > 0.0 && evaluated.frechet.train_floor.unwrap().value > 0.0);
    // A network that nothing was trained with judges the same pictures.
    let classifier = pretrain_classifier::run(
        &PretrainClassifierSettings::resolve(&config.project(), &config.pretrain_classifier, None).unwrap(),
        quiet,
    )
    .unwrap();
    assert!(classifier.num_things > 0 && classifier.num_stuff > 0, "{classifier:?}");
    let mut judged = config.clone();
    judged.paths.classifier = Some(classifier.snapshot);
    let settings = EvaluateImagesSettings::resolve(
        &judged.project(),
        &judged.evaluate_images,
        Some(reconstructed.run.clone()),
    )
    .unwrap();
    let judged = evaluate_images::run(&settings, quiet).unwrap();
    assert!(judged.frechet.name.contains("scene classifier"), "{}", judged.frechet.name);
    // One picture of every image is ranked, among all of them.
    let of = judged.num_images;
    assert!(of > 1 && judged.pictures.len() == of);
    assert!(judged.pictures.iter().all(|picture| picture.own.of == of && picture.own.rank <= of));
    let naming = judged.naming.unwrap();
    assert_eq!(naming.kinds().map(|(_, kind)| kind.generated.num_pictures).collect::<Vec<_>>(), [4, 4]);
    let manifest: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&reconstructed.manifest).unwrap()).unwrap();
    for entry in manifest["images"].as_array().unwrap() {
        let file = reconstructed.run.join(entry["file"].as_str().unwrap());
        assert_eq!(image::open(file).unwrap().width(), 16);
        let trial = entry["trials"][0].as_u64().unwrap() as usize;
        let subject = PreparedSubject::open(&config.project().prepared()).unwrap();
        assert_eq!(u64::from(subject.trials()[trial].nsd_id.0), entry["nsd_id"].as_u64().unwrap());
    }
    // The same seed draws the same pictures.
    let again = reconstruct::run(
        &ReconstructSettings::resolve(&config.project(), &config.reconstruct, &config.train_mapper).unwrap(),
        quiet,
    )
    .unwrap();
    assert_eq!(std::fs::read(&again.grid).unwrap(), std::fs::read(&reconstructed.grid).unwrap());

    // Mappers that are finetuned with the GAN lie beside it, and the next commands take them.
    let mut joint = config.clone();
    joint.finetune_gan.mappers.mode = MapperMode::EndToEnd;
    let both = finetune_gan::run(
        &FinetuneGanSettings::resolve(&joint.project(), &joint.finetune_gan, None).unwrap(),
        quiet,
    )
    .unwrap();
    let networks = ReconstructSettings::resolve(&joint.project(), &joint.reconstruct, &joint.train_mapper)
        .unwrap()
        .networks;
    assert_eq!(vec![networks.image_mapper.clone(), networks.second_mapper.clone()], both.training.mappers);
    assert_eq!(networks.generator, both.training.generator);
    let prepared = PreparedSubject::open(&config.project().prepared()).unwrap();
    for (before, after) in
        [(&image.snapshot, &networks.image_mapper), (&caption.snapshot, &networks.second_mapper)]
    {
        let embed = |path: &Path| {
            let mapper = LoadedMapper::open(path, &cpu()).unwrap();
            mapper.check_input(&prepared).unwrap();
            mapper.embed(&prepared.betas_of(&[0, 1]).unwrap(), &cpu()).into_data()
        };
        assert_ne!(embed(before), embed(after));
    }
    let drawn = reconstruct::run(
        &ReconstructSettings::resolve(&joint.project(), &joint.reconstruct, &joint.train_mapper).unwrap(),
        quiet,
    )
    .unwrap();
    assert_eq!(drawn.num_images, 4);
    let settings = EvaluateSettings::resolve(
        &joint.project(),
        &joint.evaluate,
        &joint.train_mapper,
        both.training.mappers,
    )
    .unwrap();
    assert_eq!(evaluate::run(&settings, quiet).unwrap().mappers.len(), 2);

    reconstructions::check(&config);

    let found = evaluate::run(
        &EvaluateSettings::resolve(&config.project(), &config.evaluate, &config.train_mapper, vec![])
            .unwrap(),
        quiet,
    )
    .unwrap();
    let scored = score::run(
        &ScoreSettings::resolve(&config.project(), Some(found.run.join("evaluation.json"))).unwrap(),
        quiet,
    )
    .unwrap();
    assert_eq!(scored.decoding.len(), 2, "an image and a caption mapper");
    for decoder in &scored.decoding {
        let (seen, novel) = (decoder.seen.as_ref().unwrap(), decoder.novel.as_ref().unwrap());
        let twins = decoder.twins.as_ref().unwrap();
        let counted = found.mappers[0].hits.forward.len();
        assert_eq!(seen.num_trials + novel.num_trials, counted);
        assert!(twins.num_pairs > 0 && twins.num_trials <= counted, "{twins:?}");
        assert!(twins.forward.right.mean + twins.forward.twin.mean <= 1.0);
    }
    assert!(scored.decoding_table().unwrap().contains("twin for image"));

    let stimulated =
        microstim::run(&MicrostimSettings::resolve(&config.project(), &config.microstim).unwrap(), quiet)
            .unwrap();
    check_embeddings(&config, &stimulated);
    let effects = score::microstim_effects(std::slice::from_ref(&stimulated.run)).unwrap();
    let probe = &effects.regions[0].probes[0];
    let expected = stimulated.probes[0].change.mean / stimulated.probes[0].spread.unwrap();
    assert!((probe.effect.unwrap().mean - expected).abs() < 1e-12, "{probe:?}");

    let out = root.path().join("report.html");
    let mut settings = ReportSettings::resolve(&config.project(), vec![], Some(out.clone()));
    settings.runs = vec![
        clip.run,
        image.run_dir,
        caption.run_dir,
        pretrained.run,
        finetuned.run,
        found.run,
        reconstructed.run.clone(),
        judged.run,
        stimulated.run,
    ];
    let summary = report::run(&settings, quiet).unwrap();
    assert_eq!(summary.shown.len(), settings.runs.len());
    let missing: Vec<&str> = summary.missing.iter().map(|part| part.command.as_str()).collect();
    assert!(missing.iter().any(|command| command.contains("--shuffle-betas")), "{missing:?}");
    assert!(missing.iter().any(|command| command.starts_with("mindreader encode ")), "{missing:?}");
    assert!(!missing.iter().any(|command| command.contains("reconstruct")), "{missing:?}");
    let html = std::fs::read_to_string(out).unwrap();
    for needle in [
        "Retrieval of held-out images",
        "What can be named",
        "floc-faces",
        "Caption screening",
        "chosen by its distance to the test images",
        "This subject is a phantom",
        "Against the truth",
        "<svg",
    ] {
        assert!(html.contains(needle), "{needle}");
    }
    // On the first screen, beside identification and beside what is named.
    assert_eq!(html.matches("These figures flatter: ").count(), 4, "counts and three times pictures");
    let own = judged.pictures[0].own;
    assert!(html.contains(&format!("{:.2}, {}/{of}", own.similarity, own.rank)));

    // Without names: the newest finished runs of the subject.
    let newest = ReportSettings::resolve(&config.project(), vec![], None);
    let summary = report::run(&newest, quiet).unwrap();
    let parts: Vec<&str> = summary.shown.iter().map(|shown| shown.part.as_str()).collect();
    let made = ["CLIP, training", "image mapper", "caption mapper", "retrieval", "GAN, pretraining"];
    assert!(made.iter().all(|part| parts.contains(part)), "{parts:?}");
    assert!(parts.contains(&"GAN, finetuning") && parts.contains(&"decoded pictures"), "{parts:?}");
    // The newest pictures are others than those that were judged: their numbers do not stand beside these.
    assert!(!summary.shown.iter().any(|shown| shown.run == reconstructed.run), "{:?}", summary.shown);
    assert!(summary.missing.iter().any(|part| part.command.contains("evaluate-images")), "{parts:?}");
    assert!(newest.out.ends_with("report-subj01.html") && newest.out.is_file());
}

/// What a stimulation reports is what the mapper makes of the betas with the region at ten standard deviations.
fn check_embeddings(config: &ProjectConfig, summary: &MicrostimSummary) {
    let project = config.project();
    let (networks, condition) = project.networks(None).unwrap();
    assert_eq!((summary.condition, &summary.warnings[..]), (Some(condition), &[][..]));
    let prepared = PreparedSubject::open(&project.prepared()).unwrap();
    let chosen = choose_trials(
        &prepared,
        &project.split,
        TrialChoice::Validation,
        Repeats::Average,
        summary.num_trials,
    )
    .unwrap();
    let before = betas_of(&prepared, &chosen).unwrap();
    let region = prepared.select(&summary.roi).unwrap();
    assert_eq!((region.len(), chosen.len()), (summary.num_voxels, 2));
    let mut after = before.clone();
    for voxel in region {
        after.column_mut(voxel).fill(10.0);
    }
    let mapper = LoadedMapper::open(&networks.image_mapper, &cpu()).unwrap();
    let file = H5File::open(summary.embeddings.as_ref().unwrap(), "a test").unwrap();
    let mut rows: Vec<Vec<f32>> = vec![];
    for (moment, betas) in [("before", &before), ("after", &after)] {
        let expected: Vec<f32> = mapper.embed(betas, &cpu()).into_data().to_vec().unwrap();
        let found: Vec<f32> = file.dataset(&format!("{moment}/image")).unwrap().read_all().unwrap();
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{moment}");
        rows.push(expected);
    }
    let products = rows[0].iter().zip(&rows[1]).map(|(a, b)| f64::from(a * b));
    let cosine = products.sum::<f64>() / chosen.len() as f64;
    assert!((summary.image_embedding_cosine - cosine).abs() < 1e-5, "{cosine}");
    assert!(cosine.abs() < 0.99, "the region has a part in the embedding: {cosine}");
}

/// The phantom's brain is known: with signal it can be read, with exchanged betas it cannot.
#[test]
fn decoding_is_above_chance_with_signal_and_at_chance_with_exchanged_betas() {
    let root = tempfile::tempdir().unwrap();
    let mut config = configuration("phantom-tiny.toml", root.path());
    let train = &mut config.train_mapper.train;
    train.phase1.epochs = 12;
    train.phase2.epochs = 0;
    train.optimiser.learning_rate = 2e-3;
    config.pretrain_clip.train.epochs = 30;
    let quiet = &mut Silent;
    phantom::run(
        &PhantomSettings::resolve(&config.project(), &config.phantom, ExistingOutput::Refuse).unwrap(),
        quiet,
    )
    .unwrap();
    prepare::run(
        &PrepareSettings::resolve(&config.project(), &config.prepare, ExistingOutput::Refuse).unwrap(),
        quiet,
    )
    .unwrap();
    pretrain_clip::run(
        &PretrainClipSettings::resolve(&config.project(), &config.pretrain_clip, None).unwrap(),
        quiet,
    )
    .unwrap();
    let mut retrieval = |betas| {
        let settings = TrainMapperSettings::resolve(
            &config.project(),
            &config.train_mapper,
            MapperTarget::Image,
            betas,
            None,
        )
        .unwrap();
        train_mapper::run(&settings, &mut *quiet).unwrap().retrieval
    };
    let measured = retrieval(BetasControl::Measured);
    let shuffled = retrieval(BetasControl::Shuffled);
    let chance = measured.chance_over_batches;
    assert!(measured.forward.over_batches.low > 1.5 * chance, "{measured:?}");
    // At chance, not below it either: that would be information, too.
    let exchanged = shuffled.forward.over_batches;
    assert!(exchanged.low <= chance && chance <= exchanged.high, "{shuffled:?}");
    assert!(measured.forward.over_batches.mean > 2.0 * shuffled.forward.over_batches.mean, "{shuffled:?}");
}
