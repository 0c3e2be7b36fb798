//! From disk to batches: file formats, what NSD means, COCO annotations, the phantom.

pub mod coco;
pub mod error;
pub mod formats;
pub mod image;
pub mod nsd;
pub mod phantom;
pub mod subject;
pub mod trial;
