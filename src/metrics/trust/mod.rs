//! What makes the numbers of a decoder believable: lures, clusters, dimensions of the output, refits to permuted pairs, and what it
//! could have copied from training (docs/spec/metrics.md §9).

pub mod clusters;
pub mod dimensions;
pub mod levels;
pub mod lures;
pub mod permutation;
