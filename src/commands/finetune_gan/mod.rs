//! `mindreader finetune-gan`: stage two, the GAN on embeddings that mappers decode from betas; the mappers stay as they are, or
//! are finetuned with it.
//!
//! Specification: docs/spec/gan-training.md §1.1, §2, §4.5 and §9. One sample is one training trial. Writes what
//! `pretrain-gan` writes, and the mappers beside it where they are finetuned.

mod data;
mod inputs;
mod observers;
mod settings;

use ndarray::Array2;
use serde_json::Value;

use self::data::FinetuningData;
use self::inputs::Inputs;
use self::observers::{sample_distance, sample_sheet, shown_trials};
pub use self::settings::{FinetuneGanConfig, FinetuneGanSettings, FinetuneGanSummary};
use crate::data::error::DataError;
use crate::interrupt;
use crate::models::stylegan2::{DiscriminatorConfig, GeneratorConfig};
use crate::pipelines::gan::mapper_targets::mapper_start;
use crate::pipelines::gan::observers::{GanObservers, RedecodedTrials};
use crate::pipelines::gan::origin::FinetuningOrigin;
use crate::pipelines::gan::place::{GanDevices, least_need, stored_round_size};
use crate::pipelines::gan::snapshots::GanSnapshots;
use crate::pipelines::run_folder::RunPlace;
use crate::pipelines::workbench::Workbench;
use crate::run::progress::Progress;
use crate::run::run_dir::{RunDir, SUMMARY_FILE};
use crate::run::snapshot::Snapshot;
use crate::training::gan::dataset::GanDataset;
use crate::training::gan::image_view::FrozenClip;
use crate::training::gan::mappers::joint::JointMappers;
use crate::training::gan::run_files::{DISCRIMINATOR_FILE, GENERATOR_FILE};
use crate::training::gan::task::GanTask;
use crate::training::gan::trainer::{GanTrainSummary, GanTraining};

/// Runs the command.
///
/// # Errors
/// Data, snapshots or settings that do not fit, an interruption, gradients that are not finite.
pub fn run(
    settings: &FinetuneGanSettings,
    progress: &mut dyn Progress,
) -> crate::error::Result<FinetuneGanSummary> {
    let settings =
        &FinetuneGanSettings { finetune_gan: settings.finetune_gan.resolved(), ..settings.clone() };
    let config = &settings.finetune_gan;
    config.validate()?;
    let devices = &GanDevices::open(settings.device, &config.train)?;
    let inputs = &Inputs::open(settings, &devices.first)?;
    let settings = &in_rounds(settings, devices, inputs, progress);
    let config = &settings.finetune_gan;
    least_need(&config.train, &inputs.gan.generator, &inputs.gan.discriminator)
        .check(["paths.pretrained_gan", "finetune_gan.train.batch_size"], settings.device)?;
    let mut bench = Workbench::new(&devices.first, &settings.cache, progress);
    let data = &FinetuningData::read(settings, inputs, &mut bench)?;
    let distance = sample_distance(settings, inputs, &mut bench)?;
    let description = format!("finetune-gan-{}", inputs.prepared.subject());
    let FinetuneGanSettings { resume, runs, .. } = settings;
    let place = RunPlace { resume: resume.as_deref(), runs, description: &description };
    let run = &place.open(settings, &data.content(settings, inputs)?)?;
    let shown = shown_trials(inputs);
    let sheet = sample_sheet(settings, inputs, &shown, &mut bench)?;
    let redecoded =
        RedecodedTrials::new(&inputs.prepared, &shown, inputs.observed_trials(), config.train.seed)?;
    let origin = &serde_json::to_value(origin(settings, inputs, &data.dataset))?;
    let snapshots = GanSnapshots {
        config: &config.snapshots,
        generator: &inputs.gan.generator,
        provenance: origin,
        run,
        device: &devices.first,
        distance,
        last: vec![],
    };
    let mut observers = GanObservers { sheet, snapshots, redecoded: Some(redecoded) };
    let finetuning = Finetuning { settings, devices, inputs, data, run, origin };
    let training = finetuning.train(&mut observers, progress)?;
    let summary = FinetuneGanSummary {
        run: run.path().to_path_buf(),
        num_trials: data.dataset.len(),
        num_images: data.dataset.num_images(),
        duplicated_head: inputs.gan.duplicated_head,
        training,
        snapshots: observers.snapshots.summary()?,
    };
    run.write_atomic(SUMMARY_FILE, &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// Bytes that the training holds at least; none where the GAN that it starts from cannot be read.
pub(super) fn least_memory(settings: &FinetuneGanSettings) -> Option<u128> {
    let open = |file: &str| Snapshot::open_any(&settings.gan.join(file)).ok();
    let generator: GeneratorConfig = open(GENERATOR_FILE)?.config().ok()?;
    let discriminator: DiscriminatorConfig = open(DISCRIMINATOR_FILE)?.config().ok()?;
    Some(least_need(&settings.finetune_gan.resolved().train, &generator, &discriminator).least_bytes())
}

/// What the snapshots say of where they come from.
fn origin<'a>(
    settings: &'a FinetuneGanSettings,
    inputs: &'a Inputs<'_>,
    data: &GanDataset,
) -> FinetuningOrigin<'a> {
    FinetuningOrigin {
        subject: inputs.prepared.subject().to_string(),
        split: &settings.split,
        validation_fraction: Some(settings.finetune_gan.validation_fraction).filter(|share| *share > 0.0),
        trials: data.len(),
        condition: settings.finetune_gan.condition,
        mappers: settings.finetune_gan.mappers.mode,
        gan_sha256: &inputs.gan.sha256,
        image_mapper_sha256: &inputs.mappers.image.sha256,
        second_mapper_sha256: &inputs.mappers.second.sha256,
        clip_sha256: &inputs.clip.sha256,
        resnet_sha256: inputs.resnet.as_ref().map(|resnet| resnet.sha256.as_str()),
    }
}

/// The settings with rounds that the devices should hold.
fn in_rounds(
    settings: &FinetuneGanSettings,
    devices: &GanDevices,
    inputs: &Inputs<'_>,
    progress: &mut dyn Progress,
) -> FinetuneGanSettings {
    let mut settings = settings.clone();
    let resumed = settings.resume.as_deref().and_then(|path| stored_round_size(path, "finetune_gan"));
    let networks = (&inputs.gan.generator, &inputs.gan.discriminator);
    let (train, line) = devices.in_rounds(&settings.finetune_gan.train, networks, resumed);
    line.iter().for_each(|line| progress.note(line));
    settings.finetune_gan.train = train;
    settings
}

/// A finetuning with everything that it needs.
struct Finetuning<'a> {
    settings: &'a FinetuneGanSettings,
    devices: &'a GanDevices,
    inputs: &'a Inputs<'a>,
    data: &'a FinetuningData,
    run: &'a RunDir,
    /// Stored in the snapshots.
    origin: &'a Value,
}

impl Finetuning<'_> {
    fn train(
        &self,
        observers: &mut GanObservers<'_>,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<GanTrainSummary> {
        let Inputs { mappers, gan, clip, resnet, .. } = self.inputs;
        let config = &self.settings.finetune_gan;
        let betas = |samples: &[usize]| self.betas(samples);
        let papers = config.is_joint().then(|| self.inputs.papers_mappers(self.settings)).transpose()?;
        let joint = papers.as_ref().map(|[image, second]| JointMappers {
            config: &config.mappers,
            source: config.condition,
            starts: [mapper_start(image, &mappers.image), mapper_start(second, &mappers.second)],
            second_targets: self.data.second_targets.as_ref(),
            betas: &betas,
        });
        let encoder = FrozenClip::new(clip.clip.clone(), clip.config.image_size, clip.config.embed_dim);
        let training = GanTraining {
            task: GanTask {
                generator: &gan.generator,
                discriminator: &gan.discriminator,
                config: &config.train,
                data: &self.data.dataset,
                encoder: Some(&encoder),
                resnet: resnet.as_ref().map(|resnet| &resnet.network),
                mappers: joint.as_ref(),
                start: &gan.start,
            },
            run: self.run,
            provenance: self.origin,
            device: &self.devices.first,
            other_devices: &self.devices.others,
            interrupted: &interrupt::requested,
        };
        let resume = self.settings.resume.as_deref();
        training
            .run(resume, progress, &mut |tick| observers.on_tick(tick))
            .map_err(|error| error.within("finetune_gan").into())
    }

    /// Betas of the training trials that are these samples.
    fn betas(&self, samples: &[usize]) -> Result<Array2<f32>, DataError> {
        let trials: Vec<usize> = samples.iter().map(|sample| self.inputs.split.train[*sample]).collect();
        self.inputs.prepared.betas_of(&trials)
    }
}

#[cfg(test)]
mod tests;
