//! Conditions that frozen mappers decode from betas.

use std::path::Path;

use anyhow::Context;
use burn::tensor::Tensor;
use ndarray::{Array2, Axis, concatenate};

use crate::data::prepared::PreparedSubject;
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::condition_source::ConditionSource;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::{Base, Device};

/// Trials decoded at a time.
const DECODED_TRIALS: usize = 256;

/// Two frozen mappers.
pub(super) struct DecodingMappers<'a> {
    pub image: LoadedMapper,
    pub caption: LoadedMapper,
    pub device: &'a Device,
    paths: [&'a Path; 2],
}

impl<'a> DecodingMappers<'a> {
    /// Reads both and checks that they fit the betas.
    ///
    /// # Errors
    /// [`RunError`] that names the file that does not fit.
    pub fn open(
        image_mapper: &'a Path,
        caption_mapper: &'a Path,
        prepared: &PreparedSubject,
        device: &'a Device,
    ) -> Result<Self, RunError> {
        let image = LoadedMapper::open(image_mapper, device)?;
        let caption = LoadedMapper::open(caption_mapper, device)?;
        for mapper in [&image, &caption] {
            mapper.check_input(prepared)?;
        }
        Ok(Self { image, caption, device, paths: [image_mapper, caption_mapper] })
    }

    /// Refuses mappers whose targets came from another CLIP: their space is another.
    pub fn check_space(&self, clip_path: &Path, clip: &ClipSnapshot) -> Result<(), RunError> {
        for (path, mapper) in self.paths.into_iter().zip([&self.image, &self.caption]) {
            let found = &mapper.snapshot.clip_sha256;
            if *found != clip.sha256 {
                let expected = format!("{} of `{}`", clip.sha256, clip_path.display());
                return Err(RunError::invalid(
                    path,
                    "SHA-256 of the CLIP it was trained for",
                    expected,
                    found,
                ));
            }
        }
        Ok(())
    }

    /// Unit conditions of both heads for the given trials, `[trials, embed_dim]` each; `seed` decides a mix.
    pub fn conditions(
        &self,
        prepared: &PreparedSubject,
        trials: &[usize],
        choice: ConditionSource,
        seed: u64,
        progress: &mut dyn Progress,
    ) -> anyhow::Result<(Array2<f32>, Array2<f32>)> {
        progress.start("decoding trials", trials.len() as u64);
        let (mut first, mut second) = (vec![], vec![]);
        for (chunk, rows) in trials.chunks(DECODED_TRIALS).enumerate() {
            let betas = prepared.betas_of(rows)?;
            let image = self.image.embed(&betas, self.device);
            let caption = self.caption.embed(&betas, self.device);
            let positions: Vec<u64> = rows.iter().map(|trial| *trial as u64).collect();
            let [a, b] = choice.heads(image, caption, seed, &positions);
            first.push(host(a)?);
            second.push(host(b)?);
            progress.advance((chunk * DECODED_TRIALS + rows.len()) as u64, "");
        }
        progress.finish("");
        let whole = |parts: &[Array2<f32>]| {
            let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
            concatenate(Axis(0), &views).context("no trial to decode")
        };
        Ok((whole(&first)?, whole(&second)?))
    }
}

fn host(tensor: Tensor<Base, 2>) -> anyhow::Result<Array2<f32>> {
    let shape = tensor.dims();
    let values = tensor.into_data().iter::<f32>().collect();
    Ok(Array2::from_shape_vec(shape, values)?)
}
