//! n-way identification against the exact (hypergeometric) probabilities of `identification.safetensors`.
//!
//! Catches: generated and true pictures swapped, ties in favour, draws with replacement, a wrong number of distractors.

use mindreader::metrics::identification::{
    Distractors, Identification, IdentificationConfig, compute_identification,
};
use ndarray::Array2;

use crate::golden::{Golden, assert_close};

#[test]
fn exact_probabilities_top_counts_and_draws_match() {
    let Some(golden) = Golden::open("identification") else { return };
    let matrix = |name: String| {
        let (values, shape) = golden.f32(&name);
        Array2::from_shape_vec((shape[0], shape[1]), values).unwrap()
    };
    for (set, ways) in [("n12", [2, 5, 10, 12]), ("n12_dup", [2, 5, 10, 12]), ("n30", [2, 5, 10, 30])] {
        let (predicted, target) = (matrix(format!("{set}.pred")), matrix(format!("{set}.target")));
        let ids: Vec<u64> = golden.ints(&format!("{set}.ids")).0.iter().map(|id| *id as u64).collect();
        // The golden numbers draw rows, also those of the same stimulus.
        let rows =
            Identification::new(predicted.view(), target.view(), &ids, Distractors::OtherTrials).unwrap();
        for n in ways {
            let name = format!("{set}.nway{n}");
            let exact: Vec<f32> = rows.exact(n).unwrap().iter().map(|share| *share as f32).collect();
            assert_close(&name, &exact, &golden.f32(&name).0, 2e-6);
        }
        for k in [1, 5] {
            let expected = golden.ints(&format!("{set}.top{k}_pred_to_target")).0[0];
            assert_eq!(rows.count_top(k) as i64, expected, "{set} top {k}");
        }
        let config = IdentificationConfig {
            ways: ways.to_vec(),
            repeats: 400,
            distractors: Distractors::OtherTrials,
            ..IdentificationConfig::default()
        };
        for accuracy in compute_identification(predicted.view(), target.view(), &ids, &config).unwrap() {
            let golden = golden.f32(&format!("{set}.nway{}", accuracy.ways)).0;
            let expected = golden.iter().sum::<f32>() as f64 / golden.len() as f64;
            let error = accuracy.deviation / 400_f64.sqrt();
            assert!(
                (accuracy.mean - expected).abs() <= 4.5 * error + 1e-6,
                "{set}: {accuracy:?}, {expected}"
            );
        }
    }
}
