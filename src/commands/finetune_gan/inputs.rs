//! What a finetuning reads before it makes its data: subject, mappers, networks, checked against each other.

use std::path::PathBuf;

use super::settings::{FinetuneGanConfig, FinetuneGanSettings};
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::Split;
use crate::data::trial::CocoId;
use crate::models::mapper::{Mapper, MapperSnapshot};
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::gan::conditions::DecodingMappers;
use crate::pipelines::gan::data::{LowLevelResnet, low_level_resnet};
use crate::pipelines::gan::mapper_targets::{check_split, check_view};
use crate::pipelines::gan::starting_gan::StartingGan;
use crate::pipelines::held_out_photographs::HeldOut;
use crate::run::error::RunError;
use crate::tensor_ops::backend::{Base, Device};

/// Subject, mappers and networks.
pub(super) struct Inputs<'a> {
    pub prepared: PreparedSubject,
    /// Without the trials that are kept apart.
    pub split: Split,
    /// Training trials that the GAN is not trained on: a snapshot is chosen by them.
    pub kept_apart: Vec<usize>,
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
        let mut split = settings.split.split(&prepared)?;
        let kept_apart = keep_apart(&mut split, &prepared, config)?;
        let FinetuneGanSettings { image_mapper, second_mapper, .. } = settings;
        let mappers =
            DecodingMappers::open(image_mapper, second_mapper, config.condition, &prepared, device)?;
        let second_width = mappers.second.snapshot.network.embed_dim();
        let gan =
            StartingGan::open(&settings.gan, config.condition, second_width, config.train.seed, device)?;
        let clip = ClipSnapshot::open(&settings.clip, device)?;
        let resnet = low_level_resnet(settings.resnet.as_deref(), &config.train, device)?;
        let stimuli = NsdTree::new(&settings.nsd).stimuli();
        let inputs = Self { prepared, split, kept_apart, mappers, gan, clip, resnet, stimuli };
        inputs.check(settings)?;
        Ok(inputs)
    }

    fn check(&self, settings: &FinetuneGanSettings) -> crate::error::Result<()> {
        let resnet = self.resnet.as_ref().map(|resnet| resnet.sha256.as_str());
        let resnet_space = settings.resnet.as_deref().zip(resnet);
        self.mappers.check_space((&settings.clip, &self.clip), resnet_space)?;
        if settings.finetune_gan.is_joint() {
            self.papers_mappers(settings)?;
            check_split(&settings.image_mapper, &self.mappers.image, &settings.split)?;
            check_split(&settings.second_mapper, &self.mappers.second, &settings.split)?;
            check_view(&settings.image_mapper, &self.mappers.image, settings.stimulus_view)?;
        }
        Ok(())
    }

    /// The mappers as they are trained along with the GAN.
    ///
    /// # Errors
    /// [`RunError::Invalid`] that names the file of a mapper that is not of the paper's kind.
    pub fn papers_mappers(
        &self,
        settings: &FinetuneGanSettings,
    ) -> Result<[(&Mapper<Base>, MapperSnapshot); 2], RunError> {
        let DecodingMappers { image, second, .. } = &self.mappers;
        Ok([image.papers(&settings.image_mapper)?, second.papers(&settings.second_mapper)?])
    }

    /// Trials that the GAN is not trained on, if there are any: what is shown and measured on the way then tells how decoding
    /// generalises. Those kept apart for the choice of a snapshot come before the test's.
    pub fn observed_trials(&self) -> &[usize] {
        let candidates = [&self.kept_apart, &self.split.validation, &self.split.train];
        candidates.into_iter().find(|trials| !trials.is_empty()).map_or(&[], Vec::as_slice)
    }

    /// Sets of trials that distances are measured to, with their names; the first chooses the best snapshot. Test images are
    /// left alone where others are kept apart for the choice.
    pub fn measured_sets(&self) -> Vec<(&'static str, &[usize])> {
        let held_out = match self.kept_apart.is_empty() {
            true => ("test", self.split.validation.as_slice()),
            false => ("validation", self.kept_apart.as_slice()),
        };
        let sets = [held_out, ("train", self.split.train.as_slice())];
        sets.into_iter().filter(|(_, trials)| !trials.is_empty()).collect()
    }
}

/// Takes a share of the images out of the training trials; all trials of a photograph go together.
fn keep_apart(
    split: &mut Split,
    prepared: &PreparedSubject,
    config: &FinetuneGanConfig,
) -> crate::error::Result<Vec<usize>> {
    if config.validation_fraction == 0.0 {
        return Ok(vec![]);
    }
    let groups = prepared.split_groups();
    let photograph = |trial: &usize| CocoId(groups[*trial]);
    let photographs: Vec<CocoId> = split.train.iter().map(photograph).collect();
    let held_out = HeldOut {
        fraction: config.validation_fraction,
        seed: config.train.seed,
        purpose: "finetune_gan validation images",
    };
    let held_out = held_out.of(&photographs)?;
    let (kept_apart, train) =
        split.train.iter().partition(|trial| held_out.binary_search(&photograph(trial)).is_ok());
    split.train = train;
    Ok(kept_apart)
}
