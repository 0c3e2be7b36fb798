//! Procedural scenes in COCO's vocabulary: the phantom's own stimuli.
//!
//! A [`Scene`] is a description (place, things, relation, light) drawn from a seed; the renderer, the captions
//! and the annotations all read that one description. Coordinates are the pixels of a COCO-like picture of
//! 640 × 480 or 480 × 640, of which NSD shows a square crop; y grows downwards.

pub mod annotation;
pub mod backdrop;
pub mod canvas;
pub mod captions;
pub mod colour;
pub mod composition;
pub mod geometry;
pub mod letters;
pub mod mask;
pub mod pen;
pub mod places;
pub mod render;
pub mod texture;
pub mod things;

pub use composition::Scene;
