//! Retrieval counts and similarities against `identification.safetensors`. Counts must match exactly.
//!
//! Catches: forward and backward swapped, matching by index, the wrong axis of the arg-max.

use mindreader::metrics::retrieval::{Matching, RetrievalConfig, compute_retrieval, similarity_matrix};
use ndarray::Array2;

use crate::golden::Golden;

fn matrix(golden: &Golden, name: &str) -> Array2<f32> {
    let (values, shape) = golden.f32(name);
    Array2::from_shape_vec((shape[0], shape[1]), values).unwrap()
}

#[test]
fn counts_and_similarities_match() {
    let Some(golden) = Golden::open("identification") else { return };
    for set in ["n12", "n12_dup", "n30"] {
        let target = matrix(&golden, &format!("{set}.target"));
        let predicted = matrix(&golden, &format!("{set}.pred"));
        for (name, cosine_weight) in [("similarity", 1.0), ("similarity_cosw0.5", 0.5)] {
            let ours = similarity_matrix(target.view(), predicted.view(), cosine_weight).mapv(|s| s as f32);
            golden.expect(&format!("{set}.{name}"), ours.as_slice().unwrap());
        }
        let ids: Vec<u64> = golden.ints(&format!("{set}.ids")).0.iter().map(|id| *id as u64).collect();
        let summary =
            compute_retrieval(predicted.view(), target.view(), &ids, &RetrievalConfig::default()).unwrap();
        assert_eq!(summary.batch_size, ids.len());
        let expect = |name: &str, count: usize| golden.expect_ints(&format!("{set}.{name}"), &[count as i64]);
        expect("c1_pred_to_target", summary.forward.first_batch);
        expect("c2_target_to_pred", summary.backward.first_batch);
        // The golden count by index takes ties in favour, ours takes the first: they agree without duplicates.
        if set == "n12_dup" {
            continue;
        }
        let by_index = RetrievalConfig { matching: Matching::ByIndex, ..RetrievalConfig::default() };
        let summary = compute_retrieval(predicted.view(), target.view(), &ids, &by_index).unwrap();
        expect("top1_pred_to_target", summary.forward.first_batch);
    }
}
