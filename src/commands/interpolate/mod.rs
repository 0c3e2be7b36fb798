//! `mindreader interpolate`: the way from one decoded trial to the next, frame by frame.
//!
//! Appendix A.9 and figure 18 of the paper. Between two trials either the betas are joined by a straight line and every point of it is
//! decoded, or their decoded embeddings are joined by an arc of the sphere.

mod chart;
mod config;
mod evenness;
mod film;
mod record;
mod route;
pub mod sequence;
mod strip;
#[cfg(test)]
mod tests;
mod truth;

use std::path::PathBuf;

use ndarray::Array2;

use self::chart::similarity_chart;
pub use self::config::{InterpolateConfig, InterpolateSettings, LatentPath, PathChoice, PathKind};
pub use self::evenness::Evenness;
use self::evenness::angles;
use self::film::{Camera, Film};
use self::record::WayRecord;
pub use self::record::{
    FrameRecord, InterpolateSummary, PathRecord, PathSummary, SpaceSummary, WayManifest, WayTrial,
};
use self::route::{Place, legs, places};
use self::strip::Strip;
pub use self::truth::FrameSimilarity;
use self::truth::TrueEmbeddings;
use crate::data::error::DataError;
use crate::data::image::resize::{Filter, resize_pil};
use crate::data::nsd::stimuli::Stimuli;
use crate::data::prepared::PreparedSubject;
use crate::data::split::Split;
use crate::error::Result;
use crate::models::mapper::MapperTarget;
use crate::pipelines::brain_decoder::BrainDecoder;
use crate::pipelines::drawing_manifest::MANIFEST_FILE;
use crate::pipelines::generator_use::refuse_or_warn;
use crate::pipelines::inference::{Inference, of_epochs};
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::pipelines::targets::trial_targets::TrialTargets;
use crate::pipelines::trial_choice::{ChosenTrial, Repeats, TrialChoice, betas_of, choose_trials};
use crate::pipelines::workbench::Workbench;
use crate::run::device;
use crate::run::memory::WorkingMemory;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;

/// File of the strip.
const STRIP_FILE: &str = "strip.png";

/// Draws the way through the chosen trials into a new run folder.
///
/// # Errors
/// When an input is missing or does not fit, or the run folder cannot be written.
pub fn run(settings: &InterpolateSettings, progress: &mut dyn Progress) -> Result<InterpolateSummary> {
    settings.interpolate.validate()?;
    let inputs = Inputs::open(settings)?;
    let interpolate = settings.interpolate.or_condition(inputs.decoder.condition());
    let settings = &InterpolateSettings { interpolate, ..settings.clone() };
    let config = &settings.interpolate;
    let split = settings.split.split(&inputs.prepared)?;
    let chosen = inputs.chosen(settings)?;
    let warnings = inputs.checked(settings, &chosen, &split, progress)?;
    let legs = legs(chosen.len(), config.is_loop);
    let places = places(&legs, config.frames);
    need(&inputs, &legs, places.len(), config).check()?;
    let truth = inputs.truth(settings, &chosen, &split, progress)?;
    let inference = inputs.inference(settings)?;

    let run = RunDir::create(&settings.runs, &format!("interpolate-{}", inputs.prepared.subject()))?;
    run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    let betas = betas_of(&inputs.prepared, &chosen)?;
    let positions: Vec<u64> = chosen.iter().map(|trial| trial.position(1, 0)).collect();
    let camera = Camera {
        config,
        seed: settings.seed,
        decoder: &inputs.decoder,
        betas: &betas,
        positions: &positions,
        places: &places,
        run: &run,
    };
    let (trials, truths) = inputs.write_truths(&run, &chosen, &split)?;
    let mut strip = Strip::new(&legs, config.frames, truths);
    let mut paths = Vec::new();
    for kind in config.path.kinds() {
        let embeddings = camera.embeddings(*kind)?;
        let film = camera.film(kind.name(), &embeddings, &strip.shown(), progress)?;
        let way = Way { legs: &legs, places: &places, trials: &trials, frames: config.frames };
        paths.push(way.recorded(*kind, &film, &embeddings, &truth, &run)?);
        strip.add(film.shown);
    }
    run.write_png(STRIP_FILE, &strip.sheet())?;
    let outcome = Outcome { trials, paths, inference, warnings };
    outcome.finished(settings, &inputs, &split, &run, places.len())
}

/// What a run reads, checked.
struct Inputs {
    prepared: PreparedSubject,
    stimuli: Stimuli,
    decoder: BrainDecoder,
    device: crate::tensor_ops::backend::Device,
    device_name: String,
}

impl Inputs {
    fn open(settings: &InterpolateSettings) -> Result<Self> {
        let (device, device_name) = device::open(settings.device)?;
        settings.precision.check(&device, &device_name)?;
        let prepared = PreparedSubject::open(&settings.prepared)?;
        let stimuli = Stimuli::open(&settings.stimuli)?;
        let decoder = BrainDecoder::open(&settings.networks, &device)?.with_precision(settings.precision);
        decoder.check_input(&prepared)?;
        Ok(Self { prepared, stimuli, decoder, device, device_name })
    }

    /// The trials of the way: those that are named, or of the first and the middle held-out image the first that is held out.
    fn chosen(&self, settings: &InterpolateSettings) -> Result<Vec<ChosenTrial>, DataError> {
        // Of two presentations of one image the way would lead nowhere.
        let choose =
            |choice, limit| choose_trials(&self.prepared, &settings.split, choice, Repeats::First, limit);
        let named = &settings.interpolate.trials;
        if named.is_empty() {
            let chosen = choose(TrialChoice::Validation, 2)?;
            if chosen.len() < 2 {
                let hint = "one image is held out; name trials with `--trials`, or prepare more sessions";
                return Err(DataError::empty("a second trial to go to", hint));
            }
            return Ok(chosen);
        }
        let one = |trial: &usize| choose(TrialChoice::Trial(*trial), 0);
        Ok(named.iter().map(one).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
    }

    /// Refuses a condition that the networks do not serve; what does not belong together, and trials that training saw, are said, or
    /// refused as the settings want it.
    fn checked(
        &self,
        settings: &InterpolateSettings,
        chosen: &[ChosenTrial],
        split: &Split,
        progress: &mut dyn Progress,
    ) -> Result<Vec<String>> {
        let config = &settings.interpolate;
        let source = config.condition.unwrap_or_default();
        self.decoder.check_source(source)?;
        let mut found = self.decoder.misfits(&[source], Some(&settings.split))?;
        refuse_or_warn(&found, config.strict, progress)?;
        let seen: Vec<String> = chosen
            .iter()
            .filter(|trial| !is_held_out(trial, split))
            .map(|trial| trial.trials.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            .collect();
        if !seen.is_empty() {
            let sentence = format!(
                "images of these trials were seen in training, so that their frames show no decoding of new images: {}",
                seen.join(", ")
            );
            progress.warning(&sentence);
            found.push(sentence);
        }
        Ok(found)
    }

    /// True embeddings of the spaces that steer the generator.
    fn truth(
        &self,
        settings: &InterpolateSettings,
        chosen: &[ChosenTrial],
        split: &Split,
        progress: &mut dyn Progress,
    ) -> Result<Vec<TrueEmbeddings>> {
        let targets = self.targets(settings, progress)?;
        let source = settings.interpolate.condition.unwrap_or_default();
        let held_out = (&self.prepared, &split.validation[..]);
        Ok(TrueEmbeddings::of(&targets, source.uses(), chosen, held_out, &self.decoder))
    }

    /// What both mappers aim at, for all trials.
    fn targets(
        &self,
        settings: &InterpolateSettings,
        progress: &mut dyn Progress,
    ) -> Result<[TrialTargets; 2]> {
        let source = settings.interpolate.condition.unwrap_or_default();
        let bench = &mut Workbench::new(&self.device, &settings.cache, progress);
        let purpose = (&settings.split, "drawing");
        settings.targets.of_decoder(&[source], purpose, &self.prepared, &self.decoder, bench)
    }

    fn inference(&self, settings: &InterpolateSettings) -> Result<Inference> {
        let used = settings.interpolate.condition.unwrap_or_default().uses();
        let mut reasons = Vec::new();
        for ((path, mapper), is_used) in
            [self.decoder.image_mapper(), self.decoder.second_mapper()].into_iter().zip(used)
        {
            if is_used {
                reasons.extend(of_epochs(path, &mapper.snapshot, &mapper.provenance)?);
            }
        }
        Ok(Inference::of_betas(&self.prepared, settings.split.rule, reasons))
    }

    /// Writes what was seen in the trials; their records and pictures.
    fn write_truths(
        &self,
        run: &RunDir,
        chosen: &[ChosenTrial],
        split: &Split,
    ) -> Result<(Vec<WayTrial>, Vec<image::RgbImage>)> {
        let side = self.decoder.resolution() as u32;
        let (mut records, mut pictures) = (Vec::new(), Vec::new());
        for trial in chosen {
            let picture = resize_pil(&self.stimuli.image(trial.nsd_id)?, side, side, Filter::Bicubic);
            let ground_truth = format!("images/nsd{:05}-truth.png", trial.nsd_id.0);
            run.write_png(&ground_truth, &picture)?;
            records.push(WayTrial {
                trial: trial.trials.first().copied().unwrap_or_default(),
                nsd_id: trial.nsd_id.0,
                image: self.prepared.image_name(trial.nsd_id),
                is_held_out: is_held_out(trial, split),
                position: trial.position(1, 0),
                ground_truth,
            });
            pictures.push(picture);
        }
        Ok((records, pictures))
    }
}

fn is_held_out(trial: &ChosenTrial, split: &Split) -> bool {
    trial.trials.iter().all(|trial| split.validation.binary_search(trial).is_ok())
}

/// The least that a run holds: embeddings of all frames, pictures and activations of a batch aside, and the strip twice.
fn need(inputs: &Inputs, legs: &[[usize; 2]], frames: usize, config: &InterpolateConfig) -> WorkingMemory {
    let picture = 3 * (inputs.decoder.resolution() as u128).pow(2);
    let widths = [inputs.decoder.image_mapper().1, inputs.decoder.second_mapper().1]
        .map(|mapper| mapper.snapshot.network.embed_dim() as u128);
    let shown = Strip::most_pictures(legs.len(), config.frames, config.path.kinds().len()) as u128;
    let drawn = config.batch.min(frames) as u128 * (picture + 4 * inputs.prepared.num_voxels() as u128);
    WorkingMemory {
        key: "interpolate.frames",
        what: format!("{frames} frames at {}²", inputs.decoder.resolution()),
        bytes: 4 * frames as u128 * (widths[0] + widths[1]) + drawn + 2 * shown * picture,
        advice: "fewer frames or trials, or a smaller `interpolate.batch`, need less",
    }
}

/// What the records of every way are made with.
struct Way<'a> {
    legs: &'a [[usize; 2]],
    places: &'a [Place],
    trials: &'a [WayTrial],
    /// Frames from one trial to the next, both included.
    frames: usize,
}

impl Way<'_> {
    /// The record of one way; writes its charts.
    fn recorded(
        &self,
        path: PathKind,
        film: &Film,
        embeddings: &[Array2<f32>; 2],
        truth: &[TrueEmbeddings],
        run: &RunDir,
    ) -> Result<PathRecord> {
        let trials: Vec<usize> = self.trials.iter().map(|trial| trial.trial).collect();
        let mut similarity: Vec<Vec<FrameSimilarity>> = vec![Vec::new(); self.places.len()];
        let (mut charts, mut evenness) = (Vec::new(), Vec::new());
        for space in truth {
            let found = space.similarities(&embeddings[space.part], self.places)?;
            let title = format!("From trial to trial by {path}: {} space", space_name(space.target));
            let passed: Vec<f64> = self.places.iter().map(|place| place.passed).collect();
            let chart = similarity_chart(title, &trials, &passed, &found.iter().collect::<Vec<_>>());
            if let Some(svg) = chart.to_svg_file() {
                let file = format!("similarity-{path}-{}.svg", space.target);
                run.write_atomic(&file, svg.as_bytes())?;
                charts.push(file);
            }
            similarity.iter_mut().zip(found).for_each(|(of_frame, found)| of_frame.push(found));
            evenness.extend(self.evenness(space.target.into(), &angles(&embeddings[space.part])));
        }
        evenness.extend(self.evenness(DecodedTarget::Pixels, &film.pixel_steps));
        let frames = film.files.iter().zip(self.places).zip(similarity);
        let frames = frames.map(|((file, place), similarity)| FrameRecord {
            file: file.clone(),
            between: place.ends.map(|end| trials[end]),
            share: place.share,
            similarity,
        });
        Ok(PathRecord { path, gif: film.gif.clone(), charts, evenness, frames: frames.collect() })
    }

    /// The steps of every leg.
    fn evenness(&self, of: DecodedTarget, steps: &[f64]) -> Vec<Evenness> {
        let of_legs = self.legs.iter().zip(steps.chunks(self.frames.saturating_sub(1).max(1)));
        of_legs
            .map(|(ends, steps)| Evenness::of_steps(ends.map(|end| self.trials[end].trial), of, steps))
            .collect()
    }
}

fn space_name(target: MapperTarget) -> &'static str {
    match target {
        MapperTarget::Image => "CLIP's image",
        MapperTarget::Caption => "CLIP's caption",
        MapperTarget::Resnet => "ResNet",
    }
}

/// What was found, to be written down.
struct Outcome {
    trials: Vec<WayTrial>,
    paths: Vec<PathRecord>,
    inference: Inference,
    warnings: Vec<String>,
}

impl Outcome {
    /// Writes the manifest and tells what is worth a line.
    fn finished(
        self,
        settings: &InterpolateSettings,
        inputs: &Inputs,
        split: &Split,
        run: &RunDir,
        num_frames: usize,
    ) -> Result<InterpolateSummary> {
        let Self { trials, paths, inference, warnings } = self;
        let record = WayRecord {
            subject: inputs.prepared.subject().to_string(),
            seed: settings.seed,
            settings: &settings.interpolate,
            split: &settings.split,
            split_record: settings.split.record(&inputs.prepared, split),
            precision: settings.precision,
            device: &inputs.device_name,
            resolution: inputs.decoder.resolution(),
            weights_sha256: inputs.decoder.hashes(),
            program: concat!("mindreader ", env!("CARGO_PKG_VERSION")),
            inference: &inference,
            warnings: &warnings,
            strip: STRIP_FILE,
            trials: &trials,
            paths: &paths,
        };
        let text = serde_json::to_string_pretty(&record)?;
        let manifest: PathBuf = run.write_atomic(MANIFEST_FILE, text.as_bytes())?;
        let steps = settings.interpolate.frames.saturating_sub(1);
        Ok(InterpolateSummary {
            run: run.path().to_path_buf(),
            trials: trials.iter().map(|trial| trial.trial).collect(),
            num_frames,
            paths: paths.iter().map(|path| path.summary(run.join(&path.gif), steps)).collect(),
            strip: run.join(STRIP_FILE),
            manifest,
            inference,
            warnings,
        })
    }
}
