//! Kernels for the CPU that take whole steps of a network at once.
//!
//! They work on host memory in single precision, know no tensors and record no gradient. `tensor_ops` alone calls them: it
//! keeps the portable formulation beside them and chooses (`tensor_ops::kernel_choice`). Sums are taken in an order that depends on
//! shapes alone, so results do not depend on the number of threads.

pub mod adamw;
pub mod convolution;
pub mod dots;
pub mod exponential;
pub mod mapper;
pub mod panels;
pub mod planes;
pub mod product;
pub mod sides;
pub mod simd;
pub mod sum;
pub mod tile;
pub mod transformer;
pub mod wide_sums;
