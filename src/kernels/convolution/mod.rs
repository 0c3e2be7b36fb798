//! Convolutions of the GAN and their derivatives.

pub mod direct_conv;
pub mod downsampling_conv;
pub mod few_outputs;
pub mod kernel_slope;
pub mod modulation;
pub mod pointwise_conv;
pub mod position_grid;
pub mod tap_conv;
pub mod upsampling_conv;
pub mod winograd;
