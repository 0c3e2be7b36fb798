//! Images and conditions of `pretrain-gan`: the subject's training stimuli, or a collection of images
//! (docs/spec/gan-training.md §1.2 and §10).

use std::path::{Path, PathBuf};

use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};

use super::data::{clamped_units, image_set};
use super::origin::ImagesOrigin;
use crate::data::coco::vetted_captions::VettedCaptions;
use crate::data::error::DataError;
use crate::data::image::resize::{Filter, resize_and_center_crop};
use crate::data::image::stimulus_view::StimulusView;
use crate::data::image_collection::{ImageCollection, StoredFeatures, StoredTextFeatures};
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::SplitConfig;
use crate::data::targets::{TargetScale, TargetScaling};
use crate::interrupt;
use crate::models::clip::tokenizer::LongText;
use crate::models::condition_source::ConditionSource;
use crate::models::stylegan2::ConditionHeads;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::feature_cache::file_identity;
use crate::pipelines::run_folder::{Content, ContentHash, pictures_sha256};
use crate::pipelines::targets::captioned_stimuli::distinct_images;
use crate::pipelines::targets::sentences::{CaptionSource, SentencesByImage};
use crate::pipelines::targets::stimulus_embeddings::embed_pictures;
use crate::pipelines::workbench::Workbench;
use crate::training::gan::dataset::{GanDataset, ImageSet, SampleSet};

/// Bytes of pixels that may be held in memory.
const LARGEST_PIXELS: u64 = 32 << 30;

/// What the GAN is pretrained on.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PretrainImages {
    /// Stimuli of the subject's training trials.
    Stimuli {
        /// Root of the NSD tree.
        nsd: PathBuf,
        /// Prepared subject: which images were seen.
        prepared: PathBuf,
        /// Vetted captions of `screen-captions`; read where captions steer a head.
        captions: PathBuf,
        /// Which trials belong to training and validation.
        split: SplitConfig,
        /// What CLIP is given of a stimulus.
        view: StimulusView,
    },
    /// The images of a folder or zip archive; see [`ImageCollection`].
    Collection {
        /// The folder or archive.
        images: PathBuf,
        /// COCO's annotation file with their captions; without it captions are beside the images.
        #[serde(skip_serializing_if = "Option::is_none")]
        annotations: Option<PathBuf>,
    },
}

impl PretrainImages {
    /// What a snapshot says of the images; `name` is the subject's.
    pub(crate) fn origin<'a>(&'a self, name: &'a str) -> ImagesOrigin<'a> {
        let file_name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
        match self {
            Self::Stimuli { split, .. } => ImagesOrigin::Stimuli { subject: name, split },
            Self::Collection { images, annotations } => ImagesOrigin::Collection {
                images: file_name(images),
                annotations: annotations.as_ref().and_then(file_name),
            },
        }
    }
}

/// Where the first head's conditions come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FirstCondition {
    /// Embeddings of the images, perturbed into pseudo conditions: language-free training.
    #[default]
    Images,
    /// Embeddings of the captions, one sample per caption: supervised training.
    Captions,
}

/// Where the second head's conditions come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecondCondition {
    /// Embeddings of the captions, one sample per caption (docs/spec/open-questions.md OQ-54); of stimuli only the
    /// vetted ones.
    #[default]
    Captions,
    /// A pseudo condition made of the image embedding, with noise of its own.
    Pseudo,
}

/// What decides the conditions.
pub(crate) struct ConditionChoice {
    pub heads: ConditionHeads,
    pub first: FirstCondition,
    pub second: SecondCondition,
    /// What becomes of captions longer than CLIP's context.
    pub long_captions: LongText,
}

impl ConditionChoice {
    /// What a network with one head is steered by.
    pub fn of_only_head(&self) -> Option<ConditionSource> {
        let source = match self.first {
            FirstCondition::Images => ConditionSource::Image,
            FirstCondition::Captions => ConditionSource::Caption,
        };
        (self.heads == ConditionHeads::One).then_some(source)
    }

    fn needs_captions(&self) -> bool {
        let by_second =
            self.heads == ConditionHeads::TwoByMaximum && self.second == SecondCondition::Captions;
        by_second || (self.heads != ConditionHeads::None && self.first == FirstCondition::Captions)
    }
}

/// What the captions of the images are.
enum Captions {
    None,
    /// Sentences of every image, the file or folder that holds them, and the names of the images there.
    Sentences {
        of_images: Vec<Vec<String>>,
        file: PathBuf,
        names: Vec<String>,
    },
    /// Unit embeddings, with the image of each.
    Embedded(StoredTextFeatures),
}

impl Captions {
    /// SHA-256 of what was read; nothing where no captions are.
    fn sha256(&self) -> Option<String> {
        let mut hash = ContentHash::default();
        match self {
            Self::None => return None,
            Self::Sentences { of_images, .. } => {
                for sentences in of_images {
                    hash.places([sentences.len()]);
                    sentences.iter().for_each(|sentence| hash.bytes(sentence.as_bytes()));
                }
            }
            Self::Embedded(StoredTextFeatures { rows, image_of_row }) => {
                hash.places(image_of_row.iter().copied());
                hash.numbers(rows.iter().copied());
            }
        }
        Some(hash.finish())
    }
}

/// Images with their captions, in one order.
struct Captioned {
    images: ImageSet,
    captions: Captions,
    /// SHA-256 of image features that were given and not computed.
    features: Option<String>,
    name: String,
}

/// What a GAN is pretrained on.
pub(crate) struct PretrainingData {
    pub dataset: GanDataset,
    /// What of it lies in files.
    pub content: Content,
    /// That a run on them has.
    pub name: String,
}

/// The training data.
///
/// # Errors
/// An image, caption or feature that cannot be read; more pixels than memory should hold; a cache that cannot be written.
pub(crate) fn pretraining_data(
    source: &PretrainImages,
    choice: &ConditionChoice,
    resolution: usize,
    clip: &ClipSnapshot,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<PretrainingData> {
    let Captioned { images, captions, features, name } = match source {
        PretrainImages::Stimuli { nsd, prepared, captions, split, view } => {
            let source = StimulusSource { nsd, prepared, captions, split, view: *view };
            captioned_stimuli(&source, choice, resolution, clip, bench)?
        }
        PretrainImages::Collection { images, annotations } => {
            let collection = match annotations {
                Some(annotations) => ImageCollection::open_annotated(images, annotations)?,
                None => ImageCollection::open(images)?,
            };
            captioned_collection(&collection, choice, resolution, clip, bench)?
        }
    };
    let content = Content::default().with_some("captions", captions.sha256()).with_some("features", features);
    let captions = embedded_captions(captions, choice.long_captions, clip, bench)?;
    let samples = samples(&images.embeddings, captions, choice);
    let dataset = GanDataset::new(images, samples)?;
    Ok(PretrainingData { content: content.with("photographs", pictures_sha256(&dataset)), dataset, name })
}

/// Where the subject's training stimuli and their captions are.
struct StimulusSource<'a> {
    nsd: &'a Path,
    prepared: &'a Path,
    captions: &'a Path,
    split: &'a SplitConfig,
    view: StimulusView,
}

/// The distinct stimuli of the training trials.
fn captioned_stimuli(
    source: &StimulusSource<'_>,
    choice: &ConditionChoice,
    resolution: usize,
    clip: &ClipSnapshot,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<Captioned> {
    let prepared = PreparedSubject::open(source.prepared)?;
    let trials = source.split.split(&prepared)?.train;
    let ids = distinct_images(trials.iter().map(|trial| prepared.trials()[*trial]));
    let images = image_set(&ids, &NsdTree::new(source.nsd).stimuli(), clip, source.view, resolution, bench)?;
    let captions = if choice.needs_captions() {
        let vetted = VettedCaptions::read(source.captions)?;
        vetted.warn_of_other_clip(&clip.sha256);
        let of_images = ids.iter().map(|image| Ok(vetted.of(*image)?.to_vec()));
        Captions::Sentences {
            of_images: of_images.collect::<Result<_, DataError>>()?,
            file: source.captions.to_path_buf(),
            names: ids.iter().map(ToString::to_string).collect(),
        }
    } else {
        Captions::None
    };
    Ok(Captioned { images, captions, features: None, name: prepared.subject().to_string() })
}

/// The images of a collection.
fn captioned_collection(
    collection: &ImageCollection,
    choice: &ConditionChoice,
    resolution: usize,
    clip: &ClipSnapshot,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<Captioned> {
    if collection.num_unlisted() > 0 {
        let left_out = collection.num_unlisted();
        bench.progress.line(&format!("{left_out} images are left out: the annotations do not list them"));
    }
    let StoredFeatures { image, text } = collection.stored_features(clip.config.embed_dim)?;
    // Captions first: a missing one is found before hours of embedding.
    let captions = match text {
        _ if !choice.needs_captions() => Captions::None,
        Some(StoredTextFeatures { rows, image_of_row }) => {
            Captions::Embedded(StoredTextFeatures { rows: units(rows), image_of_row })
        }
        None => Captions::Sentences {
            of_images: (0..collection.len())
                .map(|index| collection.captions(index))
                .collect::<Result<_, _>>()?,
            file: collection.captions_file().to_path_buf(),
            names: collection.names().to_vec(),
        },
    };
    let features = image.as_ref().map(ContentHash::of_array);
    let images = collection_images(collection, image, resolution, clip, bench)?;
    Ok(Captioned { images, captions, features, name: "images".into() })
}

/// Embeddings of captions, unit vectors, with the image of each.
fn embedded_captions(
    captions: Captions,
    long_captions: LongText,
    clip: &ClipSnapshot,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<Option<StoredTextFeatures>> {
    match captions {
        Captions::None => Ok(None),
        Captions::Embedded(captions) => Ok(Some(captions)),
        Captions::Sentences { of_images, file, names } => {
            let sentences: SentencesByImage = of_images.iter().map(Vec::as_slice).collect();
            let cure = "`--set pretrain_gan.long_captions=truncate` cuts such captions";
            let source = CaptionSource { file: &file, image: &|image| format!("`{}`", names[image]), cure };
            let rows = sentences.embed(clip, long_captions, &source, bench)?;
            Ok(Some(StoredTextFeatures { rows: clamped_units(rows), image_of_row: sentences.image_of_row() }))
        }
    }
}

/// One sample per caption where captions steer, else one per image.
fn samples(
    images: &Array2<f32>,
    captions: Option<StoredTextFeatures>,
    choice: &ConditionChoice,
) -> SampleSet {
    let has_two = choice.heads == ConditionHeads::TwoByMaximum;
    let Some(StoredTextFeatures { rows, image_of_row }) = captions else {
        return SampleSet {
            image_of_sample: (0..images.nrows()).collect(),
            image_condition: images.clone(),
            caption_condition: has_two.then(|| images.clone()),
            mixed_with: None,
        };
    };
    let of_samples = || images.select(Axis(0), &image_of_row);
    let second = match choice.second {
        SecondCondition::Captions => has_two.then(|| rows.clone()),
        SecondCondition::Pseudo => has_two.then(of_samples),
    };
    let first = match choice.first {
        FirstCondition::Images => of_samples(),
        FirstCondition::Captions => rows,
    };
    SampleSet {
        image_condition: first,
        caption_condition: second,
        image_of_sample: image_of_row,
        mixed_with: None,
    }
}

/// Central squares of the images at the GAN's resolution, with the embeddings that are stored, or else CLIP's.
fn collection_images(
    collection: &ImageCollection,
    stored: Option<Array2<f32>>,
    resolution: usize,
    clip: &ClipSnapshot,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<ImageSet> {
    let count = collection.len();
    let image_bytes = 3 * resolution * resolution;
    let bytes = count as u64 * image_bytes as u64;
    if bytes > LARGEST_PIXELS {
        let most = LARGEST_PIXELS / image_bytes as u64;
        let expected =
            format!("at most {most} images of {resolution} × {resolution} (all are held in memory)");
        return Err(DataError::invalid(collection.root(), "number of images", expected, count).into());
    }
    let progress = &mut *bench.progress;
    progress.start("reading images", count as u64);
    let mut pixels_u8 = Vec::with_capacity(bytes as usize);
    for index in 0..count {
        let picture = resize_and_center_crop(&collection.image(index)?, resolution as u32, Filter::Bicubic);
        // Channel after channel, as the networks take them.
        for channel in 0..3 {
            pixels_u8.extend(picture.pixels().map(|pixel| pixel.0[channel]));
        }
        interrupt::check()?;
        progress.advance(index as u64 + 1, "");
    }
    progress.finish("");
    if let Some(embeddings) = stored {
        return Ok(ImageSet { resolution, pixels_u8, embeddings: units(embeddings) });
    }
    let files = collection.sources().iter().map(|file| file_identity(file)).collect::<Result<Vec<_>, _>>()?;
    // Of an archive, the names say which of its images.
    let source = [files.join("\n"), collection.names().join("\n")].join("\n");
    let mut load = |index: usize| collection.image(index);
    let embeddings = embed_pictures(clip, &source, count, &mut load, bench)?;
    Ok(ImageSet { resolution, pixels_u8, embeddings: clamped_units(embeddings) })
}

/// Rows scaled to unit norm: features that were given are not clamped.
fn units(mut rows: Array2<f32>) -> Array2<f32> {
    TargetScale { clamp: 0.0, scaling: TargetScaling::UnitNorm }.apply(&mut rows);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn choice(heads: ConditionHeads, first: FirstCondition, second: SecondCondition) -> ConditionChoice {
        ConditionChoice { heads, first, second, long_captions: LongText::Error }
    }

    #[test]
    fn heads_are_steered_by_what_was_chosen() {
        let images = array![[1.0_f32, 0.0], [0.0, 1.0]];
        let text = || StoredTextFeatures {
            rows: array![[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]],
            image_of_row: vec![0, 1, 1],
        };
        let of_samples = array![[1.0_f32, 0.0], [0.0, 1.0], [0.0, 1.0]];
        let (one, two) = (ConditionHeads::One, ConditionHeads::TwoByMaximum);
        let (by_images, by_text) = (FirstCondition::Images, FirstCondition::Captions);
        let (captions, pseudo) = (SecondCondition::Captions, SecondCondition::Pseudo);
        let of = |choice: &ConditionChoice| {
            let captions = choice.needs_captions().then(text);
            let set = samples(&images, captions, choice);
            (set.image_of_sample, set.image_condition, set.caption_condition)
        };
        let all = vec![0, 1, 1];
        assert_eq!(of(&choice(one, by_images, captions)), (vec![0, 1], images.clone(), None));
        assert_eq!(of(&choice(one, by_text, captions)), (all.clone(), text().rows, None));
        let both = (all.clone(), of_samples.clone(), Some(text().rows));
        assert_eq!(of(&choice(two, by_images, captions)), both);
        let neither = (vec![0, 1], images.clone(), Some(images.clone()));
        assert_eq!(of(&choice(two, by_images, pseudo)), neither);
        assert_eq!(of(&choice(two, by_text, pseudo)), (all.clone(), text().rows, Some(of_samples)));
        assert_eq!(of(&choice(two, by_text, captions)), (all, text().rows, Some(text().rows)));
    }

    #[test]
    fn given_features_keep_their_direction() {
        assert_eq!(units(array![[3.0, 4.0], [0.0, -2.0]]), array![[0.6, 0.8], [0.0, -1.0]]);
    }
}
