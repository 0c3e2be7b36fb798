//! `mindreader pretrain-gan`: a conditional GAN on images and noise-perturbed CLIP embeddings, without brains.
//!
//! Specification: docs/spec/gan-training.md §10. Images are those of the subject's training trials, or a collection of
//! others. Writes `config.toml`, `metrics.jsonl`,
//! `samples/*.png`, `snapshots/*`, `generator.safetensors` (averaged), `discriminator.safetensors`, `checkpoint.mpk`.

mod settings;

use serde_json::Value;

pub use self::settings::{PretrainGanConfig, PretrainGanSettings, PretrainGanSummary};
use crate::interrupt;
use crate::models::stylegan2::{DiscriminatorConfig, GeneratorConfig};
use crate::pipelines::clip_snapshot::ClipSnapshot;
use crate::pipelines::gan::data::{LowLevelResnet, low_level_resnet};
use crate::pipelines::gan::distance::SampleDistance;
use crate::pipelines::gan::observers::GanObservers;
use crate::pipelines::gan::origin::PretrainingOrigin;
use crate::pipelines::gan::place::{GanDevices, least_need, stored_round_size};
pub use crate::pipelines::gan::pretraining_data::{FirstCondition, PretrainImages, SecondCondition};
use crate::pipelines::gan::pretraining_data::{PretrainingData, pretraining_data};
use crate::pipelines::gan::sample_sheet::{NUM_SAMPLES, SampleSheet, evenly_spread};
use crate::pipelines::gan::snapshots::GanSnapshots;
use crate::pipelines::gan::starting_gan::same_sized_start;
use crate::pipelines::pictures::picture::pictures;
use crate::pipelines::run_folder::{Content, RunPlace};
use crate::pipelines::workbench::Workbench;
use crate::run::progress::Progress;
use crate::run::run_dir::{RunDir, SUMMARY_FILE};
use crate::tensor_ops::backend::Device;
use crate::training::gan::dataset::GanDataset;
use crate::training::gan::image_view::FrozenClip;
use crate::training::gan::starting_point::StartingPoint;
use crate::training::gan::task::GanTask;
use crate::training::gan::trainer::{GanTrainSummary, GanTraining};

/// Runs the command.
///
/// # Errors
/// Data, snapshots or settings that do not fit, an interruption, gradients that are not finite.
pub fn run(
    settings: &PretrainGanSettings,
    progress: &mut dyn Progress,
) -> crate::error::Result<PretrainGanSummary> {
    let settings = &settings.completed()?;
    let config = &settings.pretrain_gan;
    config.validate()?;
    let devices = &GanDevices::open(settings.device, &config.train)?;
    let networks = &Networks::open(settings, &devices.first)?;
    let settings = &in_rounds(settings, devices, networks, progress);
    let config = &settings.pretrain_gan;
    let mut bench = Workbench::new(&devices.first, &settings.cache, progress);
    let choice = config.condition_choice(networks.generator.heads);
    let PretrainingData { dataset: data, content, name } = &pretraining_data(
        &settings.images,
        &choice,
        networks.generator.resolution,
        &networks.clip,
        &mut bench,
    )?;
    let distance = sample_distance(settings, &networks.generator, data, &mut bench)?;
    let description = format!("pretrain-gan-{name}");
    let PretrainGanSettings { resume, runs, .. } = settings;
    let place = RunPlace { resume: resume.as_deref(), runs, description: &description };
    let run = &place.open(settings, &networks.add_to(content.clone()))?;
    let origin = &serde_json::to_value(origin(settings, networks, data, name))?;
    let snapshots = GanSnapshots {
        config: &config.snapshots,
        generator: &networks.generator,
        provenance: origin,
        run,
        device: &devices.first,
        distance,
        last: vec![],
    };
    let sheet = sample_sheet(settings, &networks.generator, data, &devices.first);
    let mut observers = GanObservers { sheet, snapshots, redecoded: None };
    let pretraining = Pretraining { settings, devices, networks, data, run, origin };
    let training = pretraining.train(&mut observers, progress)?;
    let summary = PretrainGanSummary {
        run: run.path().to_path_buf(),
        num_images: data.num_images(),
        num_samples: data.len(),
        training,
        snapshots: observers.snapshots.summary()?,
    };
    run.write_atomic(SUMMARY_FILE, &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// The settings with rounds that the devices should hold.
fn in_rounds(
    settings: &PretrainGanSettings,
    devices: &GanDevices,
    networks: &Networks,
    progress: &mut dyn Progress,
) -> PretrainGanSettings {
    let mut settings = settings.clone();
    let resumed = settings.resume.as_deref().and_then(|path| stored_round_size(path, "pretrain_gan"));
    let sizes = (&networks.generator, &networks.discriminator);
    let (train, line) = devices.in_rounds(&settings.pretrain_gan.train, sizes, resumed);
    line.iter().for_each(|line| progress.note(line));
    settings.pretrain_gan.train = train;
    settings
}

/// Bytes that the training holds at least, whatever the width of CLIP's embeddings.
pub(super) fn least_memory(settings: &PretrainGanSettings) -> u128 {
    let mut config = settings.pretrain_gan.clone();
    config.train = config.train.resolved();
    let (generator, discriminator) = config.network.configs(1);
    least_need(&config.train, &generator, &discriminator).least_bytes()
}

/// Networks that the training reads or starts from.
struct Networks {
    clip: ClipSnapshot,
    generator: GeneratorConfig,
    discriminator: DiscriminatorConfig,
    start: StartingPoint,
    /// Of the generator that training starts from, if any.
    start_sha256: Option<String>,
    resnet: Option<LowLevelResnet>,
}

impl Networks {
    fn open(settings: &PretrainGanSettings, device: &Device) -> crate::error::Result<Self> {
        let config = &settings.pretrain_gan;
        let clip = ClipSnapshot::open(&settings.clip, device)?;
        let (generator, discriminator) = config.network.configs(clip.config.embed_dim);
        for sizes in [generator.validate(), discriminator.validate()] {
            sizes.map_err(|error| error.within("pretrain_gan.network"))?;
        }
        least_need(&config.train, &generator, &discriminator)
            .check(["pretrain_gan.network", "pretrain_gan.train.batch_size"], settings.device)?;
        let (start, start_sha256) = match &settings.init_from {
            None => (StartingPoint::Scratch, None),
            Some(folder) => {
                let (start, sha256) = same_sized_start(folder, &generator, &discriminator, device)?;
                (start, Some(sha256))
            }
        };
        let resnet = low_level_resnet(settings.resnet.as_deref(), &config.train, device)?;
        Ok(Self { clip, generator, discriminator, start, start_sha256, resnet })
    }
}

impl Networks {
    /// The networks whose weights a resumed run must find again.
    fn add_to(&self, content: Content) -> Content {
        content
            .with("CLIP", &self.clip.sha256)
            .with_some("ResNet", self.resnet.as_ref().map(|resnet| resnet.sha256.as_str()))
    }
}

/// The protocol of the distances to the training images, where there is a feature network.
fn sample_distance(
    settings: &PretrainGanSettings,
    generator: &GeneratorConfig,
    data: &GanDataset,
    bench: &mut Workbench<'_>,
) -> crate::error::Result<Option<SampleDistance>> {
    let Some(source) = &settings.features else { return Ok(None) };
    let PretrainGanConfig { snapshots, train, .. } = &settings.pretrain_gan;
    let distance = SampleDistance {
        network: source.open(snapshots.preprocessing, bench.device)?,
        real: vec![],
        heads: data.conditions(generator.heads).cloned().collect(),
        seed: train.seed,
    };
    let real = distance.real_pictures(data, snapshots, bench)?;
    Ok(Some(distance.with_real(vec![real], snapshots)?))
}

/// Sheets of training images and of what the generator makes of their conditions.
fn sample_sheet(
    settings: &PretrainGanSettings,
    generator: &GeneratorConfig,
    data: &GanDataset,
    device: &Device,
) -> SampleSheet {
    let shown = data.batch(&evenly_spread(data.len(), NUM_SAMPLES), generator.heads, device);
    SampleSheet {
        ground_truth: pictures(shown.pixels_pm1),
        condition: shown.condition,
        z_dim: generator.z_dim,
        seed: settings.pretrain_gan.train.seed,
    }
}

/// What the snapshots say of where they come from.
fn origin<'a>(
    settings: &'a PretrainGanSettings,
    networks: &'a Networks,
    data: &GanDataset,
    name: &'a str,
) -> PretrainingOrigin<'a> {
    PretrainingOrigin {
        data: settings.images.origin(name),
        condition: settings.pretrain_gan.condition_choice(networks.generator.heads).of_only_head(),
        images: data.num_images(),
        samples: data.len(),
        clip_sha256: &networks.clip.sha256,
        init_from_sha256: networks.start_sha256.as_deref(),
        resnet_sha256: networks.resnet.as_ref().map(|resnet| resnet.sha256.as_str()),
    }
}

/// A pretraining with everything that it needs.
struct Pretraining<'a> {
    settings: &'a PretrainGanSettings,
    devices: &'a GanDevices,
    networks: &'a Networks,
    data: &'a GanDataset,
    run: &'a RunDir,
    /// Stored in the snapshots.
    origin: &'a Value,
}

impl Pretraining<'_> {
    fn train(
        &self,
        observers: &mut GanObservers<'_>,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<GanTrainSummary> {
        let Networks { clip, generator, discriminator, start, resnet, .. } = self.networks;
        let encoder = FrozenClip::new(clip.clip.clone(), clip.config.image_size, clip.config.embed_dim);
        let training = GanTraining {
            task: GanTask {
                generator,
                discriminator,
                config: &self.settings.pretrain_gan.train,
                data: self.data,
                encoder: Some(&encoder),
                resnet: resnet.as_ref().map(|resnet| &resnet.network),
                mappers: None,
                start,
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
            .map_err(|error| error.within("pretrain_gan").into())
    }
}
