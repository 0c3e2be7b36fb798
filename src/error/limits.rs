//! Upper ends of ranges that nothing narrower bounds: a number beyond them is a slip of the keyboard or a broken file, not a
//! wish. They are far above what any training uses, and far below where sums and products of sizes overflow.

/// Passes over all data.
pub const EPOCHS: usize = 1_000_000;
/// Samples of a batch.
pub const BATCH: usize = 1_000_000;
/// Steps, phases or reports between two events.
pub const INTERVAL: u64 = 1_000_000_000;
/// Channels of a layer, units, values of a vector.
pub const WIDTH: usize = 65_536;
/// Layers or blocks of a network.
pub const LAYERS: usize = 1000;
/// Pixels of the side of an image.
pub const SIDE: usize = 4096;
/// Trials, images, pictures.
pub const ITEMS: usize = 1_000_000;
/// Weight of a term of a loss.
pub const WEIGHT: f64 = 1e6;
/// Learning rate: far beyond where every training diverges, which is said then, with the checkpoint to go on from.
pub const LEARNING_RATE: f64 = 1e30;
/// Decay of weights, and factors on a learning rate.
pub const RATE: f64 = 1000.0;
/// Thousands of images.
pub const KIMG: f64 = 1e9;
/// GPUs of a run.
pub const GPUS: usize = 64;
