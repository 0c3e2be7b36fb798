//! Where NSD's regions lie on the sheet, and what visual field its retinotopic part sees.
//!
//! Label numbers and names are NSD's (docs/spec/nsd-format.md §2.3). Positions are the phantom's own, arranged as in
//! the human brain: V1 on the medial wall between the dorsal and ventral halves of V2 and V3, hV4 below; place areas
//! medial, face, body and word areas lateral-ventral.

use super::cortical_voxel::{CorticalVoxel, SheetPoint};
use crate::data::nsd::region_atlas::{REGION_ATLASES, RegionAtlas};
use crate::data::nsd::tree::Hemisphere;

/// The region files of a phantom: those published atlases that this file draws.
pub fn region_files() -> impl Iterator<Item = &'static RegionAtlas> {
    REGION_ATLASES.iter().filter(|atlas| {
        let is_computed = matches!(atlas.name, "nsdgeneral" | "prf-visualrois" | "prf-eccrois" | "streams");
        is_computed || PATCHES.iter().any(|patch| patch.roi == atlas.name)
    })
}

/// A patch of the sheet: label, centre and half-widths in extent and azimuth.
struct Patch {
    roi: &'static str,
    label: i8,
    centre: (f64, f64),
    half_width: (f64, f64),
    /// Size in the right hemisphere relative to the left: faces lean right, words left.
    right_size: f64,
}

const fn patch(
    roi: &'static str,
    label: i8,
    centre: (f64, f64),
    half_width: (f64, f64),
    right_size: f64,
) -> Patch {
    Patch { roi, label, centre, half_width, right_size }
}

/// Category regions. `aTL-faces` lies beyond nsdgeneral and is empty, as it is in several of NSD's subjects.
const PATCHES: [Patch; 15] = [
    patch("floc-faces", 1, (0.45, -152.0), (0.14, 20.0), 1.15),
    patch("floc-faces", 2, (0.66, -119.0), (0.12, 14.0), 1.15),
    patch("floc-faces", 3, (0.86, -117.0), (0.1, 14.0), 1.15),
    patch("floc-faces", 4, (0.97, -110.0), (0.06, 10.0), 1.0),
    patch("floc-bodies", 1, (0.52, 172.0), (0.19, 24.0), 1.1),
    patch("floc-bodies", 2, (0.68, -138.0), (0.11, 12.0), 1.1),
    patch("floc-bodies", 3, (0.87, -136.0), (0.1, 12.0), 1.1),
    patch("floc-bodies", 4, (0.97, -132.0), (0.05, 10.0), 1.0),
    patch("floc-places", 1, (0.48, 118.0), (0.17, 20.0), 1.0),
    patch("floc-places", 2, (0.76, -88.0), (0.16, 14.0), 1.0),
    patch("floc-places", 3, (0.9, 6.0), (0.1, 26.0), 1.0),
    patch("floc-words", 1, (0.48, -128.0), (0.1, 10.0), 0.85),
    patch("floc-words", 2, (0.74, -156.0), (0.11, 11.0), 0.8),
    patch("floc-words", 3, (0.9, -158.0), (0.09, 11.0), 0.75),
    patch("floc-words", 4, (0.7, -103.0), (0.08, 7.0), 0.8),
];

/// Azimuths of the borders of V1, V2 and V3 (both halves) and of hV4 (ventral).
const V1_BORDER: f64 = 30.0;
const V2_BORDER: f64 = 52.0;
const V3_BORDER: f64 = 70.0;
const V4_BORDER: f64 = 98.0;
/// Extent of the retinotopic areas.
const EARLY_EXTENT: f64 = 0.8;
/// Eccentricity in degrees at that extent, and the constant of the logarithmic magnification.
const LARGEST_ECCENTRICITY: f64 = 6.0;
const FOVEAL_CONSTANT: f64 = 0.75;

/// Distance from the pole that decides what belongs to nsdgeneral: it reaches farther on the lateral and
/// ventral side, as NSD's does.
pub fn reach(point: SheetPoint) -> f64 {
    let outward = (180.0 - point.azimuth.abs()).to_radians().cos();
    let downward = (-point.azimuth.to_radians()).sin();
    point.extent * (1.0 - 0.06 * outward - 0.08 * downward)
}

/// Label of a voxel in a region file; 0 where it has none.
pub fn label(roi: &str, voxel: &CorticalVoxel) -> i8 {
    match roi {
        "nsdgeneral" => i8::from(voxel.is_visual),
        "prf-visualrois" => visual_area(voxel).map_or(0, |(area, _)| area.label()),
        "prf-eccrois" => visual_area(voxel).map_or(0, |(_, field)| {
            let bounds = [0.5, 1.0, 2.0, 4.0];
            bounds.iter().filter(|bound| field.eccentricity() > **bound).count() as i8 + 1
        }),
        "streams" if voxel.point.extent <= 1.0 => stream(voxel.point),
        _ => PATCHES
            .iter()
            .find(|patch| patch.roi == roi && voxel.point.extent <= 1.05 && patch.holds(voxel))
            .map_or(0, |patch| patch.label),
    }
}

impl Patch {
    fn holds(&self, voxel: &CorticalVoxel) -> bool {
        let size = if voxel.hemisphere == Hemisphere::Right { self.right_size } else { 1.0 };
        let along = (voxel.point.extent - self.centre.0) / self.half_width.0;
        // Azimuths go round: −179° and 179° are neighbours.
        let mut turn = (voxel.point.azimuth - self.centre.1).abs();
        if turn > 180.0 {
            turn = 360.0 - turn;
        }
        along * along + (turn / self.half_width.1).powi(2) < size * size
    }
}

fn stream(point: SheetPoint) -> i8 {
    let is_early = point.azimuth.abs() <= V3_BORDER;
    let is_near = point.extent < 0.55;
    match point.azimuth {
        _ if is_early && point.extent <= EARLY_EXTENT => 1,
        azimuth if is_early => {
            if azimuth > 0.0 {
                7
            } else {
                5
            }
        }
        azimuth if (-135.0..0.0).contains(&azimuth) => {
            if is_near {
                2
            } else {
                5
            }
        }
        azimuth if (0.0..135.0).contains(&azimuth) => {
            if is_near {
                4
            } else {
                7
            }
        }
        _ => {
            if is_near {
                3
            } else {
                6
            }
        }
    }
}

/// A retinotopic area with its half of the visual field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum VisualArea {
    V1v,
    V1d,
    V2v,
    V2d,
    V3v,
    V3d,
    HV4,
}

impl VisualArea {
    /// Number in prf-visualrois.
    pub fn label(self) -> i8 {
        self as i8 + 1
    }

    /// Receptive field size in degrees (standard deviation) at an eccentricity in degrees: linear, growing from
    /// area to area as in population receptive field studies.
    pub fn field_size(self, eccentricity: f64) -> f64 {
        let (foveal, slope) = match self {
            Self::V1v | Self::V1d => (0.22, 0.10),
            Self::V2v | Self::V2d => (0.30, 0.15),
            Self::V3v | Self::V3d => (0.42, 0.21),
            Self::HV4 => (0.70, 0.32),
        };
        foveal + slope * eccentricity
    }
}

/// Centre of a receptive field in degrees of visual angle from fixation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldCentre {
    /// Degrees to the right of fixation.
    pub x: f64,
    /// Degrees above fixation.
    pub y: f64,
}

impl FieldCentre {
    /// Distance from fixation in degrees.
    pub fn eccentricity(self) -> f64 {
        self.x.hypot(self.y)
    }
}

/// The retinotopic area of a voxel and where it looks: eccentricity grows exponentially with the distance from
/// the pole, polar angle runs across each area and turns back at its borders, the left hemisphere sees right.
pub fn visual_area(voxel: &CorticalVoxel) -> Option<(VisualArea, FieldCentre)> {
    let SheetPoint { extent, azimuth } = voxel.point;
    if extent > EARLY_EXTENT || !voxel.is_visual {
        return None;
    }
    let dorsal = azimuth > 0.0;
    let across = azimuth.abs();
    let share = |from: f64, to: f64| (across - from) / (to - from);
    // Polar angle in degrees away from the horizontal meridian, before the sign of the half is applied.
    let (area, angle) = if across < V1_BORDER {
        (if dorsal { VisualArea::V1d } else { VisualArea::V1v }, 90.0 * share(0.0, V1_BORDER))
    } else if across < V2_BORDER {
        (if dorsal { VisualArea::V2d } else { VisualArea::V2v }, 90.0 * (1.0 - share(V1_BORDER, V2_BORDER)))
    } else if across < V3_BORDER {
        (if dorsal { VisualArea::V3d } else { VisualArea::V3v }, 90.0 * share(V2_BORDER, V3_BORDER))
    } else if !dorsal && across < V4_BORDER {
        (VisualArea::HV4, 90.0 - 180.0 * share(V3_BORDER, V4_BORDER))
    } else {
        return None;
    };
    // `d = A · ln(1 + E/E₀)` solved for E: the fovea gets most of the cortex.
    let growth = (1.0 + LARGEST_ECCENTRICITY / FOVEAL_CONSTANT).ln();
    let eccentricity = FOVEAL_CONSTANT * ((extent / EARLY_EXTENT * growth).exp() - 1.0);
    // Dorsal halves see the lower field.
    let angle = if dorsal { -angle } else { angle }.to_radians();
    let side = if voxel.hemisphere == Hemisphere::Left { 1.0 } else { -1.0 };
    let centre = FieldCentre { x: side * eccentricity * angle.cos(), y: eccentricity * angle.sin() };
    Some((area, centre))
}

#[cfg(test)]
mod tests {
    use super::super::anatomy::Anatomy;
    use super::super::config::{PhantomConfig, PhantomSize};
    use super::*;

    fn counts(size: PhantomSize, roi: &str) -> Vec<usize> {
        let anatomy = Anatomy::grow(&PhantomConfig { size, ..Default::default() });
        let mut counts = vec![0; 9];
        anatomy.cortex.iter().for_each(|voxel| counts[label(roi, voxel) as usize] += 1);
        counts
    }

    #[test]
    fn nsdgeneral_has_the_exact_number_of_voxels() {
        for (size, expected) in
            [(PhantomSize::Tiny, 300), (PhantomSize::Small, 1200), (PhantomSize::Full, 15_724)]
        {
            assert_eq!(counts(size, "nsdgeneral")[1], expected, "{size:?}");
        }
    }

    #[test]
    fn every_region_but_the_far_ones_has_voxels_in_both_hemispheres() {
        for size in [PhantomSize::Tiny, PhantomSize::Small] {
            let anatomy = Anatomy::grow(&PhantomConfig { size, ..Default::default() });
            for roi in region_files() {
                for hemisphere in [Hemisphere::Left, Hemisphere::Right] {
                    let own = anatomy.cortex.iter().filter(|voxel| voxel.hemisphere == hemisphere);
                    let labelled = own.filter(|voxel| label(roi.name, voxel) > 0).count();
                    assert!(labelled >= 3, "{size:?} {} {hemisphere:?}: {labelled}", roi.name);
                }
            }
        }
    }

    #[test]
    fn hemispheres_see_opposite_fields_and_halves_opposite_heights() {
        let anatomy = Anatomy::grow(&PhantomConfig::default());
        for voxel in &anatomy.cortex {
            let Some((area, field)) = visual_area(voxel) else { continue };
            assert!(if voxel.hemisphere == Hemisphere::Left { field.x >= 0.0 } else { field.x <= 0.0 });
            match area {
                VisualArea::V1d | VisualArea::V2d | VisualArea::V3d => assert!(field.y <= 0.0),
                VisualArea::V1v | VisualArea::V2v | VisualArea::V3v => assert!(field.y >= 0.0),
                VisualArea::HV4 => {}
            }
            assert!(field.eccentricity() <= LARGEST_ECCENTRICITY + 1e-9);
        }
    }
}
