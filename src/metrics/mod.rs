//! Features and numbers in, numbers out.

pub mod average_precision;
pub mod bootstrap;
pub mod classification;
pub mod combined_retrieval;
pub mod correlation;
pub mod feature_stats;
pub mod frechet;
pub mod identification;
pub mod k_means;
pub mod naming;
pub mod near_duplicates;
pub mod pairwise;
pub mod resampled_auc;
pub mod retrieval;
pub mod share;
pub mod trust;
pub mod voxel_accuracy;
