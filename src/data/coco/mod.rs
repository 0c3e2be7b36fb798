//! COCO 2017 annotations of the photographs behind NSD's images: captions, things and stuff.
//!
//! They describe the whole photograph; NSD's crop may have cut some of it away (see `data::image::crop`).

mod annotation_stream;
pub mod captions;
pub mod categories;
pub mod clipping;
pub mod crop_shares;
pub mod objects;
pub mod photograph_files;
mod run_lengths;
pub mod vetted_captions;
