//! Regions of the small linear brain, driven and silenced before an untrained generator.

use std::path::Path;

use super::*;
use crate::commands::fixtures::linear_brain::{Brain, settings as mapper_settings, write_all, write_brain};
use crate::commands::fixtures::small_gan::write_gan;
use crate::commands::train_mapper;
use crate::data::formats::npy::NpyHead;
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperKind;
use crate::pipelines::brain_decoder::DecoderPaths;
use crate::run::precision::Precision;
use crate::run::progress::Silent;

/// A region of ten of forty voxels.
fn scene(root: &Path) -> MicrostimSettings {
    write_all(root);
    let brain = root.join("subj02.h5");
    std::fs::remove_file(&brain).unwrap();
    write_brain(&brain, Brain { face_voxels: 10, ..Brain::default() });
    write_gan(&root.join("gan"));
    let mut mapper = mapper_settings(root);
    mapper.mapper.kind = MapperKind::Ridge;
    let image_mapper = train_mapper::run(&mapper, &mut Silent).unwrap().snapshot;
    MicrostimSettings {
        prepared: brain,
        stimuli: mapper.stimuli,
        networks: DecoderPaths {
            second_mapper: image_mapper.clone(),
            image_mapper,
            generator: root.join("gan/generator.safetensors"),
        },
        clip: mapper.target_network,
        split: mapper.split,
        microstim: MicrostimConfig {
            condition: Some(ConditionSource::Image),
            probes: vec!["left is dark".into(), "left is bright".into()],
            controls: 3,
            ..MicrostimConfig::default()
        },
        seed: 3,
        device: mapper.device,
        precision: Precision::Single,
        runs: mapper.runs,
    }
}

#[test]
fn effects_grow_with_the_level_and_stand_beside_random_voxels() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = scene(root.path());
    settings.microstim.levels = vec![0.5, 2.0];
    let summary = run(&settings, &mut Silent).unwrap();
    let levels: Vec<f32> = summary.dose.iter().map(|point| point.level).collect();
    assert_eq!((levels, summary.num_voxels, summary.num_trials), (vec![0.5, 2.0, 10.0], 10, 8));
    let shift = |place: usize| summary.dose[place].shift.region.mean;
    assert!(shift(0) < shift(1) && shift(1) < shift(2), "{:?}", summary.dose);
    // What the pictures' level comes to is told twice.
    let change =
        |sentence: &str| summary.probes.iter().find(|probe| probe.sentence == sentence).unwrap().change.mean;
    for probe in &summary.dose[2].probes {
        assert!((probe.change.region.mean - change(&probe.sentence)).abs() < 1e-6, "{probe:?}");
        assert!(probe.change.random.is_some() && probe.change.difference.is_some());
    }
    assert!((shift(2) - (1.0 - summary.image_embedding_cosine)).abs() < 1e-6);
    let chart = std::fs::read_to_string(summary.dose_chart.unwrap()).unwrap();
    assert!(chart.contains("floc-faces") && chart.contains("random voxels"));
    // The same voxels in another run of the same seed.
    let again = run(&settings, &mut Silent).unwrap();
    assert_eq!((&again.dose, &again.changes), (&summary.dose, &summary.changes));
}

#[test]
fn a_linear_decoder_changes_alike_in_all_images() {
    let root = tempfile::tempdir().unwrap();
    let summary = run(&scene(root.path()), &mut Silent).unwrap();
    assert_eq!(summary.dose.len(), 1);
    assert!(summary.dose_chart.is_none(), "one level is no curve");
    let [predicted, unit] = &summary.changes[..] else { panic!("{:?}", summary.changes) };
    assert_eq!((predicted.form, unit.form), (EmbeddingForm::Predicted, EmbeddingForm::UnitNorm));
    // Driving sets ten voxels from about 0 to 10 in every image: a linear prediction moves by nearly one vector.
    assert!(predicted.region.correlation.unwrap() > 0.9, "{predicted:?}");
    assert!(predicted.region.sign_agreement > 0.9 && predicted.chance_sign_agreement < 0.65);
    assert!((predicted.region.falling + predicted.region.rising - 1.0).abs() < 1e-9);
    assert!(predicted.random.is_some());
    let head = |name: &str| {
        let mut file = std::fs::File::open(summary.run.join(name)).unwrap();
        NpyHead::read(Path::new(name), &mut file).unwrap().shape
    };
    assert_eq!(
        (head("changes-image.npy"), head("positions-image-unnormalised.npy")),
        (vec![8, 8], vec![8, 4])
    );
    assert!(summary.run.join(unit.chart.as_ref().unwrap()).is_file());
}

#[test]
fn several_regions_are_looked_up_before_the_first_is_driven() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = scene(root.path());
    settings.microstim.limit = 2;
    settings.microstim.controls = 0;
    let runs = || std::fs::read_dir(root.path().join("runs")).unwrap().count();
    let before = runs();
    settings.microstim.rois = vec!["floc-faces".into(), "floc-wrds".into()];
    let error = run_regions(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("floc-wrds") && error.contains("floc-faces"), "{error}");
    assert_eq!(runs(), before, "nothing was begun");
    settings.microstim.rois = vec!["floc-faces".into(), "nsdgeneral".into()];
    settings.microstim.action = Stimulation::Silence;
    let found = run_regions(&settings, &mut Silent).unwrap();
    let names: Vec<_> = found.regions.iter().map(|region| (region.roi.as_str(), region.num_voxels)).collect();
    assert_eq!(names, [("floc-faces", 10), ("nsdgeneral", 40)]);
    assert!(
        found
            .regions
            .iter()
            .all(|region| region.action == Stimulation::Silence && region.dose[0].level == 0.0)
    );
    assert_eq!(found.regions[0].dose[0].shift.random, None, "no control was wanted");
    // Of the paper's regions this subject has the faces, as a whole and one of their areas.
    settings.microstim = MicrostimConfig { rois: vec![], paper: true, ..settings.microstim };
    let found = run_regions(&settings, &mut Silent).unwrap();
    let names: Vec<_> = found.regions.iter().map(|region| (region.roi.as_str(), region.action)).collect();
    assert_eq!(names, [("floc-faces", Stimulation::Excite), ("FFA-1", Stimulation::Excite)]);
    assert_eq!(found.left_out.len(), 8);
}

#[test]
fn a_region_of_all_voxels_has_no_random_one_beside_it() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = scene(root.path());
    settings.microstim.roi = "nsdgeneral".into();
    settings.microstim.limit = 1;
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!((summary.dose[0].shift.random, summary.changes[0].random.clone()), (None, None));
    assert_eq!(summary.changes[0].region.clearly_falling, None, "one image has no interval");
}
