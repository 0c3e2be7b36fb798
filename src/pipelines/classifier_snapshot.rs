//! A scene classifier from its snapshot, with what is done with its features.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use image::RgbImage;
use ndarray::Array2;

use crate::data::image::resize::{Filter, resize_and_center_crop};
use crate::models::classifier::preprocess::planes_pm1;
use crate::models::classifier::{Classifier, ClassifierConfig};
use crate::run::error::RunError;
use crate::run::snapshot::{CLASSIFIER_KIND, Snapshot};
use crate::tensor_ops::backend::{Base, Device};

/// A network with its categories and the identity of its weights.
#[derive(Debug)]
pub struct ClassifierSnapshot {
    /// The network.
    pub network: Classifier<Base>,
    /// Its sizes and categories.
    pub config: ClassifierConfig,
    /// SHA-256 of kind, configuration and tensors.
    pub sha256: String,
}

impl ClassifierSnapshot {
    /// Reads a snapshot.
    ///
    /// # Errors
    /// [`RunError`] when the file is missing, is of another kind, or does not fit its own sizes.
    pub fn open(path: &Path, device: &Device) -> Result<Self, RunError> {
        let snapshot = Snapshot::open(path, CLASSIFIER_KIND)?;
        let (config, network) =
            snapshot.network(|config: &ClassifierConfig| config.init::<Base>(0, device))?;
        Ok(Self { network, config, sha256: snapshot.network_sha256()? })
    }

    /// Features of pictures of any size, one row behind the other: shorter side to the network's by Pillow's bicubic filter, cut
    /// at the centre.
    pub fn features(&self, pictures: &[RgbImage], device: &Device) -> Vec<f32> {
        let side = self.config.sizes.side;
        let mut planes = Vec::with_capacity(pictures.len() * 3 * side * side);
        for picture in pictures {
            planes_pm1(resize_and_center_crop(picture, side as u32, Filter::Bicubic).as_raw(), &mut planes);
        }
        let pixels = TensorData::new(planes, [pictures.len(), 3, side, side]);
        self.network
            .features(Tensor::<Base, 4>::from_data(pixels, device))
            .into_data()
            .iter::<f32>()
            .collect()
    }

    /// Logits `[picture, class]` of features `[picture, features]`.
    pub fn logits(&self, features: &Array2<f32>, device: &Device) -> Array2<f32> {
        let (rows, columns) = features.dim();
        let values = TensorData::new(features.iter().copied().collect(), [rows, columns]);
        let logits = self.network.logits(Tensor::<Base, 2>::from_data(values, device)).into_data();
        let mut values = logits.iter::<f32>();
        Array2::from_shape_simple_fn((rows, self.config.classes.len()), || values.next().unwrap_or(f32::NAN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::classifier::{ClassKind, ClassifierSizes, SceneClass};
    use crate::run::snapshot::{RESNET_KIND, save_snapshot};
    use crate::tensor_ops::backend::cpu;
    use serde_json::json;

    fn config() -> ClassifierConfig {
        let class = |id: u32| SceneClass { id, name: "dog".into(), kind: ClassKind::Thing };
        let sizes = ClassifierSizes { side: 8, widths: vec![4, 6] };
        ClassifierConfig { sizes, min_share: 0.01, classes: vec![class(17), class(18)] }
    }

    #[test]
    fn a_snapshot_comes_back_and_says_the_same() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("classifier.safetensors");
        let network = config().init::<Base>(4, &cpu()).unwrap().with_logit_biases(&[-1.0, 2.0]);
        save_snapshot(&path, CLASSIFIER_KIND, &config(), &json!({}), &network).unwrap();
        let snapshot = ClassifierSnapshot::open(&path, &cpu()).unwrap();
        assert_eq!(snapshot.config, config());
        let picture = |side: u32, shift: u8| {
            RgbImage::from_fn(side, side, |x, y| image::Rgb([x as u8 * 8, y as u8 * 8, shift]))
        };
        let pictures = [picture(8, 0), picture(8, 200)];
        let features = snapshot.features(&pictures, &cpu());
        let features = Array2::from_shape_vec((2, 6), features).unwrap();
        let logits = snapshot.logits(&features, &cpu());
        let mut planes = vec![];
        pictures.iter().for_each(|picture| planes_pm1(picture.as_raw(), &mut planes));
        let pixels = Tensor::<Base, 4>::from_data(TensorData::new(planes, [2, 3, 8, 8]), &cpu());
        let expected: Vec<f32> = network.logits(network.features(pixels)).into_data().to_vec().unwrap();
        assert!(logits.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{logits} {expected:?}");
        assert_ne!(logits.row(0), logits.row(1));
        assert_eq!(snapshot.features(&[picture(30, 9)], &cpu()).len(), 6);
    }

    #[test]
    fn another_kind_and_other_sizes_are_named() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.safetensors");
        let network = config().init::<Base>(4, &cpu()).unwrap();
        let error = || ClassifierSnapshot::open(&path, &cpu()).unwrap_err().to_string();
        save_snapshot(&path, RESNET_KIND, &config(), &json!({}), &network).unwrap();
        assert!(error().contains("found `resnet`, expected `classifier`"), "{}", error());
        let mut wrong = config();
        wrong.sizes.side = 7;
        save_snapshot(&path, CLASSIFIER_KIND, &wrong, &json!({}), &network).unwrap();
        assert!(error().contains("`side`: found 7"), "{}", error());
    }
}
