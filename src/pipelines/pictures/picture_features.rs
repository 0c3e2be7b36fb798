//! Features of pictures for image metrics: a folder or a set of stimuli through a network in batches, kept in the cache.

use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use image::RgbImage;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::interrupt;
use crate::models::clip::encode_batches::encode_images;
use crate::models::inception::{Inception, InceptionConfig, InceptionPreprocessing};
use crate::pipelines::classifier_snapshot::ClassifierSnapshot;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::feature_cache::{CacheKey, clip_pixels, read, store};
use crate::pipelines::workbench::Workbench;
use crate::run::error::RunError;
use crate::run::snapshot::{INCEPTION_KIND, Snapshot};
use crate::tensor_ops::backend::{Base, Device};

/// Pictures passed at a time.
const BATCH: usize = 32;
/// Changes when this program computes features in another way.
const PREPROCESSING: &str = "picture features 1";

/// What kind of features a distance was measured in; only the first gives a FID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureKind {
    /// Pooled features of the FID's Inception-V3.
    FidInception,
    /// The same graph with fewer channels: for tests.
    NarrowInception,
    /// Embeddings of a CLIP's image tower.
    ClipImage,
    /// Pooled features of a scene classifier.
    Classifier,
}

impl FeatureKind {
    /// Whose features they are.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Classifier => "a scene classifier",
            Self::FidInception | Self::NarrowInception => "an Inception network",
            Self::ClipImage => "the generator's own CLIP",
        }
    }

    /// What the Fréchet distance in these features is called.
    pub fn distance_name(self) -> &'static str {
        match self {
            Self::FidInception => "FID",
            Self::NarrowInception => "Fréchet distance in narrow Inception features (not a FID)",
            Self::ClipImage => "Fréchet distance in CLIP image features (not a FID)",
            Self::Classifier => "Fréchet distance in features of a scene classifier (not a FID)",
        }
    }
}

/// Where the features come from.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureSource {
    /// Snapshot of the FID's Inception.
    Inception(PathBuf),
    /// Snapshot of a CLIP.
    Clip(PathBuf),
    /// Snapshot of a scene classifier.
    Classifier(PathBuf),
}

impl FeatureSource {
    /// Reads the network; `preprocessing` is of the Inception.
    ///
    /// # Errors
    /// As [`FeatureNetwork::open_inception`], [`FeatureNetwork::open_clip`] and [`ClassifierSnapshot::open`].
    pub fn open(
        &self,
        preprocessing: InceptionPreprocessing,
        device: &Device,
    ) -> Result<FeatureNetwork, RunError> {
        match self {
            Self::Inception(path) => FeatureNetwork::open_inception(path, preprocessing, device),
            Self::Clip(path) => FeatureNetwork::open_clip(path, device),
            Self::Classifier(path) => FeatureNetwork::open_classifier(path, device),
        }
    }

    /// The snapshot.
    pub fn path(&self) -> &Path {
        match self {
            Self::Inception(path) | Self::Clip(path) | Self::Classifier(path) => path,
        }
    }
}

/// A network that turns pictures into features.
#[derive(Debug)]
pub enum FeatureNetwork {
    /// Inception-V3 from a snapshot.
    Inception {
        /// The network.
        network: Box<Inception<Base>>,
        /// Its sizes.
        config: InceptionConfig,
        /// How pictures become its input.
        preprocessing: InceptionPreprocessing,
        /// SHA-256 of kind, configuration and tensors.
        sha256: String,
    },
    /// The image tower of a CLIP; its embeddings are not scaled.
    Clip(Box<ClipSnapshot>),
    /// A scene classifier.
    Classifier(Box<ClassifierSnapshot>),
}

impl FeatureNetwork {
    /// Reads an Inception.
    ///
    /// # Errors
    /// [`RunError`] when the file is missing, is of another kind, or does not fit its own sizes.
    pub fn open_inception(
        path: &Path,
        preprocessing: InceptionPreprocessing,
        device: &Device,
    ) -> Result<Self, RunError> {
        let snapshot = Snapshot::open(path, INCEPTION_KIND)?;
        let (config, network) =
            snapshot.network(|config: &InceptionConfig| config.init::<Base>(0, device))?;
        let sha256 = snapshot.network_sha256()?;
        Ok(Self::Inception { network: Box::new(network), config, preprocessing, sha256 })
    }

    /// Reads a CLIP.
    ///
    /// # Errors
    /// As [`ClipSnapshot::open`].
    pub fn open_clip(path: &Path, device: &Device) -> Result<Self, RunError> {
        Ok(Self::Clip(Box::new(ClipSnapshot::open(path, device)?)))
    }

    /// Reads a scene classifier.
    ///
    /// # Errors
    /// As [`ClassifierSnapshot::open`].
    pub fn open_classifier(path: &Path, device: &Device) -> Result<Self, RunError> {
        Ok(Self::Classifier(Box::new(ClassifierSnapshot::open(path, device)?)))
    }

    /// Values of a picture's feature vector.
    pub fn width(&self) -> usize {
        match self {
            Self::Inception { config, .. } => config.feature_width(),
            Self::Clip(clip) => clip.config.embed_dim,
            Self::Classifier(classifier) => classifier.config.sizes.num_features(),
        }
    }

    /// What its features are.
    pub fn kind(&self) -> FeatureKind {
        match self {
            Self::Inception { config, .. } if config.channel_divisor == 1 => FeatureKind::FidInception,
            Self::Inception { .. } => FeatureKind::NarrowInception,
            Self::Clip(_) => FeatureKind::ClipImage,
            Self::Classifier(_) => FeatureKind::Classifier,
        }
    }

    /// SHA-256 of its weights.
    pub fn sha256(&self) -> &str {
        match self {
            Self::Inception { sha256, .. } => sha256,
            Self::Clip(clip) => &clip.sha256,
            Self::Classifier(classifier) => &classifier.sha256,
        }
    }

    /// How it prepares pictures, in words.
    pub fn preprocessing(&self) -> &'static str {
        match self {
            Self::Inception { preprocessing: InceptionPreprocessing::TensorFlow, .. } => "tensor-flow",
            Self::Inception { preprocessing: InceptionPreprocessing::PytorchFid, .. } => "pytorch-fid",
            Self::Clip(_) => "clip",
            Self::Classifier(_) => "classifier",
        }
    }

    /// Features of every picture, one row behind the other. Pictures are of one size.
    pub fn features(&self, pictures: &[RgbImage], device: &Device) -> Vec<f32> {
        match self {
            Self::Inception { network, preprocessing, .. } => {
                let Some(first) = pictures.first() else { return vec![] };
                let (width, height) = (first.width() as usize, first.height() as usize);
                let levels: Vec<f32> = pictures
                    .iter()
                    .flat_map(|picture| picture.as_raw())
                    .map(|level| f32::from(*level))
                    .collect();
                // Pictures have their channels last, the network has them first; levels stay 0..255, which is what it
                // takes.
                let shape = [pictures.len(), height, width, 3];
                let pixels = Tensor::<Base, 4>::from_data(TensorData::new(levels, shape), device);
                let features = network.features(pixels.permute([0, 3, 1, 2]), *preprocessing);
                features.into_data().iter::<f32>().collect()
            }
            Self::Clip(snapshot) => {
                let side = snapshot.config.image_size;
                let pixels: Vec<f32> =
                    pictures.iter().flat_map(|picture| clip_pixels(picture, side)).collect();
                encode_images(&snapshot.clip, &pixels, side, BATCH, device, &mut |_, _| {})
            }
            Self::Classifier(snapshot) => snapshot.features(pictures, device),
        }
    }
}

/// Pictures that are read one by one.
pub struct PictureSet<'a> {
    /// For the progress line.
    pub name: &'a str,
    /// What decides each picture: a hash of its file, or its source and number.
    pub identities: &'a [String],
    /// Reads a picture. All are of one size.
    pub load: &'a mut dyn FnMut(usize) -> crate::error::Result<RgbImage>,
}

/// Features `[picture, features]` in the order of the set, from the cache where it has them. At most a batch of pictures is
/// held at a time.
///
/// # Errors
/// The first picture that cannot be read or is of another size than the first; a cache that cannot be written.
pub fn picture_features(
    network: &FeatureNetwork,
    set: PictureSet<'_>,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<Array2<f32>> {
    let Workbench { device, cache, progress } = bench;
    let count = set.identities.len();
    let mut key = CacheKey::new(PREPROCESSING, &[network.sha256(), network.preprocessing()]);
    for identity in set.identities {
        key.add(identity.as_bytes());
    }
    let path = key.path(cache, "pictures");
    if let Some(features) = read(&path, count, Some(network.width())) {
        return Ok(features);
    }
    progress.start(&format!("features of {}", set.name), count as u64);
    let mut features = Vec::new();
    let mut size = None;
    let mut first = 0;
    while first < count {
        let batch = BATCH.min(count - first);
        let pictures =
            (first..first + batch).map(&mut *set.load).collect::<crate::error::Result<Vec<_>>>()?;
        for (place, picture) in pictures.iter().enumerate() {
            let expected = *size.get_or_insert(picture.dimensions());
            if picture.dimensions() != expected {
                let ((width, height), (first_width, first_height)) = (picture.dimensions(), expected);
                let index = first + place;
                return Err(Error::bad_input(format!(
                    "{}: picture {index} is {width} × {height} pixels, the first {first_width} × {first_height}",
                    set.name
                )));
            }
        }
        features.extend(network.features(&pictures, device));
        first += batch;
        interrupt::check()?;
        progress.advance(first as u64, "");
    }
    progress.finish("");
    Ok(store(&path, features, count)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::progress::Silent;
    use crate::run::snapshot::save_snapshot;
    use crate::tensor_ops::backend::cpu;
    use serde_json::json;

    fn picture(index: usize) -> RgbImage {
        RgbImage::from_fn(12, 12, |x, y| image::Rgb([x as u8 * 20, y as u8 * 20, index as u8 * 60]))
    }

    /// An Inception that is moved takes more stack than a test's thread has in builds without optimisation.
    fn on_a_deep_stack(test: fn()) {
        std::thread::Builder::new().stack_size(64 << 20).spawn(test).unwrap().join().unwrap();
    }

    #[test]
    fn pictures_are_read_once_and_rows_are_their_own() {
        on_a_deep_stack(reads_once);
    }

    fn reads_once() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("inception.safetensors");
        let config = InceptionConfig { channel_divisor: 16 };
        let network = config.init::<Base>(1, &cpu()).unwrap();
        save_snapshot(&path, INCEPTION_KIND, &config, &json!({}), &network).unwrap();
        let open = |preprocessing| FeatureNetwork::open_inception(&path, preprocessing, &cpu()).unwrap();
        let network = open(InceptionPreprocessing::TensorFlow);
        assert_eq!(network.kind(), FeatureKind::NarrowInception);
        assert!(network.kind().distance_name().contains("not a FID"));

        let features = |network: &FeatureNetwork, of: &[usize]| {
            let identities: Vec<String> = of.iter().map(|index| format!("picture {index}")).collect();
            let mut reads = 0;
            let mut load = |place: usize| {
                reads += 1;
                Ok(picture(of[place]))
            };
            let set = PictureSet { name: "test", identities: &identities, load: &mut load };
            let (device, mut progress) = (cpu(), Silent);
            let mut bench = Workbench::new(&device, root.path(), &mut progress);
            let found = picture_features(network, set, &mut bench).unwrap();
            (found, reads)
        };
        let (both, reads) = features(&network, &[0, 1]);
        assert_eq!((both.dim(), reads), ((2, config.feature_width()), 2));
        assert_ne!(both.row(0), both.row(1));
        assert_eq!(features(&network, &[0, 1]), (both.clone(), 0));
        let (alone, _) = features(&network, &[1]);
        assert!(alone.row(0).iter().zip(both.row(1)).all(|(a, b)| (a - b).abs() < 1e-5));
        let (other, reads) = features(&open(InceptionPreprocessing::PytorchFid), &[0, 1]);
        assert!(reads == 2 && other != both, "another preprocessing is another key");
    }

    #[test]
    fn pictures_of_several_sizes_are_refused() {
        on_a_deep_stack(refuses_sizes);
    }

    fn refuses_sizes() {
        let root = tempfile::tempdir().unwrap();
        let config = InceptionConfig { channel_divisor: 16 };
        let network = FeatureNetwork::Inception {
            network: Box::new(config.init(1, &cpu()).unwrap()),
            config,
            preprocessing: InceptionPreprocessing::default(),
            sha256: "x".into(),
        };
        let mut load = |index: usize| Ok(RgbImage::new(8 + index as u32, 8));
        let identities = ["a".to_string(), "b".to_string()];
        let set = PictureSet { name: "test", identities: &identities, load: &mut load };
        let (device, mut progress) = (cpu(), Silent);
        let mut bench = Workbench::new(&device, root.path(), &mut progress);
        let error = picture_features(&network, set, &mut bench).unwrap_err();
        assert!(error.to_string().contains("picture 1"), "{error}");
    }
}
