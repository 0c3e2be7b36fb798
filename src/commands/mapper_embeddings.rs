//! Raw CLIP embeddings that a mapper aims at, for every image that a subject saw.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::ops::Range;
use std::path::Path;
use std::time::UNIX_EPOCH;

use ndarray::Array2;

use super::train_mapper::TrainMapperSettings;
use crate::data::error::DataError;
use crate::data::nsd::stimuli::Stimuli;
use crate::data::prepared::PreparedSubject;
use crate::data::trial::NsdId;
use crate::models::clip::tokenizer::{LongText, Tokenizer};
use crate::models::clip::{Clip, ClipConfig};
use crate::pipelines::feature_cache::{ClipEncoder, FeatureError};
use crate::run::progress::Progress;
use crate::run::snapshot::Snapshot;
use crate::tensor_ops::backend::{Base, Device};

/// Embeddings and how they belong to trials.
pub(super) struct RawTargets {
    /// `[rows, embed_dim]`
    pub embeddings: Array2<f32>,
    /// Rows of each image: one, or one per caption.
    pub rows_of_image: Vec<Range<usize>>,
    /// Image of each trial, as an index into `rows_of_image`.
    pub image_of_trial: Vec<usize>,
    /// SHA-256 of the CLIP snapshot.
    pub clip_sha256: String,
}

/// The CLIP network of a snapshot, on a device.
struct LoadedClip {
    snapshot: Snapshot,
    config: ClipConfig,
    clip: Clip<Base>,
}

impl LoadedClip {
    fn open(path: &Path, device: &Device) -> anyhow::Result<Self> {
        let snapshot = Snapshot::open(path, "clip")?;
        let config: ClipConfig = snapshot.config()?;
        let clip = snapshot.load_into(config.init_zeros::<Base>(device)?)?;
        Ok(Self { snapshot, config, clip })
    }

    fn encoder<'a>(&'a self, device: &'a Device) -> ClipEncoder<'a, Base> {
        ClipEncoder {
            clip: &self.clip,
            image_size: self.config.image_size,
            tokenizer: Tokenizer::new(self.config.context_length, LongText::Error),
            snapshot_sha256: self.snapshot.sha256(),
            device,
        }
    }
}

/// One embedding per image.
pub(super) fn image_embeddings(
    settings: &TrainMapperSettings,
    subject: &PreparedSubject,
    device: &Device,
    progress: &mut dyn Progress,
) -> anyhow::Result<RawTargets> {
    let loaded = LoadedClip::open(&settings.clip, device)?;
    let path = &settings.stimuli;
    let stimuli = Stimuli::open(path)?;
    let (images, image_of_trial) = images(subject);
    let ids: Vec<u64> = images.iter().map(|image| u64::from(image.0)).collect();
    let mut load = |id: u64| {
        let id = u32::try_from(id).map_err(|_| DataError::invalid(path, "image", "a 32-bit number", id))?;
        stimuli.image(NsdId(id))
    };
    let source = identity(path)?;
    progress.start("CLIP embeddings of the images", ids.len() as u64);
    let embeddings =
        loaded.encoder(device).embed_images(&settings.cache, &source, &ids, &mut load, &mut |done, _| {
            progress.advance(done, "")
        });
    let embeddings = embeddings.map_err(cause)?;
    progress.finish("");
    let rows_of_image = (0..images.len()).map(|image| image..image + 1).collect();
    let clip_sha256 = loaded.snapshot.sha256().to_string();
    Ok(RawTargets { embeddings, rows_of_image, image_of_trial, clip_sha256 })
}

/// One embedding per vetted caption.
pub(super) fn caption_embeddings(
    settings: &TrainMapperSettings,
    subject: &PreparedSubject,
    device: &Device,
    progress: &mut dyn Progress,
) -> anyhow::Result<RawTargets> {
    let path = &settings.captions;
    let vetted = read_vetted_captions(path)?;
    let (images, image_of_trial) = images(subject);
    let (mut captions, mut rows_of_image) = (Vec::new(), Vec::new());
    for image in &images {
        let of_image = vetted.get(image).map_or(&[][..], Vec::as_slice);
        if of_image.is_empty() {
            let expected = format!("at least one caption for every image that {} saw", subject.subject());
            return Err(
                DataError::invalid(path, format!("captions of image {}", image.0), expected, 0).into()
            );
        }
        rows_of_image.push(captions.len()..captions.len() + of_image.len());
        captions.extend(of_image.iter().map(String::as_str));
    }
    let loaded = LoadedClip::open(&settings.clip, device)?;
    progress.start("CLIP embeddings of the captions", captions.len() as u64);
    let embeddings = loaded
        .encoder(device)
        .embed_captions(&settings.cache, &captions, &mut |done, _| progress.advance(done, ""))
        .map_err(cause)?;
    progress.finish("");
    let clip_sha256 = loaded.snapshot.sha256().to_string();
    Ok(RawTargets { embeddings, rows_of_image, image_of_trial, clip_sha256 })
}

/// The cause itself, so that a caller can see of what kind it is.
fn cause<E: std::error::Error + Send + Sync + 'static>(error: FeatureError<E>) -> anyhow::Error {
    match error {
        FeatureError::Image(error) => error.into(),
        FeatureError::Text(error) => error.into(),
        FeatureError::Cache(error) => error.into(),
    }
}

/// The distinct images of a subject, ascending, and which of them each trial showed.
fn images(subject: &PreparedSubject) -> (Vec<NsdId>, Vec<usize>) {
    let mut index: BTreeMap<NsdId, usize> = subject.trials().iter().map(|trial| (trial.nsd_id, 0)).collect();
    for (position, value) in index.values_mut().enumerate() {
        *value = position;
    }
    let of_trial = subject.trials().iter().map(|trial| index[&trial.nsd_id]).collect();
    (index.into_keys().collect(), of_trial)
}

/// Vetted captions by image: a JSON object from the 0-based image number, in decimal, to a list of sentences.
///
/// # Errors
/// [`DataError::Missing`], [`DataError::Unreadable`] with line and column, [`DataError::Empty`].
fn read_vetted_captions(path: &Path) -> Result<BTreeMap<NsdId, Vec<String>>, DataError> {
    let needed = "the captions of the images; `mindreader screen-captions` writes it";
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => DataError::missing(path, needed),
        _ => DataError::unreadable(path, error),
    })?;
    let captions: BTreeMap<NsdId, Vec<String>> = serde_json::from_reader(BufReader::new(file))
        .map_err(|error| DataError::unreadable(path, format!("as captions by image number: {error}")))?;
    if captions.is_empty() {
        let what = format!("the list of captions in `{}`", path.display());
        return Err(DataError::empty(what, "`mindreader screen-captions` writes it"));
    }
    Ok(captions)
}

/// Path, size and time of change: another set of stimuli in the same place is another set.
fn identity(path: &Path) -> Result<String, DataError> {
    let unreadable = |error: std::io::Error| DataError::unreadable(path, error);
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let path = path.canonicalize().map_err(unreadable)?;
    Ok(format!("{} {} {:?}", path.display(), metadata.len(), modified))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<BTreeMap<NsdId, Vec<String>>, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vetted.json");
        std::fs::write(&path, text).unwrap();
        read_vetted_captions(&path)
    }

    #[test]
    fn captions_are_found_by_image_number() {
        let captions = read(r#"{"46002": ["a dog"], "7": ["a cat", "two cats"]}"#).unwrap();
        assert_eq!(captions[&NsdId(7)], ["a cat", "two cats"]);
        assert_eq!(captions.len(), 2);
    }

    #[test]
    fn files_that_hold_no_captions_are_named() {
        let text =
            |result: Result<_, DataError>| result.err().map(|error: DataError| error.to_string()).unwrap();
        assert!(text(read("{}")).contains("vetted.json` is empty"));
        assert!(text(read(r#"{"dog": ["a dog"]}"#)).contains("vetted.json"));
        assert!(text(read(r#"{"7": "#)).contains("line 1"));
        assert!(text(read_vetted_captions(Path::new("none.json"))).contains("`none.json` is missing"));
    }
}
