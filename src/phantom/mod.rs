//! The phantom: a synthetic subject in NSD's own files whose brain is known.
//!
//! What NSD is and how its files look: the readers in `data::nsd`. What this subject sees and how it responds is
//! told here, from stimulus to stored number:
//!
//! 1. [`design`]: which of 73,000 images is shown when, by NSD's rules.
//! 2. [`stimuli`]: each image is a procedural scene ([`scenes`]) or a square crop of a photograph ([`photographs`]).
//! 3. [`visual_features`], [`semantic_features`]: what an image offers to early and to high-level vision;
//!    [`image_features`] standardises both over the phantom's images.
//! 4. [`anatomy`], [`atlas`]: two folded sheets in NSD's grid, with NSD's regions and a visual field map.
//! 5. [`tuning`]: what each voxel responds to and its signal-to-noise ratio,
//!    `k = signal · k₀ · exp(0.55 z)`, `k₀` such that the median n = 3 noise ceiling of nsdgeneral,
//!    `100 k²/(k² + 1/3)`, is NSD's 36 % at `signal = 1`.
//! 6. [`responses`]: betas in percent signal change, with shared noise, gain, offset and drift per session.
//! 7. [`files`]: all of it in NSD's tree; beside it `truth.h5` and the marker `phantom.json`.
//!
//! Everything follows from the settings in [`config`], the seed among them: the same settings give the same bytes
//! on any number of threads. The equations with their units are in `docs/phantom.md`.

pub mod anatomy;
pub mod atlas;
pub mod config;
pub mod cortical_voxel;
pub mod design;
pub mod files;
pub mod image_features;
pub mod noise_field;
pub mod photographs;
pub mod responses;
pub mod scene_plan;
pub mod scenes;
pub mod semantic_features;
pub mod stimuli;
pub mod subject;
pub mod tuning;
pub mod tuning_weights;
pub mod visual_features;
pub mod voxel_kind;

pub use config::{BetaFiles, PhantomConfig, PhantomSize, StimulusSource};
pub use files::marker::{Existing, Marker};
pub use subject::{Phantom, PhantomCounts, Stage};
