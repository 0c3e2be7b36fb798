use super::*;
use crate::commands::fixtures::linear_brain::{settings, write_all};
use crate::data::formats::nifti;
use crate::models::encoder::{EncoderSizes, EncodingSpace};
use crate::pipelines::encoding::snapshot::LoadedEncoder;
use crate::pipelines::measured::ReferenceKind;
use crate::run::progress::Silent;
use crate::tensor_ops::backend::cpu;
use std::path::Path;

fn encode_settings(root: &Path, kind: EncodeKind) -> EncodeSettings {
    let mut encode = EncodeConfig { kind, ..EncodeConfig::default() };
    encode.bootstrap.resamples = 200;
    encode.network = EncoderSizes { num_blocks: 1, hidden: 8, fc: 16 };
    encode.train.epochs = 12;
    encode.train.optimiser.learning_rate = 1e-2;
    EncodeSettings { nsd: root.join("nsd"), encode, data: settings(root), captions: None }
}

#[test]
fn a_linear_brain_follows_from_embeddings() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let settings = encode_settings(folder.path(), EncodeKind::Ridge);
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!((summary.all.num_voxels, summary.all.ceiling), (40, None));
    assert_eq!((summary.kind, summary.num_images, summary.num_trials), (EncoderKind::Ridge, 18, 36));
    assert!(summary.all.accuracy > 0.4, "{summary:?}");
    let interval = summary.all.interval.unwrap();
    assert!(interval.low > 0.3 && interval.low < interval.mean && interval.mean < interval.high);
    let control = summary.all.control.unwrap();
    assert!(control.high < interval.low && control.mean.abs() < 0.2, "{control:?}");
    assert_eq!(summary.regions["nsdgeneral:nsdgeneral"], summary.all);
    let volume = nifti::read_volume(summary.accuracy.as_ref().unwrap(), "a test").unwrap();
    // Half of the grid is outside of the prepared voxels.
    let (of_brain, outside) = volume.data.split_at(40);
    assert!(outside.len() == 40 && outside.iter().all(|value| value.is_nan()), "{outside:?}");
    let mean = of_brain.iter().sum::<f64>() / 40.0;
    assert!((mean - summary.all.accuracy).abs() < 1e-6);
    assert!(summary.views.iter().all(|(_, _, file)| summary.run.join(file).is_file()));
    assert_eq!(summary.plots, ["plots/betas-1.svg", "plots/betas-2.svg"], "no ceiling, no chart of it");
    assert!(summary.plots.iter().all(|file| summary.run.join(file).is_file()));
    let Some(FittedOn::Ridge { penalties }) = &summary.fit else { panic!("{summary:?}") };
    assert_eq!(penalties.iter().map(|penalty| penalty.num_voxels).sum::<usize>(), 40);
    let again = run(&settings, &mut Silent).unwrap();
    assert_eq!(again.all, summary.all);
}

#[test]
fn both_encoders_are_scored_stored_and_predict_alike_from_their_files() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let settings = encode_settings(folder.path(), EncodeKind::Both);
    let summary = run(&settings, &mut Silent).unwrap();
    let beside = summary.beside.as_ref().unwrap();
    assert_eq!((summary.kind, beside.kind), (EncoderKind::Ridge, EncoderKind::Paper));
    assert!(beside.all.accuracy > 0.25, "{:?}", beside.all);
    assert!(beside.all.control.unwrap().high < beside.all.interval.unwrap().low);
    let numbers = summary.numbers();
    // All voxels first, both encoders together, each beside its control.
    let [ridge, paper, ..] = numbers.numbers() else { panic!("{numbers:?}") };
    assert_eq!(
        (ridge.decoder.as_str(), paper.decoder.as_str()),
        ("ridge encoder of the image embedding", "paper encoder of the image embedding")
    );
    assert_eq!((Some(ridge.value), Some(paper.value)), (summary.all.interval, beside.all.interval));
    for (number, region) in [(ridge, &summary.all), (paper, &beside.all)] {
        assert!(number.protocol.starts_with("all voxels, mean over 40"), "{number:?}");
        let control = number.reference(ReferenceKind::ExchangedBetas).unwrap();
        assert_eq!(Some(control.value), region.control.map(|control| control.mean));
    }
    assert_eq!(std::fs::read(summary.run.join(NUMBERS_FILE)).unwrap(), numbers.csv().unwrap());
    // 42 training images, of which seven choose.
    let FittedOn::Paper { num_fitted_trials, num_tuning_trials, epochs_trained, .. } = beside.fit else {
        panic!("{beside:?}")
    };
    assert_eq!((num_fitted_trials + num_tuning_trials, epochs_trained), (84, 12));
    assert!(num_tuning_trials > 0);
    assert!(beside.views.iter().all(|(_, _, file)| summary.run.join(file).is_file()));
    assert!(summary.run.join("paper-accuracy.nii.gz").is_file());
    let left: Vec<_> = std::fs::read_dir(folder.path().join("runs")).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing of the control stays: {left:?}");
    let device = cpu();
    for (path, accuracy) in
        [(summary.snapshot.as_ref().unwrap(), summary.all.accuracy), (&beside.snapshot, beside.all.accuracy)]
    {
        let encoder = LoadedEncoder::open(path, &device).unwrap();
        let mut bench = Silent;
        let mut bench = Workbench::new(&device, &settings.data.cache, &mut bench);
        let inputs = Inputs::read(&settings, &mut bench).unwrap();
        encoder.require_voxels(&inputs.subject).unwrap();
        encoder.require_split(&settings.data.split).unwrap();
        let held_out = inputs.latents.rows.slice(ndarray::s![inputs.num_train().., ..]).to_owned();
        let predicted = encoder.predict(&held_out, &device).unwrap();
        let order: Vec<usize> = (0..inputs.betas.nrows()).collect();
        let r =
            crate::metrics::correlation::voxel_correlation(predicted.view(), inputs.measured(&order).view())
                .unwrap();
        assert!((r.iter().sum::<f64>() / 40.0 - accuracy).abs() < 1e-4, "{}", path.display());
        let error = encoder.predict(&ndarray::Array2::zeros((1, 3)), &device).unwrap_err().to_string();
        assert!(error.contains("embed_dim: found 8, expected 3"), "{error}");
        let other = crate::data::split::SplitConfig { train_fraction: 0.5, ..settings.data.split.clone() };
        assert!(encoder.require_split(&other).unwrap_err().to_string().contains("split"));
    }
}

#[test]
fn a_network_goes_on_from_its_checkpoint_and_ridge_has_none() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut settings = encode_settings(folder.path(), EncodeKind::Paper);
    settings.encode.control = false;
    let whole = run(&settings, &mut Silent).unwrap();
    assert_eq!((whole.kind, whole.all.control), (EncoderKind::Paper, None));
    settings.data.resume = Some(whole.run.join(CHECKPOINT_FILE));
    let resumed = run(&settings, &mut Silent).unwrap();
    assert_eq!((resumed.run, resumed.all), (whole.run, whole.all));
    settings.encode.train.cosine_weight = 0.5;
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("encode.train.cosine_weight: found 0.6"), "{error}");
    settings.encode.kind = EncodeKind::Ridge;
    let error = run(&settings, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("`--resume`: found a file, expected none for the kind `ridge`"), "{error}");
}

#[test]
fn captions_are_encoded_alone_or_behind_the_images() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let mut settings = encode_settings(folder.path(), EncodeKind::Ridge);
    settings.encode.control = false;
    settings.encode.space = EncodingSpace::Both;
    settings.captions = Some(crate::commands::train_mapper::TrainMapperSettings {
        target: crate::models::mapper::MapperTarget::Caption,
        ..settings.data.clone()
    });
    let both = run(&settings, &mut Silent).unwrap();
    let encoder = LoadedEncoder::open(both.snapshot.as_ref().unwrap(), &cpu()).unwrap();
    assert_eq!(encoder.snapshot.network.embed_dim(), 16);
    assert_eq!(encoder.snapshot.latent_networks_sha256.len(), 2);
    settings.data = settings.captions.take().unwrap();
    settings.encode.space = EncodingSpace::Caption;
    let captions = run(&settings, &mut Silent).unwrap();
    assert_eq!(captions.space, EncodingSpace::Caption);
    assert_ne!(captions.all.accuracy, both.all.accuracy);
}
