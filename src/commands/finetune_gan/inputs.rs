//! What a finetuning reads before it makes its data: subject, mappers, networks, checked against each other.

use std::path::PathBuf;

use super::settings::FinetuneGanSettings;
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::Split;
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::gan::conditions::DecodingMappers;
use crate::pipelines::gan::data::{LowLevelResnet, low_level_resnet};
use crate::pipelines::gan::mapper_targets::check_split;
use crate::pipelines::gan::starting_gan::StartingGan;
use crate::tensor_ops::backend::Device;

/// Subject, mappers and networks.
pub(super) struct Inputs<'a> {
    pub prepared: PreparedSubject,
    pub split: Split,
    pub mappers: DecodingMappers<'a>,
    pub gan: StartingGan,
    pub clip: ClipSnapshot,
    /// Where the low-level term, or the second condition, is a ResNet's.
    pub resnet: Option<LowLevelResnet>,
    /// NSD's images.
    pub stimuli: PathBuf,
}

impl<'a> Inputs<'a> {
    /// Reads everything.
    ///
    /// # Errors
    /// What is missing, or does not fit: the space that mappers predict, the split that they were trained on.
    pub fn open(settings: &'a FinetuneGanSettings, device: &'a Device) -> crate::error::Result<Self> {
        let config = &settings.finetune_gan;
        let prepared = PreparedSubject::open(&settings.prepared)?;
        let split = settings.split.split(&prepared)?;
        let FinetuneGanSettings { image_mapper, second_mapper, .. } = settings;
        let mappers =
            DecodingMappers::open(image_mapper, second_mapper, config.condition, &prepared, device)?;
        let second_width = mappers.second.snapshot.network.embed_dim;
        let gan =
            StartingGan::open(&settings.gan, config.condition, second_width, config.train.seed, device)?;
        let clip = ClipSnapshot::open(&settings.clip, device)?;
        let resnet = low_level_resnet(settings.resnet.as_deref(), &config.train, device)?;
        let stimuli = NsdTree::new(&settings.nsd).stimuli();
        let inputs = Self { prepared, split, mappers, gan, clip, resnet, stimuli };
        inputs.check(settings)?;
        Ok(inputs)
    }

    fn check(&self, settings: &FinetuneGanSettings) -> crate::error::Result<()> {
        let resnet = self.resnet.as_ref().map(|resnet| resnet.sha256.as_str());
        let resnet_space = settings.resnet.as_deref().zip(resnet);
        self.mappers.check_space((&settings.clip, &self.clip), resnet_space)?;
        if settings.finetune_gan.is_joint() {
            check_split(&settings.image_mapper, &self.mappers.image, &settings.split)?;
            check_split(&settings.second_mapper, &self.mappers.second, &settings.split)?;
        }
        Ok(())
    }

    /// Held-out trials, if there are any: what is shown and measured on the way then tells how decoding generalises.
    pub fn observed_trials(&self) -> &[usize] {
        if self.split.validation.is_empty() { &self.split.train } else { &self.split.validation }
    }
}
