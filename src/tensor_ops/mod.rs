//! Pure functions on tensors; this rank knows only Burn and the kernels, which it chooses.

pub mod activation;
pub mod backend;
pub mod bias_act;
pub mod bilinear_sampling;
pub mod half;
pub mod host_values;
pub mod image_kernels;
pub mod kernel_choice;
pub mod mapper_kernels;
pub mod mixed_halves;
pub mod modulated_conv;
pub mod optimisers;
pub mod pixel_range;
pub mod random;
pub mod resample_conv;
pub mod resize;
pub mod same_type;
pub mod signed_max;
pub mod similarity;
pub mod spherical;
pub mod stored;
pub mod transformer_kernels;
pub mod upfirdn;
pub mod wide_products;
