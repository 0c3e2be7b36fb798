//! The region files that NSD publishes: one entry each, and nothing else to touch when one is added.
//!
//! Names are those that the authors of NSD published with their drawing code. A download's own label tables come before
//! them (`super::ctab`). Where the phantom's cortex has such a region is told in `phantom::atlas`.

/// A region file and the names of its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegionAtlas {
    /// As in file names.
    pub name: &'static str,
    /// Label `i + 1` has the name at `i`.
    pub labels: &'static [&'static str],
    /// Whether a region that is named without its file is looked for here before the files in alphabetical order.
    pub is_searched_first: bool,
    /// Whether its label table lies with fsaverage, too: atlases do, regions drawn for each subject do not.
    pub is_on_fsaverage: bool,
    /// What goes without it when a download lacks it; `None` where nothing does.
    pub needed_for: Option<&'static str>,
}

/// Regions drawn by the subject's own responses.
const FUNCTIONAL: RegionAtlas =
    RegionAtlas { name: "", labels: &[], is_searched_first: true, is_on_fsaverage: false, needed_for: None };

/// Every published region file, in the order in which a region without a file is looked for.
pub const REGION_ATLASES: [RegionAtlas; 9] = [
    RegionAtlas {
        name: "prf-visualrois",
        labels: &["V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4"],
        needed_for: Some("V1 to hV4 in `microstim` and region tables"),
        ..FUNCTIONAL
    },
    RegionAtlas {
        name: "floc-faces",
        labels: &["OFA", "FFA-1", "FFA-2", "mTL-faces", "aTL-faces"],
        needed_for: Some("face regions in `microstim` and region tables"),
        ..FUNCTIONAL
    },
    RegionAtlas {
        name: "floc-bodies",
        labels: &["EBA", "FBA-1", "FBA-2", "mTL-bodies"],
        needed_for: Some("body regions in `microstim` and region tables"),
        ..FUNCTIONAL
    },
    RegionAtlas {
        name: "floc-places",
        labels: &["OPA", "PPA", "RSC"],
        needed_for: Some("place regions in `microstim` and region tables"),
        ..FUNCTIONAL
    },
    RegionAtlas {
        name: "floc-words",
        labels: &["OWFA", "VWFA-1", "VWFA-2", "mfs-words", "mTL-words"],
        needed_for: Some("word regions in `microstim` and region tables"),
        ..FUNCTIONAL
    },
    RegionAtlas {
        name: "streams",
        labels: &["early", "midventral", "midlateral", "midparietal", "ventral", "lateral", "parietal"],
        is_searched_first: true,
        is_on_fsaverage: true,
        needed_for: Some("early, intermediate and higher regions"),
    },
    RegionAtlas { name: "prf-eccrois", labels: &["ecc0pt5", "ecc1", "ecc2", "ecc4", "ecc4+"], ..FUNCTIONAL },
    RegionAtlas {
        name: "nsdgeneral",
        labels: &["nsdgeneral"],
        is_searched_first: false,
        is_on_fsaverage: true,
        needed_for: None,
    },
    RegionAtlas {
        name: "Kastner2015",
        labels: &[
            "V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4", "VO1", "VO2", "PHC1", "PHC2", "TO2", "TO1",
            "LO2", "LO1", "V3B", "V3A", "IPS0", "IPS1", "IPS2", "IPS3", "IPS4", "IPS5", "SPL1", "FEF",
        ],
        is_searched_first: false,
        is_on_fsaverage: true,
        needed_for: None,
    },
];
