//! The section `[cycle]`, and everything that a run needs.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data::nsd::tree::NsdTree;
use crate::data::split::SplitConfig;
use crate::error::{SettingError, in_range, limits};
use crate::metrics::bootstrap::BootstrapConfig;
use crate::models::condition_source::ConditionSource;
use crate::models::encoder::EncoderKind;
use crate::pipelines::brain_decoder::{DecoderPaths, PixelNoise};
use crate::pipelines::project::Project;
use crate::run::device::DeviceChoice;
use crate::run::error::RunError;

/// Farthest from the mean of w.
const MOST_TRUNCATION: f64 = 10.0;

/// Which pictures go round, and how they are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CycleConfig {
    /// Which encoder of the newest run of `encode` is taken: `ridge` or `paper`.
    pub kind: EncoderKind,
    /// At most this many pictures, evenly spread, up to 1e6; 0 means all.
    pub limit: usize,
    /// Which embeddings steer the generator; those that it was trained on where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<ConditionSource>,
    /// Pull of w towards its mean, 0 to 10; 1 is none.
    pub truncation_psi: f64,
    /// Per-pixel noise: the stored maps, new ones, or none.
    pub noise: PixelNoise,
    /// Pictures drawn together, 1 to 1e6; bounds the memory.
    pub batch: usize,
    /// Whether networks that do not belong together are refused (off: they are named in a warning).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    /// Resamples of the pictures behind the intervals.
    pub bootstrap: BootstrapConfig,
}

impl Default for CycleConfig {
    fn default() -> Self {
        Self {
            kind: EncoderKind::default(),
            limit: 50,
            condition: None,
            truncation_psi: 1.0,
            noise: PixelNoise::Constant,
            batch: 16,
            strict: false,
            bootstrap: BootstrapConfig::default(),
        }
    }
}

impl CycleConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        let check = || {
            in_range("limit", self.limit, 0..=limits::ITEMS)?;
            in_range("truncation_psi", self.truncation_psi, 0.0..=MOST_TRUNCATION)?;
            in_range("batch", self.batch, 1..=limits::ITEMS)?;
            self.bootstrap.validate().map_err(|error| error.within("bootstrap"))
        };
        check().map_err(|error| error.within("cycle"))
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct CycleSettings {
    /// Prepared subject.
    pub prepared: PathBuf,
    /// `nsd_stimuli.hdf5`; read where no folder is given.
    pub stimuli: PathBuf,
    /// Folder or archive of pictures in place of the held-out ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<PathBuf>,
    /// Snapshot of an encoder of the image space.
    pub encoder: PathBuf,
    /// Snapshot of the CLIP that it reads; it measures likeness, too.
    pub clip: PathBuf,
    /// Mappers and generator.
    pub networks: DecoderPaths,
    /// Which images are held out.
    pub split: SplitConfig,
    /// How.
    pub cycle: CycleConfig,
    /// Folder of cached embeddings.
    pub cache: PathBuf,
    /// Decides z and noise.
    pub seed: u64,
    /// Where to compute.
    pub device: DeviceChoice,
    /// Folder of the runs.
    pub runs: PathBuf,
}

impl CycleSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set, or a network is not there.
    pub fn resolve(
        project: &Project,
        cycle: &CycleConfig,
        images: Option<PathBuf>,
        encoder: Option<PathBuf>,
    ) -> Result<Self, RunError> {
        let encoder = match encoder {
            Some(encoder) => encoder,
            None => project.encoder(cycle.kind)?,
        };
        let (networks, condition) = project.networks(cycle.condition)?;
        Ok(Self {
            prepared: project.prepared(),
            stimuli: NsdTree::new(project.nsd()?).stimuli(),
            images,
            encoder,
            clip: project.clip()?,
            networks,
            split: project.split.clone(),
            cycle: CycleConfig { condition: Some(condition), ..cycle.clone() },
            cache: project.cache(),
            seed: project.seed,
            device: project.device,
            runs: project.runs(),
        })
    }
}
