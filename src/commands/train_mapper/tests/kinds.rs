//! Kinds of mappers beside the paper's, and what is refused of all.

use super::*;
use crate::commands::fixtures::linear_brain::{Brain, write_brain};
use crate::data::prepared::PreparedSubject;
use crate::pipelines::brain_decoder::LoadedMapper;

fn short(root: &Path) -> TrainMapperSettings {
    write_all(root);
    let mut settings = settings(root);
    settings.mapper.residual.hidden = 4;
    settings.mapper.residual.epochs = 1;
    settings.mapper.residual.batch = 16;
    settings.mapper.train.phase1.epochs = 1;
    settings.mapper.train.phase2.epochs = 0;
    settings
}

#[test]
fn a_checkpoint_of_another_kind_or_target_is_refused_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = short(folder.path());
    settings.mapper.kind = MapperKind::Residual;
    let begun = run(&settings, &mut Silent).unwrap();
    let resume = |change: &dyn Fn(&mut TrainMapperSettings)| {
        let mut changed =
            TrainMapperSettings { resume: Some(begun.run_dir.join(CHECKPOINT_FILE)), ..settings.clone() };
        change(&mut changed);
        run(&changed, &mut Silent).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(resume(&|_| ()), Ok(()));
    let error = resume(&|changed| changed.mapper.kind = MapperKind::Paper).unwrap_err();
    let expected = "checkpoint.mpk`: kind: found `residual`, of which the checkpoint is, expected `paper`, which this \
                    command asks for";
    assert!(error.ends_with(expected), "{error}");
    let error = resume(&|changed| changed.target = MapperTarget::Caption).unwrap_err();
    assert!(
        error.contains("target: found `image`, of which the checkpoint is, expected `caption`"),
        "{error}"
    );
    let error = resume(&|changed| changed.split.train_fraction = 0.8).unwrap_err();
    assert!(error.contains("split: found `first-appearance, 0.7 for training`"), "{error}");
    let error = resume(&|changed| changed.betas = BetasControl::Shuffled).unwrap_err();
    assert!(
        error.contains("betas: found `measured`, of which the checkpoint is, expected `shuffled`"),
        "{error}"
    );
}

#[test]
fn betas_that_never_change_are_refused_by_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = short(folder.path());
    write_brain(&settings.prepared, Brain { is_constant: true, ..Brain::default() });
    for kind in [MapperKind::Paper, MapperKind::Ridge, MapperKind::Residual, MapperKind::KernelRidge] {
        settings.mapper.kind = kind;
        let error = run(&settings, &mut Silent).unwrap_err().to_string();
        let expected = "subj02.h5`: betas of the 84 training trials is constant in every voxel";
        assert!(error.contains(expected), "{kind}: {error}");
    }
    let mut evaluation = EvaluateSettings {
        mappers: Vec::new(),
        controls: Vec::new(),
        clip: None,
        own_targets: None,
        resnet: None,
        evaluate: EvaluateConfig { ridge: true, pixel_side: 8, ..EvaluateConfig::default() },
        data: EvaluationData::from(&settings),
    };
    for folds in [0, 3] {
        evaluation.evaluate.folds = folds;
        let error = evaluate::run(&evaluation, &mut Silent).unwrap_err().to_string();
        assert!(error.contains("is constant in every voxel"), "{folds}: {error}");
    }
    assert!(!settings.runs.exists(), "nothing is left");
}

#[test]
fn a_mapper_of_other_regions_or_voxels_is_refused_with_both_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = short(folder.path());
    settings.mapper.kind = MapperKind::Ridge;
    let summary = run(&settings, &mut Silent).unwrap();
    let mut mapper = LoadedMapper::open(&summary.snapshot, &cpu()).unwrap();
    let path = folder.path().join("other.h5");
    let prepared = |region, first_voxel| {
        write_brain(&path, Brain { region, first_voxel, ..Brain::default() });
        PreparedSubject::open(&path).unwrap()
    };
    let check = |mapper: &LoadedMapper, region, first_voxel| {
        mapper.check_input(&prepared(region, first_voxel)).map_err(|error| error.to_string())
    };
    assert_eq!(check(&mapper, "nsdgeneral", 0), Ok(()));
    // The same voxels under another name.
    assert_eq!(check(&mapper, "streams", 0), Ok(()));
    let error = check(&mapper, "V1", 5).unwrap_err();
    assert!(
        error.ends_with("other.h5`: regions: found `V1`, expected `nsdgeneral` as the mapper was trained on"),
        "{error}"
    );
    let error = check(&mapper, "nsdgeneral", 5).unwrap_err();
    assert!(error.contains("places of the voxels: found others of `nsdgeneral`"), "{error}");
    // An older snapshot does not tell the places, and one from a file that told nothing not even the regions.
    mapper.snapshot.voxels_sha256 = None;
    assert_eq!(check(&mapper, "nsdgeneral", 5), Ok(()));
    assert!(check(&mapper, "V1", 5).is_err());
    mapper.snapshot.roi = String::new();
    assert_eq!(check(&mapper, "V1", 5), Ok(()));
}
