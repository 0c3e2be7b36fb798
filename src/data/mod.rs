//! From disk to batches: file formats, what NSD means, COCO annotations, the phantom.

pub mod coco;
pub mod error;
pub mod folds;
pub mod formats;
pub mod image;
pub mod image_collection;
pub mod import;
pub mod nsd;
pub mod padding;
pub mod prepared;
pub mod split;
pub mod split_file;
pub mod standardize;
pub mod subject;
pub mod targets;
pub mod trial;
