//! One voxel of the phantom's cortex and its address on the sheet.

use crate::data::nsd::tree::Hemisphere;

/// Address on the sheet of one hemisphere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SheetPoint {
    /// Distance from the occipital pole; 1 at the edge of nsdgeneral (degrees while the sheet is being grown).
    pub extent: f64,
    /// Degrees: 0 medial, 90 dorsal, ±180 lateral, −90 ventral.
    pub azimuth: f64,
}

/// One cortical voxel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CorticalVoxel {
    /// Index in the volume, x fastest.
    pub flat_index: usize,
    /// Side of the head: the left one has the lower x, for NIfTI's x axis points to the right.
    pub hemisphere: Hemisphere,
    /// Address on the sheet.
    pub point: SheetPoint,
    /// Whether it belongs to nsdgeneral.
    pub is_visual: bool,
}
