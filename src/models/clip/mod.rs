//! CLIP (Radford et al. 2021, <https://arxiv.org/abs/2103.00020>): vision and text transformer, tokenizer, preprocessing.
//!
//! Specification: docs/spec/checkpoints.md §4 and §4.3; what is fed to it docs/spec/mapper.md §2.1.
//! Every size is a value of [`ClipConfig`], whose default is the published ViT-B/32. Parameter paths are the
//! project's own; names of published files live in `weights::clip`.

pub mod attention_block;
pub mod config;
pub mod encode_batches;
pub mod initial_weights;
pub mod network;
pub mod preprocess;
mod stored;
pub mod text;
pub mod text_cleaning;
pub mod tokenizer;
pub mod vision;

pub use config::{ClipActivation, ClipConfig};
pub use network::Clip;
