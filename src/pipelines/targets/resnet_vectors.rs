//! ResNet vectors of stimuli, scaled to 0..1: the targets of a ResNet mapper (docs/spec/mapper.md §6.3), computed once
//! and kept.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::data::error::DataError;
use crate::data::image::augment::Planes;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::trial::NsdId;
use crate::interrupt;
use crate::models::resnet::low_level::{INPUT_SIZE, Maxima, channel_average_01, max_and_mean, vector_01};
use crate::models::resnet::{Resnet, ResnetConfig, Stage};
use crate::pipelines::feature_cache::{CacheKey, file_identity, read, store};
use crate::pipelines::workbench::Workbench;
use crate::run::error::RunError;
use crate::run::snapshot::{RESNET_KIND, Snapshot};
use crate::tensor_ops::backend::{Base, Device};

/// Images decoded and passed at a time.
const BATCH: usize = 64;
/// Changes when this program computes vectors in another way.
const PREPROCESSING: &str = "resnet 1: bilinear without antialias, 0..1";

/// Which vector of an image (docs/spec/open-questions.md OQ-16).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResnetVector {
    /// Stage four averaged over positions, over 18.5: 2048 values. The published stage-one script's.
    #[default]
    ChannelAverage,
    /// Stage two, `max + 2·mean` over channels at every position: 256 values. That of the generator's loss.
    MaxAndMean,
}

impl ResnetVector {
    fn name(self) -> &'static str {
        match self {
            Self::ChannelAverage => "channel-average",
            Self::MaxAndMean => "max-and-mean",
        }
    }
}

/// A network with the identity of its weights.
#[derive(Debug)]
pub struct ResnetSnapshot {
    /// The network.
    pub network: Resnet<Base>,
    /// SHA-256 of kind, configuration and tensors.
    pub sha256: String,
}

impl ResnetSnapshot {
    /// Reads a snapshot.
    ///
    /// # Errors
    /// [`RunError`] when the file is missing, is of another kind, or does not fit its own sizes.
    pub fn open(path: &Path, device: &Device) -> Result<Self, RunError> {
        let snapshot = Snapshot::open(path, RESNET_KIND)?;
        let (_, network) = snapshot.network(|config: &ResnetConfig| config.init::<Base>(0, device))?;
        Ok(Self { network, sha256: snapshot.network_sha256()? })
    }

    /// Vectors `[images, width]` of plain 0..1 pixels `[images, 3, 128, 128]`.
    pub fn vectors(&self, pixels_01: Tensor<Base, 4>, vector: ResnetVector) -> Tensor<Base, 2> {
        match vector {
            ResnetVector::ChannelAverage => channel_average_01(&self.network, pixels_01),
            ResnetVector::MaxAndMean => {
                let features = self.network.stage(pixels_01, Stage::Two);
                vector_01(max_and_mean(features, Maxima::PerImage), Stage::Two)
            }
        }
    }
}

/// Vectors `[image, width]` of `images`, in their order, from the cache where it has them.
///
/// # Errors
/// The first image that cannot be read; a cache that cannot be written.
pub fn stimulus_vectors(
    resnet: &ResnetSnapshot,
    vector: ResnetVector,
    stimuli_path: &Path,
    images: &[NsdId],
    bench: &mut Workbench<'_>,
) -> crate::error::Result<Array2<f32>> {
    let Workbench { device, cache, progress } = bench;
    let stimuli = Stimuli::open(stimuli_path)?;
    let mut key =
        CacheKey::new(PREPROCESSING, &[&resnet.sha256, vector.name(), &file_identity(stimuli_path)?]);
    for image in images {
        key.add(&image.0.to_le_bytes());
    }
    let path = key.path(cache, "resnet");
    if let Some(vectors) = read(&path, images.len(), None) {
        return Ok(vectors);
    }
    progress.start("ResNet vectors of the images", images.len() as u64);
    let mut vectors = Vec::new();
    for (batch, images_of_batch) in images.chunks(BATCH).enumerate() {
        let mut pixels = Vec::new();
        for image in images_of_batch {
            pixels.extend(resnet_pixels(&stimuli, *image)?);
        }
        let shape = [images_of_batch.len(), 3, INPUT_SIZE, INPUT_SIZE];
        let pixels = Tensor::from_data(TensorData::new(pixels, shape), *device);
        vectors.extend(resnet.vectors(pixels, vector).into_data().iter::<f32>());
        interrupt::check()?;
        progress.advance((batch * BATCH + images_of_batch.len()) as u64, "");
    }
    progress.finish("");
    Ok(store(&path, vectors, images.len())?)
}

/// An image at the network's size, 0..1.
fn resnet_pixels(stimuli: &Stimuli, image: NsdId) -> Result<Vec<f32>, DataError> {
    Ok(Planes::from_image(&stimuli.image(image)?).resize(INPUT_SIZE, false).values)
}
