//! Trained GANs that a training starts from.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::models::condition_source::ConditionSource;
use crate::models::stylegan2::{
    ConditionHeads, Discriminator, DiscriminatorConfig, Generator, GeneratorConfig,
};
use crate::run::error::RunError;
use crate::run::snapshot::{DISCRIMINATOR_KIND, GENERATOR_KIND, Snapshot};
use crate::tensor_ops::backend::{Base, Device};
use crate::training::gan::run_files::{DISCRIMINATOR_FILE, GENERATOR_FILE};
use crate::training::gan::starting_point::StartingPoint;
use crate::training::gan::transfer::copy_by_name;

/// A pretrained GAN as finetuning starts from it.
pub(crate) struct StartingGan {
    /// Sizes of the generator, with the second head that it may have got.
    pub generator: GeneratorConfig,
    /// Sizes of the discriminator.
    pub discriminator: DiscriminatorConfig,
    /// The weights.
    pub start: StartingPoint,
    /// Whether the second head was copied from the first.
    pub duplicated_head: bool,
    /// SHA-256 of the generator's file.
    pub sha256: String,
}

impl StartingGan {
    /// Reads the GAN in `folder`. One with a single head gets a second where `source` needs two, for conditions of
    /// `second_width` values; `seed` draws what cannot be copied.
    ///
    /// # Errors
    /// Snapshots that are missing or of another kind.
    pub fn open(
        folder: &Path,
        source: ConditionSource,
        second_width: usize,
        seed: u64,
        device: &Device,
    ) -> crate::error::Result<Self> {
        let file = Snapshot::open(&folder.join(GENERATOR_FILE), GENERATOR_KIND)?;
        let (generator, network) = file.network(|config: &GeneratorConfig| config.init::<Base>(0, device))?;
        let sha256 = file.sha256().to_string();
        let file = Snapshot::open(&folder.join(DISCRIMINATOR_FILE), DISCRIMINATOR_KIND)?;
        let (discriminator, judge) =
            file.network(|config: &DiscriminatorConfig| config.init::<Base>(0, device))?;
        // Only a network without a second branch gets one (docs/spec/open-questions.md OQ-31).
        let gets_second = source.needs_two_heads() && generator.heads == ConditionHeads::One;
        let duplicated_head = gets_second && generator.condition_dim == second_width;
        if duplicated_head {
            return Ok(Self {
                generator: generator.with_duplicated_head(),
                discriminator: discriminator.with_duplicated_head(),
                start: pretrained(network.with_duplicated_head(), judge.with_duplicated_head()),
                duplicated_head,
                sha256,
            });
        }
        if !gets_second {
            let start = pretrained(network, judge);
            return Ok(Self { generator, discriminator, start, duplicated_head, sha256 });
        }
        // A head of another width cannot be a copy: it starts as it is drawn (docs/spec/gan-training.md §9).
        let heads = ConditionHeads::TwoByMaximum;
        let generator = GeneratorConfig { heads, second_condition_dim: second_width, ..generator };
        let discriminator =
            DiscriminatorConfig { heads, second_condition_dim: second_width, ..discriminator };
        let drawn = generator.init::<Base>(seed, device)?;
        let drawn_judge = discriminator.init::<Base>(seed, device)?;
        let start = pretrained(copy_by_name(drawn, &network), copy_by_name(drawn_judge, &judge));
        Ok(Self { generator, discriminator, start, duplicated_head, sha256 })
    }
}

/// The weights of the GAN in `folder`, which must have the given sizes, with the hash of its generator. Its conditions may be of
/// another CLIP: training teaches it the new ones.
///
/// # Errors
/// Snapshots that are missing, of another kind, or of other sizes.
pub(crate) fn same_sized_start(
    folder: &Path,
    generator: &GeneratorConfig,
    discriminator: &DiscriminatorConfig,
    device: &Device,
) -> crate::error::Result<(StartingPoint, String)> {
    let path = folder.join(GENERATOR_FILE);
    let file = Snapshot::open(&path, GENERATOR_KIND)?;
    same_sizes(&path, &file.config()?, generator)?;
    let sha256 = file.network_sha256()?;
    let (_, network) = file.network(|config: &GeneratorConfig| config.init::<Base>(0, device))?;
    let path = folder.join(DISCRIMINATOR_FILE);
    let file = Snapshot::open(&path, DISCRIMINATOR_KIND)?;
    same_sizes(&path, &file.config()?, discriminator)?;
    let (_, judge) = file.network(|config: &DiscriminatorConfig| config.init::<Base>(0, device))?;
    Ok((pretrained(network, judge), sha256))
}

fn same_sizes<C: PartialEq + Serialize>(path: &Path, found: &C, expected: &C) -> crate::error::Result<()> {
    if found == expected {
        return Ok(());
    }
    let (found, expected) = (serde_json::to_value(found)?, serde_json::to_value(expected)?);
    let (key, found, expected) = first_difference(&found, &expected);
    let expected = format!("{expected} as `pretrain_gan.network` and the CLIP ask for");
    Err(RunError::invalid(path, format!("config, `{key}`"), expected, found).into())
}

/// The first key of two configurations whose values differ, with both values.
fn first_difference(found: &Value, expected: &Value) -> (String, Value, Value) {
    let keys = found.as_object().into_iter().chain(expected.as_object()).flat_map(|keys| keys.keys());
    for key in keys {
        let (found, expected) = (&found[key.as_str()], &expected[key.as_str()]);
        if found != expected {
            return (key.clone(), found.clone(), expected.clone());
        }
    }
    (String::new(), found.clone(), expected.clone())
}

fn pretrained(generator: Generator<Base>, discriminator: Discriminator<Base>) -> StartingPoint {
    StartingPoint::Pretrained { generator: Box::new(generator), discriminator: Box::new(discriminator) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_gan_of_other_sizes_is_refused_by_the_first_key_that_differs() {
        let (found, expected) =
            (json!({"z_dim": 64, "resolution": 32}), json!({"z_dim": 64, "resolution": 16}));
        let error =
            same_sizes(Path::new("generator.safetensors"), &found, &expected).unwrap_err().to_string();
        assert_eq!(
            error,
            "`generator.safetensors`: config, `resolution`: found 32, expected 16 as `pretrain_gan.network` and the CLIP ask for"
        );
        assert!(same_sizes(Path::new("x"), &found, &found).is_ok());
    }
}
