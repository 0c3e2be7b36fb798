//! How well a classifier tells what held-out images show.

use burn::tensor::{Tensor, TensorData};
use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::labelled_images::LabelledImages;
use crate::losses::binary_cross_entropy::binary_cross_entropy;
use crate::metrics::average_precision::average_precision;
use crate::metrics::bootstrap::BootstrapConfig;
use crate::metrics::classification::{ClassificationError, compute_class_auc};
use crate::metrics::naming::{NamingRate, compute_naming, names};
use crate::models::classifier::{ClassKind, Classifier, ClassifierConfig};
use crate::tensor_ops::backend::{Base, Device};

/// Images passed at a time.
const BATCH: usize = 64;

/// One category on held-out images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassEvaluation {
    /// COCO's name.
    pub name: String,
    /// Thing or stuff.
    pub kind: ClassKind,
    /// Images that show it.
    pub positives: usize,
    /// Area under the ROC curve; none without images that show it, or that do not.
    pub auc: Option<f64>,
    /// Average precision.
    pub average_precision: Option<f64>,
}

/// One kind of categories on held-out images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindEvaluation {
    /// Categories.
    pub num_classes: usize,
    /// Mean area under the ROC curve of those that have one; guessing: 0.5.
    pub mean_auc: Option<f64>,
    /// Mean average precision.
    pub mean_average_precision: Option<f64>,
    /// What a random order has on average: the mean share of images that show a category.
    pub chance_average_precision: Option<f64>,
    /// Whether the most probable category is there.
    pub naming: Option<NamingRate>,
}

/// Held-out figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassifierEvaluation {
    /// Mean binary cross-entropy over images and categories, in nats.
    pub loss: f64,
    /// Things.
    pub things: Option<KindEvaluation>,
    /// Stuff.
    pub stuff: Option<KindEvaluation>,
}

/// Figures of `network` on `images`, and those of every category.
///
/// # Errors
/// [`ClassificationError::NotANumber`] when a logit is none.
pub fn evaluate_classifier(
    network: &Classifier<Base>,
    config: &ClassifierConfig,
    images: &LabelledImages,
    device: &Device,
) -> Result<(ClassifierEvaluation, Vec<ClassEvaluation>), ClassificationError> {
    let num_classes = config.classes.len();
    let (mut scores, mut loss, mut known) = (Vec::new(), 0.0, 0.0);
    let all: Vec<usize> = (0..images.len()).collect();
    for chunk in all.chunks(BATCH) {
        let batch = images.batch(chunk, &vec![false; chunk.len()]);
        let side = config.sizes.side;
        let pixels = TensorData::new(batch.pixels_pm1, [batch.len, 3, side, side]);
        let logits = network.logits(network.features(Tensor::<Base, 4>::from_data(pixels, device)));
        scores.extend(logits.to_data().iter::<f32>());
        // The loss of a batch is a mean over known labels: undone here, so that the whole is one mean over all of
        // them.
        let weight: f64 = batch.weights.iter().map(|weight| f64::from(*weight)).sum();
        let tensor =
            |values| Tensor::<Base, 2>::from_data(TensorData::new(values, [batch.len, num_classes]), device);
        let mean = binary_cross_entropy(logits, tensor(batch.labels), tensor(batch.weights)).into_data();
        loss += weight * mean.iter::<f64>().next().unwrap_or(f64::NAN);
        known += weight;
    }
    let mut next = scores.into_iter();
    let scores =
        Array2::from_shape_simple_fn((images.len(), num_classes), || next.next().unwrap_or(f32::NAN));
    // Kinds apart, because an image may be annotated for one and not for the other.
    let (things, mut classes) = evaluate_kind(scores.view(), config, images, ClassKind::Thing)?;
    let (stuff, stuff_classes) = evaluate_kind(scores.view(), config, images, ClassKind::Stuff)?;
    classes.extend(stuff_classes);
    Ok((ClassifierEvaluation { loss: loss / f64::max(known, 1.0), things, stuff }, classes))
}

fn evaluate_kind(
    scores: ArrayView2<'_, f32>,
    config: &ClassifierConfig,
    images: &LabelledImages,
    kind: ClassKind,
) -> Result<(Option<KindEvaluation>, Vec<ClassEvaluation>), ClassificationError> {
    let range = config.range(kind);
    if range.is_empty() {
        return Ok((None, vec![]));
    }
    let shown: Vec<Option<&[bool]>> = (0..images.len()).map(|image| images.shown(image, kind)).collect();
    let known: Vec<usize> = (0..images.len()).filter(|image| shown[*image].is_some()).collect();
    let labels = Array2::from_shape_fn((known.len(), range.len()), |(row, class)| {
        shown[known[row]].is_some_and(|shown| shown[class])
    });
    let of_kind = Array2::from_shape_fn((known.len(), range.len()), |(row, class)| {
        scores[[known[row], range.start + class]]
    });
    let areas = compute_class_auc(of_kind.view(), labels.view())?;
    let classes: Vec<ClassEvaluation> = (0..range.len())
        .map(|class| ClassEvaluation {
            name: config.classes[range.start + class].name.clone(),
            kind,
            positives: areas.positives[class],
            auc: areas.per_class[class],
            average_precision: average_precision(
                &of_kind.column(class).to_vec(),
                &labels.column(class).to_vec(),
            ),
        })
        .collect();
    // Means over categories that at least one image shows.
    let mean =
        |values: &[f64]| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    let there = || classes.iter().filter(|class| class.positives > 0);
    let precisions: Vec<f64> = there().filter_map(|class| class.average_precision).collect();
    let shares: Vec<f64> = there().map(|class| class.positives as f64 / known.len() as f64).collect();
    let all: Vec<usize> = (0..images.len()).collect();
    // The most probable category needs all images' scores; unannotated ones are left out inside.
    let naming = compute_naming(&names(scores, range), &all, &shown, &BootstrapConfig::default());
    let evaluation = KindEvaluation {
        num_classes: classes.len(),
        mean_auc: areas.group(0..classes.len()).map(|group| group.mean),
        mean_average_precision: mean(&precisions),
        chance_average_precision: mean(&shares),
        naming,
    };
    Ok((Some(evaluation), classes))
}
