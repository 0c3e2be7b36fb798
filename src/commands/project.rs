//! A project: one configuration for the whole chain, one work folder, and where each command finds the files of the last.
//!
//! Work folder: `prepared/`, `captions/`, `cache/`, `runs/`. A command that needs the result of another takes the newest
//! finished run of the subject, unless the configuration names a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ablate::{AblateSettings, FinetuningSources};
use super::doctor::DoctorSettings;
use super::encode::{EncodeConfig, EncodeSettings};
use super::evaluate::{EvaluateConfig, EvaluateSettings};
use super::evaluate_images::{EvaluateImagesConfig, EvaluateImagesSettings, FeatureSource};
use super::finetune_gan::{FinetuneGanConfig, FinetuneGanSettings};
use super::gan_snapshots::SnapshotConfig;
use super::microstim::{MicrostimConfig, MicrostimSettings};
use super::phantom::PhantomSettings;
use super::prepare::{ExistingOutput, PrepareConfig, PrepareSettings};
use super::pretrain_classifier::{PretrainClassifierConfig, PretrainClassifierSettings};
use super::pretrain_clip::{PretrainClipConfig, PretrainClipSettings};
use super::pretrain_gan::{PretrainGanConfig, PretrainGanSettings, PretrainImages};
use super::reconstruct::{DecoderPaths, ReconstructConfig, ReconstructSettings};
use super::score::ScoreSettings;
use super::screen_captions::{ScreenCaptionsConfig, ScreenCaptionsSettings};
use super::train_mapper::{BetasControl, TrainMapperConfig, TrainMapperSettings};
use crate::data::nsd::tree::NsdTree;
use crate::data::phantom::PhantomConfig;
use crate::data::split::SplitConfig;
use crate::data::subject::{Resolution, SubjectId};
use crate::models::mapper::MapperTarget;
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;
use crate::run::precision::Precision;
use crate::run::run_dir::RunDir;
use crate::training::gan_config::GanTrainConfig;
use crate::training::gan_mapper_outputs::mapper_file;
use crate::training::gan_trainer::GENERATOR_FILE;

/// Snapshot of a run that chooses its best weights.
const BEST_FILE: &str = "best.safetensors";
/// List of a run's pictures.
const MANIFEST_FILE: &str = "manifest.json";

/// Where files are. Unset paths are the newest finished runs of the subject.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectPaths {
    /// Root of the NSD tree: the folder with `nsddata`, `nsddata_betas`, `nsddata_stimuli`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nsd: Option<PathBuf>,
    /// Prepared subjects, captions, caches, runs. Default: `work`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<PathBuf>,
    /// Folder or zip archive of images, with captions beside them or with CLIP's features in `dataset.json`, that `pretrain-gan`
    /// trains on in place of the stimuli.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<PathBuf>,
    /// COCO's annotation file with the captions of those images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<PathBuf>,
    /// CLIP snapshot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<PathBuf>,
    /// ResNet-50 that makes the targets of a ResNet mapper and the vectors of the generator's low-level term.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resnet: Option<PathBuf>,
    /// The FID's Inception, with which `evaluate-images` and the trainings of a GAN measure pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inception: Option<PathBuf>,
    /// The scene classifier of `pretrain-classifier`: with it `evaluate-images` says what can be named, and without an Inception its
    /// features measure pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classifier: Option<PathBuf>,
    /// Image mapper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_mapper: Option<PathBuf>,
    /// Caption mapper.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caption_mapper: Option<PathBuf>,
    /// Run folder of the GAN that finetuning starts from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pretrained_gan: Option<PathBuf>,
    /// Generator that draws.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generator: Option<PathBuf>,
}

/// Every setting of every command. A section is named like its command.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProjectConfig {
    /// NSD subject, 1 to 8.
    pub subject: SubjectId,
    /// Functional volumes.
    pub resolution: Resolution,
    /// Decides everything that chance decides; sections may have their own.
    pub seed: u64,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Number format in which `reconstruct` and `microstim` apply the networks: `f32`, or `f16` on a GPU.
    pub precision: Precision,
    /// Where files are.
    pub paths: ProjectPaths,
    /// Which trials train, which validate.
    pub split: SplitConfig,
    /// The synthetic subject.
    pub phantom: PhantomConfig,
    /// Voxels and scaling.
    pub prepare: PrepareConfig,
    /// A CLIP of one's own.
    pub pretrain_clip: PretrainClipConfig,
    /// A judge of pictures.
    pub pretrain_classifier: PretrainClassifierConfig,
    /// Which captions are kept.
    pub screen_captions: ScreenCaptionsConfig,
    /// Stage one.
    pub train_mapper: TrainMapperConfig,
    /// The linear encoding model.
    pub encode: EncodeConfig,
    /// Retrieval counts and the linear baseline.
    pub evaluate: EvaluateConfig,
    /// The conditional GAN without brains.
    pub pretrain_gan: PretrainGanConfig,
    /// Stage two.
    pub finetune_gan: FinetuneGanConfig,
    /// Betas to images.
    pub reconstruct: ReconstructConfig,
    /// Metrics of reconstructed images.
    pub evaluate_images: EvaluateImagesConfig,
    /// A region driven or silenced.
    pub microstim: MicrostimConfig,
}

/// Keys that take the top-level `seed` unless they are set.
pub const SEED_KEYS: &[&str] = &[
    "phantom.seed",
    "pretrain_clip.train.seed",
    "pretrain_classifier.train.seed",
    "train_mapper.train.seed",
    "pretrain_gan.train.seed",
    "finetune_gan.train.seed",
    "evaluate_images.identification.seed",
];

/// Keys that take the top-level `subject` unless they are set.
pub const SUBJECT_KEYS: &[&str] = &["phantom.subject"];

/// A configuration with the places that follow from it.
#[derive(Clone, Debug)]
pub struct Project {
    /// The configuration.
    pub config: ProjectConfig,
}

impl Project {
    /// A project of a configuration.
    pub fn new(config: ProjectConfig) -> Self {
        Self { config }
    }

    /// Root of the NSD tree.
    ///
    /// # Errors
    /// [`RunError::Missing`] when it is not set.
    pub fn nsd(&self) -> Result<PathBuf, RunError> {
        self.config
            .paths
            .nsd
            .clone()
            .ok_or_else(|| RunError::missing("paths.nsd", "this command: set it with `--nsd DIR`"))
    }

    fn work(&self) -> &Path {
        self.config.paths.work.as_deref().unwrap_or(Path::new("work"))
    }

    /// Folder of the runs.
    pub fn runs(&self) -> PathBuf {
        self.work().join("runs")
    }

    /// The prepared subject.
    pub fn prepared(&self) -> PathBuf {
        let ProjectConfig { subject, resolution, prepare, .. } = &self.config;
        self.work().join("prepared").join(PrepareSettings::file_name(*subject, *resolution, &prepare.roi))
    }

    /// The vetted captions.
    pub fn captions(&self) -> PathBuf {
        self.work().join("captions").join(format!("{}.json", self.config.subject))
    }

    /// Every caption with its probability.
    pub fn caption_probabilities(&self) -> PathBuf {
        self.work().join("captions").join(format!("{}-probabilities.json", self.config.subject))
    }

    fn cache(&self) -> PathBuf {
        self.work().join("cache")
    }

    /// The file of the newest finished run of `kind` of the subject, or the configured one.
    fn newest(
        &self,
        configured: Option<&PathBuf>,
        kind: &str,
        file: &str,
        command: &str,
    ) -> Result<PathBuf, RunError> {
        if let Some(path) = configured {
            return Ok(path.clone());
        }
        let description = format!("{kind}-{}", self.config.subject);
        RunDir::newest(&self.runs(), &description, file).ok_or_else(|| {
            let path = self.runs().join(format!("*-{description}")).join(file);
            RunError::missing(path, format!("this command; run `mindreader {command}` first"))
        })
    }

    fn clip(&self) -> Result<PathBuf, RunError> {
        let configured = self.config.paths.clip.as_ref();
        self.newest(configured, "pretrain-clip", BEST_FILE, "pretrain-clip` or set `--clip FILE")
    }

    fn resnet(&self) -> Result<PathBuf, RunError> {
        self.config.paths.resnet.clone().ok_or_else(|| {
            RunError::missing("paths.resnet", "this command: import one and set it with `--resnet FILE`")
        })
    }

    /// The ResNet-50 of the generator's low-level term, if that has a weight.
    fn low_level_resnet(&self, train: &GanTrainConfig) -> Result<Option<PathBuf>, RunError> {
        train.loss.needs_resnet().then(|| self.resnet()).transpose()
    }

    /// The network that measures a GAN's snapshots, if one is chosen.
    fn snapshot_features(&self, snapshots: &SnapshotConfig) -> Result<Option<FeatureSource>, RunError> {
        if snapshots.frechet_ticks == 0 {
            return Ok(None);
        }
        if snapshots.clip_features {
            return Ok(Some(FeatureSource::Clip(self.clip()?)));
        }
        Ok(self.picture_features())
    }

    /// The network that was named for measuring pictures: a published one before one's own.
    fn picture_features(&self) -> Option<FeatureSource> {
        let ProjectPaths { inception, classifier, .. } = &self.config.paths;
        let classifier = || classifier.clone().map(FeatureSource::Classifier);
        inception.clone().map(FeatureSource::Inception).or_else(classifier)
    }

    fn mapper(&self, target: MapperTarget) -> Result<PathBuf, RunError> {
        let paths = &self.config.paths;
        let (configured, kind, command) = match target {
            MapperTarget::Image => {
                (paths.image_mapper.as_ref(), "train-mapper-image", "train-mapper --target image")
            }
            MapperTarget::Caption => {
                (paths.caption_mapper.as_ref(), "train-mapper-caption", "train-mapper --target caption")
            }
            MapperTarget::Resnet => (None, "train-mapper-resnet", "train-mapper --target resnet"),
        };
        self.newest(configured, kind, BEST_FILE, command)
    }

    /// Folder of the GAN that finetuning starts from.
    fn pretrained_gan(&self) -> Result<PathBuf, RunError> {
        if let Some(folder) = &self.config.paths.pretrained_gan {
            return Ok(folder.clone());
        }
        let generator = self.newest(None, "pretrain-gan", GENERATOR_FILE, "pretrain-gan")?;
        Ok(generator.parent().map(Path::to_path_buf).unwrap_or_default())
    }

    /// The mapper of the second condition.
    fn second_mapper(&self, target: MapperTarget) -> Result<PathBuf, RunError> {
        match (target, &self.config.paths.caption_mapper) {
            (MapperTarget::Resnet, Some(path)) => Ok(path.clone()),
            _ => self.mapper(target),
        }
    }

    /// Generator and mappers; mappers that were finetuned with the generator lie beside it.
    fn networks(&self, second: MapperTarget) -> Result<DecoderPaths, RunError> {
        let paths = &self.config.paths;
        let generator = self.newest(paths.generator.as_ref(), "finetune-gan", GENERATOR_FILE, "finetune-gan");
        if generator.is_err() {
            // The command that comes first is named first.
            self.mapper(MapperTarget::Image)?;
            self.second_mapper(second)?;
        }
        let generator = generator?;
        let beside = |target, configured: &Option<PathBuf>| {
            let path = generator.with_file_name(mapper_file(target));
            (configured.is_none() && path.is_file()).then_some(path)
        };
        Ok(DecoderPaths {
            image_mapper: match beside(MapperTarget::Image, &paths.image_mapper) {
                Some(path) => path,
                None => self.mapper(MapperTarget::Image)?,
            },
            caption_mapper: match beside(second, &paths.caption_mapper) {
                Some(path) => path,
                None => self.second_mapper(second)?,
            },
            generator,
        })
    }

    /// Settings of `doctor`.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn doctor(&self) -> Result<DoctorSettings, RunError> {
        Ok(DoctorSettings {
            nsd_root: self.nsd()?,
            subject: self.config.subject,
            resolution: self.config.resolution,
        })
    }

    /// Settings of `phantom`.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn phantom(&self, existing: ExistingOutput) -> Result<PhantomSettings, RunError> {
        Ok(PhantomSettings {
            config: self.config.phantom.clone(),
            out: self.nsd()?,
            overwrite: existing == ExistingOutput::Replace,
        })
    }

    /// Settings of `prepare`.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn prepare(&self, existing: ExistingOutput) -> Result<PrepareSettings, RunError> {
        Ok(PrepareSettings {
            nsd_root: self.nsd()?,
            subject: self.config.subject,
            resolution: self.config.resolution,
            prepare: self.config.prepare.clone(),
            out: self.prepared(),
            existing,
        })
    }

    /// This project for every subject that is prepared, in their order.
    ///
    /// # Errors
    /// [`RunError::Missing`] when none is.
    pub fn of_prepared_subjects(&self) -> Result<Vec<Self>, RunError> {
        let of = |subject| Self::new(ProjectConfig { subject, ..self.config.clone() });
        let found: Vec<Self> =
            SubjectId::all().map(of).filter(|project| project.prepared().is_file()).collect();
        if found.is_empty() {
            return Err(RunError::missing(
                self.prepared(),
                "`--subject all`; run `mindreader prepare` first",
            ));
        }
        Ok(found)
    }

    /// Settings of `pretrain-clip`.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn pretrain_clip(&self, resume: Option<PathBuf>) -> Result<PretrainClipSettings, RunError> {
        Ok(PretrainClipSettings {
            nsd: self.nsd()?,
            prepared: self.prepared(),
            split: self.config.split.clone(),
            pretrain_clip: self.config.pretrain_clip.clone(),
            device: self.config.device,
            runs: self.runs(),
            resume,
        })
    }

    /// Settings of `pretrain-classifier`.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn pretrain_classifier(&self) -> Result<PretrainClassifierSettings, RunError> {
        Ok(PretrainClassifierSettings {
            nsd: self.nsd()?,
            prepared: self.prepared(),
            split: self.config.split.clone(),
            pretrain_classifier: self.config.pretrain_classifier.clone(),
            device: self.config.device,
            runs: self.runs(),
        })
    }

    /// Settings of `screen-captions`.
    ///
    /// # Errors
    /// When the NSD root is not set or no CLIP is there.
    pub fn screen_captions(&self) -> Result<ScreenCaptionsSettings, RunError> {
        Ok(ScreenCaptionsSettings {
            nsd: self.nsd()?,
            prepared: self.prepared(),
            clip: self.clip()?,
            screen_captions: self.config.screen_captions.clone(),
            cache: self.cache(),
            output: self.captions(),
            probabilities: self.caption_probabilities(),
            report: self.work().join("captions").join(format!("{}-screening.json", self.config.subject)),
            device: self.config.device,
        })
    }

    /// Settings of `score`.
    ///
    /// # Errors
    /// When the NSD root is not set.
    pub fn score(&self, evaluation: Option<PathBuf>) -> Result<ScoreSettings, RunError> {
        Ok(ScoreSettings {
            nsd: self.nsd()?,
            prepared: self.prepared(),
            probabilities: self.caption_probabilities(),
            evaluation,
        })
    }

    /// Settings of `train-mapper`.
    ///
    /// # Errors
    /// When the NSD root is not set or the network of the targets is not there.
    pub fn train_mapper(
        &self,
        target: MapperTarget,
        betas: BetasControl,
        resume: Option<PathBuf>,
    ) -> Result<TrainMapperSettings, RunError> {
        Ok(TrainMapperSettings {
            target,
            subject: self.config.subject,
            prepared: self.prepared(),
            stimuli: NsdTree::new(self.nsd()?).stimuli(),
            captions: self.captions(),
            target_network: match target {
                MapperTarget::Image | MapperTarget::Caption => self.clip()?,
                MapperTarget::Resnet => self.resnet()?,
            },
            cache: self.cache(),
            runs: self.runs(),
            resume,
            init_from: None,
            device: self.config.device,
            betas,
            split: self.config.split.clone(),
            mapper: self.config.train_mapper.clone(),
        })
    }

    /// Settings of `evaluate`; without `mappers` the newest image and caption mappers.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn evaluate(&self, mut mappers: Vec<PathBuf>) -> Result<EvaluateSettings, RunError> {
        if mappers.is_empty() {
            mappers = vec![self.mapper(MapperTarget::Image)?, self.mapper(MapperTarget::Caption)?];
        }
        // Which of the two spaces is read from each mapper's snapshot.
        let data = self.train_mapper(MapperTarget::Image, BetasControl::Measured, None)?;
        let resnet = self.config.paths.resnet.clone();
        Ok(EvaluateSettings { mappers, resnet, evaluate: self.config.evaluate.clone(), data })
    }

    /// Settings of `encode`.
    ///
    /// # Errors
    /// When the NSD root is not set or no CLIP is there.
    pub fn encode(&self) -> Result<EncodeSettings, RunError> {
        Ok(EncodeSettings {
            nsd: self.nsd()?,
            encode: self.config.encode.clone(),
            data: self.train_mapper(MapperTarget::Image, BetasControl::Measured, None)?,
        })
    }

    /// Settings of `ablate` for a file of rows and its content.
    ///
    /// # Errors
    /// When the NSD root is not set or no CLIP is there.
    pub fn ablate(
        &self,
        rows_path: PathBuf,
        rows_text: String,
        only: Vec<String>,
        gans: BTreeMap<String, PathBuf>,
    ) -> Result<AblateSettings, RunError> {
        let newest_gan = self.pretrained_gan().ok();
        let finetuning = FinetuningSources {
            nsd: self.nsd()?,
            // What is not there is missed by the rows that need it.
            image_mapper: self.mapper(MapperTarget::Image).ok(),
            caption_mapper: self.mapper(MapperTarget::Caption).ok(),
            resnet_mapper: self.mapper(MapperTarget::Resnet).ok(),
            gan: newest_gan,
            gans,
            features: self.picture_features(),
            classifier: self.config.paths.classifier.clone(),
            finetune_gan: self.config.finetune_gan.clone(),
            reconstruct: self.config.reconstruct.clone(),
            seed: self.config.seed,
            precision: self.config.precision,
            evaluate_images: self.config.evaluate_images.clone(),
        };
        Ok(AblateSettings {
            rows_path,
            rows_text,
            only,
            data: self.train_mapper(MapperTarget::Image, BetasControl::Measured, None)?,
            resnet: self.config.paths.resnet.clone(),
            evaluate: self.config.evaluate.clone(),
            finetuning,
            ablations: self.work().join("ablations"),
        })
    }

    /// Settings of `pretrain-gan`.
    ///
    /// # Errors
    /// When neither images nor the NSD root is set, or no CLIP is there.
    pub fn pretrain_gan(&self, resume: Option<PathBuf>) -> Result<PretrainGanSettings, RunError> {
        let images = match &self.config.paths.images {
            Some(images) => PretrainImages::Collection {
                images: images.clone(),
                annotations: self.config.paths.annotations.clone(),
            },
            None if self.config.paths.annotations.is_some() => {
                return Err(RunError::missing("paths.images", "`--annotations`: set it with `--images DIR`"));
            }
            None => PretrainImages::Stimuli {
                nsd: self.nsd()?,
                prepared: self.prepared(),
                captions: self.captions(),
                split: self.config.split.clone(),
            },
        };
        Ok(PretrainGanSettings {
            images,
            clip: self.clip()?,
            resnet: self.low_level_resnet(&self.config.pretrain_gan.train)?,
            features: self.snapshot_features(&self.config.pretrain_gan.snapshots)?,
            pretrain_gan: self.config.pretrain_gan.clone(),
            cache: self.cache(),
            device: self.config.device,
            runs: self.runs(),
            init_from: None,
            resume,
        })
    }

    /// Settings of `finetune-gan`.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn finetune_gan(&self, resume: Option<PathBuf>) -> Result<FinetuneGanSettings, RunError> {
        Ok(FinetuneGanSettings {
            nsd: self.nsd()?,
            prepared: self.prepared(),
            clip: self.clip()?,
            resnet: self.config.finetune_gan.needs_resnet().then(|| self.resnet()).transpose()?,
            features: self.snapshot_features(&self.config.finetune_gan.snapshots)?,
            image_mapper: self.mapper(MapperTarget::Image)?,
            caption_mapper: self.second_mapper(self.config.finetune_gan.condition.second_target())?,
            captions: self.captions(),
            gan: self.pretrained_gan()?,
            split: self.config.split.clone(),
            finetune_gan: self.config.finetune_gan.clone(),
            cache: self.cache(),
            device: self.config.device,
            runs: self.runs(),
            resume,
        })
    }

    /// Settings of `reconstruct`.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn reconstruct(&self) -> Result<ReconstructSettings, RunError> {
        Ok(ReconstructSettings {
            prepared: self.prepared(),
            stimuli: NsdTree::new(self.nsd()?).stimuli(),
            networks: self.networks(self.config.reconstruct.condition.second_target())?,
            split: self.config.split.clone(),
            reconstruct: self.config.reconstruct.clone(),
            seed: self.config.seed,
            device: self.config.device,
            precision: self.config.precision,
            runs: self.runs(),
        })
    }

    /// Settings of `evaluate-images`; without `run` that of the newest `reconstruct`.
    ///
    /// # Errors
    /// When there is no run, or neither an Inception, a classifier nor a CLIP.
    pub fn evaluate_images(&self, run: Option<PathBuf>) -> Result<EvaluateImagesSettings, RunError> {
        let evaluated = match run {
            Some(run) => run,
            None => {
                let manifest = self.newest(None, "reconstruct", MANIFEST_FILE, "reconstruct")?;
                manifest.parent().map(Path::to_path_buf).unwrap_or_default()
            }
        };
        let features = match self.picture_features() {
            Some(features) => features,
            None => FeatureSource::Clip(self.clip()?),
        };
        Ok(EvaluateImagesSettings {
            evaluated,
            classifier: self.config.paths.classifier.clone(),
            features,
            evaluate_images: self.config.evaluate_images.clone(),
            cache: self.cache(),
            device: self.config.device,
            runs: self.runs(),
        })
    }

    /// Settings of `microstim`.
    ///
    /// # Errors
    /// When the NSD root is not set or a network is missing.
    pub fn microstim(&self) -> Result<MicrostimSettings, RunError> {
        Ok(MicrostimSettings {
            prepared: self.prepared(),
            stimuli: NsdTree::new(self.nsd()?).stimuli(),
            networks: self.networks(MapperTarget::Caption)?,
            clip: self.clip()?,
            split: self.config.split.clone(),
            microstim: self.config.microstim.clone(),
            seed: self.config.seed,
            device: self.config.device,
            precision: self.config.precision,
            runs: self.runs(),
        })
    }
}
