//! Checks that networks, data and settings of a GAN training fit together, before any work.

use super::augmentation::AugmentMode;
use super::config::GanConfigError;
use super::trainer::{GanTrainError, GanTraining};

/// Positions of ResNet-50's stage two for an image of 128×128.
const RESNET_VECTOR_WIDTH: usize = 256;

impl GanTraining<'_> {
    /// Every complaint comes before the first step.
    pub(crate) fn check(&self) -> Result<(), GanTrainError> {
        let config = self.config;
        config.validate()?;
        self.generator.validate()?;
        self.discriminator.validate()?;
        self.discriminator.validate_batch(config.round_size())?;
        let mismatch = |field, expected: String, found: String| {
            Err(GanTrainError::Config(GanConfigError::new(field, expected, found)))
        };
        let (devices, gpus) = (1 + self.other_devices.len(), config.gpus);
        if devices != gpus {
            return mismatch("gpus", format!("the number of devices ({devices})"), gpus.to_string());
        }
        if gpus > 1 && self.mappers.is_some() {
            return mismatch("gpus", "1: mappers are trained on one GPU".into(), gpus.to_string());
        }
        let resolution = self.generator.resolution;
        for (field, found) in [
            ("discriminator.resolution", self.discriminator.resolution),
            ("resolution of the training images", self.data.resolution()),
        ] {
            if found != resolution {
                return mismatch(field, format!("that of the generator ({resolution})"), found.to_string());
            }
        }
        let channels = self.generator.image_channels;
        if config.augment.mode != AugmentMode::None && channels != 3 {
            return mismatch("generator.image_channels", "3, to be augmented".into(), channels.to_string());
        }
        let layers = self.discriminator.num_trunk_layers();
        if config.frozen_discriminator_layers > layers {
            let found = config.frozen_discriminator_layers.to_string();
            return mismatch("frozen_discriminator_layers", format!("at most {layers}"), found);
        }
        let dims = match self.mappers {
            Some(joint) => {
                joint.check(self.generator.heads, self.data.len())?;
                joint.condition_dims(self.generator.heads)
            }
            None => self.data.condition_dims(self.generator.heads)?,
        };
        for (field, found) in [
            ("generator.condition_dim", self.generator.condition_dims()),
            ("discriminator.condition_dim", self.discriminator.condition_dims()),
        ] {
            if found != dims {
                return mismatch(
                    field,
                    format!("those of the training conditions, {dims:?}"),
                    format!("{found:?}"),
                );
            }
        }
        if config.loss.needs_resnet() && self.resnet.is_none() {
            if config.loss.compares_second_with_resnet() {
                let expected = "`clip`, or a ResNet-50 snapshot beside it".to_string();
                return mismatch("loss.second_vector", expected, "resnet".into());
            }
            let expected = "0, or a ResNet-50 snapshot beside it".to_string();
            return mismatch("loss.low_level_weight", expected, config.loss.low_level_weight.to_string());
        }
        if config.loss.needs_clip() {
            let Some(encoder) = self.encoder else {
                let expected = "0, or a CLIP snapshot beside it".to_string();
                let found = config.loss.clip_condition_weight.to_string();
                return mismatch("loss.clip_condition_weight", expected, found);
            };
            let width = encoder.embed_dim();
            let is_other = |dim: &usize| *dim != width;
            let mut widths = vec![width; dims.len()];
            if config.loss.compares_second_with_resnet()
                && let Some(second) = widths.get_mut(1)
            {
                *second = RESNET_VECTOR_WIDTH;
            }
            if config.loss.clip_condition_weight > 0.0 && dims != widths {
                let expected = format!("those that images are compared with, {widths:?}");
                return mismatch("generator.condition_dim", expected, format!("{dims:?}"));
            }
            if config.loss.clip_image_weight > 0.0 && is_other(&self.data.embed_dim()) {
                let found = self.data.embed_dim().to_string();
                return mismatch("width of the image embeddings", format!("CLIP's {width}"), found);
            }
        }
        Ok(())
    }
}
