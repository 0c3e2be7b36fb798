//! `mindreader interpolate --sequence`: scans in time order, one frame each, their embeddings smoothed in time.

mod record;
mod smoothing;
mod strength;
#[cfg(test)]
mod tests;

use ndarray::{Array2, Axis};
use rand::seq::SliceRandom;

use self::record::SequenceRecord;
pub use self::record::{ScanRecord, SequenceFilm, SequenceSimilarity, SequenceSummary};
use self::smoothing::{Moment, smoothed};
use self::strength::{Chooser, moments_of, row_products};
pub use self::strength::{Strength, TriedStrength};
use super::film::{Camera, Film};
use super::route::Place;
use super::truth::TrueEmbeddings;
use super::{Evenness, Inputs, InterpolateSettings, PathKind, WayTrial, angles};
use crate::data::error::DataError;
use crate::data::split::Split;
use crate::error::{Result, SettingError};
use crate::metrics::bootstrap::{BootstrapConfig, Interval};
use crate::metrics::share::bounded_mean_interval;
use crate::pipelines::drawing_manifest::MANIFEST_FILE;
use crate::pipelines::targets::decoded_target::DecodedTarget;
use crate::pipelines::trial_choice::{ChosenTrial, Repeats, TrialChoice, betas_of, choose_trials};
use crate::report::image_grid::contact_sheet;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::tensor_ops::random::keyed_rng;

/// Most scans of the strip.
const MOST_SHOWN: usize = 12;
/// Bounds of a cosine, and of a difference of two.
const COSINES: [f64; 2] = [-1.0, 1.0];
const DIFFERENCES: [f64; 2] = [-2.0, 2.0];

/// Draws scans in time order, as decoded and smoothed, into a new run folder.
///
/// # Errors
/// When an input is missing or does not fit, trials are not in time order, or the run folder cannot be written.
pub fn run(settings: &InterpolateSettings, progress: &mut dyn Progress) -> Result<SequenceSummary> {
    settings.interpolate.validate()?;
    let inputs = Inputs::open(settings)?;
    let interpolate = settings.interpolate.or_condition(inputs.decoder.condition());
    let settings = &InterpolateSettings { interpolate, ..settings.clone() };
    let split = settings.split.split(&inputs.prepared)?;
    let chosen = scans(settings, &inputs, &split)?;
    let warnings = inputs.checked(settings, &chosen, &split, progress)?;
    let places = places(chosen.len());
    super::need(&inputs, &[], places.len(), &settings.interpolate).check()?;
    let targets = inputs.targets(settings, progress)?;
    let source = settings.interpolate.condition.unwrap_or_default();
    let held_out = (&inputs.prepared, &split.validation[..]);
    let truth = TrueEmbeddings::of(&targets, source.uses(), &chosen, held_out, &inputs.decoder);
    let parts: Vec<usize> = truth.iter().map(|space| space.part).collect();
    let strengths = match settings.interpolate.smoothing {
        Some(strength) => truth.iter().map(|space| Strength::given(space.target, strength)).collect(),
        None => {
            let Inputs { prepared, decoder, .. } = &inputs;
            Chooser { prepared, split: &split, decoder, targets: &targets }.choose(&parts, progress)?
        }
    };
    let name = format!("interpolate-sequence-{}", inputs.prepared.subject());
    let run = RunDir::create(&settings.runs, &name)?;
    run.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    let betas = betas_of(&inputs.prepared, &chosen)?;
    let positions: Vec<u64> = chosen.iter().map(|trial| trial.position(1, 0)).collect();
    let camera = Camera {
        config: &settings.interpolate,
        seed: settings.seed,
        decoder: &inputs.decoder,
        betas: &betas,
        positions: &positions,
        places: &places,
        run: &run,
    };
    let sequence = Sequence {
        settings,
        inputs: &inputs,
        split: &split,
        chosen: &chosen,
        truth: &truth,
        strengths: &strengths,
    };
    sequence.drawn(&camera, warnings, progress)
}

/// The scans: those that are named, or the first ones that are held out.
fn scans(settings: &InterpolateSettings, inputs: &Inputs, split: &Split) -> Result<Vec<ChosenTrial>> {
    let config = &settings.interpolate;
    let trials: Vec<usize> = match config.trials.as_slice() {
        [] => split.validation.iter().copied().take(config.limit).collect(),
        named => named.to_vec(),
    };
    if let Some(two) = trials.windows(2).find(|two| two[0] >= two[1]) {
        let expected = "ascending trials beside `interpolate.sequence`, whose frames are in time order";
        let found = format!("{} behind {}", two[1], two[0]);
        return Err(SettingError::new("trials", expected, found).within("interpolate").into());
    }
    let table = inputs.prepared.trials();
    let falls = table.windows(2).zip(1..).find(|(two, _)| two[0].session > two[1].session);
    if let Some((two, trial)) = falls {
        let expected =
            "never less than before: without a time order of the trials there is no sequence (`--sequence`)";
        let found = format!("{} behind {} (trial {trial})", two[1].session, two[0].session);
        return Err(DataError::invalid(inputs.prepared.path(), "dataset `/session`", expected, found).into());
    }
    let mut chosen = Vec::with_capacity(trials.len());
    for trial in trials {
        let one = TrialChoice::Trial(trial);
        chosen.extend(choose_trials(&inputs.prepared, &settings.split, one, Repeats::Single, 0)?);
    }
    if chosen.len() < 2 {
        let hint = "a sequence has two scans or more; name trials with `--trials`, or prepare more sessions";
        return Err(DataError::empty("the list of scans behind the first", hint).into());
    }
    Ok(chosen)
}

/// A frame a scan.
fn places(num_scans: usize) -> Vec<Place> {
    (0..num_scans).map(|scan| Place { ends: [scan; 2], share: 0.0, passed: scan as f64 }).collect()
}

/// What a sequence is drawn and counted with.
struct Sequence<'a> {
    settings: &'a InterpolateSettings,
    inputs: &'a Inputs,
    split: &'a Split,
    chosen: &'a [ChosenTrial],
    truth: &'a [TrueEmbeddings],
    /// In the order of `truth`.
    strengths: &'a [Strength],
}

impl Sequence<'_> {
    fn drawn(
        &self,
        camera: &Camera<'_>,
        warnings: Vec<String>,
        progress: &mut dyn Progress,
    ) -> Result<SequenceSummary> {
        let trials: Vec<usize> = self.chosen.iter().flat_map(|scan| scan.trials.first().copied()).collect();
        let moments = moments_of(&self.inputs.prepared, &trials);
        // Every point of a line from a trial to itself is that trial.
        let decoded = camera.embeddings(PathKind::Betas)?;
        let mut constrained = decoded.clone();
        for (space, strength) in self.truth.iter().zip(self.strengths) {
            constrained[space.part] = smoothed(&decoded[space.part], &moments, strength.strength);
        }
        let (records, truths) = self.inputs.write_truths(camera.run, self.chosen, self.split)?;
        let shown = shown(self.chosen.len());
        let films = [
            ("decoded", camera.film("decoded", &decoded, &shown, progress)?, &decoded),
            ("smoothed", camera.film("smoothed", &constrained, &shown, progress)?, &constrained),
        ];
        let truths = shown.iter().filter_map(|scan| truths.get(*scan).cloned()).collect();
        let [(_, of_decoded, _), (_, of_smoothed, _)] = &films;
        let rows = [truths, of_decoded.shown.clone(), of_smoothed.shown.clone()];
        camera.run.write_png(super::STRIP_FILE, &contact_sheet(&rows, 2))?;
        let both = [&decoded, &constrained];
        let similarity = self.truth.iter().zip(self.strengths);
        let similarity: Vec<SequenceSimilarity> = similarity
            .map(|(space, strength)| self.similarity(space, strength.strength, both, &moments))
            .collect::<Result<_>>()?;
        let scans = self.scans(records, &films, both)?;
        let films = films.iter().map(|(name, film, rows)| self.film(name, film, rows, &trials)).collect();
        self.finished(camera.run, scans, films, similarity, warnings)
    }

    /// How near decoded and smoothed embeddings of one space are to the truth, and to that of other images.
    fn similarity(
        &self,
        space: &TrueEmbeddings,
        strength: f64,
        [decoded, constrained]: [&[Array2<f32>; 2]; 2],
        moments: &[Moment],
    ) -> Result<SequenceSimilarity> {
        let images: Vec<u64> = self.chosen.iter().map(|scan| u64::from(scan.nsd_id.0)).collect();
        let config = BootstrapConfig::default();
        let mean = |values: &[f64], bounds| bounded_mean_interval(values, &images, &config, bounds);
        let own = |rows: &[Array2<f32>; 2]| row_products(&rows[space.part], space.of_trials());
        let (of_decoded, of_smoothed) = (own(decoded), own(constrained));
        let exchanged = exchanged(&decoded[space.part], moments, strength, self.settings.seed);
        let of_exchanged = row_products(&exchanged, space.of_trials());
        let gain = |of: &[f64]| -> Option<Interval> {
            let changes: Vec<f64> =
                of.iter().zip(&of_decoded).map(|(after, before)| after - before).collect();
            // Without smoothing there is no difference to be uncertain about.
            if strength < 1.0 { mean(&changes, DIFFERENCES) } else { None }
        };
        let others = space.mean_to_others(&decoded[space.part]);
        Ok(SequenceSimilarity {
            target: space.target,
            decoded: mean(&of_decoded, COSINES),
            smoothed: mean(&of_smoothed, COSINES),
            gain: gain(&of_smoothed),
            gain_in_exchanged_order: gain(&of_exchanged),
            others: if others.is_empty() { None } else { mean(&others, COSINES) },
        })
    }

    /// Every scan with its pictures and its own cosines.
    fn scans(
        &self,
        records: Vec<WayTrial>,
        films: &[(&str, Film, &[Array2<f32>; 2]); 2],
        [decoded, constrained]: [&[Array2<f32>; 2]; 2],
    ) -> Result<Vec<ScanRecord>> {
        let cosines = |rows: &[Array2<f32>; 2]| -> Vec<Vec<f64>> {
            self.truth.iter().map(|space| row_products(&rows[space.part], space.of_trials())).collect()
        };
        let (of_decoded, of_smoothed) = (cosines(decoded), cosines(constrained));
        let [(_, first, _), (_, second, _)] = films;
        let scan = |(number, seen): (usize, WayTrial)| {
            let at = |of: &[Vec<f64>]| of.iter().filter_map(|space| space.get(number).copied()).collect();
            let file = |film: &Film| film.files.get(number).cloned().unwrap_or_default();
            ScanRecord {
                session: self.inputs.prepared.trials()[seen.trial].session,
                seen,
                decoded: file(first),
                smoothed: file(second),
                decoded_cosines: at(&of_decoded),
                smoothed_cosines: at(&of_smoothed),
            }
        };
        Ok(records.into_iter().enumerate().map(scan).collect())
    }

    /// A film with its steps.
    fn film(&self, name: &str, film: &Film, rows: &[Array2<f32>; 2], trials: &[usize]) -> SequenceFilm {
        let ends = [trials.first(), trials.last()].map(|trial| trial.copied().unwrap_or_default());
        let of_space = |space: &TrueEmbeddings| {
            Evenness::of_steps(ends, space.target.into(), &angles(&rows[space.part]))
        };
        let mut evenness: Vec<Evenness> = self.truth.iter().map(of_space).collect();
        evenness.push(Evenness::of_steps(ends, DecodedTarget::Pixels, &film.pixel_steps));
        SequenceFilm { name: name.into(), gif: film.gif.clone(), evenness }
    }

    fn finished(
        &self,
        run: &RunDir,
        scans: Vec<ScanRecord>,
        films: Vec<SequenceFilm>,
        similarity: Vec<SequenceSimilarity>,
        warnings: Vec<String>,
    ) -> Result<SequenceSummary> {
        let Self { settings, inputs, split, .. } = self;
        let inference = inputs.inference(settings)?;
        let record = SequenceRecord {
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
            strip: super::STRIP_FILE,
            strengths: self.strengths,
            similarity: &similarity,
            films: &films,
            scans: &scans,
        };
        let manifest = run.write_atomic(MANIFEST_FILE, serde_json::to_string_pretty(&record)?.as_bytes())?;
        Ok(SequenceSummary {
            run: run.path().to_path_buf(),
            num_scans: scans.len(),
            strengths: self.strengths.to_vec(),
            similarity,
            gifs: films.iter().map(|film| run.join(&film.gif)).collect(),
            strip: run.join(super::STRIP_FILE),
            manifest,
            inference,
            warnings,
        })
    }
}

/// Scans of the strip, evenly spread.
fn shown(num_scans: usize) -> Vec<usize> {
    let count = num_scans.min(MOST_SHOWN);
    (0..count).map(|place| place * num_scans / count.max(1)).collect()
}

/// The control: the same smoothing of the scans of every session in an exchanged order, each then back in its place. What changes
/// slowly gains nothing by it.
fn exchanged(rows: &Array2<f32>, moments: &[Moment], strength: f64, seed: u64) -> Array2<f32> {
    let mut order: Vec<usize> = Vec::with_capacity(moments.len());
    let mut first = 0;
    for (number, session) in moments.chunk_by(|a, b| a.session == b.session).enumerate() {
        let mut of_session: Vec<usize> = (first..first + session.len()).collect();
        of_session.shuffle(&mut keyed_rng(seed, "interpolate exchanged order", number as u64));
        order.extend(of_session);
        first += session.len();
    }
    let mixed = smoothed(&rows.select(Axis(0), &order), moments, strength);
    let mut found = Array2::zeros(rows.dim());
    order.iter().zip(mixed.rows()).for_each(|(place, row)| found.row_mut(*place).assign(&row));
    found
}
