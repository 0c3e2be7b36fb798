//! The rules by hand, and the command on a small subject.

use std::path::Path;

use ndarray::array;

use super::*;
use crate::commands::fixtures::linear_brain::{settings as training, write_all};
use crate::data::split::{SplitConfig, SplitRule};
use crate::run::progress::Silent;

const TWO: ClusterRule = ClusterRule { clusters: 2, cluster: None };

fn settings(root: &Path, making: SplitMaking) -> SplitSettings {
    let training = training(root);
    let mut project = Project { subject: training.subject, ..Project::default() };
    project.paths.work = Some(root.join("work"));
    SplitSettings {
        prepared: training.prepared,
        stimuli: training.stimuli,
        clip: Some(training.target_network),
        cache: training.cache,
        device: training.device,
        project,
        mapper: training.mapper,
        making,
        seed: 0,
        existing: ExistingOutput::Refuse,
    }
}

#[test]
fn a_cluster_is_held_out_with_all_crops_of_its_photographs() {
    // Directions, not lengths, make clusters.
    let vectors = array![[1.0_f32, 0.1], [9.0, 0.0], [0.1, 1.0], [0.0, 5.0], [3.0, 0.2]];
    let made = make(&SplitMaking::Cluster(TWO), vectors.view(), &[1, 2, 3, 4, 5], 0, &mut Silent).unwrap();
    let sides: Vec<&[bool]> = made.sides.iter().map(|sides| &sides.is_test[..]).collect();
    assert_eq!(sides, [&[true, true, false, false, true], &[false, false, true, true, false]]);
    // The last two are crops of one photograph.
    let made = make(&SplitMaking::Cluster(TWO), vectors.view(), &[1, 2, 3, 4, 4], 0, &mut Silent).unwrap();
    assert_eq!(made.sides[1].is_test, [false, false, true, true, true]);
    let many = SplitMaking::Cluster(ClusterRule { clusters: 6, cluster: None });
    let error = make(&many, vectors.view(), &[1, 2, 3, 4, 5], 0, &mut Silent).err().unwrap().to_string();
    assert!(error.contains("`--clusters`: found 6, expected at most 5"), "{error}");
}

#[test]
fn near_duplicates_stay_on_one_side() {
    // Ten pairs, 5 degrees apart in planes of their own.
    let vectors = ndarray::Array2::from_shape_fn((20, 20), |(row, axis)| {
        let (sine, cosine) = 5_f32.to_radians().sin_cos();
        match axis {
            axis if axis == row / 2 * 2 => {
                if row % 2 == 0 {
                    1.0
                } else {
                    cosine
                }
            }
            axis if axis == row / 2 * 2 + 1 && row % 2 == 1 => sine,
            _ => 0.0,
        }
    });
    let photographs: Vec<u64> = (0..20).collect();
    let rule = SplitMaking::Tau(TauRule { threshold: 0.9, test_fraction: 0.25 });
    let made = make(&rule, vectors.view(), &photographs, 3, &mut Silent).unwrap();
    let is_test = &made.sides[0].is_test;
    assert_eq!(made.num_near_pairs, Some(10));
    assert!(is_test.chunks(2).all(|pair| pair[0] == pair[1]), "{is_test:?}");
    // 5 of 20 is not even: two pairs fit.
    assert_eq!(is_test.iter().filter(|is_test| **is_test).count(), 4);
    let other = make(&rule, vectors.view(), &photographs, 4, &mut Silent).unwrap();
    assert_ne!(&other.sides[0].is_test, is_test);
}

#[test]
fn splits_are_written_once_and_commands_read_them() {
    let root = tempfile::tempdir().unwrap();
    write_all(root.path());
    let all = settings(root.path(), SplitMaking::Cluster(TWO));
    let summary = run(&all, &mut Silent).unwrap();
    let names: Vec<&str> = summary.splits.iter().map(|split| split.name.as_str()).collect();
    assert_eq!((names, summary.num_images), (vec!["cluster-k2-0", "cluster-k2-1"], 60));
    let [first, second] = &summary.splits[..] else { panic!("{summary:?}") };
    assert_eq!(first.num_test_images, second.num_train_images);
    assert_eq!(
        (first.num_test_trials, first.num_test_images + second.num_test_images),
        (2 * first.num_test_images, 60)
    );
    assert!(
        first.file.ends_with("work/splits/subj02-cluster-k2-0.json") && first.largest_cosine_across <= 1.0
    );
    let stored = SplitFile::read(&first.file).unwrap();
    assert_eq!(
        (stored.sha256.as_str(), stored.parameters["cluster"].as_u64()),
        (first.sha256.as_str(), Some(0))
    );
    assert!(stored.network_sha256.is_some());
    assert_eq!(stored.parameters["space"], "image");

    let subject = PreparedSubject::open(&all.prepared).unwrap();
    let of_file = |file: &Path| SplitConfig {
        rule: SplitRule::File,
        file: Some(file.into()),
        ..SplitConfig::default()
    };
    let split = of_file(&first.file).split(&subject).unwrap();
    assert_eq!(split.validation.len(), first.num_test_trials);
    let error = SplitConfig { file: None, ..of_file(&first.file) }.split(&subject).unwrap_err().to_string();
    assert!(error.contains("`split.file`") && error.contains("mindreader split"), "{error}");

    let error = run(&all, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("cluster-k2-0.json` is there already"), "{error}");
    // Pixels need no CLIP.
    let mut pixels = SplitSettings { clip: None, existing: ExistingOutput::Replace, ..all };
    let summary = run(&pixels, &mut Silent).unwrap();
    // Less its mean, a picture of two halves is one of two: bright left, or bright right.
    assert!(summary.splits[0].largest_cosine_across < -0.99, "{summary:?}");
    let stored = SplitFile::read(&summary.splits[0].file).unwrap();
    assert_eq!((stored.network_sha256, stored.parameters["space"].as_str()), (None, Some("pixels")));
    // So nearly all are near-duplicates of each other, and no part of them can be held out.
    pixels.making = SplitMaking::Tau(TauRule { threshold: 0.95, test_fraction: 0.2 });
    let error = run(&pixels, &mut Silent).unwrap_err().to_string();
    assert!(error.contains("`tau`: one side would be empty"), "{error}");
}

#[test]
fn numbers_of_the_rules_have_ranges() {
    for (making, expected) in [
        (
            SplitMaking::Cluster(ClusterRule { clusters: 1, cluster: None }),
            "`--clusters`: found 1, expected 2 to 1000",
        ),
        (
            SplitMaking::Cluster(ClusterRule { clusters: 5, cluster: Some(5) }),
            "`--cluster`: found 5, expected 0 to 4",
        ),
        (SplitMaking::Tau(TauRule { threshold: 1.0, test_fraction: 0.2 }), "`--threshold`: found 1"),
        (
            SplitMaking::Tau(TauRule { threshold: 0.9, test_fraction: f64::NAN }),
            "`--test-fraction`: found NaN",
        ),
    ] {
        let error = making.validate().unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
