//! Naming: is the category that a classifier finds most probable in a picture among those that the image shows?
//!
//! Chance asks the same of the annotations of every other image and averages exactly, so that frequent categories are no merit.

use std::collections::BTreeSet;
use std::ops::Range;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::bootstrap::{BootstrapConfig, Interval};
use super::share::{mean_share_interval, share_interval};

/// How often a name was right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamingRate {
    /// Share of pictures whose name their own image shows.
    pub own: Interval,
    /// Mean share of the other images that show it; none without another image.
    pub others: Option<Interval>,
    /// Different names given.
    pub num_names: usize,
    /// Pictures that were named, those of images without annotations left out.
    pub num_pictures: usize,
}

/// The column of `classes` with the highest score of every row, counted from the first of `classes`.
pub fn names(scores: ArrayView2<'_, f32>, classes: Range<usize>) -> Vec<usize> {
    let best = |row: ndarray::ArrayView1<'_, f32>| {
        let scores = classes.clone().map(|class| row[class]).enumerate();
        scores.fold((0, f32::NEG_INFINITY), |best, next| if next.1 > best.1 { next } else { best }).0
    };
    scores.rows().into_iter().map(best).collect()
}

/// Rates of pictures with `names`, each of the image `images[picture]`; `shown[image]` has a value per category, or none where
/// nobody annotated the image: such pictures are left out. None when nothing is left.
pub fn compute_naming(
    names: &[usize],
    images: &[usize],
    shown: &[Option<&[bool]>],
    bootstrap: &BootstrapConfig,
) -> Option<NamingRate> {
    let used: BTreeSet<usize> = images.iter().copied().filter(|image| shown[*image].is_some()).collect();
    let shows = |image: usize, name: usize| shown[image].is_some_and(|shown| shown[name]);
    let (mut hits, mut chances, mut groups) = (vec![], vec![], vec![]);
    let mut given = BTreeSet::new();
    for (name, image) in names.iter().zip(images).filter(|(_, image)| used.contains(image)) {
        let hit = shows(*image, *name);
        // The picture's own image is taken out of the count, and out of the number below.
        let others = used.iter().filter(|other| shows(**other, *name)).count() - usize::from(hit);
        hits.push(hit);
        chances.push(others as f64 / (used.len() - 1).max(1) as f64);
        groups.push(*image as u64);
        given.insert(*name);
    }
    let others = (used.len() > 1).then(|| mean_share_interval(&chances, &groups, bootstrap)).flatten();
    let own = share_interval(&hits, &groups, bootstrap)?;
    Some(NamingRate { own, others, num_names: given.len(), num_pictures: hits.len() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_case_by_hand() {
        // Classes: dog, cat, boat. Images: dog; dog and cat; nothing; not annotated.
        let shown: [Option<&[bool]>; 4] =
            [Some(&[true, false, false]), Some(&[true, true, false]), Some(&[false; 3]), None];
        // dog for image 0, cat for image 0, cat for image 1, boat for image 2, dog for the unknown.
        let rate = compute_naming(&[0, 1, 1, 2, 0], &[0, 0, 1, 2, 3], &shown, &BootstrapConfig::default());
        let rate = rate.unwrap();
        assert_eq!((rate.own.mean, rate.num_names, rate.num_pictures), (0.5, 3, 4));
        // Others of image 0 with a dog: image 1 of two; with a cat: the same; of image 1 with a cat: none.
        assert_eq!(rate.others.unwrap().mean, (0.5 + 0.5 + 0.0 + 0.0) / 4.0);
        assert!(rate.own.low < 0.5 && rate.own.high > 0.5, "{rate:?}");
    }

    #[test]
    fn one_name_for_all_is_at_chance() {
        let dog: &[bool] = &[true, false];
        let cat: &[bool] = &[false, true];
        let shown: Vec<Option<&[bool]>> = (0..40).map(|i| Some(if i % 4 == 0 { cat } else { dog })).collect();
        let images: Vec<usize> = (0..40).collect();
        let rate = compute_naming(&[0; 40], &images, &shown, &BootstrapConfig::default()).unwrap();
        assert_eq!(rate.own.mean, 0.75);
        assert!((rate.others.unwrap().mean - 0.75).abs() < 1e-12);
    }

    #[test]
    fn nothing_annotated_is_no_rate() {
        assert_eq!(compute_naming(&[0], &[0], &[None], &BootstrapConfig::default()), None);
        let single: [Option<&[bool]>; 1] = [Some(&[true])];
        assert_eq!(compute_naming(&[0], &[0], &single, &BootstrapConfig::default()).unwrap().others, None);
    }

    #[test]
    fn the_highest_score_of_the_group_is_the_name() {
        let scores = array![[9.0_f32, 1.0, 2.0], [0.0, 5.0, f32::NAN]];
        assert_eq!(names(scores.view(), 1..3), [1, 0]);
        assert_eq!(names(scores.view(), 0..2), [0, 1]);
    }
}
