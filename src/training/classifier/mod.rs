//! Training of the scene classifier, the judge of pictures.

pub mod config;
pub mod evaluation;
pub mod labelled_images;
pub mod training;
