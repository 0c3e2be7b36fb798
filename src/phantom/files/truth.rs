//! `truth.h5`: what nobody knows of a real brain. For checks of a decoder, never an input of one.
//!
//! Groups: `/voxels` (one row per responsive voxel), `/images` (one per image), `/captions` (one per generated
//! caption). Names of columns are newline-separated text attributes of the datasets.

use std::path::Path;

use super::super::image_features::FeatureTable;
use super::super::scenes::captions::CaptionQuality;
use super::super::semantic_features::{NUM_SEMANTIC, names};
use super::super::stimuli::{Origin, StimulusSet};
use super::super::tuning::TunedVoxel;
use super::super::visual_features::CHANNELS;
use super::super::voxel_kind::VoxelKind;
use super::annotations::CaptionGrade;
use crate::data::error::DataError;
use crate::data::formats::hdf5::H5Writer;

/// Writes the truth.
///
/// # Errors
/// [`DataError::unwritable`].
pub fn write_truth(
    path: &Path,
    voxels: &[TunedVoxel],
    stimuli: &StimulusSet,
    features: &FeatureTable,
    grades: &[CaptionGrade],
    novel_categories: &[String],
) -> Result<(), DataError> {
    let writer = H5Writer::create(path)?;
    for group in ["voxels", "images", "captions"] {
        writer.group(group)?;
    }
    let count = voxels.len();
    let flat: Vec<i64> = voxels.iter().map(|voxel| voxel.flat_index as i64).collect();
    writer.write("voxels/flat_index", &[count], &flat)?;
    let kinds: Vec<u8> = voxels.iter().map(|voxel| voxel.kind as u8).collect();
    writer.write("voxels/kind", &[count], &kinds)?.text_attribute("names", &VoxelKind::NAMES.join("\n"))?;
    let ratios: Vec<f32> = voxels.iter().map(|voxel| voxel.ncsnr).collect();
    writer.write("voxels/ncsnr", &[count], &ratios)?;
    let fields: Vec<f32> = voxels
        .iter()
        .flat_map(|voxel| {
            voxel
                .field
                .map_or([f32::NAN; 3], |field| [field.x, field.y, field.size].map(|value| value as f32))
        })
        .collect();
    writer
        .write("voxels/receptive_field_degrees", &[count, 3], &fields)?
        .text_attribute("columns", "x to the right\ny up\nstandard deviation")?;
    let channels: Vec<f32> = voxels.iter().flat_map(|voxel| voxel.channel_weights).collect();
    writer.write("voxels/channel_weights", &[count, CHANNELS], &channels)?;
    let semantic: Vec<f32> = voxels
        .iter()
        .flat_map(|voxel| {
            let mut weights = voxel.semantic_weights.clone();
            weights.resize(NUM_SEMANTIC, 0.0);
            weights
        })
        .collect();
    let feature_names = names().join("\n");
    writer
        .write("voxels/semantic_weights", &[count, NUM_SEMANTIC], &semantic)?
        .text_attribute("columns", &feature_names)?;

    let images = stimuli.len();
    let ids: Vec<u32> = stimuli.stimuli.iter().map(|stimulus| stimulus.nsd_id.0).collect();
    writer.write("images/nsd_id", &[images], &ids)?;
    let coco: Vec<u64> = stimuli.stimuli.iter().map(|stimulus| stimulus.coco_id).collect();
    writer.write("images/coco_id", &[images], &coco)?;
    let photographs: Vec<u8> =
        stimuli.stimuli.iter().map(|stimulus| u8::from(stimulus.origin != Origin::Scene)).collect();
    writer.write("images/is_photograph", &[images], &photographs)?;
    let twins: Vec<i64> = stimuli
        .stimuli
        .iter()
        .map(|stimulus| stimulus.scene.twin.map_or(-1, |twin| i64::from(twin.0)))
        .collect();
    writer.write("images/twin_of", &[images], &twins)?;
    let novel: Vec<u8> = stimuli
        .stimuli
        .iter()
        .map(|stimulus| u8::from(stimuli.shows_any(stimulus, novel_categories)))
        .collect();
    writer.write("images/is_novel", &[images], &novel)?;
    let values: Vec<f32> = (0..images).flat_map(|image| features.semantic(image).to_vec()).collect();
    writer
        .write("images/semantic", &[images, NUM_SEMANTIC], &values)?
        .text_attribute("columns", &feature_names)?;

    let annotations: Vec<u64> = grades.iter().map(|grade| grade.annotation_id).collect();
    writer.write("captions/annotation_id", &[grades.len()], &annotations)?;
    let pictures: Vec<u64> = grades.iter().map(|grade| grade.coco_id).collect();
    writer.write("captions/coco_id", &[grades.len()], &pictures)?;
    let qualities: Vec<u8> = grades.iter().map(|grade| grade.quality.code()).collect();
    writer
        .write("captions/quality", &[grades.len()], &qualities)?
        .text_attribute("names", &CaptionQuality::ALL.map(CaptionQuality::name).join("\n"))?;
    writer.finish()
}
