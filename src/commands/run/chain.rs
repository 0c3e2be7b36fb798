//! The chain of a subject: which steps it has, and the settings of each, from the configuration and what earlier steps left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::regions::{named_regions, regions};
use super::step_needs::{is_about_pictures, takes_clip};
use super::work::Work;
use crate::commands::config::ProjectConfig;
use crate::commands::encode::EncodeSettings;
use crate::commands::evaluate::EvaluateSettings;
use crate::commands::evaluate_images::EvaluateImagesSettings;
use crate::commands::finetune_gan::FinetuneGanSettings;
use crate::commands::microstim::MicrostimSettings;
use crate::commands::prepare::PrepareSettings;
use crate::commands::pretrain_clip::PretrainClipSettings;
use crate::commands::pretrain_gan::{FirstCondition, PretrainGanSettings, SecondCondition};
use crate::commands::reconstruct::{PictureSource, ReconstructSettings};
use crate::commands::report::ReportSettings;
use crate::commands::score::{ScoreSettings, TRUTH};
use crate::commands::screen_captions::ScreenCaptionsSettings;
use crate::commands::train_mapper::{BetasControl, TrainMapperSettings};
use crate::data::nsd::tree::{AnnotationKind, DEFAULT_BETAS_VERSION, NsdTree};
use crate::data::prepared::PreparedSubject;
use crate::data::subject::SubjectId;
use crate::error::{Error, Result};
use crate::files::file_is_there;
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::MapperTarget;
use crate::pipelines::chain_record::{ChainStep, StepId, StepRecord};
use crate::pipelines::project::{Project, ProjectPaths};
use crate::run::error::RunError;
use crate::run::existing_output::ExistingOutput;
use crate::training::frame::epoch_loop::BEST_FILE;
use crate::training::gan::mappers::outputs::companion_mapper;
use crate::training::gan::run_files::GENERATOR_FILE;

/// A step of the chain.
pub(super) struct PlannedStep {
    /// Which one.
    pub id: StepId,
    /// Why it is not done for this subject, where it is not.
    pub left_out: Option<String>,
}

/// A subject's steps.
pub(super) struct Chain {
    /// The settings, with the networks that steps left in place of paths that name none.
    config: ProjectConfig,
    /// The paths that the user named.
    named: ProjectPaths,
    has_captions: bool,
    has_truth: bool,
    /// Whether there is no CLIP and nothing to train one on: then nothing is decoded but pixels.
    lacks_clip: bool,
    /// The snapshots that learned from exchanged betas: image mapper, caption mapper.
    controls: [Option<PathBuf>; 2],
    /// Runs of pictures, each by its step.
    drawn: BTreeMap<ChainStep, PathBuf>,
    /// Identities of the steps that are done, in their order.
    results: Vec<String>,
    /// Of the commands that the report names.
    flags: Vec<String>,
}

impl Chain {
    /// The chain of the subject of a configuration.
    ///
    /// # Errors
    /// Files of the NSD tree that cannot be looked at.
    pub fn new(config: &ProjectConfig) -> Result<Self> {
        let mut config = config.clone();
        let named = config.paths.clone();
        let tree = config.project().nsd().ok().map(NsdTree::new);
        let has_captions = match &tree {
            Some(tree) => {
                file_is_there(&tree.stim_info())?
                    && !tree.annotations_present(AnnotationKind::Captions)?.is_empty()
            }
            None => false,
        };
        let has_truth = match &tree {
            Some(tree) => file_is_there(&tree.root().join(TRUTH))?,
            None => false,
        };
        config.evaluate.ridge = true;
        let (controls, drawn, results, flags) = ([None, None], BTreeMap::new(), vec![], vec![]);
        let mut chain = Self {
            config,
            named,
            has_captions,
            has_truth,
            lacks_clip: false,
            controls,
            drawn,
            results,
            flags,
        };
        if !chain.has_caption_mapper() {
            chain.without_captions();
        }
        Ok(chain)
    }

    /// The same whose report names commands with these flags.
    pub fn with_flags(self, flags: Vec<String>) -> Self {
        Self { flags, ..self }
    }

    /// Every condition that captions have a part in becomes one of images.
    fn without_captions(&mut self) {
        if self.named.clip.is_none() && !self.aims_at_own_targets() {
            self.lacks_clip = true;
            self.config.evaluate.ridge_only = true;
        }
        let finetuned = &mut self.config.finetune_gan.condition;
        if finetuned.second_target() == MapperTarget::Caption {
            *finetuned = ConditionSource::Image;
        }
        let pretrained = &mut self.config.pretrain_gan;
        pretrained.first_condition = FirstCondition::Images;
        pretrained.second_condition = SecondCondition::Pseudo;
        self.config.reconstruct.conditions.clear();
        self.config.reconstruct.condition = Some(ConditionSource::Image);
        self.config.microstim.condition = Some(ConditionSource::Image);
    }

    /// What is left undone for want of a CLIP, and how one is had; nothing where there is one.
    pub fn want_of_clip(&self) -> Option<String> {
        self.lacks_clip.then(|| {
            format!(
                "{} has no captions that a CLIP could be trained on, and none is named: ridge regression to pixels is evaluated, embeddings \
                 and pictures are not decoded. `--clip FILE` names one (`scripts/fetch-weights` fetches a published one), and captions or a \
                 column `class` in the table of trials have one trained.",
                self.config.subject
            )
        })
    }

    /// The settings as they are now.
    pub fn config(&self) -> &ProjectConfig {
        &self.config
    }

    /// Whether embeddings of captions are decoded: a mapper for them is named or can be trained.
    fn has_caption_mapper(&self) -> bool {
        self.has_captions || self.named_caption_mapper().is_some()
    }

    /// The second mapper that the user named, where it is one of captions.
    fn named_caption_mapper(&self) -> Option<&PathBuf> {
        let is_of_captions = self.config.finetune_gan.condition.second_target() == MapperTarget::Caption;
        self.named.second_mapper.as_ref().filter(|_| is_of_captions)
    }

    /// The steps in their order. Regions that are not named are known when the subject is prepared; until then they are one step.
    ///
    /// # Errors
    /// A prepared file that cannot be read, a region that the subject's label volumes do not know.
    pub fn steps(&self) -> Result<Vec<PlannedStep>> {
        let mut steps = Vec::new();
        for step in ChainStep::ALL {
            match self.reason_to_skip(step)? {
                None if step == ChainStep::Microstim => steps.extend(self.stimulations()?),
                left_out => steps.push(PlannedStep { id: step.into(), left_out }),
            }
        }
        Ok(steps)
    }

    fn stimulations(&self) -> Result<Vec<PlannedStep>> {
        let prepared = self.config.project().prepared();
        let of = |region, left_out| {
            let id = StepId { step: ChainStep::Microstim, region };
            PlannedStep { id, left_out }
        };
        if file_is_there(&prepared)? {
            let chosen = regions(&self.config.run, &PreparedSubject::open(&prepared)?)?;
            if chosen.is_empty() {
                return Ok(vec![of(None, Some("no functional region is known of the subject".into()))]);
            }
            return Ok(chosen.into_iter().map(|chosen| of(Some(chosen.region), chosen.left_out)).collect());
        }
        match named_regions(&self.config.run) {
            Some(named) => Ok(named.into_iter().map(|region| of(Some(region), None)).collect()),
            None => Ok(vec![of(None, None)]),
        }
    }

    /// Why a step is not done for this subject; nothing where it is.
    fn reason_to_skip(&self, step: ChainStep) -> Result<Option<String>> {
        let named = |path: &Option<PathBuf>, key: &str| {
            path.as_ref().map(|path| format!("`{key}` names `{}`", path.display()))
        };
        let without = |is_there: bool, reason: &str| (!is_there).then(|| reason.to_string());
        if self.aims_at_own_targets() && is_about_pictures(step) {
            let reason = "the image mapper predicts imported embeddings (`train_mapper.own_targets`), which steer no GAN";
            return Ok(Some(reason.into()));
        }
        if self.lacks_clip && takes_clip(step) {
            return Ok(Some(
                "there is no CLIP, and no captions to train one on; `--clip FILE` names one".into(),
            ));
        }
        Ok(match step {
            ChainStep::Prepare => self.reason_not_to_prepare()?,
            ChainStep::PretrainClip => named(&self.named.clip, "paths.clip")
                .or_else(|| without(self.has_captions, "the subject's images have no captions")),
            ChainStep::ScreenCaptions | ChainStep::ControlCaptionMapper => {
                without(self.has_captions, "the subject's images have no captions")
            }
            ChainStep::ImageMapper => named(&self.named.image_mapper, "paths.image_mapper"),
            ChainStep::CaptionMapper => match self.named_caption_mapper() {
                Some(path) => named(&Some(path.clone()), "paths.caption_mapper"),
                None => without(self.has_captions, "the subject's images have no captions"),
            },
            ChainStep::PretrainGan => named(&self.named.generator, "paths.generator")
                .or_else(|| named(&self.named.pretrained_gan, "paths.pretrained_gan")),
            ChainStep::FinetuneGan => named(&self.named.generator, "paths.generator"),
            ChainStep::Score => without(self.has_truth, "only a phantom has a truth"),
            _ => None,
        })
    }

    /// Whether the image mapper predicts embeddings that came with the pictures, in which no GAN draws.
    fn aims_at_own_targets(&self) -> bool {
        self.config.train_mapper.own_targets
    }

    fn reason_not_to_prepare(&self) -> Result<Option<String>> {
        let project = self.config.project();
        let prepared = project.prepared();
        if project.subject.is_own() {
            return match file_is_there(&prepared)? {
                true => Ok(Some("`mindreader import` has done it".into())),
                false => Err(RunError::missing(prepared, "`run`; `mindreader import` makes it").into()),
            };
        }
        let reason = "it is prepared, and no NSD tree is named (`--nsd DIR`)".to_string();
        Ok((self.named.nsd.is_none() && file_is_there(&prepared)?).then_some(reason))
    }

    /// The command of a step with its settings.
    ///
    /// # Errors
    /// Something that an earlier step would have left and that is not there.
    pub fn work(&self, id: &StepId) -> Result<Work> {
        let config = &self.config;
        let project = config.project();
        Ok(match id.step {
            ChainStep::Prepare => {
                Work::Prepare(PrepareSettings::resolve(&project, &config.prepare, ExistingOutput::Replace)?)
            }
            ChainStep::PretrainClip => {
                Work::PretrainClip(PretrainClipSettings::resolve(&project, &config.pretrain_clip, None)?)
            }
            ChainStep::ScreenCaptions => {
                Work::ScreenCaptions(ScreenCaptionsSettings::resolve(&project, &config.screen_captions)?)
            }
            ChainStep::ImageMapper => self.mapper(MapperTarget::Image, BetasControl::Measured)?,
            ChainStep::CaptionMapper => self.mapper(MapperTarget::Caption, BetasControl::Measured)?,
            ChainStep::ControlMapper => self.mapper(MapperTarget::Image, BetasControl::Shuffled)?,
            ChainStep::ControlCaptionMapper => self.mapper(MapperTarget::Caption, BetasControl::Shuffled)?,
            ChainStep::PretrainGan => {
                Work::PretrainGan(PretrainGanSettings::resolve(&project, &config.pretrain_gan, None)?)
            }
            ChainStep::FinetuneGan => Work::FinetuneGan(FinetuneGanSettings::resolve(
                &self.stage_one(),
                &config.finetune_gan,
                None,
            )?),
            ChainStep::Reconstruct => Work::Reconstruct(self.pictures_from(config.reconstruct.source)?),
            ChainStep::ReconstructControl => Work::Reconstruct(self.control_drawing()?),
            ChainStep::ReconstructTruth => Work::Reconstruct(self.pictures_from(PictureSource::Truth)?),
            ChainStep::ReconstructNearest => Work::Reconstruct(self.nearest_images()?),
            ChainStep::Evaluate => Work::Evaluate(self.evaluation()?),
            ChainStep::EvaluateImages => self.judging(ChainStep::Reconstruct)?,
            ChainStep::EvaluateImagesControl => self.judging(ChainStep::ReconstructControl)?,
            ChainStep::EvaluateImagesTruth => self.judging(ChainStep::ReconstructTruth)?,
            ChainStep::EvaluateImagesNearest => self.judging(ChainStep::ReconstructNearest)?,
            ChainStep::Microstim => Work::Microstim(self.stimulation(id)?),
            ChainStep::Encode => {
                let settings = EncodeSettings::resolve(&project, &config.encode, &config.train_mapper, None)?;
                Work::Encode(Box::new(settings), self.noise_ceiling(&project)?)
            }
            ChainStep::Score => {
                let out = project.work().join("chain").join(project.subject.to_string()).join("score.json");
                Work::Score(ScoreSettings::resolve(&project, None)?, out)
            }
            ChainStep::Report => {
                let mut settings = ReportSettings::resolve(&project, vec![], config.run.report.clone());
                settings.flags.clone_from(&self.flags);
                Work::Report(Box::new(settings), self.results.clone())
            }
        })
    }

    fn mapper(&self, target: MapperTarget, betas: BetasControl) -> Result<Work> {
        let config = &self.config.train_mapper;
        Ok(Work::Mapper(TrainMapperSettings::resolve(&self.config.project(), config, target, betas, None)?))
    }

    /// The project with the mappers of stage one as a GAN takes them.
    fn stage_one(&self) -> Project {
        let mut project = self.config.project();
        let paths = &mut project.paths;
        if self.config.finetune_gan.condition.second_target() == MapperTarget::Resnet {
            paths.second_mapper.clone_from(&self.named.second_mapper);
        } else if !self.has_caption_mapper() {
            // The condition has no second part: whatever maps into CLIP's space serves.
            paths.second_mapper.clone_from(&paths.image_mapper);
        }
        project
    }

    /// The project with the networks that draw: mappers that were finetuned with the generator lie beside it.
    fn drawing(&self) -> Result<Project> {
        let mut project = self.stage_one();
        let paths = &mut project.paths;
        let Some(generator) = &paths.generator else { return Ok(project) };
        let second = self.config.finetune_gan.condition.second_target();
        for (target, mapper, named) in [
            (MapperTarget::Image, &mut paths.image_mapper, &self.named.image_mapper),
            (second, &mut paths.second_mapper, &self.named.second_mapper),
        ] {
            let beside = companion_mapper(generator, target);
            if named.is_none() && file_is_there(&beside)? {
                *mapper = Some(beside);
            }
        }
        Ok(project)
    }

    /// Pictures of the held-out trials from `source`, with the conditions and z of the decoded ones.
    fn pictures_from(&self, source: PictureSource) -> Result<ReconstructSettings> {
        let ProjectConfig { reconstruct, train_mapper, .. } = &self.config;
        let project = self.drawing()?;
        let decoded = ReconstructSettings::resolve(&project, reconstruct, train_mapper)?;
        Ok(decoded.from_source(source, &project, train_mapper)?)
    }

    /// The training image nearest to what is decoded: one for each trial, by the first of the conditions.
    fn nearest_images(&self) -> Result<ReconstructSettings> {
        let mut images = self.pictures_from(PictureSource::NearestTraining)?;
        images.reconstruct.samples = 1;
        let conditions = std::mem::take(&mut images.reconstruct.conditions);
        images.reconstruct.condition = conditions.first().copied().or(images.reconstruct.condition);
        Ok(images)
    }

    /// The same pictures by mappers that learned from exchanged betas: as many z, and the same conditions. Where the second mapper has
    /// no such control, images alone steer.
    fn control_drawing(&self) -> Result<ReconstructSettings> {
        let mut drawing = self.pictures_from(PictureSource::Betas)?;
        let [Some(mapper), caption] = &self.controls else {
            return Err(Error::failure("no mapper of exchanged betas"));
        };
        drawing.networks.image_mapper.clone_from(mapper);
        let second = self.config.finetune_gan.condition.second_target();
        match caption {
            Some(caption) if second == MapperTarget::Caption => {
                drawing.networks.second_mapper.clone_from(caption);
            }
            _ => {
                drawing.reconstruct.condition = Some(ConditionSource::Image);
                drawing.reconstruct.conditions.clear();
            }
        }
        drawing.is_control = true;
        Ok(drawing)
    }

    /// The mappers of stage one beside ridge regression.
    fn evaluation(&self) -> Result<EvaluateSettings> {
        let project = self.config.project();
        let ProjectConfig { evaluate, train_mapper, .. } = &self.config;
        let mut mappers = vec![];
        if !evaluate.ridge_only && evaluate.folds == 0 {
            mappers.push(project.mapper(MapperTarget::Image)?);
            if self.has_caption_mapper() {
                mappers.push(project.mapper(MapperTarget::Caption)?);
            }
        }
        let controls =
            if mappers.is_empty() { vec![] } else { self.controls.iter().flatten().cloned().collect() };
        let settings = EvaluateSettings::resolve(&project, evaluate, train_mapper, mappers)?;
        Ok(EvaluateSettings { controls, ..settings })
    }

    fn judging(&self, drawing: ChainStep) -> Result<Work> {
        let Some(drawn) = self.drawn.get(&drawing) else {
            return Err(Error::failure("no pictures to judge"));
        };
        let (project, config) = (self.config.project(), &self.config.evaluate_images);
        Ok(Work::EvaluateImages(EvaluateImagesSettings::resolve(&project, config, Some(drawn.clone()))?))
    }

    fn stimulation(&self, id: &StepId) -> Result<MicrostimSettings> {
        let mut settings = MicrostimSettings::resolve(&self.drawing()?, &self.config.microstim)?;
        let Some(region) = &id.region else { return Err(Error::failure("a stimulation of no region")) };
        settings.microstim = settings.microstim.for_region(&region.roi, region.action);
        Ok(settings)
    }

    /// The volume of the noise ceilings; those of an imported subject are in its prepared file.
    fn noise_ceiling(&self, project: &Project) -> Result<Option<PathBuf>> {
        let SubjectId::Nsd(subject) = project.subject else { return Ok(None) };
        let version = project.choice.betas_version.as_deref().unwrap_or(DEFAULT_BETAS_VERSION);
        Ok(Some(NsdTree::new(project.nsd()?).ncsnr(subject, project.resolution, version)))
    }

    /// Lets later steps take what a step left: its files, if it has a run folder, and its identity.
    pub fn take(&mut self, known: &StepRecord, run: Option<&Path>) {
        self.results.push(known.identity.clone());
        if let Some(run) = run {
            self.take_run(known.id.step, run);
        }
    }

    fn take_run(&mut self, step: ChainStep, run: &Path) {
        let paths = &mut self.config.paths;
        match step {
            ChainStep::PretrainClip => paths.clip = Some(run.join(BEST_FILE)),
            ChainStep::ImageMapper => paths.image_mapper = Some(run.join(BEST_FILE)),
            ChainStep::CaptionMapper => paths.second_mapper = Some(run.join(BEST_FILE)),
            ChainStep::ControlMapper => self.controls[0] = Some(run.join(BEST_FILE)),
            ChainStep::ControlCaptionMapper => self.controls[1] = Some(run.join(BEST_FILE)),
            ChainStep::PretrainGan => paths.pretrained_gan = Some(run.to_path_buf()),
            ChainStep::FinetuneGan => paths.generator = Some(run.join(GENERATOR_FILE)),
            ChainStep::Reconstruct
            | ChainStep::ReconstructControl
            | ChainStep::ReconstructTruth
            | ChainStep::ReconstructNearest => {
                self.drawn.insert(step, run.to_path_buf());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_networks_are_not_trained() {
        let mut config = ProjectConfig::default();
        config.paths.clip = Some("clip".into());
        config.paths.pretrained_gan = Some("gan".into());
        let chain = Chain::new(&config).unwrap();
        let skipped: Vec<String> = chain
            .steps()
            .unwrap()
            .into_iter()
            .filter_map(|step| Some(format!("{}: {}", step.id, step.left_out?)))
            .collect();
        let expected = [
            "pretrain-clip: `paths.clip` names `clip`",
            "screen-captions: the subject's images have no captions",
            "caption-mapper: the subject's images have no captions",
            "control-caption-mapper: the subject's images have no captions",
            "pretrain-gan: `paths.pretrained_gan` names `gan`",
            "score: only a phantom has a truth",
        ];
        assert_eq!(skipped[..6], expected);
        assert_eq!(chain.config().finetune_gan.condition, ConditionSource::Image);
        config.paths.clip = None;
        config.train_mapper.own_targets = true;
        let of_own = Chain::new(&config).unwrap().steps().unwrap();
        let done: Vec<String> =
            of_own.iter().filter(|step| step.left_out.is_none()).map(|step| step.id.to_string()).collect();
        assert_eq!(done, ["prepare", "image-mapper", "control-mapper", "evaluate", "encode", "report"]);
        config.train_mapper.own_targets = false;
        let without = Chain::new(&config).unwrap();
        let steps = without.steps().unwrap();
        let done: Vec<&str> =
            steps.iter().filter(|step| step.left_out.is_none()).map(|step| step.id.step.name()).collect();
        assert_eq!(done, ["prepare", "evaluate", "report"]);
        assert!(without.config().evaluate.ridge_only);
        let said = without.want_of_clip().unwrap();
        assert!(said.contains("subj01 has no captions") && said.contains("`--clip FILE`"), "{said}");
    }
}
