use super::*;
use crate::commands::encode::{self, EncodeConfig, EncodeKind, EncodeSettings};
use crate::commands::fixtures::linear_brain::{settings as mapper_settings, write_all};
use crate::commands::fixtures::small_gan::write_gan;
use crate::commands::train_mapper;
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperKind;
use crate::pipelines::brain_decoder::DecoderPaths;
use crate::run::progress::Silent;
use image::RgbImage;
use std::path::Path;

/// Encoder and mapper by ridge regression, an untrained generator.
fn scene(root: &Path) -> CycleSettings {
    write_all(root);
    write_gan(&root.join("gan"));
    let mut data = mapper_settings(root);
    let mut encode = EncodeConfig { kind: EncodeKind::Ridge, control: false, ..EncodeConfig::default() };
    encode.bootstrap.resamples = 0;
    let settings = EncodeSettings { nsd: root.join("nsd"), encode, data: data.clone(), captions: None };
    let encoder = encode::run(&settings, &mut Silent).unwrap().snapshot.unwrap();
    data.mapper.kind = MapperKind::Ridge;
    let image_mapper = train_mapper::run(&data, &mut Silent).unwrap().snapshot;
    CycleSettings {
        prepared: data.prepared,
        stimuli: data.stimuli,
        images: None,
        encoder,
        clip: data.target_network,
        networks: DecoderPaths {
            second_mapper: image_mapper.clone(),
            image_mapper,
            generator: root.join("gan/generator.safetensors"),
        },
        split: data.split,
        cycle: CycleConfig { condition: Some(ConditionSource::Image), ..CycleConfig::default() },
        cache: data.cache,
        seed: 3,
        device: data.device,
        runs: data.runs,
    }
}

#[test]
fn held_out_images_go_round() {
    let folder = tempfile::tempdir().unwrap();
    let settings = scene(folder.path());
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!((summary.num_images, summary.resolution), (18, 16));
    let betas = summary.betas.unwrap();
    // A linear brain: predicted betas are its own image's.
    assert!(betas.r.own.low > betas.r.others.unwrap().high + 0.3, "{betas:?}");
    let identification = betas.identification.unwrap();
    assert!(identification.top_1.low > identification.top_1_chance, "{identification:?}");
    assert_eq!(identification.pairwise.num_images, 18);
    // The same z, and nearly the same embeddings: nearly the same pictures.
    let to_measured = summary.cycled_to_measured.unwrap();
    assert!(to_measured.own.mean > to_measured.others.unwrap().mean, "{to_measured:?}");
    assert!(summary.measured.is_some() && summary.split_record.is_some());
    let manifest: Vec<CycleEntry> =
        serde_json::from_slice(&std::fs::read(&summary.manifest).unwrap()).unwrap();
    assert_eq!(manifest.len(), 18);
    let mean = manifest.iter().map(|entry| entry.betas_r.unwrap()).sum::<f64>() / 18.0;
    assert!((mean - betas.r.own.mean).abs() < 1e-5, "{mean}");
    for entry in &manifest {
        assert_eq!(entry.trials.len(), 2);
        for file in [&entry.original, &entry.cycled, entry.measured.as_ref().unwrap()] {
            assert_eq!(image::open(summary.run.join(file)).unwrap().width(), 16);
        }
    }
    // Nine columns of 18, three rows.
    let sheet = image::open(&summary.sheet).unwrap();
    assert_eq!((sheet.width(), sheet.height()), (9 * 18 + 2, 3 * 18 + 2));
    let again = run(&settings, &mut Silent).unwrap();
    assert_eq!((again.cycled, again.betas), (summary.cycled, summary.betas));
}

#[test]
fn pictures_of_a_folder_go_round_without_betas() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = scene(folder.path());
    let pictures = folder.path().join("pictures");
    std::fs::create_dir(&pictures).unwrap();
    for (name, level) in [("a", 0_u8), ("b", 120), ("c", 250)] {
        let picture = RgbImage::from_pixel(40, 30, image::Rgb([level, 255 - level, 80]));
        picture.save(pictures.join(format!("{name}.png"))).unwrap();
    }
    settings.images = Some(pictures.clone());
    settings.cycle.limit = 2;
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!(summary.num_images, 2);
    assert!(summary.betas.is_none() && summary.measured.is_none() && summary.inference.is_none());
    assert_eq!(summary.cycled.identification.unwrap().top_1_chance, 0.5);
    let manifest: Vec<CycleEntry> =
        serde_json::from_slice(&std::fs::read(&summary.manifest).unwrap()).unwrap();
    assert_eq!(manifest.iter().map(|entry| &entry.name[..]).collect::<Vec<_>>(), ["a.png", "b.png"]);
    settings.images = Some(folder.path().join("none"));
    assert!(run(&settings, &mut Silent).unwrap_err().to_string().contains("none"));
}

#[test]
fn networks_that_do_not_fit_are_refused_by_file() {
    let folder = tempfile::tempdir().unwrap();
    let settings = scene(folder.path());
    let error = |settings: &CycleSettings| run(settings, &mut Silent).unwrap_err().to_string();
    let mapper = CycleSettings { encoder: settings.networks.image_mapper.clone(), ..settings.clone() };
    assert!(error(&mapper).contains("kind: found `mapper`, expected `encoder`"), "{}", error(&mapper));
    let mut other = settings.clone();
    other.split.train_fraction = 0.5;
    assert!(error(&other).contains("encoder-ridge.safetensors`: split"), "{}", error(&other));
    let mut wild = settings;
    wild.cycle.truncation_psi = 11.0;
    assert!(error(&wild).contains("cycle.truncation_psi"));
}
