//! Which categories NSD's images show, from COCO's annotations of their photographs.

use crate::data::coco::categories::{self, THINGS};
use crate::data::coco::crop_shares::{ShownCategories, read_crop_shares};
use crate::data::error::DataError;
use crate::data::nsd::stim_info::StimInfo;
use crate::data::nsd::tree::{AnnotationKind, NsdTree};
use crate::data::trial::NsdId;
use crate::models::classifier::{ClassKind, ClassifierConfig, SceneClass, ShownClasses};

/// Whether the tree has annotations of things or stuff.
///
/// # Errors
/// [`DataError::unreadable`] for a file that is there and cannot be looked at.
pub fn has_scene_annotations(tree: &NsdTree) -> Result<bool, DataError> {
    let has = |kind| tree.annotations_present(kind).map(|files| !files.is_empty());
    Ok(has(AnnotationKind::Instances)? || has(AnnotationKind::Stuff)?)
}

/// What each image shows, in the order of `images`.
///
/// # Errors
/// [`DataError::missing`] without instances and stuff files; [`DataError`] for a file or table that cannot be read.
pub fn read_scene_labels(tree: &NsdTree, images: &[NsdId]) -> Result<Vec<ShownCategories>, DataError> {
    if !has_scene_annotations(tree)? {
        let first = tree.annotations(AnnotationKind::Instances, "train2017");
        return Err(DataError::missing(first, "the categories that the images show"));
    }
    let info = StimInfo::read(&tree.stim_info())?;
    let crops = images
        .iter()
        .map(|image| info.row(*image).map(|row| (row.coco_id, row.crop)))
        .collect::<Result<Vec<_>, _>>()?;
    let files = |kind| tree.annotations_present(kind);
    read_crop_shares(&files(AnnotationKind::Instances)?, &files(AnnotationKind::Stuff)?, &crops)
}

/// The categories that at least `min_images` of the images show, things first, each kind by ascending id.
pub fn frequent_classes<'a>(
    shown: impl Iterator<Item = &'a ShownCategories> + Clone,
    min_share: f64,
    min_images: usize,
) -> Vec<SceneClass> {
    let stuff = (0..categories::STUFF.len()).filter_map(|index| categories::id(categories::STUFF[index]));
    let ids =
        THINGS.iter().map(|(id, _)| (*id, ClassKind::Thing)).chain(stuff.map(|id| (id, ClassKind::Stuff)));
    ids.filter(|(id, _)| {
        shown.clone().filter(|shown| shown.shows(*id, min_share) == Some(true)).count() >= min_images.max(1)
    })
    .filter_map(|(id, kind)| Some(SceneClass { id, name: categories::name(id)?.into(), kind }))
    .collect()
}

/// The categories of a classifier that an image shows.
pub fn shown_classes(shown: &ShownCategories, config: &ClassifierConfig) -> ShownClasses {
    let of = |kind| {
        let classes = &config.classes[config.range(kind)];
        let values = classes.iter().map(|class| shown.shows(class.id, config.min_share));
        // None where no file knows the photograph: unknown is not absent.
        (!classes.is_empty()).then(|| values.collect::<Option<Vec<bool>>>()).flatten()
    };
    ShownClasses { things: of(ClassKind::Thing), stuff: of(ClassKind::Stuff) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::classifier::ClassifierSizes;

    fn shown(shares: &[(u32, f64)], knows_stuff: bool) -> ShownCategories {
        ShownCategories { shares: shares.iter().copied().collect(), knows_things: true, knows_stuff }
    }

    #[test]
    fn rare_and_small_categories_are_left_out() {
        let images = [
            shown(&[(1, 0.2), (18, 0.001), (157, 0.3)], true),
            shown(&[(1, 0.004), (17, 0.5)], false),
            shown(&[(1, 0.01), (18, 0.3), (157, 0.4)], true),
        ];
        let of = |min_images| -> Vec<(u32, ClassKind)> {
            let classes = frequent_classes(images.iter(), 0.005, min_images);
            classes.iter().map(|class| (class.id, class.kind)).collect()
        };
        assert_eq!(of(2), [(1, ClassKind::Thing), (157, ClassKind::Stuff)]);
        assert_eq!(of(1).len(), 4);
        let config = ClassifierConfig {
            sizes: ClassifierSizes::default(),
            min_share: 0.005,
            classes: frequent_classes(images.iter(), 0.005, 1),
        };
        let labels: Vec<ShownClasses> = images.iter().map(|image| shown_classes(image, &config)).collect();
        // person, cat, dog; sky-other.
        assert_eq!(labels[0].things, Some(vec![true, false, false]));
        assert_eq!(labels[0].stuff, Some(vec![true]));
        assert_eq!(labels[1], ShownClasses { things: Some(vec![false, true, false]), stuff: None });
    }
}
