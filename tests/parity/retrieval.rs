//! Retrieval counts and similarities against `identification.safetensors`. Counts must match exactly.
//!
//! Catches: forward and backward swapped, matching by index, the wrong axis of the arg-max.

use mindreader::metrics::retrieval::{Matching, RetrievalConfig, compute_retrieval, similarity_matrix};
use ndarray::Array2;

use crate::golden::{Golden, assert_close};

fn matrix(golden: &Golden, name: &str) -> Array2<f32> {
    let (values, shape) = golden.f32(name);
    Array2::from_shape_vec((shape[0], shape[1]), values).unwrap()
}

fn integer(golden: &Golden, name: &str) -> usize {
    usize::try_from(golden.ints(name).0[0]).unwrap()
}

#[test]
fn counts_and_similarities_match() {
    let Some(golden) = Golden::open("identification") else { return };
    for (set, cosine_tol, mixed_tol) in
        [("n12", 1.7e-6, 1.2e-5), ("n12_dup", 1.7e-6, 9.2e-6), ("n30", 1.3e-6, 2.4e-5)]
    {
        let target = matrix(&golden, &format!("{set}.target"));
        let predicted = matrix(&golden, &format!("{set}.pred"));
        for (name, cosine_weight, tolerance) in
            [("similarity", 1.0, cosine_tol), ("similarity_cosw0.5", 0.5, mixed_tol)]
        {
            let name = format!("{set}.{name}");
            let ours = similarity_matrix(target.view(), predicted.view(), cosine_weight).mapv(|s| s as f32);
            assert_close(&name, ours.as_slice().unwrap(), &golden.f32(&name).0, tolerance);
        }
        let ids: Vec<u64> = golden.ints(&format!("{set}.ids")).0.iter().map(|id| *id as u64).collect();
        let summary =
            compute_retrieval(predicted.view(), target.view(), &ids, &RetrievalConfig::default()).unwrap();
        assert_eq!(summary.batch_size, ids.len());
        let expected = |name: &str| integer(&golden, &format!("{set}.{name}"));
        assert_eq!(summary.forward.first_batch, expected("c1_pred_to_target"), "{set} forward");
        assert_eq!(summary.backward.first_batch, expected("c2_target_to_pred"), "{set} backward");
        // The golden count by index takes ties in favour, ours takes the first: they agree without duplicates.
        if set == "n12_dup" {
            continue;
        }
        let by_index = RetrievalConfig { matching: Matching::ByIndex, ..RetrievalConfig::default() };
        let summary = compute_retrieval(predicted.view(), target.view(), &ids, &by_index).unwrap();
        assert_eq!(summary.forward.first_batch, expected("top1_pred_to_target"), "{set} by index");
    }
}
