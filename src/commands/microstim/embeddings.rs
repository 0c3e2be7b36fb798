//! `embeddings.hdf5` of a run: what the mappers decode before and after a region is driven or silenced.

use std::path::PathBuf;

use burn::tensor::Tensor;

use crate::data::formats::hdf5::H5Writer;
use crate::error::Result;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::{BrainDecoder, DecodedEmbeddings};
use crate::pipelines::trial_choice::ChosenTrial;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::backend::Base;

/// Name in the run's folder.
const EMBEDDINGS_FILE: &str = "embeddings.hdf5";

/// Writes `before/` and `after/`, each with `image` and `caption` (or `resnet`): `[trials, embed_dim]`, at unit norm as they
/// steer the generator, and `image_unnormalised` and the like as the mappers give them. `nsd_id` (0-based) and
/// `num_presentations` say what the rows are.
///
/// # Errors
/// [`DataError::unwritable`](crate::data::error::DataError::unwritable).
pub(super) fn write_embeddings(
    run: &RunDir,
    chosen: &[ChosenTrial],
    decoder: &BrainDecoder,
    [before, after]: [&DecodedEmbeddings; 2],
) -> Result<PathBuf> {
    let path = run.join(EMBEDDINGS_FILE);
    let file = H5Writer::create(&path)?;
    // Without a mapper of captions the image mapper stands in the second place: its embeddings are there already.
    let second = Some(decoder.second_target()).filter(|target| *target != MapperTarget::Image);
    for (group, predicted) in [("before", before), ("after", after)] {
        file.group(group)?;
        let steering = decoder.steering(predicted);
        write(&file, &format!("{group}/image"), &steering.image)?;
        write(&file, &format!("{group}/image_unnormalised"), &predicted.image)?;
        if let Some(second) = second {
            write(&file, &format!("{group}/{second}"), &steering.second)?;
            write(&file, &format!("{group}/{second}_unnormalised"), &predicted.second)?;
        }
    }
    let ids: Vec<u32> = chosen.iter().map(|trial| trial.nsd_id.0).collect();
    file.write("nsd_id", &[ids.len()], &ids)?;
    let counts: Vec<u32> = chosen.iter().map(|trial| trial.trials.len() as u32).collect();
    file.write("num_presentations", &[counts.len()], &counts)?;
    file.finish()?;
    Ok(path)
}

fn write(file: &H5Writer, name: &str, rows: &Tensor<Base, 2>) -> Result<()> {
    let values: Vec<f32> = rows.to_data().iter::<f32>().collect();
    file.write(name, &rows.dims(), &values)?;
    Ok(())
}
