//! What a picture shows: a small residual network with a probability for every category, none excluding another.
//!
//! It judges drawn pictures: its pooled features serve distances between sets, its probabilities name what can be seen. No other
//! network is trained with it, so that nothing was fitted to please it.

mod config;
mod labels;
mod network;
pub mod preprocess;

pub use config::{ClassKind, ClassifierConfig, ClassifierConfigError, ClassifierSizes, SceneClass};
pub use labels::ShownClasses;
pub use network::Classifier;
