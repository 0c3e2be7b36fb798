//! What a picture shows: a small residual network with a probability for every category, none excluding another.
//!
//! The project's own, after He et al. 2016 (<https://arxiv.org/abs/1512.03385>); what its probabilities are scored by is in
//! docs/spec/metrics.md §4, the categories in docs/spec/nsd-format.md §4.5.
//!
//! It judges drawn pictures: its pooled features serve distances between sets, its probabilities name what can be seen. No other
//! network is trained with it, so that nothing was fitted to please it.

mod config;
mod labels;
mod network;
pub mod preprocess;
mod stored;

pub use config::{ClassKind, ClassifierConfig, ClassifierSizes, SceneClass};
pub use labels::ShownClasses;
pub use network::Classifier;
