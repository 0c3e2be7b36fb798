//! Training of the scene classifier, the judge of pictures.
//!
//! [`training`] is the door; [`task`] says what a step, an evaluation and a checkpoint of it are.

pub mod config;
pub mod error;
pub mod evaluation;
pub mod labelled_images;
pub(crate) mod task;
pub mod training;
