//! Where a GAN training computes.

use crate::run::device::{self, DeviceChoice};
use crate::run::error::RunError;
use crate::run::precision::Precision;
use crate::tensor_ops::backend::Device;
use crate::training::gan::config::GanTrainConfig;

/// The devices that share every batch.
pub(crate) struct GanDevices {
    /// Holds optimisers and averages.
    pub first: Device,
    pub others: Vec<Device>,
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
        Ok(Self { first, others })
    }
}
