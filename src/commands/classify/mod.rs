//! `mindreader classify`: which categories of things and stuff can be told from betas, from embeddings of the images, and from what
//! mappers decode (section 3.4, table 2, figure 6 of the paper; docs/spec/mapper.md §9), and with masked voxels (docs/spec/mapper.md §10).
//!
//! Writes `config.toml`, `categories.csv`, `charts/`, with masks `masking.csv`, and `summary.json` into a run folder.

mod classifiers;
mod config;
mod features;
mod labels;
mod masking;
mod numbers;
mod paper;
mod run_files;
mod scored;
mod settings;
mod summary;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;

pub use self::classifiers::ClassifierKind;
use self::classifiers::{Classifiers, Fitting};
pub use self::config::{ClassifierInput, ClassifyConfig, HiddenUnits, MappedTraining, MaskConfig};
use self::features::FeatureReader;
use self::labels::Labels;
pub use self::labels::{Category, CategoryKind, LabelSource, LeftOut};
use self::masking::{MaskedInput, Masking};
pub use self::paper::PaperScores;
use self::run_files::CategoryAreas;
use self::scored::{Scored, Scorer};
pub use self::settings::ClassifySettings;
pub use self::summary::{
    CHANCE, ClassifierRow, ClassifySummary, ExchangedScores, GroupScore, GroupScores, MaskedCurve,
    MaskedPoint,
};
use crate::data::error::DataError;
use crate::data::prepared::PreparedSubject;
use crate::data::split::{Side, Split};
use crate::error::Result;
use crate::models::category_classifier::CategoryClassifierConfig;
use crate::pipelines::inference::Inference;
use crate::pipelines::measured::NUMBERS_FILE;
use crate::pipelines::targets::decoded_pairs::tuning_split;
use crate::pipelines::workbench::Workbench;
use crate::run::device;
use crate::run::memory::{Need, WorkingMemory};
use crate::run::progress::Progress;
use crate::run::run_dir::{RunDir, SUMMARY_FILE};
use crate::tensor_ops::backend::Device;
use crate::training::ridge::least_bytes;

/// Trains classifiers on every input that the subject has, and scores them on the held-out trials.
///
/// # Errors
/// Data, snapshots or settings that do not fit, images without categories, a request to stop.
pub fn run(settings: &ClassifySettings, progress: &mut dyn Progress) -> Result<ClassifySummary> {
    let config = &settings.classify;
    config.validate()?;
    let (device, _) = device::open(settings.device)?;
    let subject = PreparedSubject::open(&settings.prepared)?;
    let split = settings.split.split(&subject)?;
    if split.validation.is_empty() {
        let what = format!("the validation part of `{}`", settings.prepared.display());
        return Err(DataError::empty(what, settings.split.advice_for(Side::Validation)).into());
    }
    progress.start("reading categories", 0);
    let labels = Labels::read(&settings.nsd, &subject, &split, config)?;
    progress.finish(&format!("{} categories", labels.scored(None).len()));
    require_memory(settings, &subject, &split, &labels)?;
    settings.left_out.iter().for_each(|note| progress.note(note));
    let mut bench = Workbench::new(&device, &settings.cache, progress);
    let reader = FeatureReader::open(settings, &subject, &split, &mut bench)?;
    let tuning = tuning_split(&subject, &split.train, &config.ridge_fit)
        .map_err(|error| error.within(config::RIDGE_SECTION))?;
    let fitting = Fitting { config, labels: &labels, tuning: &tuning, device: &device };
    let found = Classification { fitting: &fitting, reader: &reader, device: &device }.all(progress)?;
    let dir = RunDir::create(&settings.runs, &format!("classify-{}", subject.subject()))?;
    dir.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    let images = |trials: &[usize]| {
        trials.iter().map(|trial| subject.trials()[*trial].nsd_id).collect::<BTreeSet<_>>().len()
    };
    let summary = ClassifySummary {
        run: dir.path().to_path_buf(),
        subject: Some(subject.subject().to_string()),
        seed: Some(config.train.seed),
        source: labels.source,
        num_train: [split.train.len(), images(&split.train)],
        num_test: [split.validation.len(), images(&split.validation)],
        split_record: settings.split.record(&subject, &split),
        inference: Inference::of_betas(&subject, settings.split.rule, reader.reasons()?),
        categories: labels.categories.clone(),
        left_out: labels.left_out.clone(),
        mapped_training: config.mapped_training,
        chance: CHANCE,
        rows: found.rows,
        masking: found.masking,
        notes: settings.left_out.clone(),
    };
    run_files::write(&dir, &summary, &found.areas)?;
    dir.write_atomic(NUMBERS_FILE, &summary.numbers().csv()?)?;
    dir.write_atomic(SUMMARY_FILE, &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// Refuses betas and networks that cannot fit into memory.
fn require_memory(
    settings: &ClassifySettings,
    subject: &PreparedSubject,
    split: &Split,
    labels: &Labels,
) -> Result<()> {
    let config = &settings.classify;
    let (num_voxels, categories) = (subject.num_voxels(), labels.categories.len());
    let num_trials = split.train.len() + split.validation.len();
    let betas = WorkingMemory {
        key: "classify",
        what: format!("betas of {num_voxels} voxels in {num_trials} trials"),
        bytes: 4 * num_trials as u128 * num_voxels as u128
            + least_bytes(split.train.len(), num_voxels, categories),
        advice: "fewer voxels (`prepare.roi`) or fewer trials (`split`) need less",
    };
    if config.wants(ClassifierInput::Fmri) {
        betas.check()?;
    }
    let batch = split.train.len().min(config.train.batch) as u128;
    for (key, input, inputs) in [
        ("classify.hidden.fmri", ClassifierInput::Fmri, num_voxels),
        // The width of the vectors is not read yet.
        ("classify.hidden.clip", ClassifierInput::ClipImage, 1),
        ("classify.hidden.resnet", ClassifierInput::ResnetImage, 1),
    ] {
        let hidden = config.hidden.of(input);
        let parameters = CategoryClassifierConfig { inputs, hidden, categories }.num_values();
        let activations = batch * (hidden[0] + hidden[1]) as u128;
        Need { parameters, activations, images: 0 }.check([key, "classify.train.batch"], settings.device)?;
    }
    Ok(())
}

/// All classifiers of a subject.
struct Classification<'a> {
    fitting: &'a Fitting<'a>,
    reader: &'a FeatureReader,
    device: &'a Device,
}

/// What they found.
#[derive(Default)]
struct Found {
    rows: Vec<ClassifierRow>,
    areas: Vec<CategoryAreas>,
    masking: Vec<MaskedCurve>,
}

/// The areas of an input's classifiers.
struct InputScores {
    input: ClassifierInput,
    /// Of the network and of the linear classifier.
    own: [Scored; 2],
    /// Of every exchange.
    exchanged: [Vec<Scored>; 2],
    classifiers: Classifiers,
}

impl Classification<'_> {
    /// Rows, areas and, where they are wanted, curves.
    fn all(&self, progress: &mut dyn Progress) -> Result<Found> {
        let config = self.fitting.config;
        let scorer = Scorer::new(self.fitting.labels, &config.bootstrap);
        let mut scored = Vec::new();
        for input in config.wanted() {
            scored.extend(self.of_input(input, &scorer, progress)?);
        }
        let fmri = scored.iter().position(|scores| scores.input == ClassifierInput::Fmri);
        let mut found = Found::default();
        for scores in &scored {
            for (which, classifier) in ClassifierKind::ALL.into_iter().enumerate() {
                found.rows.extend(self.row(scores, which, fmri.map(|at| &scored[at]), &scorer));
                found.areas.push(areas(scores, which, classifier, self.fitting.labels, &scorer));
            }
        }
        if found.rows.is_empty() {
            let message = "`classify.inputs`: found none that the subject has, expected `fmri` among them, or the networks and mappers of the others";
            return Err(crate::error::Error::bad_input(message));
        }
        if config.masking {
            found.masking = self.masked(&scored, progress)?;
        }
        warn_of_edges(&found.rows, progress);
        Ok(found)
    }

    fn of_input(
        &self,
        input: ClassifierInput,
        scorer: &Scorer<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Option<InputScores>> {
        let config = self.fitting.config;
        let Some(features) = self.reader.of(input, config.mapped_training, self.device)? else {
            return Ok(None);
        };
        let labels = self.fitting.own_and_exchanged(config.exchanges);
        let fitted = self.fitting.fit(input, &features, &labels, progress)?;
        let mut scored: [Vec<Scored>; 2] = Default::default();
        for classifiers in &fitted {
            for (scored, scores) in scored.iter_mut().zip(classifiers.scores(features.test.view())?) {
                scored.push(scorer.score(scores.view())?);
            }
        }
        let [network, linear] = scored.map(|mut all| {
            let exchanged = all.split_off(1.min(all.len()));
            (all.pop(), exchanged)
        });
        let (Some(own_network), Some(own_linear)) = (network.0, linear.0) else { return Ok(None) };
        let own = [own_network, own_linear];
        let exchanged = [network.1, linear.1];
        let classifiers = fitted.into_iter().next();
        Ok(classifiers.map(|classifiers| InputScores { input, own, exchanged, classifiers }))
    }

    /// The row of one of an input's classifiers.
    fn row(
        &self,
        scores: &InputScores,
        which: usize,
        fmri: Option<&InputScores>,
        scorer: &Scorer<'_>,
    ) -> Option<ClassifierRow> {
        let (input, classifier) = (scores.input, ClassifierKind::ALL[which]);
        let own = &scores.own[which];
        let is_network = classifier == ClassifierKind::Network;
        let is_coco = self.fitting.labels.source == LabelSource::Coco;
        let percent = |part: f64, whole: f64| 100.0 * (part / whole);
        let penalty = (!is_network).then_some(scores.classifiers.ridge.penalty);
        let ridge_fit = &self.fitting.config.ridge_fit;
        Some(ClassifierRow {
            input,
            classifier,
            scores: scorer.groups(own)?,
            percent_of_fmri: fmri.and_then(|fmri| scorer.paired([own, &fmri.own[which]], percent)),
            over_linear: match is_network {
                true => scorer.paired([own, &scores.own[1]], |network, linear| network - linear),
                false => None,
            },
            exchanged: exchanged_scores(&scores.exchanged[which], scorer),
            penalty,
            penalty_at_edge: penalty.and_then(|penalty| ridge_fit.edge(penalty)),
            paper: (is_network && is_coco).then(|| paper::of_paper(input)),
        })
    }

    /// Curves over masked voxels: of betas and of what the image mapper decodes.
    fn masked(&self, scored: &[InputScores], progress: &mut dyn Progress) -> Result<Vec<MaskedCurve>> {
        let masked = [ClassifierInput::Fmri, ClassifierInput::ClipMapped];
        let inputs = scored.iter().filter(|scores| masked.contains(&scores.input));
        let inputs: Vec<MaskedInput<'_>> = inputs
            .map(|InputScores { input, classifiers, .. }| MaskedInput {
                input: *input,
                mapper: self.reader.mapper(*input),
                classifiers,
            })
            .collect();
        let config = self.fitting.config;
        Masking {
            config: &config.mask,
            fitting: self.fitting,
            reader: self.reader,
            inputs: &inputs,
            bootstrap: &config.bootstrap,
        }
        .curves(progress)
    }
}

fn exchanged_scores(exchanged: &[Scored], scorer: &Scorer<'_>) -> Option<ExchangedScores> {
    let means: Vec<f64> =
        exchanged.iter().filter_map(|scored| Some(scorer.group(scored, None)?.auc.mean)).collect();
    let scores = scorer.groups(&Scored::mean(exchanged)?)?;
    let lowest = means.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = means.iter().copied().fold(0.0, f64::max);
    Some(ExchangedScores { exchanges: exchanged.len(), scores, range: [lowest, highest] })
}

fn areas(
    scores: &InputScores,
    which: usize,
    classifier: ClassifierKind,
    labels: &Labels,
    scorer: &Scorer<'_>,
) -> CategoryAreas {
    let columns = 0..labels.categories.len();
    let exchanged = Scored::mean(&scores.exchanged[which]);
    CategoryAreas {
        input: scores.input,
        classifier,
        areas: columns.clone().map(|column| scorer.category(&scores.own[which], column)).collect(),
        exchanged: columns.map(|column| Some(scorer.category(exchanged.as_ref()?, column)?.mean)).collect(),
    }
}

/// Says it where a penalty lies at an end of its list.
fn warn_of_edges(rows: &[ClassifierRow], progress: &mut dyn Progress) {
    for row in rows {
        if let Some((penalty, edge)) = row.penalty.zip(row.penalty_at_edge) {
            let name = format!("{}, linear: the penalty", row.input.name());
            progress.warning(&edge.warning(&name, penalty, "classify.ridge_fit.penalties"));
        }
    }
}
