//! What the images show: categories of COCO by its annotations, or the class that came with an imported picture.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::config::ClassifyConfig;
use crate::data::coco::categories::{self, STUFF, THINGS};
use crate::data::error::DataError;
use crate::data::import::classes::{CLASSES_FILE, ImageClasses};
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::Split;
use crate::data::trial::NsdId;
use crate::pipelines::scene_labels::{has_scene_annotations, read_scene_labels};
use crate::pipelines::targets::captioned_stimuli::distinct_images;
use crate::training::categories::fit::ImageLabels;

/// Where categories come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabelSource {
    /// Things and stuff of COCO's annotations: an image shows any number of them.
    Coco,
    /// The class of an imported picture: one of them.
    Classes,
}

/// Group of a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CategoryKind {
    /// Can be counted: a dog.
    Thing,
    /// Cannot: sky.
    Stuff,
    /// A class of imported pictures.
    Class,
}

/// A category that classifiers are trained for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// Its group.
    pub kind: CategoryKind,
    /// Training images that show it.
    pub train_images: usize,
    /// Held-out images that show it.
    pub test_images: usize,
    /// Whether enough held-out images show it, and do not, to be scored.
    pub is_scored: bool,
}

/// Categories that were left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Too few training images show them, or do not: no classifier is trained for them.
    pub in_training: usize,
    /// Of the others: too few held-out images show them, or do not, and they are not scored.
    pub in_test: usize,
}

/// Which images show what.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    pub source: LabelSource,
    /// Outputs of the classifiers.
    pub categories: Vec<Category>,
    pub left_out: LeftOut,
    /// Of the distinct training images, in ascending order.
    pub train: ImageLabels,
    /// Row of `train` of every training trial.
    pub image_of_train_trial: Vec<usize>,
    /// Of every held-out trial, `[trials, categories]`; none where nobody annotated the image.
    pub test: Array2<Option<bool>>,
    /// Image of every held-out trial.
    pub test_images: Vec<u64>,
}

/// Names of all candidates, and what every image shows of them.
struct Shown {
    source: LabelSource,
    candidates: Vec<(String, CategoryKind)>,
    of_image: BTreeMap<NsdId, Vec<Option<bool>>>,
}

impl Labels {
    /// Labels of the subject's images, as far as `config` takes their categories.
    ///
    /// # Errors
    /// No annotations and no classes; annotations that cannot be read; not one category that is frequent enough.
    pub fn read(
        root: &Path,
        subject: &PreparedSubject,
        split: &Split,
        config: &ClassifyConfig,
    ) -> Result<Self, DataError> {
        let images = |trials: &[usize]| distinct_images(trials.iter().map(|at| subject.trials()[*at]));
        let [train, test] = [images(&split.train), images(&split.validation)];
        let all: Vec<NsdId> =
            train.iter().chain(&test).copied().collect::<BTreeSet<_>>().into_iter().collect();
        let shown = Shown::read(root, subject, &all, config.min_share)?;
        let image_of = |trial: &usize| subject.trials()[*trial].nsd_id;
        let labels = shown.labels(
            config,
            [&train, &test],
            [
                &split.train.iter().map(image_of).collect::<Vec<_>>(),
                &split.validation.iter().map(image_of).collect::<Vec<_>>(),
            ],
        );
        if labels.categories.iter().any(|category| category.is_scored) {
            return Ok(labels);
        }
        let what = format!(
            "the list of categories that {} training and {} held-out images show or more, and as many do not",
            config.min_train_images, config.min_test_images
        );
        let hint = "lower `classify.min_train_images`, `classify.min_test_images` or `classify.min_share`, or hold out more images (`split`)";
        Err(DataError::empty(what, hint))
    }

    /// Columns of the scored categories of a kind; of all kinds without one.
    pub fn scored(&self, kind: Option<CategoryKind>) -> Vec<usize> {
        let is_of = |category: &Category| category.is_scored && kind.is_none_or(|kind| category.kind == kind);
        (0..self.categories.len()).filter(|column| is_of(&self.categories[*column])).collect()
    }

    /// A row per training trial for a regression; what is not known has the share of the known images that show it.
    pub fn of_train_trials(&self, labels: &ImageLabels) -> Array2<f32> {
        let share = |column: usize| {
            let (shown, known) = (labels.shown.column(column), labels.known.column(column));
            shown.iter().zip(known).map(|(shown, known)| shown * known).sum::<f32>() / known.sum().max(1.0)
        };
        let shares: Vec<f32> = (0..labels.shown.ncols()).map(share).collect();
        Array2::from_shape_fn((self.image_of_train_trial.len(), shares.len()), |(trial, column)| {
            let place = [self.image_of_train_trial[trial], column];
            if labels.known[place] > 0.0 { labels.shown[place] } else { shares[column] }
        })
    }
}

impl Shown {
    fn read(
        root: &Path,
        subject: &PreparedSubject,
        images: &[NsdId],
        min_share: f64,
    ) -> Result<Self, DataError> {
        let tree = NsdTree::new(root);
        if !subject.subject().is_own() || has_scene_annotations(&tree)? {
            return Self::of_coco(&tree, images, min_share);
        }
        match ImageClasses::read(root)? {
            Some(classes) => Self::of_classes(&root.join(CLASSES_FILE), &classes, images),
            None => {
                let needed = "the categories of imported pictures: give `import --trials` a table with a column `class`";
                Err(DataError::missing(root.join(CLASSES_FILE), needed))
            }
        }
    }

    fn of_coco(tree: &NsdTree, images: &[NsdId], min_share: f64) -> Result<Self, DataError> {
        let things = THINGS.iter().map(|(id, name)| (*id, (*name).to_string(), CategoryKind::Thing));
        let stuff = STUFF
            .iter()
            .filter_map(|name| Some((categories::id(name)?, (*name).to_string(), CategoryKind::Stuff)));
        let candidates: Vec<(u32, String, CategoryKind)> = things.chain(stuff).collect();
        let shown = read_scene_labels(tree, images)?;
        let of_image = images.iter().zip(&shown).map(|(image, shown)| {
            (*image, candidates.iter().map(|(id, ..)| shown.shows(*id, min_share)).collect())
        });
        Ok(Self {
            source: LabelSource::Coco,
            of_image: of_image.collect(),
            candidates: candidates.into_iter().map(|(_, name, kind)| (name, kind)).collect(),
        })
    }

    fn of_classes(path: &Path, classes: &ImageClasses, images: &[NsdId]) -> Result<Self, DataError> {
        let names = classes.names();
        let mut of_image = BTreeMap::new();
        for image in images {
            let class = classes.of(*image).ok_or_else(|| {
                DataError::invalid(path, "rows", format!("one of picture {}", image.0), "none")
            })?;
            of_image.insert(*image, (0..names.len()).map(|at| Some(at == class)).collect());
        }
        let candidates = names.iter().map(|name| (name.clone(), CategoryKind::Class)).collect();
        Ok(Self { source: LabelSource::Classes, candidates, of_image })
    }

    fn label(&self, image: NsdId, candidate: usize) -> Option<bool> {
        self.of_image.get(&image).and_then(|labels| labels.get(candidate).copied()).flatten()
    }

    /// Images that show a candidate, and that do not.
    fn counts(&self, images: &[NsdId], candidate: usize) -> [usize; 2] {
        let count =
            |wanted| images.iter().filter(|image| self.label(**image, candidate) == Some(wanted)).count();
        [count(true), count(false)]
    }

    /// Labels of distinct training and held-out `images` and of the images of training and held-out `trials`.
    fn labels(self, config: &ClassifyConfig, images: [&[NsdId]; 2], trials: [&[NsdId]; 2]) -> Labels {
        let is_enough = |counts: [usize; 2], least: usize| counts.iter().all(|count| *count >= least);
        let (mut categories, mut columns, mut left_out) = (Vec::new(), Vec::new(), LeftOut::default());
        for (candidate, (name, kind)) in self.candidates.iter().enumerate() {
            let [train, test] = images.map(|images| self.counts(images, candidate));
            if !is_enough(train, config.min_train_images) {
                left_out.in_training += 1;
                continue;
            }
            let is_scored = is_enough(test, config.min_test_images);
            left_out.in_test += usize::from(!is_scored);
            let (train_images, test_images) = (train[0], test[0]);
            categories.push(Category {
                name: name.clone(),
                kind: *kind,
                train_images,
                test_images,
                is_scored,
            });
            columns.push(candidate);
        }
        let shape = (images[0].len(), columns.len());
        let of_train = |is: &dyn Fn(Option<bool>) -> bool| {
            Array2::from_shape_fn(shape, |(image, column)| {
                f32::from(u8::from(is(self.label(images[0][image], columns[column]))))
            })
        };
        let place_of: BTreeMap<NsdId, usize> = images[0].iter().copied().zip(0..).collect();
        Labels {
            source: self.source,
            train: ImageLabels {
                shown: of_train(&|label| label == Some(true)),
                known: of_train(&|label| label.is_some()),
            },
            image_of_train_trial: trials[0].iter().map(|image| place_of[image]).collect(),
            test: Array2::from_shape_fn((trials[1].len(), columns.len()), |(trial, column)| {
                self.label(trials[1][trial], columns[column])
            }),
            test_images: trials[1].iter().map(|image| u64::from(image.0)).collect(),
            categories,
            left_out,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn rare_categories_are_left_out_and_counted_and_what_is_unknown_stays_so() {
        let kinds = [CategoryKind::Thing, CategoryKind::Thing, CategoryKind::Stuff, CategoryKind::Stuff];
        let (yes, no) = (Some(true), Some(false));
        let shown = Shown {
            source: LabelSource::Coco,
            candidates: ["a", "rare", "b", "unseen"].map(String::from).into_iter().zip(kinds).collect(),
            of_image: [
                (NsdId(1), vec![yes, no, None, no]),
                (NsdId(2), vec![no, no, yes, yes]),
                (NsdId(3), vec![yes, yes, no, yes]),
                (NsdId(4), vec![no, no, yes, no]),
                (NsdId(8), vec![yes, no, no, no]),
                (NsdId(9), vec![no, yes, yes, no]),
            ]
            .into(),
        };
        let config = ClassifyConfig { min_train_images: 1, min_test_images: 1, ..ClassifyConfig::default() };
        let (train, test) = ([1, 2, 4].map(NsdId), [8, 9].map(NsdId));
        let trials = [4, 1, 4, 2].map(NsdId);
        let labels = shown.labels(&config, [&train, &test], [&trials, &test]);
        // `rare` is in no training image, `b` is not absent from any known one.
        let names: Vec<(&str, bool)> =
            labels.categories.iter().map(|category| (category.name.as_str(), category.is_scored)).collect();
        assert_eq!(names, [("a", true), ("unseen", false)]);
        assert_eq!(labels.left_out, LeftOut { in_training: 2, in_test: 1 });
        assert_eq!(labels.train.shown, array![[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]);
        assert_eq!(labels.image_of_train_trial, [2, 0, 2, 1]);
        assert_eq!(labels.test, array![[yes, no], [no, no]]);
        assert_eq!(
            (labels.scored(Some(CategoryKind::Thing)), labels.scored(Some(CategoryKind::Stuff))),
            (vec![0], vec![])
        );
        let unknown =
            ImageLabels { known: array![[0.0, 1.0], [1.0, 1.0], [1.0, 1.0]], ..labels.train.clone() };
        let of_trials = labels.of_train_trials(&unknown);
        assert_eq!(of_trials, array![[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 1.0]]);
        let shown = array![[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]];
        assert_eq!(labels.of_train_trials(&ImageLabels { shown, ..unknown })[[1, 0]], 0.5);
    }

    #[test]
    fn a_class_is_one_of_them() {
        let classes = ImageClasses::new(&["six", "nine", "six"].map(String::from));
        let images = [0, 1, 2].map(NsdId);
        let shown = Shown::of_classes(Path::new("classes.csv"), &classes, &images).unwrap();
        assert_eq!(shown.of_image[&NsdId(1)], [Some(true), Some(false)]);
        let error = Shown::of_classes(Path::new("classes.csv"), &classes, &[NsdId(3)]).err().unwrap();
        assert!(error.to_string().contains("classes.csv"), "{error}");
    }
}
