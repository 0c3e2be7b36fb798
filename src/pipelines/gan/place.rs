//! Where a GAN training computes, and in rounds of what size.

use std::path::Path;

use crate::files::{InputKind, read_text};
use crate::models::stylegan2::{DiscriminatorConfig, GeneratorConfig};
use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::memory::Need;
use crate::run::precision::Precision;
use crate::tensor_ops::backend::Device;
use crate::training::gan::config::GanTrainConfig;
use crate::training::gan::round_memory::RoundMemory;

/// The devices that share every batch.
pub(crate) struct GanDevices {
    /// Holds optimisers and averages.
    pub first: Device,
    pub others: Vec<Device>,
    /// Bytes of memory of the smallest GPU, and its name; nothing on the CPU.
    memory: Option<(u64, String)>,
}

impl GanDevices {
    /// As many devices as `config` asks for, from the chosen one on.
    ///
    /// # Errors
    /// [`RunError::Device`] where there are too few, or one does not compute in the precision asked for.
    pub fn open(choice: DeviceChoice, config: &GanTrainConfig) -> Result<Self, RunError> {
        let (first, name) = device::open(choice)?;
        let others = device::open_following(&first, config.gpus.saturating_sub(1))?;
        let precision = if config.half_resolutions > 0 { Precision::Half } else { Precision::Single };
        precision.check(&first, &name)?;
        let of_others =
            others.iter().zip(1..).map(|(device, number)| (device, format!("GPU {number} after it")));
        let memory = std::iter::once((&first, name)).chain(of_others);
        let memory = memory.filter_map(|(device, name)| Some((device::gpu_memory(device)?, name))).min();
        Ok(Self { first, others, memory })
    }

    /// The settings with the size of a round that the smallest GPU should hold, unless it is set, and a line that says so. A
    /// resumed run keeps the size that it was started with, which is one of its settings.
    pub fn in_rounds(
        &self,
        config: &GanTrainConfig,
        (generator, discriminator): (&GeneratorConfig, &DiscriminatorConfig),
        resumed: Option<usize>,
    ) -> (GanTrainConfig, Option<String>) {
        let mut config = config.clone();
        if let (0, Some(size)) = (config.micro_batch_size, resumed) {
            config.micro_batch_size = size;
            return (config, None);
        }
        let (0, Some((memory, name))) = (config.micro_batch_size, &self.memory) else {
            return (config, None);
        };
        let images = config.images_per_gpu();
        let needed = RoundMemory::of(generator, discriminator);
        let accepts = |size| discriminator.validate_batch(size).is_ok();
        let size = needed.largest_round(images, *memory, accepts);
        let gigabytes = |bytes: f64| format!("{:.1} GB", bytes / 1e9);
        let one = format!(
            "{} in one round would take about {} of the {} of {name}",
            images,
            gigabytes(needed.bytes(images)),
            gigabytes(*memory as f64),
        );
        if size == images {
            return (config, Some(format!("The images of a GPU are taken at once: {one}.")));
        }
        config.micro_batch_size = size;
        let line = format!(
            "The {images} images of a GPU are taken in {} rounds of {size}: {one} (extrapolated from the CPU). \
             `train.micro_batch_size` sets the size of a round.",
            images / size
        );
        (config, Some(line))
    }
}

/// The least that a training of these networks holds.
pub(crate) fn least_need(
    config: &GanTrainConfig,
    generator: &GeneratorConfig,
    discriminator: &DiscriminatorConfig,
) -> Need {
    Need {
        parameters: generator.least_values() + discriminator.least_values(),
        activations: config.round_size() as u128 * generator.least_activations(),
        images: 0,
    }
}

/// The size of a round in the settings of the run that `checkpoint` belongs to, where they say it; `section` is the command's.
pub(crate) fn stored_round_size(checkpoint: &Path, section: &str) -> Option<usize> {
    let text = read_text(&checkpoint.with_file_name("config.toml"), InputKind::Text).ok()?;
    let settings: toml::Table = toml::from_str(&text).ok()?;
    let size = settings.get(section)?.get("train")?.get("micro_batch_size")?.as_integer()?;
    usize::try_from(size).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::cpu;

    fn rounds(
        memory: Option<(u64, String)>,
        config: &GanTrainConfig,
        resumed: Option<usize>,
    ) -> (usize, String) {
        let devices = GanDevices { first: cpu(), others: vec![], memory };
        let networks = (&GeneratorConfig::default(), &DiscriminatorConfig::default());
        let (config, line) = devices.in_rounds(config, networks, resumed);
        (config.micro_batch_size, line.unwrap_or_default())
    }

    #[test]
    fn a_gpu_that_is_too_small_for_the_batch_takes_it_in_rounds_and_says_so() {
        let config = GanTrainConfig::default();
        let gpu = |gib: u64| Some((gib << 30, "cuda:0".to_string()));
        let (size, line) = rounds(gpu(16), &config, None);
        assert_eq!(size, 8);
        assert!(line.contains("in 2 rounds of 8") && line.contains("17.2 GB of cuda:0"), "{line}");
        let (size, line) = rounds(gpu(80), &config, None);
        assert!(size == 0 && line.contains("at once"), "{line}");
        // Two GPUs have twice the images.
        let two = GanTrainConfig { gpus: 2, ..config.clone() };
        assert_eq!(rounds(gpu(16), &two, None).0, 8);
        // What is set, unknown or begun is left as it is.
        let set = GanTrainConfig { micro_batch_size: 16, ..config.clone() };
        assert_eq!(rounds(gpu(16), &set, None), (16, String::new()));
        assert_eq!(rounds(None, &config, None), (0, String::new()));
        assert_eq!(rounds(gpu(16), &config, Some(4)), (4, String::new()));
        assert_eq!(rounds(gpu(16), &config, Some(0)).0, 0);
    }

    #[test]
    fn a_resumed_run_says_in_what_rounds_it_began() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoint = folder.path().join("checkpoint.mpk");
        assert_eq!(stored_round_size(&checkpoint, "finetune_gan"), None);
        let text = "[finetune_gan.train]\nmicro_batch_size = 4\n";
        std::fs::write(folder.path().join("config.toml"), text).unwrap();
        assert_eq!(stored_round_size(&checkpoint, "finetune_gan"), Some(4));
        assert_eq!(stored_round_size(&checkpoint, "pretrain_gan"), None);
    }
}
