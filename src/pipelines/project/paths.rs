//! Where the files of a project are, as the configuration says it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::files::path_from_home;

/// Sizes of networks that `import` chose for a subject, in its folder.
pub const SIZES_FILE: &str = "sizes.toml";

/// Where files are. Unset paths are the newest finished runs of the subject; `~/` in front of a path is the user's home folder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectPaths {
    /// Root of the NSD tree: the folder with `nsddata`, `nsddata_betas`, `nsddata_stimuli`.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub nsd: Option<PathBuf>,
    /// Prepared subjects, captions, caches, runs. Default: `work`.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub work: Option<PathBuf>,
    /// Folder or zip archive of images, with captions beside them or with CLIP's features in `dataset.json`, that `pretrain-gan`
    /// trains on in place of the stimuli.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub images: Option<PathBuf>,
    /// COCO's annotation file with the captions of those images.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub annotations: Option<PathBuf>,
    /// CLIP snapshot.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub clip: Option<PathBuf>,
    /// ResNet-50 that makes the targets of a ResNet mapper and the vectors of the generator's low-level term.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub resnet: Option<PathBuf>,
    /// The FID's Inception, with which `evaluate-images` and the trainings of a GAN measure pictures.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub inception: Option<PathBuf>,
    /// The scene classifier of `pretrain-classifier`: with it `evaluate-images` says what can be named, and without an Inception its
    /// features measure pictures.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub classifier: Option<PathBuf>,
    /// Image mapper.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub image_mapper: Option<PathBuf>,
    /// Mapper of the second condition: of captions, or of ResNet vectors.
    #[serde(
        rename = "caption_mapper",
        deserialize_with = "path_from_home",
        skip_serializing_if = "Option::is_none"
    )]
    pub second_mapper: Option<PathBuf>,
    /// Run folder of the GAN that finetuning starts from.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub pretrained_gan: Option<PathBuf>,
    /// Generator that draws.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub generator: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_below_home_are_expanded_in_every_key() {
        let home = std::env::home_dir().unwrap();
        let keys = [
            "nsd",
            "work",
            "images",
            "annotations",
            "clip",
            "resnet",
            "inception",
            "classifier",
            "image_mapper",
            "caption_mapper",
            "pretrained_gan",
            "generator",
        ];
        let text: String = keys.iter().map(|key| format!("{key} = \"~/x/{key}\"\n")).collect();
        let paths: ProjectPaths = toml::from_str(&text).unwrap();
        let read: toml::Table = toml::from_str(&toml::to_string(&paths).unwrap()).unwrap();
        assert_eq!(read.len(), keys.len());
        for key in keys {
            assert_eq!(read[key].as_str(), home.join("x").join(key).to_str(), "{key}");
        }
        assert_eq!(toml::from_str::<ProjectPaths>("").unwrap(), ProjectPaths::default());
    }
}
