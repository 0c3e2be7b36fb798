//! One finetuned GAN of an ablation: finetuned once, its pictures of the validation trials drawn and judged once.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::folder::{NetworkHashes, WorkFolder, WorkState, hex};
use super::judging::Judging;
use super::pictures::PictureNumbers;
use super::rows::{AblationRows, FinetuningSpec};
use super::settings::{AblateSettings, FinetuningSources};
use super::training::Trainings;
use crate::commands::finetune_gan::{self, FinetuneGanConfig, FinetuneGanSettings, FinetuneGanSummary};
use crate::data::image::stimulus_view::StimulusView;
use crate::data::split::SplitConfig;
use crate::error::Error;
use crate::models::mapper::MapperTarget;
use crate::pipelines::feature_cache::file_identity;
use crate::run::error::RunError;
use crate::run::progress::Progress;
use crate::training::gan::mappers::config::MapperMode;
use crate::training::gan::run_files::{CHECKPOINT_FILE, DISCRIMINATOR_FILE, GENERATOR_FILE};

/// Where a mapper comes from.
#[derive(Clone, Debug)]
enum MapperSource {
    File(PathBuf),
    /// A training of the same table.
    Training {
        name: String,
        key: String,
    },
}

/// A finetuning with everything that decides it.
#[derive(Clone, Debug)]
pub(super) struct Finetuning {
    settings: FinetuneGanSettings,
    mappers: [MapperSource; 2],
    /// Where its runs are.
    pub folder: WorkFolder,
}

/// Everything that decides its numbers; the order of the fields is part of the folder's name.
#[derive(Serialize)]
struct FinetuningIdentity<'a> {
    program: &'static str,
    finetune_gan: &'a FinetuneGanConfig,
    split: &'a SplitConfig,
    stimulus_view: StimulusView,
    prepared: String,
    stimuli: String,
    /// SHA-256 of the network, as those that follow.
    clip: String,
    resnet: Option<String>,
    /// Keys of trainings, or hashes of networks.
    mappers: [String; 2],
    gan: [String; 2],
    /// SHA-256 of the file, where the finetuning reads it.
    captions: Option<String>,
}

impl MapperSource {
    /// The training of that name, or else the file of that kind; or why there is neither.
    fn find(
        target: MapperTarget,
        name: Option<&str>,
        sources: &FinetuningSources,
        trainings: &Trainings,
    ) -> Result<Self, String> {
        if let Some(name) = name {
            let training = trainings[name].as_ref().map_err(String::clone)?;
            return Ok(Self::Training { name: name.into(), key: training.folder.key.clone() });
        }
        let file = match target {
            MapperTarget::Image => &sources.image_mapper,
            MapperTarget::Caption => &sources.caption_mapper,
            MapperTarget::Resnet => &sources.resnet_mapper,
        };
        match file {
            Some(file) => Ok(Self::File(file.clone())),
            None => Err(format!("left out: run `mindreader train-mapper --target {target}` first")),
        }
    }

    fn key(&self, hashes: &mut NetworkHashes) -> Result<String, RunError> {
        match self {
            Self::File(path) => hashes.of(path),
            Self::Training { key, .. } => Ok(key.clone()),
        }
    }

    /// Its file; that of a training is known when the training is done.
    fn path(&self, trained: impl Fn(&str) -> Option<PathBuf>) -> crate::error::Result<PathBuf> {
        match self {
            Self::File(path) => Ok(path.clone()),
            Self::Training { name, .. } => {
                trained(name).ok_or_else(|| crate::error::Error::failure("no mapper of training `{name}`"))
            }
        }
    }
}

impl Finetuning {
    /// The finetuning, or why it is left out.
    ///
    /// # Errors
    /// Settings that do not fit, a file that decides the numbers and cannot be read.
    pub fn plan(
        settings: &AblateSettings,
        rows: &AblationRows,
        spec: &FinetuningSpec,
        trainings: &Trainings,
        hashes: &mut NetworkHashes,
    ) -> crate::error::Result<Result<Self, String>> {
        let sources = &settings.finetuning;
        let config = spec.resolve(&settings.rows_path, &sources.finetune_gan)?;
        if let Some(reason) = missing_network(settings, rows, spec, &config) {
            return Ok(Err(reason));
        }
        let second = config.condition.second_target();
        let find =
            |target, name: &Option<String>| MapperSource::find(target, name.as_deref(), sources, trainings);
        let mappers = match find(MapperTarget::Image, &spec.image_mapper)
            .and_then(|first| Ok([first, find(second, &spec.second_mapper)?]))
        {
            Ok(mappers) => mappers,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(gan) = starting_gan(sources, rows, spec) else {
            return Err(Error::failure("no GAN to start from"));
        };
        let keys = [mappers[0].key(hashes)?, mappers[1].key(hashes)?];
        let folder = WorkFolder::of(&identity(settings, &config, gan, keys, hashes)?, &settings.ablations)?;
        let settings = finetuning_settings(settings, config, gan, &folder);
        Ok(Ok(Self { settings, mappers, folder }))
    }

    /// Looks into the folder.
    ///
    /// # Errors
    /// As [`WorkFolder::state`].
    pub fn state(&self) -> Result<WorkState<FinetuneGanSummary>, RunError> {
        self.folder.state(CHECKPOINT_FILE, "finetune-gan")
    }

    /// Numbers of its pictures; finetunes, draws and judges where that is not done. `trained` gives the mappers of trainings.
    ///
    /// # Errors
    /// Whatever finetuning, drawing and judging fail with.
    pub fn finish(
        &self,
        settings: &AblateSettings,
        trained: impl Fn(&str) -> Option<PathBuf>,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<PictureNumbers> {
        let mut own = self.settings.clone();
        own.image_mapper = self.mappers[0].path(&trained)?;
        own.second_mapper = self.mappers[1].path(&trained)?;
        let summary = match self.state()? {
            WorkState::Done(summary) => *summary,
            state => {
                if let WorkState::Interrupted(checkpoint) = state {
                    own.resume = Some(checkpoint);
                }
                self.folder.write_identity()?;
                finetune_gan::run(&own, progress)?
            }
        };
        Judging::of_finetuning(settings, &own, &summary, &self.folder.key).numbers(progress)
    }
}

/// The GAN that a finetuning starts from.
fn starting_gan<'a>(
    sources: &'a FinetuningSources,
    rows: &'a AblationRows,
    spec: &FinetuningSpec,
) -> Option<&'a PathBuf> {
    match &spec.gan {
        Some(name) => sources.gans.get(name).or_else(|| rows.gans.get(name)),
        None => sources.gan.as_ref(),
    }
}

/// Why a finetuning is left out, where a network other than a mapper is not there.
fn missing_network(
    settings: &AblateSettings,
    rows: &AblationRows,
    spec: &FinetuningSpec,
    config: &FinetuneGanConfig,
) -> Option<String> {
    if starting_gan(&settings.finetuning, rows, spec).is_none() {
        return Some(match &spec.gan {
            Some(name) => format!("left out: needs the GAN `{name}`, `--gan {name}=DIR`"),
            None => {
                "left out: needs a GAN; run `mindreader pretrain-gan` or set `paths.pretrained_gan`".into()
            }
        });
    }
    let needs_resnet = config.needs_resnet() && settings.resnet.is_none();
    needs_resnet.then(|| "left out: needs a ResNet-50, `--resnet FILE`".into())
}

fn identity<'a>(
    settings: &'a AblateSettings,
    config: &'a FinetuneGanConfig,
    gan: &Path,
    mappers: [String; 2],
    hashes: &mut NetworkHashes,
) -> crate::error::Result<FinetuningIdentity<'a>> {
    let data = &settings.data;
    let reads_captions = config.mappers.mode == MapperMode::EndToEnd
        && config.condition.uses()[1]
        && config.condition.second_target() == MapperTarget::Caption;
    let captions = match reads_captions {
        true => Some(hex(&RunError::read(&data.captions, "the captions that a mapper aims at")?)),
        false => None,
    };
    let resnet = settings.resnet.as_deref().filter(|_| config.needs_resnet());
    Ok(FinetuningIdentity {
        program: env!("CARGO_PKG_VERSION"),
        finetune_gan: config,
        split: &data.split,
        stimulus_view: data.mapper.stimulus_view(),
        prepared: file_identity(&data.prepared)?,
        stimuli: file_identity(&data.stimuli)?,
        clip: hashes.of(&data.target_network)?,
        resnet: resnet.map(|path| hashes.of(path)).transpose()?,
        mappers,
        gan: [hashes.of(&gan.join(GENERATOR_FILE))?, hashes.of(&gan.join(DISCRIMINATOR_FILE))?],
        captions,
    })
}

/// Settings but for the mappers, whose files may be made by then only.
fn finetuning_settings(
    settings: &AblateSettings,
    config: FinetuneGanConfig,
    gan: &Path,
    folder: &WorkFolder,
) -> FinetuneGanSettings {
    let data = &settings.data;
    FinetuneGanSettings {
        nsd: settings.finetuning.nsd.clone(),
        prepared: data.prepared.clone(),
        clip: data.target_network.clone(),
        resnet: settings.resnet.clone().filter(|_| config.needs_resnet()),
        features: None,
        image_mapper: PathBuf::new(),
        second_mapper: PathBuf::new(),
        captions: data.captions.clone(),
        gan: gan.to_path_buf(),
        split: data.split.clone(),
        finetune_gan: config,
        stimulus_view: data.mapper.stimulus_view(),
        cache: data.cache.clone(),
        device: data.device,
        runs: folder.runs.clone(),
        resume: None,
    }
}
