//! `mindreader encode`: how well each voxel's betas follow from the embedding of the image seen, beside a control and the noise ceiling.
//!
//! Encoders are ridge regression and the paper's network (appendix A.8; docs/spec/mapper.md §8), fitted to the training trials and scored
//! by Pearson's r over the held-out ones (docs/spec/metrics.md §5). Writes snapshots, volumes, pictures, charts and `summary.json` into a
//! run folder.

mod config;
mod fitted;
mod inputs;
mod maps;
mod numbers;
mod papers;
mod plots;
mod regions;
mod ridge;
mod settings;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use ndarray::Array2;
use serde_json::{Value, json};

pub use self::config::{EncodeConfig, EncodeKind};
use self::config::{RIDGE_SECTION, TRAIN_SECTION};
use self::fitted::Fitted;
pub use self::fitted::{ChosenPenalty, FittedOn};
use self::inputs::Inputs;
use self::maps::Maps;
pub use self::regions::RegionAccuracy;
use self::regions::{Regions, Scores};
pub use self::settings::EncodeSettings;
pub use self::summary::{EncodeSummary, EncoderReport};
use crate::error::Error;
use crate::files::ScratchFolder;
use crate::interrupt;
use crate::metrics::voxel_accuracy::VoxelAccuracies;
use crate::models::encoder::{EncoderKind, EncoderSnapshot};
use crate::pipelines::encoding::file_names::encoder_file;
use crate::pipelines::encoding::snapshot::{EncoderProvenance, save_encoder};
use crate::pipelines::inference::Inference;
use crate::pipelines::mapper_betas::BetasControl;
use crate::pipelines::measured::NUMBERS_FILE;
use crate::pipelines::run_folder::RunPlace;
use crate::pipelines::workbench::Workbench;
use crate::run::device::open;
use crate::run::draft_run::DraftRun;
use crate::run::error::RunError;
use crate::run::interrupt::Interrupted;
use crate::run::progress::Progress;
use crate::run::run_dir::{RunDir, SUMMARY_FILE};
use crate::tensor_ops::backend::Device;
use crate::training::frame::epoch_loop::CHECKPOINT_FILE;

/// What every encoder of a run is fitted with.
struct Run<'a> {
    settings: &'a EncodeSettings,
    inputs: &'a Inputs,
    regions: Regions,
    dir: &'a RunDir,
    device: &'a Device,
}

/// An encoder and how well it predicts the held-out trials.
struct Scored {
    fitted: Fitted,
    /// Of the held-out trials, `[trials, voxels]`.
    betas: Array2<f32>,
    accuracies: VoxelAccuracies,
}

/// Runs the command.
///
/// # Errors
/// Data or snapshots that are missing or do not fit each other.
pub fn run(settings: &EncodeSettings, progress: &mut dyn Progress) -> crate::error::Result<EncodeSummary> {
    let EncodeConfig { kind, space, .. } = settings.encode;
    settings.encode.validate()?;
    refuse_resume(settings)?;
    let (device, _) = open(settings.data.device)?;
    let inputs = &Inputs::read(settings, &mut Workbench::new(&device, &settings.data.cache, progress))?;
    let dir = &open_folder(settings, inputs)?;
    // Without a checkpoint there is nothing to go on from.
    let mut draft = (!kind.has_network()).then(|| DraftRun::of(dir));
    if !inputs.subject.has_volume() {
        progress.note("No volumes and no views of the brain: the voxels were imported without coordinates.");
    }
    let run = Run { settings, inputs, regions: Regions::of(&inputs.subject), dir, device: &device };
    let mut reports = Vec::new();
    for (at, kind) in kind.kinds().iter().enumerate() {
        reports.push(run.encoder(*kind, at > 0, progress)?);
    }
    let mut reports = reports.into_iter();
    let first = reports.next().ok_or_else(|| Error::failure("no encoder was asked for"))?;
    let EncoderReport { kind, fit, all, regions, snapshot, accuracy, views, plots } = first;
    let summary = EncodeSummary {
        run: dir.path().to_path_buf(),
        subject: Some(inputs.subject.subject().to_string()),
        seed: Some(settings.encode.train.seed),
        kind,
        space,
        num_trials: inputs.split.validation.len(),
        num_images: inputs.held_out_images.iter().collect::<BTreeSet<_>>().len(),
        split_record: Some(settings.data.split.record(&inputs.subject, &inputs.split)),
        inference: Some(Inference::of_betas(&inputs.subject, settings.data.split.rule, [])),
        fit: Some(fit),
        all,
        regions,
        snapshot: Some(snapshot),
        accuracy,
        views,
        plots,
        beside: reports.next(),
    };
    dir.write_atomic(NUMBERS_FILE, &summary.numbers().csv()?)?;
    dir.write_atomic(SUMMARY_FILE, &serde_json::to_vec_pretty(&summary)?)?;
    draft.take().into_iter().for_each(DraftRun::keep);
    Ok(summary)
}

/// Refuses a checkpoint where nothing is trained in steps.
fn refuse_resume(settings: &EncodeSettings) -> Result<(), RunError> {
    let Some(checkpoint) = settings.data.resume.as_ref().filter(|_| !settings.encode.kind.has_network())
    else {
        return Ok(());
    };
    let expected = format!(
        "none for the kind `{}`, which is fitted in one piece: `--kind paper` or `--kind both` goes on with one",
        settings.encode.kind
    );
    Err(RunError::invalid(checkpoint, "`--resume`", expected, "a file"))
}

/// The run's folder: a new one with its resolved settings, or the checkpoint's.
fn open_folder(settings: &EncodeSettings, inputs: &Inputs) -> crate::error::Result<RunDir> {
    let description = format!("encode-{}", inputs.subject.subject());
    let (resume, runs) = (settings.data.resume.as_deref(), &settings.data.runs);
    if settings.encode.kind.has_network() {
        let place = RunPlace { resume, runs, description: &description };
        return place.open(settings, &inputs.content(settings)?);
    }
    let dir = RunDir::create(runs, &description)?;
    dir.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    Ok(dir)
}

impl Run<'_> {
    /// Fits an encoder and its control, scores both, and writes what there is of the encoder.
    fn encoder(
        &self,
        kind: EncoderKind,
        is_beside: bool,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<EncoderReport> {
        let Self { settings, inputs, regions, dir, .. } = self;
        let prefix = if is_beside { format!("{kind}-") } else { String::new() };
        let Scored { fitted, betas, accuracies } = self.scored(kind, BetasControl::Measured, progress)?;
        let snapshot = dir.join(encoder_file(kind));
        save_encoder(&snapshot, &self.described(&fitted), &self.provenance(kind)?, &fitted.network)?;
        if let Some(edge) = ridge::edge(&fitted.fit, &settings.encode.ridge_fit) {
            progress.warning(&edge);
        }
        let of_voxels = &accuracies.of_voxels;
        let plots = plots::write(dir, &prefix, inputs, of_voxels, [&fitted.predicted, &betas])?;
        let maps = Maps { prefix: &prefix, accuracy: of_voxels, ceiling: inputs.ceiling.as_deref() };
        let has_volume = inputs.subject.has_volume();
        let accuracy = has_volume.then(|| maps.write_volumes(dir, &inputs.subject)).transpose()?;
        let views = if has_volume { maps.write_views(dir, &inputs.subject)? } else { Vec::new() };
        let control = match settings.encode.control {
            true => Some(self.scored(kind, BetasControl::Shuffled, progress)?.accuracies),
            false => None,
        };
        let (all, regions) = Scores { measured: accuracies, control }.by_region(regions, inputs)?;
        Ok(EncoderReport { kind, fit: fitted.fit, all, regions, snapshot, accuracy, views, plots })
    }

    /// Fits an encoder to each trial's own betas or to exchanged ones, and scores it.
    fn scored(
        &self,
        kind: EncoderKind,
        control: BetasControl,
        progress: &mut dyn Progress,
    ) -> crate::error::Result<Scored> {
        let Self { settings, inputs, regions, .. } = self;
        let betas_of = inputs.betas_of(control, settings.encode.train.seed);
        let fitted = match kind {
            EncoderKind::Ridge => {
                let title = match control {
                    BetasControl::Measured => "encoding voxels",
                    BetasControl::Shuffled => "encoding voxels, control of exchanged betas",
                };
                ridge::fit(inputs, &settings.encode.ridge_fit, &betas_of, title, self.device, progress)?
            }
            EncoderKind::Paper => self.network(control, &betas_of, progress)?,
        };
        let betas = inputs.measured(&betas_of);
        progress.start("accuracy of every voxel over resampled images", 0);
        let bootstrap = &settings.encode.bootstrap;
        let accuracies = regions.accuracies(inputs, fitted.predicted.view(), betas.view(), bootstrap)?;
        progress.finish("");
        Ok(Scored { fitted, betas, accuracies })
    }

    /// Trains the paper's network; that of the control in a folder that nobody keeps.
    fn network(
        &self,
        control: BetasControl,
        betas_of: &[usize],
        progress: &mut dyn Progress,
    ) -> crate::error::Result<Fitted> {
        let Self { settings, inputs, dir, device, .. } = *self;
        let config = &settings.encode;
        let identity = match control {
            BetasControl::Measured => {
                json!({"encode": papers::decisive(config)?, "split": settings.data.split})
            }
            BetasControl::Shuffled => Value::Null,
        };
        if control == BetasControl::Measured {
            let (resume, title) = (settings.data.resume.as_deref(), "training the encoding network");
            let place = papers::Place { dir, resume, identity: &identity, title, device };
            return papers::fit(inputs, config, betas_of, &place, progress);
        }
        let scratch = ScratchFolder::below(&settings.data.runs)?;
        let of_control = &RunDir::create(scratch.path(), "encode-control")?;
        let title = "training the control of exchanged betas";
        let place = papers::Place { dir: of_control, resume: None, identity: &identity, title, device };
        let fitted = papers::fit(inputs, config, betas_of, &place, progress);
        if interrupt::requested() {
            // The control's own checkpoint is gone; that of the network before it is where to go on.
            return Err(Interrupted { checkpoint: dir.join(CHECKPOINT_FILE) }.into());
        }
        fitted
    }

    /// What the snapshot of an encoder says of it.
    fn described(&self, fitted: &Fitted) -> EncoderSnapshot {
        let subject = &self.inputs.subject;
        EncoderSnapshot {
            network: fitted.sizes.clone(),
            space: self.settings.encode.space,
            num_voxels: subject.num_voxels(),
            padding_left: fitted.padding_left,
            subject: subject.subject().to_string(),
            roi: subject.provenance().selection.join(" + "),
            voxels_sha256: subject.voxels_sha256(),
            latent_networks_sha256: self.inputs.latents.networks_sha256.clone(),
        }
    }

    /// What decided its numbers.
    fn provenance(&self, kind: EncoderKind) -> crate::error::Result<EncoderProvenance> {
        let EncodeConfig { ridge_fit, .. } = &self.settings.encode;
        Ok(EncoderProvenance {
            latents: self.settings.latent_form(),
            split: self.settings.data.split.clone(),
            num_trials: self.inputs.subject.num_trials(),
            fit: match kind {
                EncoderKind::Ridge => json!({ RIDGE_SECTION: ridge_fit }),
                EncoderKind::Paper => json!({ TRAIN_SECTION: papers::decisive(&self.settings.encode)? }),
            },
        })
    }
}
