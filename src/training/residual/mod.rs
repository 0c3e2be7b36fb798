//! Training of the residual decoder: ridge regression, a network that starts from it, and their blend.
//!
//! 1. On all images of the training part but the tuning images: ridge on weighted voxels, whose penalty the others choose, and one network
//!    from it; the others choose the blend α.
//! 2. On the whole training part, with that penalty and that α: ridge again, and a network per seed.
//!
//! There is no early stopping: the network of the last epoch counts. Nothing sees a trial outside the training part.
//!
//! Specification: docs/spec/decoders.md §1 to §3.

pub mod config;
pub(crate) mod dropout;
pub mod events;
pub(crate) mod fitted_part;
pub mod inputs;
pub(crate) mod task;
pub mod training;
