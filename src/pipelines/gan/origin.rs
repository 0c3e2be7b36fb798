//! What snapshots say of the data and the networks that a GAN comes from. The order of the fields is that of the file.

use serde::Serialize;

use crate::data::split::SplitConfig;
use crate::models::condition_source::ConditionSource;
use crate::training::gan::mappers::config::MapperMode;

/// Images of a pretraining.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum ImagesOrigin<'a> {
    Stimuli {
        subject: &'a str,
        split: &'a SplitConfig,
    },
    /// Names of the files.
    Collection {
        images: Option<String>,
        annotations: Option<String>,
    },
}

/// Where a pretrained GAN comes from.
#[derive(Debug, Serialize)]
pub(crate) struct PretrainingOrigin<'a> {
    pub data: ImagesOrigin<'a>,
    /// What the only head was trained on; of a network with none or two nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<ConditionSource>,
    /// Distinct images.
    pub images: usize,
    /// Images with conditions.
    pub samples: usize,
    pub clip_sha256: &'a str,
    /// Of the generator that training started from.
    pub init_from_sha256: Option<&'a str>,
    pub resnet_sha256: Option<&'a str>,
}

/// Where a finetuned GAN comes from.
#[derive(Debug, Serialize)]
pub(crate) struct FinetuningOrigin<'a> {
    pub subject: String,
    pub split: &'a SplitConfig,
    /// Share of the training images that was kept apart to choose a snapshot, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_fraction: Option<f64>,
    pub trials: usize,
    pub condition: ConditionSource,
    pub mappers: MapperMode,
    /// Of the generator that training started from.
    pub gan_sha256: &'a str,
    pub image_mapper_sha256: &'a str,
    /// A ResNet mapper's where that is the second condition.
    #[serde(rename = "caption_mapper_sha256")]
    pub second_mapper_sha256: &'a str,
    pub clip_sha256: &'a str,
    pub resnet_sha256: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(origin: &impl Serialize) -> String {
        serde_json::to_value(origin).unwrap().to_string()
    }

    #[test]
    fn a_pretrained_gan_tells_of_its_images() {
        let split = SplitConfig::default();
        let origin = |data| PretrainingOrigin {
            data,
            condition: None,
            images: 3,
            samples: 5,
            clip_sha256: "c",
            init_from_sha256: None,
            resnet_sha256: Some("r"),
        };
        let rest = r#""images":3,"samples":5,"clip_sha256":"c","init_from_sha256":null,"resnet_sha256":"r"}"#;
        let stimuli = origin(ImagesOrigin::Stimuli { subject: "subj01", split: &split });
        let data = r#"{"subject":"subj01","split":{"rule":"first-appearance","train_fraction":0.85}}"#;
        assert_eq!(text(&stimuli), format!(r#"{{"data":{data},{rest}"#));
        let collection =
            origin(ImagesOrigin::Collection { images: Some("coco.zip".into()), annotations: None });
        let data = r#"{"images":"coco.zip","annotations":null}"#;
        assert_eq!(text(&collection), format!(r#"{{"data":{data},{rest}"#));
    }

    #[test]
    fn a_finetuned_gan_tells_of_its_networks() {
        let origin = FinetuningOrigin {
            subject: "subj01".into(),
            split: &SplitConfig::default(),
            validation_fraction: None,
            trials: 8,
            condition: ConditionSource::ImageResnet,
            mappers: MapperMode::EndToEnd,
            gan_sha256: "g",
            image_mapper_sha256: "i",
            second_mapper_sha256: "s",
            clip_sha256: "c",
            resnet_sha256: None,
        };
        let expected = concat!(
            r#"{"subject":"subj01","split":{"rule":"first-appearance","train_fraction":0.85},"trials":8,"#,
            r#""condition":"image-resnet","mappers":"end-to-end","gan_sha256":"g","image_mapper_sha256":"i","#,
            r#""caption_mapper_sha256":"s","clip_sha256":"c","resnet_sha256":null}"#
        );
        assert_eq!(text(&origin), expected);
    }
}
