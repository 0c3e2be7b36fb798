//! How much memory a phase takes for a round of so many images, and how large a round may be on a device.

use crate::models::stylegan2::{DiscriminatorConfig, GeneratorConfig};

/// Share of a device's memory that a training may take: the rest is the driver's, the allocator's and other programs'.
const USABLE_SHARE: f64 = 0.8;
/// Bytes of a value in single precision.
const BYTES_PER_VALUE: f64 = 4.0;
/// What a phase holds for every value of the feature maps of both networks: activations, gradients, second derivatives. Measured
/// as a process's peak on the CPU (docs/stage-two.md), at three sizes of networks and rounds; for a GPU an extrapolation.
const COPIES: f64 = 8.8;
/// What does not depend on the round, in bytes: weights, average, gradients, moments, CLIP. At the paper's size, as above.
const FIXED_BYTES: f64 = 3.2e9;

/// Memory of a round at the sizes of two networks, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoundMemory {
    per_image: f64,
}

impl RoundMemory {
    /// The memory of networks of these sizes.
    pub fn of(generator: &GeneratorConfig, discriminator: &DiscriminatorConfig) -> Self {
        let values = |resolution: usize, channels: &dyn Fn(usize) -> usize| -> f64 {
            let levels = std::iter::successors(Some(4_usize), |side| Some(side * 2));
            let maps = levels.take_while(|side| *side <= resolution);
            maps.map(|side| (side * side * channels(side)) as f64).sum()
        };
        let values = values(generator.resolution, &|side| generator.channels(side))
            + values(discriminator.resolution, &|side| discriminator.channels(side));
        Self { per_image: COPIES * BYTES_PER_VALUE * values }
    }

    /// Bytes that a round of `images` takes, about.
    pub fn bytes(&self, images: usize) -> f64 {
        FIXED_BYTES + self.per_image * images as f64
    }

    /// The largest of the equal rounds of `images` images that `accepts` and that a device of `memory` bytes should hold; the
    /// smallest accepted one where none should.
    pub fn largest_round(&self, images: usize, memory: u64, accepts: impl Fn(usize) -> bool) -> usize {
        let mut rounds = (1..=images).filter(|size| images.is_multiple_of(*size) && accepts(*size));
        let smallest = rounds.next().unwrap_or(images);
        let usable = USABLE_SHARE * memory as f64;
        rounds.rfind(|size| self.bytes(*size) <= usable).unwrap_or(smallest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    #[test]
    fn the_papers_batch_takes_rounds_on_its_gpus() {
        let memory = RoundMemory::of(&GeneratorConfig::default(), &DiscriminatorConfig::default());
        let gigabytes = memory.bytes(16) / 1e9;
        assert!((18.0..21.0).contains(&gigabytes), "{gigabytes}");
        let round = |gib: u64| memory.largest_round(16, gib * GIB, |_| true);
        // V100 and T4, RTX 3090, A100, a GPU for which nothing is small enough.
        assert_eq!([16, 15, 24, 40, 80, 1].map(round), [8, 8, 16, 16, 16, 1]);
        let groups = |size: usize| size.is_multiple_of(4);
        assert_eq!(memory.largest_round(16, GIB, groups), 4);
        assert_eq!(memory.largest_round(12, 16 * GIB, groups), 4);
    }

    #[test]
    fn a_quarter_of_the_pixels_is_about_a_quarter_of_the_memory() {
        let of = |resolution| {
            let generator = GeneratorConfig { resolution, channel_max: 128, ..GeneratorConfig::default() };
            let discriminator =
                DiscriminatorConfig { resolution, channel_max: 128, ..DiscriminatorConfig::default() };
            RoundMemory::of(&generator, &discriminator).per_image
        };
        let ratio = of(256) / of(128);
        assert!((3.9..4.01).contains(&ratio), "{ratio}");
    }
}
