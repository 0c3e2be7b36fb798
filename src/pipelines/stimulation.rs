//! Microstimulation in silico: betas of a region set to a constant (docs/spec/mapper.md §11).
//!
//! Works on z-scored, unpadded betas; padding happens later, so that voxel indices are those of the prepared file.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// What is done to the voxels of a region.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stimulation {
    /// Betas set to a high value.
    Excite,
    /// Betas set to 0, the voxel's session mean.
    Silence,
}

/// The paper's level of excitation, in standard deviations of a voxel's betas within a session.
pub const EXCITED_BETA: f32 = 10.0;

impl Stimulation {
    /// The value that a stimulated voxel takes; `excited` is used by [`Stimulation::Excite`].
    pub fn value(self, excited: f32) -> f32 {
        match self {
            Self::Excite => excited,
            Self::Silence => 0.0,
        }
    }
}

/// The betas with every voxel of `voxels` set to `value`.
///
/// # Shapes
/// - betas: `[trials, voxels]`, z-scored within session
pub fn stimulated(betas: &Array2<f32>, voxels: &[usize], value: f32) -> Array2<f32> {
    let mut changed = betas.clone();
    for &voxel in voxels {
        changed.column_mut(voxel).fill(value);
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn only_the_region_changes() {
        let betas = array![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
        let excited = stimulated(&betas, &[0, 2], Stimulation::Excite.value(EXCITED_BETA));
        assert_eq!(excited, array![[10.0, 2.0, 10.0], [10.0, 5.0, 10.0]]);
        let silenced = stimulated(&betas, &[1], Stimulation::Silence.value(EXCITED_BETA));
        assert_eq!(silenced, array![[1.0, 0.0, 3.0], [4.0, 0.0, 6.0]]);
    }
}
