//! `mindreader encode`: how well each voxel's betas follow from the embedding of the image seen, beside the noise ceiling.
//!
//! The encoding model is linear: ridge regression from the target of the image mapper (docs/spec/mapper.md §2) to the
//! betas, fitted to the training trials, scored by Pearson's r over the validation trials (docs/spec/metrics.md §5).
//! Writes volumes, pictures and `summary.json` into a run folder.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ndarray::{Array2, Axis, s};
use serde::{Deserialize, Serialize};

use super::train_mapper::{BetasControl, TrainMapperConfig, TrainMapperSettings};
use crate::data::error::DataError;
use crate::data::formats::nifti::{Frame, write_volume_at};
use crate::data::nsd::noise_ceiling::{noise_ceiling_percent, read_ncsnr};
use crate::data::nsd::tree::NsdTree;
use crate::data::prepared::PreparedSubject;
use crate::data::split::Side;
use crate::data::split::{Split, SplitRecord};
use crate::data::subject::SubjectId;
use crate::error::SettingError;
use crate::files::file_is_there;
use crate::interrupt;
use crate::metrics::correlation::{ceiling_correlation, voxel_correlation};
use crate::models::mapper::MapperTarget;
use crate::pipelines::inference::Inference;
use crate::pipelines::project::Project;
use crate::pipelines::targets::decoded_pairs::tuning_split;
use crate::pipelines::targets::trial_targets::TrialTargets;
use crate::pipelines::workbench::Workbench;
use crate::report::{BrainView, Viewpoint};
use crate::run::device::open;
use crate::run::error::RunError;
use crate::run::memory::WorkingMemory;
use crate::run::progress::Progress;
use crate::run::run_dir::RunDir;
use crate::training::ridge::{RidgeConfig, fit_tuned_ridge, least_bytes};

/// Where the settings of the regression stand.
const RIDGE_SECTION: &str = "encode.ridge_fit";
/// Voxels fitted together; bounds the memory.
const VOXELS_AT_ONCE: usize = 2048;
/// Below this ceiling a voxel's share of it says nothing.
const LEAST_CEILING: f64 = 0.1;
/// Seconds between trials, for the headers of volumes that have no time axis.
const REPETITION_TIME: f64 = 1.0;

/// Settings of the section `[encode]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EncodeConfig {
    /// How the penalty is chosen, for each block of voxels.
    pub ridge_fit: RidgeConfig,
}

impl Default for EncodeConfig {
    /// Few predictors and noisy targets: larger penalties than for decoding.
    fn default() -> Self {
        let penalties = vec![0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0];
        Self { ridge_fit: RidgeConfig { penalties, ..RidgeConfig::default() } }
    }
}

impl EncodeConfig {
    /// Checks every range.
    ///
    /// # Errors
    /// [`SettingError`] that names the first key out of range.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.ridge_fit.validate().map_err(|error| error.within(RIDGE_SECTION))
    }
}

/// Everything that a run needs.
#[derive(Clone, Debug, Serialize)]
pub struct EncodeSettings {
    /// Root of the NSD tree, for the noise ceiling.
    pub nsd: PathBuf,
    /// The model.
    pub encode: EncodeConfig,
    /// Subject, stimuli, CLIP, split and the form of the embeddings.
    pub data: TrainMapperSettings,
}

impl EncodeSettings {
    /// Settings of the command in a project.
    ///
    /// # Errors
    /// When the NSD root is not set or no CLIP is there.
    pub fn resolve(
        project: &Project,
        encode: &EncodeConfig,
        train_mapper: &TrainMapperConfig,
    ) -> Result<Self, RunError> {
        let (target, betas) = (MapperTarget::Image, BetasControl::Measured);
        Ok(Self {
            nsd: project.nsd()?,
            encode: encode.clone(),
            data: TrainMapperSettings::resolve(project, train_mapper, target, betas, None)?,
        })
    }
}

/// Means over the voxels of a region.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionAccuracy {
    /// Voxels of the region.
    pub num_voxels: usize,
    /// Mean of Pearson's r between predicted and measured betas of single trials.
    pub accuracy: f64,
    /// Mean of the largest r that the noise leaves, `√(ceiling of single trials)`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ceiling: Option<f64>,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EncodeSummary {
    /// The run's folder.
    pub run: PathBuf,
    /// Trials scored.
    pub num_trials: usize,
    /// Which pictures were held out, by a hash; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_record: Option<SplitRecord>,
    /// Whether held-out trials had a part in how they were scored; unknown in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<Inference>,
    /// All prepared voxels.
    pub all: RegionAccuracy,
    /// Regions by `file:name`.
    pub regions: BTreeMap<String, RegionAccuracy>,
    /// Volume of accuracies; NaN outside the prepared voxels. None where the voxels have no places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<PathBuf>,
    /// Pictures: what they show and from where, and their files inside the run folder.
    pub views: Vec<(String, String, String)>,
}

/// Runs the command.
///
/// # Errors
/// Data or snapshots that are missing or do not fit each other.
pub fn run(settings: &EncodeSettings, progress: &mut dyn Progress) -> crate::error::Result<EncodeSummary> {
    settings.encode.validate()?;
    let (device, _) = open(settings.data.device)?;
    let subject = PreparedSubject::open(&settings.data.prepared)?;
    let split = settings.data.split.split(&subject)?;
    if split.validation.is_empty() {
        let what = format!("the validation part of `{}`", settings.data.prepared.display());
        return Err(DataError::empty(what, settings.data.split.advice_for(Side::Validation)).into());
    }
    need(&subject, &split).check()?;
    let mut bench = Workbench::new(&device, &settings.data.cache, progress);
    let targets = TrialTargets::load(settings.data.target_source(), &subject, &mut bench)?;
    let accuracy = accuracies(settings, &subject, &split, &targets, progress)?;
    let ceiling = ceilings(&NsdTree::new(&settings.nsd), &subject)?;
    let dir = RunDir::create(&settings.data.runs, &format!("encode-{}", subject.subject()))?;
    dir.write_atomic("config.toml", toml::to_string(settings)?.as_bytes())?;
    let maps = Maps { accuracy: &accuracy, ceiling: ceiling.as_deref() };
    let has_volume = subject.has_volume();
    if !has_volume {
        progress.note("No volumes and no views of the brain: the voxels were imported without coordinates.");
    }
    let summary = EncodeSummary {
        run: dir.path().to_path_buf(),
        num_trials: split.validation.len(),
        split_record: Some(settings.data.split.record(&subject, &split)),
        inference: Some(Inference::of_betas(&subject, settings.data.split.rule, [])),
        all: maps.region(&(0..accuracy.len()).collect::<Vec<_>>()),
        regions: maps.regions(&subject),
        accuracy: if has_volume { Some(maps.write_volumes(&dir, &subject)?) } else { None },
        views: if has_volume { maps.write_views(&dir, &subject)? } else { Vec::new() },
    };
    dir.write_atomic("summary.json", &serde_json::to_vec_pretty(&summary)?)?;
    Ok(summary)
}

/// The least that the fit holds: the betas of all trials, and a block of voxels in f64.
fn need(subject: &PreparedSubject, split: &Split) -> WorkingMemory {
    let (num_trials, num_voxels) = (split.train.len() + split.validation.len(), subject.num_voxels());
    // The width of the embeddings is not read yet.
    let of_block = least_bytes(split.train.len(), 1, num_voxels.min(VOXELS_AT_ONCE));
    WorkingMemory {
        key: "encode",
        what: format!("betas of {num_voxels} voxels in {num_trials} trials"),
        bytes: 4 * num_trials as u128 * num_voxels as u128 + of_block,
        advice: "fewer voxels (`prepare.roi`) or fewer trials (`split`) need less",
    }
}

/// The largest r that the noise of single trials leaves every voxel, where the tree says.
fn ceilings(tree: &NsdTree, subject: &PreparedSubject) -> Result<Option<Vec<f64>>, DataError> {
    let provenance = subject.provenance();
    let SubjectId::Nsd(nsd) = provenance.subject else {
        let largest = |percent: &f32| ceiling_correlation(f64::from(*percent));
        return Ok(subject.noise_ceiling().map(|percent| percent.iter().map(largest).collect()));
    };
    let path = tree.ncsnr(nsd, provenance.resolution, &provenance.betas_version);
    if !file_is_there(&path)? {
        return Ok(None);
    }
    let ratios = read_ncsnr(&path, &subject.space(), subject.flat_index())?;
    let largest = |ratio: f32| ceiling_correlation(noise_ceiling_percent(f64::from(ratio), 1));
    Ok(Some(ratios.into_iter().map(largest).collect()))
}

/// Pearson's r of every voxel over the validation trials.
fn accuracies(
    settings: &EncodeSettings,
    subject: &PreparedSubject,
    split: &Split,
    targets: &TrialTargets,
    progress: &mut dyn Progress,
) -> crate::error::Result<Vec<f64>> {
    let trials: Vec<usize> = split.train.iter().chain(&split.validation).copied().collect();
    let embeddings = targets.single(&trials);
    let num_train = split.train.len();
    let config = &settings.encode.ridge_fit;
    let tuning = tuning_split(subject, &split.train, config).map_err(|error| error.within(RIDGE_SECTION))?;
    let held_out = embeddings.slice(s![num_train.., ..]);
    let betas = subject.betas_of(&trials)?;
    let num_voxels = betas.ncols();
    progress.start("encoding voxels", num_voxels as u64);
    let mut found = Vec::with_capacity(num_voxels);
    for first in (0..num_voxels).step_by(VOXELS_AT_ONCE) {
        let block = betas.slice(s![.., first..num_voxels.min(first + VOXELS_AT_ONCE)]);
        let ridge = fit_tuned_ridge(embeddings.view(), block, &tuning.train, &tuning.validation, config)
            .map_err(|error| error.within(RIDGE_SECTION))?;
        let measured: Array2<f32> = block.slice_axis(Axis(0), (num_train..).into()).to_owned();
        let predicted = ridge.predict(held_out);
        let r = voxel_correlation(predicted.view(), measured.view());
        found.extend(
            r.ok_or_else(|| crate::error::Error::failure("predicted and measured betas differ in shape"))?,
        );
        interrupt::check()?;
        progress.advance(found.len() as u64, "");
    }
    progress.finish("");
    Ok(found)
}

/// A value per prepared voxel.
struct Maps<'a> {
    accuracy: &'a [f64],
    ceiling: Option<&'a [f64]>,
}

impl Maps<'_> {
    fn region(&self, voxels: &[usize]) -> RegionAccuracy {
        let mean = |values: &[f64]| {
            let finite = voxels.iter().map(|voxel| values[*voxel]).filter(|value| value.is_finite());
            let (sum, count) = finite.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
            sum / f64::from(count.max(1))
        };
        RegionAccuracy {
            num_voxels: voxels.len(),
            accuracy: mean(self.accuracy),
            ceiling: self.ceiling.map(mean),
        }
    }

    fn regions(&self, subject: &PreparedSubject) -> BTreeMap<String, RegionAccuracy> {
        let mut regions = BTreeMap::new();
        for file in subject.rois() {
            let Some(roi) = subject.roi(file) else { continue };
            for (label, name) in &roi.names {
                let inside: Vec<usize> =
                    (0..roi.labels.len()).filter(|voxel| roi.labels[*voxel] == *label).collect();
                if !inside.is_empty() {
                    regions.insert(format!("{file}:{name}"), self.region(&inside));
                }
            }
        }
        regions
    }

    /// Accuracy and ceiling as NIfTI volumes in the subject's functional space.
    fn write_volumes(&self, dir: &RunDir, subject: &PreparedSubject) -> Result<PathBuf, DataError> {
        let provenance = subject.provenance();
        let write = |name: &str, values: &[f64]| {
            let mut volume = vec![f32::NAN; provenance.grid.iter().product()];
            for (voxel, value) in subject.flat_index().iter().zip(values) {
                volume[*voxel] = *value as f32;
            }
            let path = dir.join(name);
            let size = provenance.resolution.voxel_size_mm();
            let affine = provenance.position.as_ref().map(|position| &position.affine);
            let values = Frame::F32(&volume);
            write_volume_at(&path, &provenance.grid, values, affine, size, REPETITION_TIME).map(|()| path)
        };
        if let Some(ceiling) = self.ceiling {
            write("noise_ceiling.nii.gz", ceiling)?;
        }
        write("accuracy.nii.gz", self.accuracy)
    }

    /// The maps through the brain, from four sides.
    fn write_views(
        &self,
        dir: &RunDir,
        subject: &PreparedSubject,
    ) -> crate::error::Result<Vec<(String, String, String)>> {
        let share: Option<Vec<f64>> = self.ceiling.map(|ceiling| {
            let of = |(r, ceiling): (&f64, &f64)| {
                if *ceiling >= LEAST_CEILING { (r / ceiling).max(0.0) } else { f64::NAN }
            };
            self.accuracy.iter().zip(ceiling).map(of).collect()
        });
        let top = self.ceiling.unwrap_or(self.accuracy).iter().copied().filter(|value| value.is_finite());
        let top = top.fold(0.1, f64::max);
        let mut views = Vec::new();
        let maps = [
            ("accuracy", Some(self.accuracy), top),
            ("noise ceiling", self.ceiling, top),
            ("share of the ceiling", share.as_deref(), 1.0),
        ];
        for (name, values, top) in maps {
            let Some(values) = values else { continue };
            let view = BrainView {
                grid: subject.provenance().grid,
                voxels: subject.flat_index(),
                values,
                range: (0.0, top),
            };
            for from in Viewpoint::ALL {
                let file = format!("views/{name} {}.png", from.name()).replace(' ', "-");
                let mut png = std::io::Cursor::new(Vec::new());
                view.draw(from).write_to(&mut png, image::ImageFormat::Png)?;
                dir.write_atomic(&file, &png.into_inner())?;
                views.push((format!("{name}, 0 to {top:.2}"), from.name().to_string(), file));
            }
        }
        Ok(views)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::fixtures::linear_brain::{settings, write_all};
    use crate::data::formats::nifti;
    use crate::run::progress::Silent;

    #[test]
    fn a_linear_brain_follows_from_embeddings() {
        let folder = tempfile::tempdir().unwrap();
        write_all(folder.path());
        let data = settings(folder.path());
        let settings =
            EncodeSettings { nsd: folder.path().join("nsd"), encode: EncodeConfig::default(), data };
        let summary = run(&settings, &mut Silent).unwrap();
        assert_eq!((summary.all.num_voxels, summary.all.ceiling), (40, None));
        assert!(summary.all.accuracy > 0.4, "{summary:?}");
        assert_eq!(summary.regions["nsdgeneral:nsdgeneral"], summary.all);
        let volume = nifti::read_volume(summary.accuracy.as_ref().unwrap(), "a test").unwrap();
        // Half of the grid is outside of the prepared voxels.
        let (of_brain, outside) = volume.data.split_at(40);
        assert!(outside.len() == 40 && outside.iter().all(|value| value.is_nan()), "{outside:?}");
        let mean = of_brain.iter().sum::<f64>() / 40.0;
        assert!((mean - summary.all.accuracy).abs() < 1e-6);
        assert!(summary.views.iter().all(|(_, _, file)| summary.run.join(file).is_file()));
        let again = run(&settings, &mut Silent).unwrap();
        assert_eq!(again.all, summary.all);
    }

    #[test]
    fn regions_are_means_over_voxels_that_have_a_number() {
        let maps = Maps { accuracy: &[0.1, 0.3, f64::NAN, 0.9], ceiling: Some(&[0.5, 0.7, f64::NAN, 0.9]) };
        let region = maps.region(&[0, 1, 2]);
        assert_eq!(region.num_voxels, 3);
        assert!((region.accuracy - 0.2).abs() < 1e-12 && (region.ceiling.unwrap() - 0.6).abs() < 1e-12);
    }
}
