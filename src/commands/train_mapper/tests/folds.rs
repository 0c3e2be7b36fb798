//! A mapper of a fold is the one that the command trains.

use crate::commands::fixtures::linear_brain::{settings, write_all};
use crate::commands::train_mapper::{FoldTraining, TrainMapperSettings, run};
use crate::data::prepared::PreparedSubject;
use crate::models::mapper::{MapperKind, MapperTarget};
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::workbench::Workbench;
use crate::run::progress::Silent;
use crate::tensor_ops::backend::cpu;
use crate::tensor_ops::host_values::values;

#[test]
fn a_fold_is_decoded_as_by_the_mapper_that_the_command_trains() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut wanted = settings(folder.path());
    (wanted.mapper.train.phase1.epochs, wanted.mapper.train.phase2.epochs) = (3, 2);
    (wanted.mapper.residual.hidden, wanted.mapper.residual.epochs) = (8, 2);
    for (kind, target) in [
        (MapperKind::Ridge, MapperTarget::Image),
        (MapperKind::KernelRidge, MapperTarget::Image),
        (MapperKind::Residual, MapperTarget::Image),
        (MapperKind::Paper, MapperTarget::Caption),
    ] {
        let wanted = FoldTraining::settings(TrainMapperSettings { target, ..wanted.clone() }, kind);
        let subject = PreparedSubject::open(&wanted.prepared).unwrap();
        let split = wanted.split.split(&subject).unwrap();
        let snapshot = run(&wanted, &mut Silent).unwrap().snapshot;
        let mapper = LoadedMapper::open(&snapshot, &cpu()).unwrap();
        let expected = values(mapper.embed(&subject.betas_of(&split.validation).unwrap(), &cpu()));

        let runs = || std::fs::read_dir(&wanted.runs).unwrap().count();
        let (before, mut progress) = (runs(), Silent);
        let device = cpu();
        let bench = &mut Workbench::new(&device, &wanted.cache, &mut progress);
        let mut training = FoldTraining::open(wanted.clone(), split.clone(), bench).unwrap();
        let found = training.decode(split.clone(), bench).unwrap();
        assert_eq!(found.dim(), (36, 8));
        let most = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(most < 1e-5, "{kind}: {most}");
        assert_eq!(runs(), before, "{kind}: no run stays");
    }
}
