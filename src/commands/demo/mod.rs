//! `mindreader demo`: a small phantom, `mindreader run` on it, and a page of what was found.

mod found;
mod page;
pub mod shipped_networks;

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use self::found::Found;
use self::page::report_settings;
pub use self::shipped_networks::DemoNetworks;
use self::shipped_networks::ShippedNetworks;
use super::config::ProjectConfig;
use super::phantom::{self, PhantomSettings, PhantomSummary};
use super::report;
use super::run::{self, RunSettings, Selection};
use crate::error::Result;
use crate::files::{file_is_there, write_atomic};
use crate::metrics::identification::IdentificationAccuracy;
use crate::metrics::retrieval::RetrievalSummary;
use crate::phantom::{Marker, StimulusSource};
use crate::pipelines::chain_record::ChainStep;
use crate::run::device;
use crate::run::error::RunError;
use crate::run::existing_output::ExistingOutput;
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

/// Name of the configuration that the demo writes: `mindreader run` takes it.
const CONFIGURATION_FILE: &str = "mindreader.toml";
/// What was said of the phantom when it was written.
const PHANTOM_FILE: &str = "phantom.json";

/// Runs the demo; what an earlier call in the same folder has done is not done again.
///
/// # Errors
/// When the folder cannot be written or a command fails.
pub fn run(settings: &DemoSettings, progress: &mut dyn Progress) -> Result<DemoSummary> {
    let DemoSettings { networks, out, .. } = settings;
    let started = Instant::now();
    let (_, device_name) = device::open(settings.config.device)?;
    let config = configuration(settings)?;
    let project = config.project();
    let phantom = written_phantom(&config, out, progress)?;
    // The demo's page says more than that of any subject.
    let selection = Selection::parse(None, Some(ChainStep::Encode.name()), None)?;
    let flags = configuring(out);
    run::run(&RunSettings { config: config.clone(), selection, flags }, progress)?;
    let found = Found::read(&project, phantom)?;
    let mut page = report_settings(&config, &found, *networks, out, (&device_name, started.elapsed()))?;
    page.flags = configuring(out);
    progress.note("What was found, and what the phantom's author knows, on one page.");
    report::run(&page, progress)?;
    Ok(DemoSummary {
        device: device_name,
        num_voxels: found.num_voxels,
        num_trials: found.num_trials,
        image_retrieval: found.mappers.image.retrieval,
        caption_retrieval: found.mappers.caption.retrieval,
        control_retrieval: found.mappers.control.retrieval,
        identification: found.judged,
        control_identification: found.judged_control,
        seconds: started.elapsed().as_secs_f64(),
        report: page.out,
    })
}

/// The settings of the chain, whose files go below the demo's folder; they are written there, too. Networks that ship with the
/// program are written beside them.
fn configuration(settings: &DemoSettings) -> Result<ProjectConfig> {
    let mut config = settings.config.clone();
    // A configuration that is found below another folder must lead to the same files.
    let out =
        std::path::absolute(&settings.out).map_err(|error| RunError::unwritable(&settings.out, error))?;
    config.paths.nsd = Some(out.join("nsd"));
    config.paths.work = Some(out.join("work"));
    if config.phantom.photographs.is_some() {
        config.phantom.source = StimulusSource::Both;
    }
    if settings.networks == DemoNetworks::Shipped {
        let shipped = ShippedNetworks::write(&out.join("networks"))?;
        config.paths.clip = Some(shipped.clip);
        config.paths.pretrained_gan = Some(shipped.gan);
        config.paths.classifier = Some(shipped.classifier);
    }
    write_atomic(&out.join(CONFIGURATION_FILE), toml::to_string(&config)?.as_bytes())?;
    Ok(config)
}

/// The flags that give other commands the demo's settings.
fn configuring(out: &Path) -> Vec<String> {
    vec!["--config".into(), out.join(CONFIGURATION_FILE).display().to_string()]
}

/// The phantom of the settings: written, unless it is there.
fn written_phantom(
    config: &ProjectConfig,
    out: &Path,
    progress: &mut dyn Progress,
) -> Result<PhantomSummary> {
    let settings = PhantomSettings::resolve(&config.project(), &config.phantom, ExistingOutput::Replace)?;
    let written = out.join(PHANTOM_FILE);
    let is_there = Marker::read(&settings.out).is_ok_and(|marker| marker.config == settings.config);
    if is_there && file_is_there(&written)? {
        return found::read(&written, "a summary of `phantom`");
    }
    progress.note("A synthetic brain sees pictures. Its files are laid out as NSD's; its tuning is known.");
    let summary = phantom::run(&settings, progress)?;
    write_atomic(&written, &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}
