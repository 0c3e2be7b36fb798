//! Fit of the kernel ridge decoder: radial basis functions over weighted voxels.
//!
//! The penalty is chosen on the tuning images of the training part, then all of it is fitted.
//!
//! Specification: docs/spec/decoders.md §4.

pub mod config;
pub mod fit;
