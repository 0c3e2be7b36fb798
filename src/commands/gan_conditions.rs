//! Conditions that frozen mappers decode from betas.

use std::path::Path;

use anyhow::Context;
use burn::tensor::Tensor;
use ndarray::{Array2, Axis, concatenate};
use serde::{Deserialize, Serialize};

use crate::data::prepared::PreparedSubject;
use crate::pipelines::brain_decoder::LoadedMapper;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::tensor_ops::backend::{Base, Device};
use crate::tensor_ops::signed_max::signed_max;
use crate::tensor_ops::similarity::unit_norm;

/// Trials decoded at a time.
const DECODED_TRIALS: usize = 256;

/// Which decoded embeddings steer the generator (gan-training.md 1.1, generator.md 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecodedCondition {
    /// Image embedding to the first head, caption embedding to the second; a network with one head gets a second.
    #[default]
    Both,
    /// The image embedding, to every head.
    Image,
    /// The caption embedding, to every head.
    Caption,
    /// The mean of the two, to every head.
    Mean,
    /// Whichever component is larger in magnitude, to every head.
    SignedMax,
}

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

    /// Unit conditions of both heads for the given trials, `[trials, embed_dim]` each.
    pub fn conditions(
        &self,
        prepared: &PreparedSubject,
        trials: &[usize],
        choice: DecodedCondition,
        progress: &mut dyn Progress,
    ) -> anyhow::Result<(Array2<f32>, Array2<f32>)> {
        progress.start("decoding trials", trials.len() as u64);
        let (mut first, mut second) = (vec![], vec![]);
        for (chunk, rows) in trials.chunks(DECODED_TRIALS).enumerate() {
            let betas = prepared.betas_of(rows)?;
            let image = self.image.embed(&betas, self.device);
            let caption = self.caption.embed(&betas, self.device);
            let (a, b) = join(image, caption, choice);
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

/// The vectors of the two heads.
fn join(
    image: Tensor<Base, 2>,
    caption: Tensor<Base, 2>,
    choice: DecodedCondition,
) -> (Tensor<Base, 2>, Tensor<Base, 2>) {
    let one = match choice {
        DecodedCondition::Both => return (image, caption),
        DecodedCondition::Image => image,
        DecodedCondition::Caption => caption,
        DecodedCondition::Mean => unit_norm(image + caption),
        DecodedCondition::SignedMax => unit_norm(signed_max(image, caption)),
    };
    (one.clone(), one)
}

fn host(tensor: Tensor<Base, 2>) -> anyhow::Result<Array2<f32>> {
    let shape = tensor.dims();
    let values = tensor.into_data().iter::<f32>().collect();
    Ok(Array2::from_shape_vec(shape, values)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::cpu;

    fn joined(choice: DecodedCondition) -> [Vec<f32>; 2] {
        let image = Tensor::from_floats([[1.0, 0.0]], &cpu());
        let caption = Tensor::from_floats([[-0.6, 0.8]], &cpu());
        let (first, second) = join(image, caption, choice);
        [first, second].map(|head| head.into_data().to_vec().unwrap())
    }

    #[test]
    fn heads_get_what_the_choice_says() {
        assert_eq!(joined(DecodedCondition::Both), [vec![1.0, 0.0], vec![-0.6, 0.8]]);
        assert_eq!(joined(DecodedCondition::Image), [vec![1.0, 0.0], vec![1.0, 0.0]]);
        assert_eq!(joined(DecodedCondition::Caption), [vec![-0.6, 0.8], vec![-0.6, 0.8]]);
        // (0.4, 0.8) and (1, 0.8), scaled to unit norm.
        for (choice, expected) in [
            (DecodedCondition::Mean, [0.447_213_6, 0.894_427_2]),
            (DecodedCondition::SignedMax, [0.780_868_8, 0.624_695]),
        ] {
            for head in joined(choice) {
                assert!(
                    head.iter().zip(expected).all(|(a, e): (&f32, f32)| (a - e).abs() < 1e-6),
                    "{head:?}"
                );
            }
        }
    }
}
