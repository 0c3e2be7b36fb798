//! Conditions that mappers decode from betas.

use std::path::Path;

use burn::tensor::Tensor;
use ndarray::{Array2, Axis, concatenate};

use crate::data::prepared::PreparedSubject;
use crate::error::Context;
use crate::interrupt;
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::{LoadedMapper, require_finite};
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::{Base, Device};

/// Trials decoded at a time.
pub(crate) const DECODED_TRIALS: usize = 256;

/// The image mapper and the one of the second condition.
pub(crate) struct DecodingMappers<'a> {
    pub image: LoadedMapper,
    pub second: LoadedMapper,
    pub device: &'a Device,
    paths: [&'a Path; 2],
}

impl<'a> DecodingMappers<'a> {
    /// Reads both and checks that they fit the betas and predict what `source` is made of.
    ///
    /// # Errors
    /// [`RunError`] that names the file that does not fit.
    pub fn open(
        image_mapper: &'a Path,
        second_mapper: &'a Path,
        source: ConditionSource,
        prepared: &PreparedSubject,
        device: &'a Device,
    ) -> Result<Self, RunError> {
        let image = LoadedMapper::open(image_mapper, device)?;
        let second = LoadedMapper::open(second_mapper, device)?;
        for mapper in [&image, &second] {
            mapper.check_input(prepared)?;
        }
        let found = [image.snapshot.target, second.snapshot.target];
        let wanted = [MapperTarget::Image, source.second_target()];
        for ((path, found), wanted) in [image_mapper, second_mapper].into_iter().zip(found).zip(wanted) {
            // A network of CLIP's space serves where another of it is meant; one of another space does not.
            let is_resnet = |target| target == MapperTarget::Resnet;
            if is_resnet(found) != is_resnet(wanted) {
                let expected = format!("`{wanted}`, which the condition is made of");
                return Err(RunError::invalid(path, "target", expected, format!("`{found}`")));
            }
        }
        Ok(Self { image, second, device, paths: [image_mapper, second_mapper] })
    }

    /// Refuses mappers whose targets came from another network than the given ones: their space is another.
    pub fn check_space(
        &self,
        clip: (&Path, &ClipSnapshot),
        resnet: Option<(&Path, &str)>,
    ) -> Result<(), RunError> {
        for (path, mapper) in self.paths.into_iter().zip([&self.image, &self.second]) {
            let found = &mapper.snapshot.target_network_sha256;
            let (network, sha256) = match mapper.snapshot.target {
                MapperTarget::Image | MapperTarget::Caption => (clip.0, clip.1.sha256.as_str()),
                MapperTarget::Resnet => match resnet {
                    Some((network, sha256)) => (network, sha256),
                    None => continue,
                },
            };
            if found != sha256 {
                let expected = format!(
                    "{sha256} of `{}`; name a mapper of that network (`paths.image_mapper`, `paths.caption_mapper`), or the \
                     network of this one",
                    network.display()
                );
                let field = "SHA-256 of the network whose space it predicts";
                return Err(RunError::invalid(path, field, expected, found));
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
    ) -> crate::error::Result<(Array2<f32>, Array2<f32>)> {
        progress.start("decoding trials", trials.len() as u64);
        let (mut first, mut second) = (vec![], vec![]);
        for (chunk, rows) in trials.chunks(DECODED_TRIALS).enumerate() {
            let betas = prepared.betas_of(rows)?;
            let of_image = self.image.condition(&betas, self.device);
            let of_second = self.second.condition(&betas, self.device);
            for (path, embeddings) in self.paths.iter().zip([&of_image, &of_second]) {
                require_finite(path, embeddings)?;
            }
            // A trial's place in the experiment: its mix does not depend on what else is decoded.
            let positions: Vec<u64> = rows.iter().map(|trial| *trial as u64).collect();
            let [a, b] = choice.heads(of_image, of_second, seed, &positions);
            first.push(host(a)?);
            second.push(host(b)?);
            interrupt::check()?;
            progress.advance((chunk * DECODED_TRIALS + rows.len()) as u64, "");
        }
        progress.finish("");
        Ok((stacked(&first)?, stacked(&second)?))
    }
}

/// Decoded chunks as one array.
pub(crate) fn stacked(parts: &[Array2<f32>]) -> crate::error::Result<Array2<f32>> {
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    concatenate(Axis(0), &views).context("no trial to decode")
}

pub(crate) fn host(tensor: Tensor<Base, 2>) -> crate::error::Result<Array2<f32>> {
    let shape = tensor.dims();
    let values = tensor.into_data().iter::<f32>().collect();
    Ok(Array2::from_shape_vec(shape, values)?)
}
