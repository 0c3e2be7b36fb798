//! One finetuned GAN of an ablation: finetuned once, its pictures of the validation trials drawn and judged once.
//!
//! As with mappers, the folder is named by a hash of everything that decides the result.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::AblateSettings;
use super::pictures::PictureNumbers;
use super::rows::{AblationRows, FinetuningSpec};
use super::training::{Training, hex, newest_run};
use crate::commands::config::ProjectConfig;
use crate::commands::evaluate_images::{self, EvaluateImagesConfig, EvaluateImagesSettings, FeatureSource};
use crate::commands::finetune_gan::{self, FinetuneGanConfig, FinetuneGanSettings, FinetuneGanSummary};
use crate::commands::reconstruct::{self, ReconstructConfig, ReconstructSettings};
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::{DecoderPaths, PixelNoise};
use crate::pipelines::feature_cache::file_identity;
use crate::pipelines::project::Project;
use crate::pipelines::trial_choice::TrialChoice;
use crate::run::error::RunError;
use crate::run::precision::Precision;
use crate::run::progress::Progress;
use crate::run::run_dir::write_atomic;
use crate::run::snapshot::Snapshot;
use crate::training::gan::mappers::config::MapperMode;
use crate::training::gan::mappers::outputs::mapper_file;
use crate::training::gan::run_files::{CHECKPOINT_FILE, DISCRIMINATOR_FILE, GENERATOR_FILE};

/// What finetuned GANs are made from, beside the data of mappers. What is absent leaves those rows out that need it.
#[derive(Clone, Debug, Default)]
pub struct FinetuningSources {
    /// Root of the NSD tree.
    pub nsd: PathBuf,
    /// Image mapper of rows that train none.
    pub image_mapper: Option<PathBuf>,
    /// The same for captions.
    pub caption_mapper: Option<PathBuf>,
    /// The same for ResNet vectors.
    pub resnet_mapper: Option<PathBuf>,
    /// Folder of the GAN of rows that name none.
    pub gan: Option<PathBuf>,
    /// Folders of GANs by name.
    pub gans: BTreeMap<String, PathBuf>,
    /// The network that measures pictures; the CLIP in use without one.
    pub features: Option<FeatureSource>,
    /// The network that names what pictures show.
    pub classifier: Option<PathBuf>,
    /// What rows differ from.
    pub finetune_gan: FinetuneGanConfig,
    /// How pictures are drawn; condition, noise and trials are the row's, random, and the validation trials.
    pub reconstruct: ReconstructConfig,
    /// Decides z and noise.
    pub seed: u64,
    /// Number format of the drawing networks.
    pub precision: Precision,
    /// How pictures are judged.
    pub evaluate_images: EvaluateImagesConfig,
}

impl FinetuningSources {
    /// What a project has of them.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub(super) fn resolve(
        project: &Project,
        config: &ProjectConfig,
        gans: BTreeMap<String, PathBuf>,
    ) -> Result<Self, RunError> {
        Ok(Self {
            nsd: project.nsd()?,
            // What is not there is missed by the rows that need it.
            image_mapper: project.mapper(MapperTarget::Image).ok(),
            caption_mapper: project.mapper(MapperTarget::Caption).ok(),
            resnet_mapper: project.mapper(MapperTarget::Resnet).ok(),
            gan: project.pretrained_gan().ok(),
            gans,
            features: project.picture_features(),
            classifier: project.paths.classifier.clone(),
            finetune_gan: config.finetune_gan.clone(),
            reconstruct: config.reconstruct.clone(),
            seed: project.seed,
            precision: project.precision,
            evaluate_images: config.evaluate_images.clone(),
        })
    }
}

/// Where a mapper comes from.
#[derive(Clone, Debug)]
enum MapperSource {
    File(PathBuf),
    /// Name of a training of the same table.
    Training(String),
}

/// A finetuning with everything that decides it.
#[derive(Clone, Debug)]
pub(super) struct Finetuning {
    settings: FinetuneGanSettings,
    mappers: [MapperSource; 2],
    pub key: String,
    identity: Value,
}

/// Where a finetuning stands.
pub(super) enum GanState {
    Done(Box<FinetuneGanSummary>),
    /// There is a checkpoint.
    Interrupted(PathBuf),
    ToDo,
}

/// Hashes of networks, each file read once.
#[derive(Default)]
pub(super) struct NetworkHashes(BTreeMap<PathBuf, String>);

impl NetworkHashes {
    fn of(&mut self, path: &Path) -> Result<String, RunError> {
        if let Some(hash) = self.0.get(path) {
            return Ok(hash.clone());
        }
        let hash = Snapshot::open_any(path)?.network_sha256()?;
        self.0.insert(path.to_path_buf(), hash.clone());
        Ok(hash)
    }
}

impl Finetuning {
    /// The finetuning, or why it is left out.
    pub fn plan(
        settings: &AblateSettings,
        rows: &AblationRows,
        spec: &FinetuningSpec,
        trainings: &BTreeMap<String, Result<Training, String>>,
        hashes: &mut NetworkHashes,
    ) -> anyhow::Result<Result<Self, String>> {
        let (data, sources) = (&settings.data, &settings.finetuning);
        let config = spec.resolve(&settings.rows_path, &sources.finetune_gan)?;
        let gan = match &spec.gan {
            Some(name) => sources.gans.get(name).or_else(|| rows.gans.get(name)).cloned(),
            None => sources.gan.clone(),
        };
        let Some(gan) = gan else {
            return Ok(Err(match &spec.gan {
                Some(name) => format!("left out: needs the GAN `{name}`, `--gan {name}=DIR`"),
                None => "left out: needs a GAN; run `mindreader pretrain-gan` or set `paths.pretrained_gan`"
                    .into(),
            }));
        };
        if config.needs_resnet() && settings.resnet.is_none() {
            return Ok(Err("left out: needs a ResNet-50, `--resnet FILE`".into()));
        }
        let mut keys = Vec::new();
        let mut mappers = Vec::new();
        let second = config.condition.second_target();
        for (target, name) in [(MapperTarget::Image, &spec.image_mapper), (second, &spec.second_mapper)] {
            if let Some(name) = name {
                match &trainings[name] {
                    Ok(training) => keys.push(training.key.clone()),
                    Err(reason) => return Ok(Err(reason.clone())),
                }
                mappers.push(MapperSource::Training(name.clone()));
                continue;
            }
            let file = match target {
                MapperTarget::Image => &sources.image_mapper,
                MapperTarget::Caption => &sources.caption_mapper,
                MapperTarget::Resnet => &sources.resnet_mapper,
            };
            let Some(file) = file else {
                let reason = format!("left out: run `mindreader train-mapper --target {target}` first");
                return Ok(Err(reason));
            };
            keys.push(hashes.of(file)?);
            mappers.push(MapperSource::File(file.clone()));
        }
        let [first, second] = &mappers[..] else { anyhow::bail!("two mappers expected") };
        let mappers = [first.clone(), second.clone()];
        let reads_captions = config.mappers.mode == MapperMode::EndToEnd
            && config.condition.uses()[1]
            && config.condition.second_target() == MapperTarget::Caption;
        let captions = match reads_captions {
            true => Some(hex(&RunError::read(&data.captions, "the captions that a mapper aims at")?)),
            false => None,
        };
        let resnet = settings.resnet.clone().filter(|_| config.needs_resnet());
        let identity = json!({
            "program": env!("CARGO_PKG_VERSION"),
            "finetune_gan": config,
            "split": data.split,
            "prepared": file_identity(&data.prepared)?,
            "stimuli": file_identity(&data.stimuli)?,
            "clip": hashes.of(&data.target_network)?,
            "resnet": resnet.as_deref().map(|path| hashes.of(path)).transpose()?,
            "mappers": keys,
            "gan": [hashes.of(&gan.join(GENERATOR_FILE))?, hashes.of(&gan.join(DISCRIMINATOR_FILE))?],
            "captions": captions,
        });
        let key = hex(identity.to_string().as_bytes())[..16].to_string();
        let path_of = |source: &MapperSource| match source {
            MapperSource::File(path) => path.clone(),
            MapperSource::Training(_) => PathBuf::new(),
        };
        let settings = FinetuneGanSettings {
            nsd: sources.nsd.clone(),
            prepared: data.prepared.clone(),
            clip: data.target_network.clone(),
            resnet,
            features: None,
            image_mapper: path_of(&mappers[0]),
            second_mapper: path_of(&mappers[1]),
            captions: data.captions.clone(),
            gan,
            split: data.split.clone(),
            finetune_gan: config,
            cache: data.cache.clone(),
            device: data.device,
            runs: settings.ablations.join(&key),
            resume: None,
        };
        Ok(Ok(Self { settings, mappers, key, identity }))
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.settings.runs
    }

    /// Looks into the folder.
    pub fn state(&self) -> Result<GanState, RunError> {
        let Some(newest) = newest_run(&self.settings.runs) else { return Ok(GanState::ToDo) };
        let path = newest.join("summary.json");
        if path.is_file() {
            let bytes = RunError::read(&path, "a finished row")?;
            let summary = serde_json::from_slice(&bytes)
                .map_err(|error| RunError::invalid(&path, "content", "a summary of finetune-gan", error))?;
            return Ok(GanState::Done(Box::new(summary)));
        }
        let checkpoint = newest.join(CHECKPOINT_FILE);
        Ok(if checkpoint.is_file() { GanState::Interrupted(checkpoint) } else { GanState::ToDo })
    }

    /// Numbers of its pictures; finetunes, draws and judges where that is not done. `trained` gives the mappers of trainings.
    pub fn finish(
        &self,
        settings: &AblateSettings,
        trained: impl Fn(&str) -> Option<PathBuf>,
        progress: &mut dyn Progress,
    ) -> anyhow::Result<PictureNumbers> {
        let mut own = self.settings.clone();
        for (source, slot) in self.mappers.iter().zip([&mut own.image_mapper, &mut own.second_mapper]) {
            if let MapperSource::Training(name) = source {
                *slot = trained(name).ok_or_else(|| anyhow::anyhow!("no mapper of training `{name}`"))?;
            }
        }
        let summary = match self.state()? {
            GanState::Done(summary) => *summary,
            state => {
                if let GanState::Interrupted(checkpoint) = state {
                    own.resume = Some(checkpoint);
                }
                let identity = own.runs.join("identity.json");
                write_atomic(&identity, &serde_json::to_vec_pretty(&self.identity)?)?;
                finetune_gan::run(&own, progress)?
            }
        };
        self.judge(settings, &own, &summary, progress)
    }

    fn judge(
        &self,
        settings: &AblateSettings,
        own: &FinetuneGanSettings,
        summary: &FinetuneGanSummary,
        progress: &mut dyn Progress,
    ) -> anyhow::Result<PictureNumbers> {
        let sources = &settings.finetuning;
        let condition: ConditionSource = own.finetune_gan.condition;
        let reconstruct = ReconstructConfig {
            condition,
            trials: TrialChoice::Validation,
            noise: PixelNoise::Random,
            samples: 1,
            ..sources.reconstruct.clone()
        };
        let clip = || FeatureSource::Clip(settings.data.target_network.clone());
        let features = sources.features.clone().unwrap_or_else(clip);
        let network = Snapshot::open_any(features.path())?.network_sha256()?;
        let protocol = json!({
            "reconstruct": reconstruct,
            "seed": sources.seed,
            "precision": sources.precision,
            "evaluate_images": sources.evaluate_images,
            "features": network,
        });
        let key = hex(protocol.to_string().as_bytes());
        let path = summary.run.join(format!("pictures-{}.json", &key[..8]));
        if path.is_file() {
            let bytes = RunError::read(&path, "judged pictures")?;
            return serde_json::from_slice(&bytes)
                .map_err(|error| RunError::invalid(&path, "content", "numbers of pictures", error).into());
        }
        let finetuned = |target, stage_one: &PathBuf| {
            let path = summary.run.join(mapper_file(target));
            if summary.training.mappers.contains(&path) { path } else { stage_one.clone() }
        };
        let drawn = reconstruct::run(
            &ReconstructSettings {
                prepared: own.prepared.clone(),
                stimuli: settings.data.stimuli.clone(),
                networks: DecoderPaths {
                    image_mapper: finetuned(MapperTarget::Image, &own.image_mapper),
                    second_mapper: finetuned(condition.second_target(), &own.second_mapper),
                    generator: summary.training.generator.clone(),
                },
                split: own.split.clone(),
                reconstruct,
                seed: sources.seed,
                device: own.device,
                precision: sources.precision,
                runs: settings.ablations.join("pictures").join(&self.key),
            },
            progress,
        )?;
        let judged = evaluate_images::run(
            &EvaluateImagesSettings {
                evaluated: drawn.run,
                classifier: sources.classifier.clone(),
                features,
                evaluate_images: sources.evaluate_images.clone(),
                cache: own.cache.clone(),
                device: own.device,
                runs: settings.ablations.join("evaluations"),
            },
            progress,
        )?;
        let numbers = PictureNumbers::of(&judged);
        write_atomic(&path, &serde_json::to_vec_pretty(&numbers)?)?;
        Ok(numbers)
    }
}
