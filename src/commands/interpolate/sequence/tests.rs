//! Sequences of the small linear brain.

use serde_json::Value;

use super::*;
use crate::commands::interpolate::tests::scene;
use crate::data::formats::hdf5::H5File;
use crate::error::ErrorClass;
use crate::run::progress::Silent;

fn manifest(summary: &SequenceSummary) -> Value {
    serde_json::from_slice(&std::fs::read(&summary.manifest).unwrap()).unwrap()
}

#[test]
fn images_in_random_order_are_not_smoothed_and_smoothing_them_loses() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = scene(root.path());
    settings.interpolate.sequence = true;
    settings.interpolate.limit = 18;
    let summary = run(&settings, &mut Silent).unwrap();
    assert_eq!((summary.num_scans, summary.similarity.len()), (18, 1));
    let strength = &summary.strengths[0];
    // 42 training images, of which the last seven were seen in 14 trials.
    assert_eq!((strength.num_trials, strength.num_images, strength.tried.len()), (14, 7, 10));
    assert!(strength.strength >= 0.8, "one image says nothing of the next: {strength:?}");
    let found = &summary.similarity[0];
    let (decoded, floor) = (found.decoded.unwrap(), found.others.unwrap());
    assert!(decoded.mean > floor.mean, "{found:?}");
    settings.interpolate.smoothing = Some(0.2);
    let summary = run(&settings, &mut Silent).unwrap();
    let found = &summary.similarity[0];
    let gain = found.gain.unwrap();
    assert!(gain.high < 0.0 && found.gain_in_exchanged_order.is_some(), "{found:?}");
    assert_eq!(summary.strengths[0].num_trials, 0);
    let manifest = manifest(&summary);
    let scan = &manifest["scans"][0];
    assert_eq!(
        (&scan["trial"], &scan["session"], &scan["is_held_out"]),
        (&42.into(), &1.into(), &true.into())
    );
    assert!(summary.run.join(scan["smoothed"].as_str().unwrap()).is_file());
    // The first scan of a session is not smoothed, the next one is.
    let cosine = |scan: usize, which: &str| manifest["scans"][scan][which][0].as_f64().unwrap();
    assert!((cosine(0, "decoded_cosines") - cosine(0, "smoothed_cosines")).abs() < 1e-6);
    assert_ne!(cosine(1, "decoded_cosines"), cosine(1, "smoothed_cosines"));
    let text = summary.text();
    assert!(text.contains("18 scans in time order") && text.contains("control"), "{text}");
    let steps = |film: usize| manifest["films"][film]["evenness"][0]["mean_step"].as_f64().unwrap();
    assert!(steps(1) < 0.7 * steps(0), "smoothed steps are shorter: {} {}", steps(1), steps(0));
}

#[test]
fn trials_that_are_not_in_time_order_are_refused_in_one_line() {
    let root = tempfile::tempdir().unwrap();
    let mut settings = scene(root.path());
    settings.interpolate.sequence = true;
    settings.interpolate.trials = vec![44, 43];
    let error = run(&settings, &mut Silent).unwrap_err();
    assert!(
        error.to_string().contains("`interpolate.trials`: found 43 behind 44, expected ascending trials"),
        "{error}"
    );
    settings.interpolate.trials = vec![43, 44];
    settings.interpolate.smoothing = Some(0.5);
    assert_eq!(run(&settings, &mut Silent).unwrap().num_scans, 2);
    // The second half of the trials as if it had been measured first.
    let sessions: Vec<u16> = (0..120).map(|trial| if trial < 60 { 2 } else { 1 }).collect();
    let file = hdf5_metno::File::open_rw(&settings.prepared).unwrap();
    file.dataset("session").unwrap().write(&sessions).unwrap();
    drop(file);
    assert!(H5File::open(&settings.prepared, "a test").is_ok());
    let error = run(&settings, &mut Silent).unwrap_err();
    assert_eq!(error.class(), ErrorClass::BadInput);
    let text = error.to_string();
    assert!(text.contains("subj02.h5") && text.contains("1 behind 2 (trial 60)"), "{text}");
    assert!(text.contains("--sequence") && text.lines().count() == 1, "{text}");
}
