//! What the steps of a command share: where they compute, where they keep what is costly, whom they tell how far they are.

use std::path::Path;

use crate::run::progress::Progress;
use crate::tensor_ops::backend::Device;

/// Device, cache and progress, lent to one step after the other.
pub struct Workbench<'a> {
    /// Where networks compute.
    pub device: &'a Device,
    /// Folder of embeddings and features that were computed before.
    pub cache: &'a Path,
    /// What the user sees of the work.
    pub progress: &'a mut dyn Progress,
}

impl<'a> Workbench<'a> {
    /// A workbench for the steps of one command.
    pub fn new(device: &'a Device, cache: &'a Path, progress: &'a mut dyn Progress) -> Self {
        Self { device, cache, progress }
    }
}
