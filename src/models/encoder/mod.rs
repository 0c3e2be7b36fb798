//! Embedding → fMRI: the encoding network of *Mind Reader* (Lin, Sprague, Singh 2022, <https://arxiv.org/abs/2210.01769>, appendix
//! A.8), and ridge regression with the same input and output.
//!
//! Specification: docs/spec/mapper.md §8.

mod doubling_conv;
mod kinds;
mod linear;
mod network;
mod snapshot;

pub use doubling_conv::DoublingConv;
pub use kinds::{EncoderKind, EncoderNetwork, EncoderNetworkConfig};
pub use linear::{LinearEncoder, LinearEncoderConfig};
pub use network::{Encoder, EncoderConfig, EncoderSizes};
pub use snapshot::{EncoderSnapshot, EncodingSpace};
