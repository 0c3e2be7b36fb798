//! What high-level vision measures in an image: what is there and how much of the picture it fills.
//!
//! Areas enter as square roots, so that a small thing counts for more than its share of pixels.

use super::scenes::annotation::CropShares;
use super::visual_features::{CHANNELS, VisualMaps};

/// Faces, bodies, letters, and ground that no thing covers.
pub const SPECIAL: [&str; 4] = ["faces", "bodies", "letters", "background"];
/// COCO's supercategories of things with their ranges of category ids.
pub const SUPERCATEGORIES: [(&str, u32, u32); 12] = [
    ("person", 1, 1),
    ("vehicle", 2, 9),
    ("outdoor", 10, 15),
    ("animal", 16, 25),
    ("accessory", 27, 33),
    ("sports", 34, 43),
    ("kitchen", 44, 51),
    ("food", 52, 61),
    ("furniture", 62, 70),
    ("electronic", 72, 77),
    ("appliance", 78, 82),
    ("indoor", 84, 90),
];
/// Groups of COCO-Stuff categories.
pub const STUFF_GROUPS: [(&str, &[u32]); 8] = [
    ("sky", &[106, 157]),
    ("water", &[148, 155, 178, 179]),
    ("vegetation", &[94, 97, 119, 124, 129, 134, 142, 163, 169]),
    ("terrain", &[111, 125, 126, 127, 135, 136, 150, 154, 159, 162]),
    ("street", &[140, 144, 145, 147, 149]),
    ("building", &[95, 96, 113, 128, 146, 151, 158, 161, 164, 166]),
    ("wall", &[171, 172, 173, 174, 175, 176, 177, 102, 103]),
    ("interior", &[98, 101, 107, 108, 109, 110, 112, 114, 115, 116, 117, 118, 123, 152, 156, 165, 180, 181]),
];
/// Share of an animal's area that counts as a body's.
const ANIMAL_BODIES: f32 = 0.25;
/// COCO's thing ids go up to this.
pub const LAST_THING: usize = 90;

const FIRST_SUPERCATEGORY: usize = SPECIAL.len();
const FIRST_CATEGORY: usize = FIRST_SUPERCATEGORY + SUPERCATEGORIES.len();
const FIRST_STUFF: usize = FIRST_CATEGORY + LAST_THING;
const FIRST_SUMMARY: usize = FIRST_STUFF + STUFF_GROUPS.len();
/// Length of the vector.
pub const NUM_SEMANTIC: usize = FIRST_SUMMARY + CHANNELS;

/// Position of a part of the vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semantic {
    /// Index into [`SPECIAL`].
    Special(usize),
    /// Index into [`SUPERCATEGORIES`].
    Supercategory(usize),
    /// COCO category id of a thing, 1..=90.
    Category(u32),
    /// Index into [`STUFF_GROUPS`].
    Stuff(usize),
    /// Mean of a visual channel over the image.
    Summary(usize),
}

impl Semantic {
    /// Index into the vector.
    pub fn index(self) -> usize {
        match self {
            Self::Special(index) => index,
            Self::Supercategory(index) => FIRST_SUPERCATEGORY + index,
            Self::Category(id) => FIRST_CATEGORY + id as usize - 1,
            Self::Stuff(index) => FIRST_STUFF + index,
            Self::Summary(channel) => FIRST_SUMMARY + channel,
        }
    }
}

/// Name of each member of the vector, for `truth.h5`.
pub fn names() -> Vec<String> {
    let special = SPECIAL.iter().map(ToString::to_string);
    let supercategories = SUPERCATEGORIES.iter().map(|(name, _, _)| format!("supercategory:{name}"));
    let categories = (1..=LAST_THING).map(|id| format!("category:{id}"));
    let stuff = STUFF_GROUPS.iter().map(|(name, _)| format!("stuff:{name}"));
    let summary = (0..CHANNELS).map(|channel| format!("channel:{channel}"));
    special.chain(supercategories).chain(categories).chain(stuff).chain(summary).collect()
}

/// Supercategory of a thing, as an index into [`SUPERCATEGORIES`].
pub fn supercategory_of(category_id: u32) -> Option<usize> {
    SUPERCATEGORIES.iter().position(|(_, first, last)| (*first..=*last).contains(&category_id))
}

/// The vector of one image.
pub fn measure(shares: &CropShares, maps: &VisualMaps) -> Vec<f32> {
    let mut areas = vec![0.0_f32; NUM_SEMANTIC];
    let mut covered = 0.0;
    for &(category_id, share) in &shares.things {
        covered += share;
        if (1..=LAST_THING as u32).contains(&category_id) {
            areas[Semantic::Category(category_id).index()] += share;
        }
        if let Some(index) = supercategory_of(category_id) {
            areas[Semantic::Supercategory(index).index()] += share;
        }
    }
    let people = areas[Semantic::Category(1).index()];
    let animals = areas[Semantic::Supercategory(3).index()];
    areas[0] = shares.faces;
    // Body areas answer to human bodies first, to animals less.
    areas[1] = (people - shares.faces).max(0.0) + ANIMAL_BODIES * animals;
    areas[2] = shares.letters;
    areas[3] = (1.0 - covered).max(0.0);
    for &(category_id, share) in &shares.stuff {
        for (index, (_, members)) in STUFF_GROUPS.iter().enumerate() {
            if members.contains(&category_id) {
                areas[Semantic::Stuff(index).index()] += share;
            }
        }
    }
    // Roots of the sums, not sums of roots: two dogs of one tenth each count like one of two tenths.
    areas[..FIRST_SUMMARY].iter_mut().for_each(|area| *area = area.max(0.0).sqrt());
    areas[FIRST_SUMMARY..].copy_from_slice(&maps.means());
    areas
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_positions_agree() {
        let names = names();
        assert_eq!(names.len(), NUM_SEMANTIC);
        assert_eq!(names[Semantic::Special(2).index()], "letters");
        assert_eq!(names[Semantic::Supercategory(7).index()], "supercategory:food");
        assert_eq!(names[Semantic::Category(90).index()], "category:90");
        assert_eq!(names[Semantic::Stuff(7).index()], "stuff:interior");
        assert_eq!(names[Semantic::Summary(14).index()], "channel:14");
    }

    #[test]
    fn areas_enter_as_square_roots() {
        let shares = CropShares {
            things: vec![(1, 0.16), (18, 0.09)],
            faces: 0.01,
            letters: 0.0,
            stuff: vec![(157, 0.25)],
            lost: 0.0,
        };
        let maps = VisualMaps::measure(&image::RgbImage::new(130, 130));
        let vector = measure(&shares, &maps);
        assert!((vector[Semantic::Category(1).index()] - 0.4).abs() < 1e-6);
        assert!((vector[Semantic::Supercategory(3).index()] - 0.3).abs() < 1e-6);
        assert!((vector[0] - 0.1).abs() < 1e-6);
        assert!((vector[1] - (0.15_f32 + 0.0225).sqrt()).abs() < 1e-6);
        assert!((vector[3] - 0.75_f32.sqrt()).abs() < 1e-6);
        assert!((vector[Semantic::Stuff(0).index()] - 0.5).abs() < 1e-6);
    }
}
