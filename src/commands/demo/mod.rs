//! `mindreader demo`: the whole chain on a small phantom, from an empty folder to a report.

mod chain;
mod page;
pub mod shipped_networks;

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use self::chain::Chain;
use self::page::report_settings;
pub use self::shipped_networks::DemoNetworks;
use super::config::ProjectConfig;
use super::report;
use crate::error::Result;
use crate::metrics::identification::IdentificationAccuracy;
use crate::metrics::retrieval::RetrievalSummary;
use crate::run::device;
use crate::run::progress::Progress;

/// Settings of the demo: small networks, a phantom with a clear signal.
pub const CONFIGURATION: &str = include_str!("../../../configs/demo.toml");

/// A project whose files go below one folder.
#[derive(Clone, Debug)]
pub struct DemoSettings {
    /// Where CLIP and pretrained GAN come from.
    pub networks: DemoNetworks,
    /// The configuration; its paths are set by the demo.
    pub config: ProjectConfig,
    /// Folder of phantom, runs and report.
    pub out: PathBuf,
}

/// What the demo found.
#[derive(Clone, Debug, Serialize)]
pub struct DemoSummary {
    /// Where it was computed.
    pub device: String,
    /// Prepared voxels of the phantom.
    pub num_voxels: usize,
    /// Trials of the phantom.
    pub num_trials: usize,
    /// Retrieval of held-out images by the image mapper.
    pub image_retrieval: RetrievalSummary,
    /// Retrieval of held-out images by the caption mapper.
    pub caption_retrieval: RetrievalSummary,
    /// The same as the first with betas exchanged between trials.
    pub control_retrieval: RetrievalSummary,
    /// Whether held-out pictures are closest to their own ground truth.
    pub identification: Vec<IdentificationAccuracy>,
    /// The same where the image mapper learned from exchanged betas, and steers alone.
    pub control_identification: Vec<IdentificationAccuracy>,
    /// Duration in seconds.
    pub seconds: f64,
    /// The page to open.
    pub report: PathBuf,
}

/// Runs the demo.
///
/// # Errors
/// When the folder cannot be written or a command fails.
pub fn run(settings: &DemoSettings, progress: &mut dyn Progress) -> Result<DemoSummary> {
    let DemoSettings { networks, out, .. } = settings;
    let started = Instant::now();
    let (_, device_name) = device::open(settings.config.device)?;
    let mut chain = Chain::new(settings.config.clone(), out, progress);
    let found = chain.run(*networks, &out.join("networks"))?;
    let page = report_settings(&chain, &found, *networks, out, (&device_name, started.elapsed()))?;
    chain.progress.note("What was found, and what the phantom's author knows, on one page.");
    report::run(&page, chain.progress)?;
    Ok(DemoSummary {
        device: device_name,
        num_voxels: found.subject.prepared.num_voxels,
        num_trials: found.subject.prepared.num_trials,
        image_retrieval: found.mappers.image.retrieval,
        caption_retrieval: found.mappers.caption.retrieval,
        control_retrieval: found.mappers.control.retrieval,
        identification: found.pictures.identified.identification.accuracies,
        control_identification: found.pictures.control.identification.accuracies,
        seconds: started.elapsed().as_secs_f64(),
        report: page.out,
    })
}
