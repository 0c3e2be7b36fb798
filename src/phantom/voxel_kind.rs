//! What a voxel can be selective for.

/// Kind of a voxel; the number is its code in `truth.h5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VoxelKind {
    /// Noise only.
    Unresponsive = 0,
    /// Sees a part of the visual field.
    Retinotopic = 1,
    /// Face area.
    Faces = 2,
    /// Body area.
    Bodies = 3,
    /// Place area.
    Places = 4,
    /// Word area.
    Words = 5,
    /// A mixture of categories, colours and spatial frequencies.
    Mixed = 6,
}

impl VoxelKind {
    /// Names by code.
    pub const NAMES: [&str; 7] =
        ["unresponsive", "retinotopic", "faces", "bodies", "places", "words", "mixed"];
}

/// A Gaussian receptive field in degrees of visual angle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReceptiveField {
    /// Centre, to the right of fixation.
    pub x: f64,
    /// Centre, above fixation.
    pub y: f64,
    /// Standard deviation.
    pub size: f64,
}
