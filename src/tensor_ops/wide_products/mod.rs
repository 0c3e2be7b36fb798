//! Products of matrices in host memory, whose long sums are in double precision: [`add_wide_product`] and its operands.

pub use crate::kernels::panels::Matrix;
pub use crate::kernels::wide_sums::{Wanted, add_wide_product};
