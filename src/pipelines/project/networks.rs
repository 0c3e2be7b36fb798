//! Which snapshots the commands of a project take: the configured ones, else those of the newest finished runs.

use std::path::{Path, PathBuf};

use super::{Project, ProjectPaths};
use crate::error::FileError;
use crate::files::file_is_there;
use crate::models::condition_source::ConditionSource;
use crate::models::encoder::EncoderKind;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::DecoderPaths;
use crate::pipelines::encoding::file_names::encoder_file;
use crate::pipelines::gan::snapshot_config::SnapshotConfig;
use crate::pipelines::generator_use::GeneratorUse;
use crate::pipelines::pictures::picture_features::FeatureSource;
use crate::run::error::RunError;
use crate::training::gan::config::GanTrainConfig;
use crate::training::gan::mappers::outputs::companion_mapper;
use crate::training::gan::run_files::GENERATOR_FILE;

/// Snapshot of a run that chooses its best weights.
const BEST_FILE: &str = "best.safetensors";

impl Project {
    /// Snapshot of the CLIP in use.
    ///
    /// # Errors
    /// [`RunError::missing`] when none is configured and none was trained.
    pub fn clip(&self) -> Result<PathBuf, RunError> {
        let configured = self.paths.clip.as_ref();
        self.newest(configured, "pretrain-clip", BEST_FILE, "pretrain-clip` or set `--clip FILE")
    }

    /// Snapshot of the ResNet-50.
    ///
    /// # Errors
    /// [`RunError::missing`] when none is configured; no command trains one.
    pub fn resnet(&self) -> Result<PathBuf, RunError> {
        self.paths.resnet.clone().ok_or_else(|| {
            RunError::missing("paths.resnet", "this command: import one and set it with `--resnet FILE`")
        })
    }

    /// The ResNet-50 of the generator's low-level term, if that has a weight.
    ///
    /// # Errors
    /// As [`Project::resnet`].
    pub fn low_level_resnet(&self, train: &GanTrainConfig) -> Result<Option<PathBuf>, RunError> {
        train.loss.needs_resnet().then(|| self.resnet()).transpose()
    }

    /// The network that measures a GAN's snapshots, if one is chosen.
    ///
    /// # Errors
    /// As [`Project::clip`], where CLIP's features are wanted.
    pub fn snapshot_features(&self, snapshots: &SnapshotConfig) -> Result<Option<FeatureSource>, RunError> {
        if snapshots.frechet_ticks == 0 {
            return Ok(None);
        }
        if snapshots.clip_features {
            return Ok(Some(FeatureSource::Clip(self.clip()?)));
        }
        Ok(self.picture_features())
    }

    /// The network that was named for measuring pictures: a published one before one's own.
    pub fn picture_features(&self) -> Option<FeatureSource> {
        let ProjectPaths { inception, classifier, .. } = &self.paths;
        let classifier = || classifier.clone().map(FeatureSource::Classifier);
        inception.clone().map(FeatureSource::Inception).or_else(classifier)
    }

    /// Snapshot of the mapper into a space: the configured one, else the newest of the subject.
    ///
    /// # Errors
    /// [`RunError::missing`] when there is none.
    pub fn mapper(&self, target: MapperTarget) -> Result<PathBuf, RunError> {
        let paths = &self.paths;
        let (configured, kind, command) = match target {
            MapperTarget::Image => {
                (paths.image_mapper.as_ref(), "train-mapper-image", "train-mapper --target image")
            }
            MapperTarget::Caption => {
                (paths.second_mapper.as_ref(), "train-mapper-caption", "train-mapper --target caption")
            }
            MapperTarget::Resnet => (None, "train-mapper-resnet", "train-mapper --target resnet"),
        };
        self.newest(configured, kind, BEST_FILE, command)
    }

    /// Snapshot of an encoder: that of the subject's newest run which fitted one of this kind.
    ///
    /// # Errors
    /// [`RunError::missing`] when there is none.
    pub fn encoder(&self, kind: EncoderKind) -> Result<PathBuf, RunError> {
        let command = format!("encode --kind {kind}` or set `--encoder FILE");
        self.newest(None, "encode", encoder_file(kind), &command)
    }

    /// Folder of the GAN that finetuning starts from.
    ///
    /// # Errors
    /// [`RunError::missing`] when none is configured and none was trained.
    pub fn pretrained_gan(&self) -> Result<PathBuf, RunError> {
        if let Some(folder) = &self.paths.pretrained_gan {
            return Ok(folder.clone());
        }
        let generator = self.newest(None, "pretrain-gan", GENERATOR_FILE, "pretrain-gan")?;
        Ok(generator.parent().map(Path::to_path_buf).unwrap_or_default())
    }

    /// The mapper of the second condition.
    ///
    /// # Errors
    /// As [`Project::mapper`].
    pub fn second_mapper(&self, target: MapperTarget) -> Result<PathBuf, RunError> {
        match (target, &self.paths.second_mapper) {
            (MapperTarget::Resnet, Some(path)) => Ok(path.clone()),
            _ => self.mapper(target),
        }
    }

    /// Generator and mappers, and the condition to draw with: `condition`, or else the one that the generator was trained on.
    /// Mappers that were finetuned with the generator lie beside it.
    ///
    /// # Errors
    /// [`RunError::missing`] that names the first of the three that is not there; a generator that cannot be read.
    pub fn networks(
        &self,
        condition: Option<ConditionSource>,
    ) -> Result<(DecoderPaths, ConditionSource), RunError> {
        let paths = &self.paths;
        let generator = self.newest(paths.generator.as_ref(), "finetune-gan", GENERATOR_FILE, "finetune-gan");
        if generator.is_err() {
            // The command that comes first is named first.
            self.mapper(MapperTarget::Image)?;
            let condition = condition.unwrap_or_default();
            if condition.uses()[1] {
                self.second_mapper(condition.second_target())?;
            }
        }
        let generator = generator?;
        let condition = match condition {
            Some(condition) => condition,
            None => GeneratorUse::open(&generator)?.condition(),
        };
        let mapper =
            |target, configured: &Option<PathBuf>, of_stage_one: &dyn Fn() -> Result<PathBuf, RunError>| {
                let beside = companion_mapper(&generator, target);
                // One that is there and cannot be read must not give way to another in silence.
                if configured.is_none() && file_is_there(&beside)? { Ok(beside) } else { of_stage_one() }
            };
        let second = condition.second_target();
        let image_mapper =
            mapper(MapperTarget::Image, &paths.image_mapper, &|| self.mapper(MapperTarget::Image))?;
        let found = mapper(second, &paths.second_mapper, &|| self.second_mapper(second));
        let second_mapper = match found {
            // It has no part in the pictures, and a subject without captions has none.
            Err(RunError::File(FileError::Missing { .. })) if !condition.uses()[1] => image_mapper.clone(),
            found => found?,
        };
        let paths = DecoderPaths { image_mapper, second_mapper, generator };
        Ok((paths, condition))
    }
}
