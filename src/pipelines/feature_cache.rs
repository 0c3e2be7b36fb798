//! CLIP embeddings of a set of images or captions, computed once and kept.
//!
//! A cache file is named by the SHA-256 of everything that decides its content: the network's snapshot, the
//! preprocessing, and every item with its identity. So another network, another set or another order is another
//! file, and a file is never edited. Embeddings are raw; clamping and scaling belong to the targets.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use image::RgbImage;
use ndarray::Array2;
use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest, Sha256};

use crate::data::error::DataError;
use crate::data::image::resize::{Filter, resize_and_center_crop};
use crate::error::{Classified, ErrorClass};
use crate::files::{InputKind, read_input, write_atomic};
use crate::interrupt::{self, Stopped};
use crate::models::clip::Clip;
use crate::models::clip::encode_batches::{encode_images, encode_texts};
use crate::models::clip::preprocess::normalize_hwc;
use crate::models::clip::tokenizer::{TextTooLong, Tokenizer};
use crate::run::error::RunError;
use crate::run::snapshot::hex;

/// Images decoded and encoded at a time.
const BATCH: usize = 64;
/// Changes when this program computes embeddings in another way.
const IMAGE_PREPROCESSING: &str = "clip image 1: pillow bicubic, centre crop";
const TEXT_PREPROCESSING: &str = "clip text 1: cleaned, byte pairs";
const TENSOR: &str = "embeddings";

/// CLIP input of one image, bit for bit that of the published preprocessing: shorter side to `side` by Pillow's
/// bicubic filter, centre crop, mean and deviation. `[3, side, side]`.
pub fn clip_pixels(image: &RgbImage, side: usize) -> Vec<f32> {
    normalize_hwc(resize_and_center_crop(image, side as u32, Filter::Bicubic).as_raw())
}

/// An encoder together with the identity of its weights.
pub struct ClipEncoder<'a, B: Backend> {
    /// The network.
    pub clip: &'a Clip<B>,
    /// Side of its images in pixels.
    pub image_size: usize,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// SHA-256 of its snapshot.
    pub snapshot_sha256: &'a str,
    /// Where it computes.
    pub device: &'a B::Device,
}

/// Why embeddings cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError<E: Classified> {
    /// An image cannot be read.
    #[error(transparent)]
    Image(E),
    /// A text does not fit the context.
    #[error(transparent)]
    Text(#[from] TextTooLong),
    /// The cache cannot be written.
    #[error(transparent)]
    Cache(#[from] RunError),
    /// Somebody asked to stop before the last batch.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl<E: Classified> Classified for FeatureError<E> {
    fn class(&self) -> ErrorClass {
        match self {
            Self::Image(error) => error.class(),
            Self::Text(error) => error.class(),
            Self::Cache(error) => error.class(),
            Self::Stopped(error) => error.class(),
        }
    }
}

/// Path, size and time of change of a file: another set of images in the same place is another set.
///
/// # Errors
/// [`DataError::unreadable`].
pub fn file_identity(path: &Path) -> Result<String, DataError> {
    let unreadable = |error: std::io::Error| DataError::unreadable(path, error);
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let path = path.canonicalize().map_err(unreadable)?;
    Ok(format!("{} {} {:?}", path.display(), metadata.len(), modified))
}

/// The key of a cache file.
pub(super) struct CacheKey(Sha256);

impl CacheKey {
    pub fn new(preprocessing: &str, parts: &[&str]) -> Self {
        let mut key = Self(Sha256::new());
        key.add(preprocessing.as_bytes());
        for part in parts {
            key.add(part.as_bytes());
        }
        key
    }

    /// The length in front keeps `ab`, `c` and `a`, `bc` apart.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// File of the key; `network` begins its name.
    pub fn path(self, cache: &Path, network: &str) -> PathBuf {
        cache.join(format!("{network}-{}.safetensors", hex(&self.0.finalize())))
    }
}

impl<B: Backend> ClipEncoder<'_, B> {
    fn embed_dim(&self) -> usize {
        let [_, embed_dim] = self.clip.text.projection.weight.dims();
        embed_dim
    }

    /// Raw embeddings `[image, embed_dim]` of the images `ids`, in their order, from the cache where it has them.
    ///
    /// `source` names the set that the ids number (see [`file_identity`]):
    /// the same id in another set is another image. `load` reads one image.
    ///
    /// # Errors
    /// The first image that cannot be read; a cache that cannot be written.
    pub fn embed_images<E: Classified>(
        &self,
        cache: &Path,
        source: &str,
        ids: &[u64],
        load: &mut dyn FnMut(u64) -> Result<RgbImage, E>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Array2<f32>, FeatureError<E>> {
        let mut key =
            CacheKey::new(IMAGE_PREPROCESSING, &[self.snapshot_sha256, &self.image_size.to_string(), source]);
        for id in ids {
            key.add(&id.to_le_bytes());
        }
        let path = key.path(cache, "clip");
        if let Some(embeddings) = read(&path, ids.len(), Some(self.embed_dim())) {
            return Ok(embeddings);
        }
        let mut embeddings = Vec::new();
        for (batch, ids_of_batch) in ids.chunks(BATCH).enumerate() {
            interrupt::check()?;
            let mut pixels = Vec::new();
            for id in ids_of_batch {
                let image = load(*id).map_err(FeatureError::Image)?;
                pixels.extend(clip_pixels(&image, self.image_size));
            }
            let before = (batch * BATCH) as u64;
            embeddings.extend(encode_images(
                self.clip,
                &pixels,
                self.image_size,
                BATCH,
                self.device,
                &mut |done, _| progress(before + done, ids.len() as u64),
            ));
        }
        Ok(store(&path, embeddings, ids.len())?)
    }

    /// Raw embeddings `[text, embed_dim]` of `captions`, in their order, from the cache where it has them.
    ///
    /// # Errors
    /// A caption that does not fit the context; a cache that cannot be written.
    pub fn embed_captions(
        &self,
        cache: &Path,
        captions: &[&str],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Array2<f32>, FeatureError<std::convert::Infallible>> {
        // It shows the length of the context and what becomes of long texts: both decide the tokens.
        let tokenizer = format!("{:?}", self.tokenizer);
        let mut key = CacheKey::new(TEXT_PREPROCESSING, &[self.snapshot_sha256, &tokenizer]);
        for caption in captions {
            key.add(caption.as_bytes());
        }
        let path = key.path(cache, "clip");
        if let Some(embeddings) = read(&path, captions.len(), Some(self.embed_dim())) {
            return Ok(embeddings);
        }
        let rows = captions
            .iter()
            .map(|caption| self.tokenizer.encode_unpadded(caption))
            .collect::<Result<Vec<_>, _>>()?;
        let mut embeddings = Vec::new();
        for (batch, rows_of_batch) in rows.chunks(BATCH).enumerate() {
            interrupt::check()?;
            let before = (batch * BATCH) as u64;
            let mut progress = |done, _| progress(before + done, rows.len() as u64);
            embeddings.extend(encode_texts(self.clip, rows_of_batch, BATCH, self.device, &mut progress));
        }
        Ok(store(&path, embeddings, captions.len())?)
    }
}

fn shaped(values: Vec<f32>, rows: usize) -> Option<Array2<f32>> {
    let columns = values.len().checked_div(rows).unwrap_or(0);
    Array2::from_shape_vec((rows, columns), values).ok()
}

/// A whole and fitting cache file, or nothing: whatever is wrong with a cache, computing again is right.
/// `columns` is the width of the network's vectors, where the caller knows it.
pub(super) fn read(path: &Path, rows: usize, columns: Option<usize>) -> Option<Array2<f32>> {
    let bytes = read_input(path, InputKind::Weights).ok()?;
    let file = safetensors::SafeTensors::deserialize(&bytes).ok()?;
    let view = file.tensor(TENSOR).ok()?;
    if view.dtype() != Dtype::F32 || view.shape().first() != Some(&rows) {
        return None;
    }
    let values = view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    shaped(values, rows).filter(|found| {
        columns.is_none_or(|columns| found.ncols() == columns) && found.iter().all(|value| value.is_finite())
    })
}

pub(super) fn store(path: &Path, values: Vec<f32>, rows: usize) -> Result<Array2<f32>, RunError> {
    let unwritable = |error: &dyn std::fmt::Display| RunError::unwritable(path, error);
    let columns = values.len().checked_div(rows).unwrap_or(0);
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view =
        TensorView::new(Dtype::F32, vec![rows, columns], &bytes).map_err(|error| unwritable(&error))?;
    let file = safetensors::serialize([(TENSOR, view)], None).map_err(|error| unwritable(&error))?;
    write_atomic(path, &file)?;
    shaped(values, rows).ok_or_else(|| unwritable(&"the embeddings have no rectangular shape"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::clip::ClipConfig;
    use crate::models::clip::tokenizer::LongText;
    use crate::tensor_ops::backend::{Base, cpu};
    use std::convert::Infallible;

    fn network(seed: u64) -> (ClipConfig, Clip<Base>) {
        let config = ClipConfig {
            image_size: 16,
            patch_size: 8,
            vision_width: 8,
            vision_layers: 1,
            vision_heads: 1,
            text_width: 8,
            text_layers: 1,
            text_heads: 1,
            embed_dim: 4,
            ..ClipConfig::default()
        };
        let clip = config.init(seed, &cpu()).unwrap();
        (config, clip)
    }

    fn with_encoder<T>(seed: u64, work: impl FnOnce(&ClipEncoder<Base>) -> T) -> T {
        let (config, clip) = network(seed);
        work(&ClipEncoder {
            clip: &clip,
            image_size: config.image_size,
            tokenizer: Tokenizer::new(config.context_length, LongText::Error),
            snapshot_sha256: &format!("snapshot of seed {seed}"),
            device: &cpu(),
        })
    }

    fn picture(id: u64) -> RgbImage {
        RgbImage::from_fn(20, 24, |x, y| image::Rgb([x as u8 * 9, y as u8 * 9, id as u8 * 40]))
    }

    /// Embeddings and how many images had to be read for them.
    fn embed(encoder: &ClipEncoder<Base>, cache: &Path, source: &str, ids: &[u64]) -> (Array2<f32>, usize) {
        let mut reads = 0;
        let mut load = |id| {
            reads += 1;
            Ok::<_, Infallible>(picture(id))
        };
        let embeddings = encoder.embed_images(cache, source, ids, &mut load, &mut |_, _| {}).unwrap();
        (embeddings, reads)
    }

    #[test]
    fn the_second_time_nothing_is_read_and_every_row_is_its_own_image() {
        let root = tempfile::tempdir().unwrap();
        with_encoder(1, |encoder| {
            let (first, reads) = embed(encoder, root.path(), "a", &[3, 5, 1]);
            assert_eq!((first.dim(), reads), ((3, 4), 3));
            assert_ne!(first.row(0), first.row(1));
            let (again, reads) = embed(encoder, root.path(), "a", &[3, 5, 1]);
            assert_eq!((&again, reads), (&first, 0));
            let (alone, _) = embed(encoder, root.path(), "a", &[5]);
            for (a, b) in alone.row(0).iter().zip(first.row(1)) {
                assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        });
    }

    #[test]
    fn keys_do_not_mix() {
        let root = tempfile::tempdir().unwrap();
        let (first, _) = with_encoder(1, |encoder| embed(encoder, root.path(), "a", &[1, 2]));
        for (seed, source, ids) in [(2, "a", [1, 2]), (1, "b", [1, 2]), (1, "a", [2, 1]), (1, "a", [1, 3])] {
            let (other, reads) = with_encoder(seed, |encoder| embed(encoder, root.path(), source, &ids));
            assert_eq!(reads, 2, "seed {seed}, source {source}, ids {ids:?} came from another key's file");
            assert!(source == "b" || other != first, "seed {seed}, ids {ids:?}");
        }
    }

    #[test]
    fn captions_are_cached_by_their_text_and_boundaries() {
        let root = tempfile::tempdir().unwrap();
        let embed = |encoder: &ClipEncoder<Base>, captions: &[&str]| {
            let mut calls = 0;
            let embeddings = encoder.embed_captions(root.path(), captions, &mut |_, _| calls += 1).unwrap();
            (embeddings, calls > 0)
        };
        with_encoder(1, |encoder| {
            let (first, computed) = embed(encoder, &["a dog", "cat"]);
            assert!(computed);
            assert_eq!(embed(encoder, &["a dog", "cat"]), (first.clone(), false));
            let (other, computed) = embed(encoder, &["a do", "gcat"]);
            assert!(computed && other != first);
        });
    }

    #[test]
    fn a_damaged_file_is_computed_again() {
        let root = tempfile::tempdir().unwrap();
        with_encoder(1, |encoder| {
            let (first, _) = embed(encoder, root.path(), "a", &[1]);
            let path = std::fs::read_dir(root.path()).unwrap().next().unwrap().unwrap().path();
            let whole = std::fs::read(&path).unwrap();
            for bytes in [&whole[..whole.len() - 1], &b"garbage"[..]] {
                std::fs::write(&path, bytes).unwrap();
                assert_eq!(embed(encoder, root.path(), "a", &[1]), (first.clone(), 1));
            }
        });
    }

    #[test]
    fn embeddings_of_another_width_and_those_that_are_no_numbers_are_computed_again() {
        let root = tempfile::tempdir().unwrap();
        with_encoder(1, |encoder| {
            let (first, _) = embed(encoder, root.path(), "a", &[1]);
            let path = std::fs::read_dir(root.path()).unwrap().next().unwrap().unwrap().path();
            for values in [vec![0.5; first.ncols() + 1], vec![f32::NAN; first.ncols()]] {
                store(&path, values, 1).unwrap();
                assert_eq!(embed(encoder, root.path(), "a", &[1]), (first.clone(), 1));
            }
        });
    }
}
