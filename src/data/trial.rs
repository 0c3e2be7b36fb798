//! Trials and image ids as distinct types, so that 0-based, 1-based and COCO numbers cannot be mixed up.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Stimulus trials in every session of every subject.
pub const TRIALS_PER_SESSION: usize = 750;

/// Images in the NSD stimulus set.
pub const NUM_IMAGES: usize = 73_000;

/// Number of an NSD image, 0-based: row of the stimulus table and of `imgBrick` (`73KID − 1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NsdId(pub u32);

impl NsdId {
    /// The row of this image in tables with one row per NSD image.
    pub fn row(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for NsdId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "nsd {}", self.0)
    }
}

/// Number of a COCO image, unique over `train2017` and `val2017`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CocoId(pub u64);

impl fmt::Display for CocoId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "coco {}", self.0)
    }
}

/// One presentation of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Trial {
    /// The image shown.
    pub nsd_id: NsdId,
    /// Scan session, 1-based as in file names.
    pub session: u16,
    /// How often the subject had seen the image before, over the whole experiment: 0, 1 or 2.
    pub repetition: u8,
}
