//! `nsd_stimuli.hdf5`: `/imgBrick` at its full size, in which only the images that somebody sees are written.

use super::super::image_features::{FeatureTable, ImageFeatures};
use super::super::stimuli::{RenderedStimulus, STIMULUS_SIZE, StimulusSet};
use crate::data::error::DataError;
use crate::data::formats::hdf5::H5Writer;
use crate::data::nsd::tree::NsdTree;
use crate::data::trial::NUM_IMAGES;
use crate::interrupt;

/// Renders all images into the file and returns their features; `annotate` gets everything but the pixels.
/// `tick` is told how many of how many images are done.
///
/// # Errors
/// [`DataError::unwritable`]; [`DataError::unreadable`] for a photograph.
pub fn write_stimuli(
    tree: &NsdTree,
    stimuli: &StimulusSet,
    mut annotate: impl FnMut(&RenderedStimulus),
    tick: &mut dyn FnMut(u64, u64),
) -> Result<FeatureTable, DataError> {
    let size = STIMULUS_SIZE as usize;
    let writer = H5Writer::create(&tree.stimuli())?;
    // One image a chunk: unwritten chunks take no room.
    let brick = writer.dataset::<u8>("imgBrick", &[NUM_IMAGES, size, size, 3], Some(&[1, size, size, 3]))?;
    // By place, because rendering visits photographs in groups.
    let mut features: Vec<Option<ImageFeatures>> = vec![None; stimuli.len()];
    let (mut done, total) = (0, stimuli.len() as u64);
    stimuli.render_all(
        |stimulus| ImageFeatures::measure(&stimulus.picture, &stimulus.shares),
        |stimulus, measured| {
            let row = stimuli.stimuli[stimulus.index].nsd_id.row();
            brick.write_block(&[row..row + 1, 0..size, 0..size, 0..3], stimulus.picture.as_raw())?;
            annotate(&stimulus);
            features[stimulus.index] = Some(measured);
            done += 1;
            interrupt::check()?;
            tick(done, total);
            Ok(())
        },
    )?;
    drop(brick);
    writer.finish()?;
    Ok(FeatureTable::new(features.into_iter().flatten().collect()))
}
