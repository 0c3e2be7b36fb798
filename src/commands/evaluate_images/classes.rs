//! What of a picture is its class: what who knows the class alone would score, and whether drawn pictures are of the right one.
//!
//! A picture's class is that of the nearest centre (docs/spec/metrics.md §10): features of the training pictures of each class,
//! averaged. Nothing of the held-out pictures has a part in the centres.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use crate::data::import::classes::ImageClasses;
use crate::data::trial::NsdId;
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::naming::{NamingRate, compute_naming, names};

/// Shares of pictures that are of the right class, and what the class alone is worth.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClassSummary {
    /// Classes to choose from: those of the training pictures.
    pub num_classes: usize,
    /// Training pictures whose features made the centres.
    pub num_train_images: usize,
    /// 2-way identification by who knows the class of every picture and nothing else.
    pub pairs_by_class: f64,
    /// Of drawn pictures; `others` is chance: names exchanged among all pictures, exactly.
    pub generated: NamingRate,
    /// Of the ground truth: what perfect pictures would get in these features.
    pub truth: NamingRate,
}

/// Features of pictures and the images behind them.
pub(super) struct Classed<'a> {
    pub classes: &'a ImageClasses,
    /// Of drawn pictures, and of their ground truth: one a row, of `images`.
    pub generated: &'a Array2<f32>,
    pub truth: &'a Array2<f32>,
    pub images: &'a [NsdId],
    /// Of the distinct training pictures.
    pub train: &'a Array2<f32>,
    pub train_images: &'a [NsdId],
}

impl Classed<'_> {
    /// The summary; none where a picture has no class, where there is one class only, or a single held-out picture.
    pub fn summary(&self) -> Option<ClassSummary> {
        let pairs_by_class = self.classes.pairs_by_class(self.images)?;
        let of_train: Vec<usize> =
            self.train_images.iter().map(|image| self.classes.of(*image)).collect::<Option<_>>()?;
        let num_names = self.classes.names().len();
        let centres = Centres::of(self.train.view(), &of_train, num_names);
        let num_classes = centres.of_class.iter().flatten().count();
        if num_classes < 2 {
            return None;
        }
        let places: BTreeMap<NsdId, usize> = self.images.iter().map(|image| (*image, 0)).collect();
        let places: BTreeMap<NsdId, usize> = places.into_keys().zip(0..).collect();
        let shown: Vec<Vec<bool>> = places
            .keys()
            .map(|image| (0..num_names).map(|class| self.classes.of(*image) == Some(class)).collect())
            .collect();
        let shown: Vec<Option<&[bool]>> = shown.iter().map(|shown| Some(shown.as_slice())).collect();
        let images: Vec<usize> = self.images.iter().map(|image| places[image]).collect();
        let rate = |features: &Array2<f32>| {
            let named = names(centres.scores(features.view()).view(), 0..num_names);
            let found = compute_naming(&named, &images, &shown, &BootstrapConfig::default())?;
            // Every picture has a class, and one only: exchanging the names among all pictures, the own among them, is chance. Without
            // the own picture, names that are right would lower it.
            let shows = |name: usize| {
                images.iter().filter(|image| shown[**image].is_some_and(|shown| shown[name])).count()
            };
            let right: usize = named.iter().map(|name| shows(*name)).sum();
            let mean = right as f64 / (images.len() * images.len()).max(1) as f64;
            Some(NamingRate { others: Some(Interval { mean, low: mean, high: mean }), ..found })
        };
        Some(ClassSummary {
            num_classes,
            num_train_images: of_train.len(),
            pairs_by_class,
            generated: rate(self.generated)?,
            truth: rate(self.truth)?,
        })
    }
}

/// Means of features of unit norm, of all training pictures and of those of each class less that.
struct Centres {
    mean: Array1<f32>,
    /// At unit norm; none of a class without a training picture.
    of_class: Vec<Option<Array1<f32>>>,
}

impl Centres {
    fn of(train: ArrayView2<'_, f32>, classes: &[usize], num_classes: usize) -> Self {
        let mut mean = Array1::zeros(train.ncols());
        let mut sums = vec![(Array1::<f32>::zeros(train.ncols()), 0_usize); num_classes];
        for (row, class) in train.rows().into_iter().zip(classes) {
            let row = at_unit_norm(row.to_owned());
            let (sum, count) = &mut sums[*class];
            *sum += &row;
            *count += 1;
            mean += &row;
        }
        mean /= classes.len().max(1) as f32;
        let centre = |(sum, count): (Array1<f32>, usize)| {
            (count > 0).then(|| at_unit_norm(sum / count as f32 - &mean))
        };
        let of_class = sums.into_iter().map(centre).collect();
        Self { mean, of_class }
    }

    /// How near every picture is to every class; below everything to one that has no centre.
    fn scores(&self, features: ArrayView2<'_, f32>) -> Array2<f32> {
        let mut scores = Array2::from_elem((features.nrows(), self.of_class.len()), f32::NEG_INFINITY);
        for (row, mut scores) in features.rows().into_iter().zip(scores.axis_iter_mut(Axis(0))) {
            let centred = at_unit_norm(row.to_owned()) - &self.mean;
            for (centre, score) in self.of_class.iter().zip(&mut scores) {
                if let Some(centre) = centre {
                    *score = dot(centre.view(), centred.view());
                }
            }
        }
        scores
    }
}

fn dot(one: ArrayView1<'_, f32>, other: ArrayView1<'_, f32>) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

/// The vector over its length; zeros stay.
fn at_unit_norm(vector: Array1<f32>) -> Array1<f32> {
    let length = dot(vector.view(), vector.view()).sqrt();
    if length > 0.0 { vector / length } else { vector }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn pictures_are_of_the_class_whose_training_pictures_they_are_near() {
        let names: Vec<String> = ["six", "nine", "six", "nine", "six", "nine"].map(String::from).to_vec();
        let classes = ImageClasses::new(&names);
        // Much in common, and a little to either side.
        let (six, nine) = ([9.0_f32, 1.0, 0.0], [9.0_f32, 0.0, 1.0]);
        let of =
            |rows: &[[f32; 3]]| Array2::from_shape_fn((rows.len(), 3), |(row, column)| rows[row][column]);
        let (train, truth) = (of(&[six, nine]), of(&[six, nine, six, nine]));
        let classed = Classed {
            classes: &classes,
            generated: &of(&[six, six, six, nine]),
            truth: &truth,
            images: &[2, 3, 4, 5].map(NsdId),
            train: &train,
            train_images: &[0, 1].map(NsdId),
        };
        let found = classed.summary().unwrap();
        assert_eq!((found.num_classes, found.num_train_images), (2, 2));
        assert_eq!((found.generated.own.mean, found.truth.own.mean), (0.75, 1.0));
        // Half of the pictures are of either class: whatever is named, half of the names are right by chance.
        assert!((found.generated.others.unwrap().mean - 0.5).abs() < 1e-12);
        assert_eq!(found.truth.others.unwrap().mean, 0.5, "right names do not lower it");
        // Of six pairs two are of one class.
        assert!((found.pairs_by_class - (1.0 - 0.5 / 3.0)).abs() < 1e-12);
        // Of one class alone nothing is asked.
        let one = Classed { train: &array![[9.0_f32, 1.0, 0.0]], train_images: &[NsdId(0)], ..classed };
        assert!(one.summary().is_none());
    }
}
