//! Kernels for the CPU that take whole steps of a network at once.
//!
//! They work on host memory in single precision and record no gradient of their own. Every caller keeps the portable
//! formulation beside them, and [`host_values::kernels_apply`] chooses. Sums are taken in an order that depends on
//! shapes alone, so results do not depend on the number of threads.

pub mod attention;
pub mod direct_conv;
pub mod dots;
pub mod downsampling_conv;
pub mod exponential;
pub mod few_outputs;
pub mod host_values;
pub mod kernel_slope;
pub mod layer_norm;
pub mod modulation;
pub mod panels;
pub mod planes;
pub mod pointwise_conv;
pub mod position_grid;
pub mod position_head;
pub mod product;
pub mod sides;
pub mod signal_conv;
pub mod simd;
pub mod tap_conv;
pub mod tile;
pub mod transformer_block;
pub mod upsampling_conv;
pub mod winograd;
