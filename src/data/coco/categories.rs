//! The 80 things and 91 stuffs of COCO, with their ids, and multi-hot vectors over all 171.
//!
//! Names are spelt as in the annotation files, which are matched by string. Index order of vectors: things by ascending
//! id, then stuff by ascending id.

/// Number of categories, things and stuff.
pub const NUM_CATEGORIES: usize = THINGS.len() + STUFF.len();

/// Id that the stuff files use for "all thing pixels"; no category.
pub const STUFF_OTHER_ID: u32 = 183;

/// First id of stuff; the 91 ids are consecutive.
const FIRST_STUFF_ID: u32 = 92;

/// Id and name of the 80 things (ids have gaps).
pub const THINGS: [(u32, &str); 80] = [
    (1, "person"),
    (2, "bicycle"),
    (3, "car"),
    (4, "motorcycle"),
    (5, "airplane"),
    (6, "bus"),
    (7, "train"),
    (8, "truck"),
    (9, "boat"),
    (10, "traffic light"),
    (11, "fire hydrant"),
    (13, "stop sign"),
    (14, "parking meter"),
    (15, "bench"),
    (16, "bird"),
    (17, "cat"),
    (18, "dog"),
    (19, "horse"),
    (20, "sheep"),
    (21, "cow"),
    (22, "elephant"),
    (23, "bear"),
    (24, "zebra"),
    (25, "giraffe"),
    (27, "backpack"),
    (28, "umbrella"),
    (31, "handbag"),
    (32, "tie"),
    (33, "suitcase"),
    (34, "frisbee"),
    (35, "skis"),
    (36, "snowboard"),
    (37, "sports ball"),
    (38, "kite"),
    (39, "baseball bat"),
    (40, "baseball glove"),
    (41, "skateboard"),
    (42, "surfboard"),
    (43, "tennis racket"),
    (44, "bottle"),
    (46, "wine glass"),
    (47, "cup"),
    (48, "fork"),
    (49, "knife"),
    (50, "spoon"),
    (51, "bowl"),
    (52, "banana"),
    (53, "apple"),
    (54, "sandwich"),
    (55, "orange"),
    (56, "broccoli"),
    (57, "carrot"),
    (58, "hot dog"),
    (59, "pizza"),
    (60, "donut"),
    (61, "cake"),
    (62, "chair"),
    (63, "couch"),
    (64, "potted plant"),
    (65, "bed"),
    (67, "dining table"),
    (70, "toilet"),
    (72, "tv"),
    (73, "laptop"),
    (74, "mouse"),
    (75, "remote"),
    (76, "keyboard"),
    (77, "cell phone"),
    (78, "microwave"),
    (79, "oven"),
    (80, "toaster"),
    (81, "sink"),
    (82, "refrigerator"),
    (84, "book"),
    (85, "clock"),
    (86, "vase"),
    (87, "scissors"),
    (88, "teddy bear"),
    (89, "hair drier"),
    (90, "toothbrush"),
];

/// Names of the 91 stuffs; ids are 92, 93, ….
#[rustfmt::skip]
pub const STUFF: [&str; 91] = [
    "banner", "blanket", "branch", "bridge", "building-other", "bush", "cabinet", "cage", "cardboard", "carpet",
    "ceiling-other", "ceiling-tile", "cloth", "clothes", "clouds", "counter", "cupboard", "curtain", "desk-stuff",
    "dirt", "door-stuff", "fence", "floor-marble", "floor-other", "floor-stone", "floor-tile", "floor-wood",
    "flower", "fog", "food-other", "fruit", "furniture-other", "grass", "gravel", "ground-other", "hill", "house",
    "leaves", "light", "mat", "metal", "mirror-stuff", "moss", "mountain", "mud", "napkin", "net", "paper",
    "pavement", "pillow", "plant-other", "plastic", "platform", "playingfield", "railing", "railroad", "river",
    "road", "rock", "roof", "rug", "salad", "sand", "sea", "shelf", "sky-other", "skyscraper", "snow",
    "solid-other", "stairs", "stone", "straw", "structural-other", "table", "tent", "textile-other", "towel",
    "tree", "vegetable", "wall-brick", "wall-concrete", "wall-other", "wall-panel", "wall-stone", "wall-tile",
    "wall-wood", "water-other", "waterdrops", "window-blind", "window-other", "wood",
];

/// Name of a category id.
pub fn name(id: u32) -> Option<&'static str> {
    let index = index(id)?;
    Some(match THINGS.get(index) {
        Some((_, name)) => name,
        None => STUFF[index - THINGS.len()],
    })
}

/// Position of a category id in vectors over all 171; none for gaps and for [`STUFF_OTHER_ID`].
pub fn index(id: u32) -> Option<usize> {
    if let Ok(index) = THINGS.binary_search_by_key(&id, |(thing, _)| *thing) {
        return Some(index);
    }
    let offset = id.checked_sub(FIRST_STUFF_ID)? as usize;
    (offset < STUFF.len()).then_some(THINGS.len() + offset)
}

/// Id of a category name.
pub fn id(name: &str) -> Option<u32> {
    let thing = THINGS.iter().find(|(_, thing)| *thing == name).map(|(id, _)| *id);
    thing.or_else(|| (FIRST_STUFF_ID..).zip(STUFF).find(|(_, stuff)| *stuff == name).map(|(id, _)| id))
}

/// 1 at the position of every given id, 0 elsewhere; 171 values.
pub fn multi_hot(ids: &[u32]) -> Vec<f32> {
    let mut vector = vec![0.0; NUM_CATEGORIES];
    for index in ids.iter().filter_map(|id| index(*id)) {
        vector[index] = 1.0;
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_names_and_positions_belong_together() {
        assert_eq!(NUM_CATEGORIES, 171);
        for (known_id, known_name, position) in
            [(1, "person", 0), (90, "toothbrush", 79), (92, "banner", 80), (123, "furniture-other", 111)]
        {
            assert_eq!(name(known_id), Some(known_name));
            assert_eq!(id(known_name), Some(known_id));
            assert_eq!(index(known_id), Some(position));
        }
        assert_eq!((name(182), name(157), name(135)), (Some("wood"), Some("sky-other"), Some("mountain")));
        for gap in [0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83, 91, STUFF_OTHER_ID, u32::MAX] {
            assert_eq!(index(gap), None, "{gap}");
        }
    }

    #[test]
    fn multi_hot_ignores_what_is_no_category() {
        let vector = multi_hot(&[1, 92, 183, 1]);
        assert_eq!(vector.iter().sum::<f32>(), 2.0);
        assert_eq!((vector[0], vector[80]), (1.0, 1.0));
    }
}
