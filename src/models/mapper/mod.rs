//! fMRI → embedding: the residual convolutional mapper of *Mind Reader* (Lin, Sprague, Singh 2022,
//! <https://arxiv.org/abs/2210.01769>, section 3.2 and appendix A.2), and three decoders without convolutions: linear, residual,
//! kernel.
//!
//! Specification: docs/spec/mapper.md §3; names of published files: docs/spec/mapper.md §3.1.

mod conv;
mod dense;
mod embedding_critic;
mod expander;
mod kernel;
mod kinds;
mod linear;
mod network;
mod padding;
mod position_head;
mod res_block;
mod residual;
mod residual_network;
mod snapshot;
mod stored;

pub use conv::{SignalConv, SignalConvConfig};
pub use dense::Dense;
pub use embedding_critic::{CriticLayer, EmbeddingCritic, EmbeddingCriticConfig};
pub use expander::{Expander, ExpanderConfig, ExpanderLayer};
pub use kernel::{KernelMapper, KernelMapperConfig};
pub use kinds::{MapperKind, MapperNetwork, MapperNetworkConfig, MapperShape};
pub use linear::{LinearMapper, LinearMapperConfig};
pub use network::{MOST_HALVINGS, MOST_VOXELS, Mapper, MapperConfig};
pub use padding::between_zeros;
pub use position_head::PositionHead;
pub use res_block::ResBlock;
pub use residual::{MOST_MEMBERS, ResidualConfig, ResidualMapper};
pub use residual_network::{HiddenBlock, HiddenDropout, ResidualNetwork, ResidualSizes};
pub use snapshot::{AnyMapperSnapshot, MapperSnapshot, MapperTarget, RESNET_CENTRE};
