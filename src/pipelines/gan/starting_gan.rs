//! Trained GANs that a training starts from.

use std::path::Path;

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

fn same_sizes<C: PartialEq + std::fmt::Debug>(path: &Path, found: &C, expected: &C) -> Result<(), RunError> {
    if found == expected {
        return Ok(());
    }
    let expected = format!("that of `[pretrain_gan.network]` and the CLIP: {expected:?}");
    Err(RunError::invalid(path, "config", expected, format!("{found:?}")))
}

fn pretrained(generator: Generator<Base>, discriminator: Discriminator<Base>) -> StartingPoint {
    StartingPoint::Pretrained { generator: Box::new(generator), discriminator: Box::new(discriminator) }
}
