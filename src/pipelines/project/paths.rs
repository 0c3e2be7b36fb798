//! Where the files of a project are, as the configuration says it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where files are. Unset paths are the newest finished runs of the subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectPaths {
    /// Root of the NSD tree: the folder with `nsddata`, `nsddata_betas`, `nsddata_stimuli`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nsd: Option<PathBuf>,
    /// Prepared subjects, captions, caches, runs. Default: `work`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<PathBuf>,
    /// Folder or zip archive of images, with captions beside them or with CLIP's features in `dataset.json`, that `pretrain-gan`
    /// trains on in place of the stimuli.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<PathBuf>,
    /// COCO's annotation file with the captions of those images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<PathBuf>,
    /// CLIP snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<PathBuf>,
    /// ResNet-50 that makes the targets of a ResNet mapper and the vectors of the generator's low-level term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resnet: Option<PathBuf>,
    /// The FID's Inception, with which `evaluate-images` and the trainings of a GAN measure pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inception: Option<PathBuf>,
    /// The scene classifier of `pretrain-classifier`: with it `evaluate-images` says what can be named, and without an Inception its
    /// features measure pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classifier: Option<PathBuf>,
    /// Image mapper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_mapper: Option<PathBuf>,
    /// Mapper of the second condition: of captions, or of ResNet vectors.
    #[serde(rename = "caption_mapper", skip_serializing_if = "Option::is_none")]
    pub second_mapper: Option<PathBuf>,
    /// Run folder of the GAN that finetuning starts from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrained_gan: Option<PathBuf>,
    /// Generator that draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator: Option<PathBuf>,
}
