//! What can be named in drawn pictures: is the most probable thing (stuff) one that the image's annotations show?
//!
//! Beside it the same share of the ground truth, which no drawing can be asked to pass, and of pictures held against the annotations of
//! other images, which a picture of nothing in particular has too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::data::nsd::tree::NsdTree;
use crate::data::trial::NsdId;
use crate::metrics::bootstrap::BootstrapConfig;
use crate::metrics::naming::{NamingRate, compute_naming, names};
use crate::models::classifier::{ClassKind, ClassifierConfig, ShownClasses};
use crate::pipelines::scene_labels::{read_scene_labels, shown_classes};

/// One kind of categories.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamedKind {
    /// Categories to choose from.
    pub num_classes: usize,
    /// Of drawn pictures; `others` is chance.
    pub generated: NamingRate,
    /// Of the ground truth: what perfect pictures would get from this network.
    pub truth: NamingRate,
}

/// Shares of pictures of which the classifier names something that the image's annotations show.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamingSummary {
    /// Snapshot of the network that named.
    pub classifier: PathBuf,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// Share of an image's area from which on it shows a category.
    pub min_share: f64,
    /// Things: countable objects, as COCO lists them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub things: Option<NamedKind>,
    /// Stuff: sky, grass and other matter without a shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuff: Option<NamedKind>,
}

impl NamingSummary {
    /// The kinds that were named, each with its heading.
    pub fn kinds(&self) -> impl Iterator<Item = (&'static str, &NamedKind)> {
        let kinds = [("things", self.things.as_ref()), ("stuff", self.stuff.as_ref())];
        kinds.into_iter().filter_map(|(name, kind)| kind.map(|kind| (name, kind)))
    }

    /// Who named, and how many different names were given, as a line of text.
    pub fn line(&self) -> String {
        let names: Vec<String> =
            self.kinds().map(|(name, kind)| format!("{name} {}", kind.generated.num_names)).collect();
        format!("Named by {}; different names given: {}.", self.classifier.display(), names.join(", "))
    }
}

/// Scores of pictures, row by row.
pub(super) struct Scored<'a> {
    /// Which categories, in the order of the columns.
    pub config: &'a ClassifierConfig,
    /// Of drawn pictures, `[picture, class]`.
    pub generated: Array2<f32>,
    /// Of their ground truth.
    pub truth: Array2<f32>,
    /// The image behind each.
    pub images: &'a [NsdId],
}

impl Scored<'_> {
    /// Rates of a kind; `labels` are of the distinct images, ascending. None without categories or annotations.
    fn named(&self, kind: ClassKind, labels: &BTreeMap<NsdId, ShownClasses>) -> Option<NamedKind> {
        let range = self.config.range(kind);
        if range.is_empty() {
            return None;
        }
        let shown: Vec<Option<&[bool]>> = labels.values().map(|labels| labels.of(kind)).collect();
        let places: BTreeMap<NsdId, usize> = labels.keys().copied().zip(0..).collect();
        let images: Vec<usize> = self.images.iter().filter_map(|image| places.get(image).copied()).collect();
        let rate = |scores: ArrayView2<'_, f32>| {
            compute_naming(&names(scores, range.clone()), &images, &shown, &BootstrapConfig::default())
        };
        let (generated, truth) = (rate(self.generated.view())?, rate(self.truth.view())?);
        Some(NamedKind { num_classes: range.len(), generated, truth })
    }

    /// Rates of things and stuff by the annotations of an NSD tree.
    ///
    /// # Errors
    /// As [`read_scene_labels`].
    pub fn summary(
        &self,
        tree: &NsdTree,
        classifier: &Path,
        sha256: &str,
    ) -> crate::error::Result<NamingSummary> {
        let mut distinct = self.images.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let shown = read_scene_labels(tree, &distinct)?;
        let labels = shown.iter().map(|shown| shown_classes(shown, self.config));
        let labels = distinct.iter().copied().zip(labels).collect();
        Ok(NamingSummary {
            classifier: classifier.to_path_buf(),
            sha256: sha256.to_string(),
            min_share: self.config.min_share,
            things: self.named(ClassKind::Thing, &labels),
            stuff: self.named(ClassKind::Stuff, &labels),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::classifier::{ClassifierSizes, SceneClass};
    use ndarray::array;

    #[test]
    fn drawn_pictures_are_named_beside_their_truth_and_chance() {
        let class = |id, kind| SceneClass { id, name: String::new(), kind };
        let config = ClassifierConfig {
            sizes: ClassifierSizes::default(),
            min_share: 0.005,
            classes: vec![
                class(17, ClassKind::Thing),
                class(18, ClassKind::Thing),
                class(92, ClassKind::Stuff),
            ],
        };
        let scored = Scored {
            config: &config,
            // Two pictures of image 7 and one of image 3: cat, dog, dog.
            generated: array![[2.0, 1.0, 9.0], [0.0, 1.0, 9.0], [0.0, 1.0, 9.0]],
            truth: array![[2.0, 1.0, 9.0], [2.0, 1.0, 9.0], [2.0, 1.0, 9.0]],
            images: &[NsdId(7), NsdId(7), NsdId(3)],
        };
        let shown = |things: &[bool]| ShownClasses { things: Some(things.to_vec()), stuff: None };
        // Image 3 shows a dog, image 7 a cat.
        let labels = [(NsdId(3), shown(&[false, true])), (NsdId(7), shown(&[true, false]))].into();
        let things = scored.named(ClassKind::Thing, &labels).unwrap();
        assert!((things.generated.own.mean - 2.0 / 3.0).abs() < 1e-12);
        assert!((things.generated.others.unwrap().mean - 1.0 / 3.0).abs() < 1e-12);
        assert!((things.truth.own.mean - 2.0 / 3.0).abs() < 1e-12);
        assert_eq!((things.num_classes, things.generated.num_names, things.truth.num_names), (2, 2, 1));
        assert!(scored.named(ClassKind::Stuff, &labels).is_none());
        let summary = NamingSummary {
            classifier: "c.safetensors".into(),
            sha256: String::new(),
            min_share: 0.005,
            things: Some(things),
            stuff: None,
        };
        assert_eq!(summary.line(), "Named by c.safetensors; different names given: things 2.");
    }
}
