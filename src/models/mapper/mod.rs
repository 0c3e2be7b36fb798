//! fMRI → embedding: the residual convolutional mapper of *Mind Reader* (Lin, Sprague, Singh 2022,
//! <https://arxiv.org/abs/2210.01769>, section 3.2 and appendix A.2).
//!
//! Specification: docs/spec/mapper.md §3; names of published files: docs/spec/mapper.md §3.1.

mod conv;
mod embedding_critic;
mod expander;
mod network;
mod padding;
mod position_head;
mod res_block;
mod snapshot;
mod stored;

pub use conv::{SignalConv, SignalConvConfig};
pub use embedding_critic::{CriticLayer, EmbeddingCritic, EmbeddingCriticConfig};
pub use expander::{Expander, ExpanderConfig, ExpanderLayer};
pub use network::{MOST_HALVINGS, MOST_VOXELS, Mapper, MapperConfig};
pub use padding::between_zeros;
pub use position_head::PositionHead;
pub use res_block::ResBlock;
pub use snapshot::{MapperSnapshot, MapperTarget, RESNET_CENTRE};
