//! Checks that networks, data and settings of a GAN training fit together, before any work.

use super::augmentation::AugmentMode;
use super::error::GanTrainError;
use super::task::GanTask;
use crate::error::SettingError;

/// Positions of ResNet-50's stage two for an image of 128×128.
const RESNET_VECTOR_WIDTH: usize = 256;

/// Every complaint comes before the first step; keys are those of the command's section.
pub(crate) fn check(task: &GanTask<'_>, num_devices: usize) -> Result<(), GanTrainError> {
    task.config.validate().map_err(|error| error.within("train"))?;
    task.generator.validate().map_err(|error| error.within("generator"))?;
    task.discriminator.validate().map_err(|error| error.within("discriminator"))?;
    let batch = task.discriminator.validate_batch(task.config.round_size());
    batch.map_err(|error| error.within("train"))?;
    check_devices(task, num_devices)?;
    check_networks(task)?;
    let dims = checked_condition_dims(task)?;
    check_resnet(task)?;
    check_clip(task, &dims)
}

fn mismatch<T>(
    field: &'static str,
    expected: impl ToString,
    found: impl ToString,
) -> Result<T, GanTrainError> {
    Err(GanTrainError::Setting(SettingError::new(field, expected, found)))
}

fn check_devices(task: &GanTask<'_>, num_devices: usize) -> Result<(), GanTrainError> {
    let gpus = task.config.gpus;
    if num_devices != gpus {
        return mismatch("train.gpus", format!("the number of devices ({num_devices})"), gpus);
    }
    if gpus > 1 && task.mappers.is_some() {
        return mismatch("train.gpus", "1: mappers are trained on one GPU", gpus);
    }
    Ok(())
}

/// Generator, discriminator and images of one size, which the augmentation can take.
fn check_networks(task: &GanTask<'_>) -> Result<(), GanTrainError> {
    let resolution = task.generator.resolution;
    for (field, found) in [
        ("discriminator.resolution", task.discriminator.resolution),
        ("resolution of the training images", task.data.resolution()),
    ] {
        if found != resolution {
            return mismatch(field, format!("that of the generator ({resolution})"), found);
        }
    }
    let channels = task.generator.image_channels;
    if task.config.augment.mode != AugmentMode::None && channels != 3 {
        return mismatch("generator.image_channels", "3, to be augmented", channels);
    }
    let (layers, frozen) = (task.discriminator.num_trunk_layers(), task.config.frozen_discriminator_layers);
    if frozen > layers {
        return mismatch("train.frozen_discriminator_layers", format!("at most {layers}"), frozen);
    }
    Ok(())
}

/// Widths of the conditions, which both networks must have.
fn checked_condition_dims(task: &GanTask<'_>) -> Result<Vec<usize>, GanTrainError> {
    let heads = task.generator.heads;
    let dims = match task.mappers {
        Some(joint) => {
            joint.check(heads, task.data.len())?;
            joint.condition_dims(heads)
        }
        None => task.data.condition_dims(heads)?,
    };
    for (field, found) in [
        ("generator.condition_dim", task.generator.condition_dims()),
        ("discriminator.condition_dim", task.discriminator.condition_dims()),
    ] {
        if found != dims {
            let expected = format!("those of the training conditions, {dims:?}");
            return mismatch(field, expected, format!("{found:?}"));
        }
    }
    Ok(dims)
}

fn check_resnet(task: &GanTask<'_>) -> Result<(), GanTrainError> {
    let loss = &task.config.loss;
    if !loss.needs_resnet() || task.resnet.is_some() {
        return Ok(());
    }
    if loss.compares_second_with_resnet() {
        return mismatch("train.loss.second_vector", "`clip`, or a ResNet-50 snapshot beside it", "resnet");
    }
    mismatch("train.loss.low_level_weight", "0, or a ResNet-50 snapshot beside it", loss.low_level_weight)
}

/// The widths of what CLIP makes of an image and of what that is compared with.
fn check_clip(task: &GanTask<'_>, dims: &[usize]) -> Result<(), GanTrainError> {
    let loss = &task.config.loss;
    if !loss.needs_clip() {
        return Ok(());
    }
    let Some(encoder) = task.encoder else {
        let expected = "0, or a CLIP snapshot beside it";
        return mismatch("train.loss.clip_condition_weight", expected, loss.clip_condition_weight);
    };
    let width = encoder.embed_dim();
    let mut widths = vec![width; dims.len()];
    if loss.compares_second_with_resnet()
        && let Some(second) = widths.get_mut(1)
    {
        *second = RESNET_VECTOR_WIDTH;
    }
    if loss.clip_condition_weight > 0.0 && dims != widths {
        let expected = format!("those that images are compared with, {widths:?}");
        return mismatch("generator.condition_dim", expected, format!("{dims:?}"));
    }
    if loss.clip_image_weight > 0.0 && task.data.embed_dim() != width {
        let expected = format!("CLIP's {width}");
        return mismatch("width of the image embeddings", expected, task.data.embed_dim());
    }
    Ok(())
}
