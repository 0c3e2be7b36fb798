//! What a run of `encode` reads: betas, what the images are to CLIP, the split, the noise ceiling.

use ndarray::{Array2, Axis};

use super::config::{EncodeConfig, RIDGE_SECTION, TRAIN_SECTION};
use super::settings::EncodeSettings;
use crate::data::error::DataError;
use crate::data::nsd::noise_ceiling::{noise_ceiling_percent, read_ncsnr};
use crate::data::nsd::tree::NsdTree;
use crate::data::padding::{padded_len, padding_left};
use crate::data::prepared::PreparedSubject;
use crate::data::split::{Side, Split};
use crate::data::subject::SubjectId;
use crate::files::file_is_there;
use crate::metrics::correlation::ceiling_correlation;
use crate::models::encoder::EncoderKind;
use crate::pipelines::encoding::latents::Latents;
use crate::pipelines::mapper_betas::{BetasControl, require_variation};
use crate::pipelines::run_folder::{Content, ContentHash, file_sha256, photographs_sha256};
use crate::pipelines::targets::captioned_stimuli::distinct_images;
use crate::pipelines::targets::decoded_pairs::tuning_split;
use crate::pipelines::workbench::Workbench;
use crate::run::memory::{Need, WorkingMemory};
use crate::training::ridge::{RidgeConfig, least_bytes};

/// Voxels fitted together; bounds the memory.
pub(super) const VOXELS_AT_ONCE: usize = 2048;

/// Everything that is read before the first fit. Rows are the training trials, then the held-out ones.
pub(super) struct Inputs {
    pub subject: PreparedSubject,
    pub split: Split,
    pub latents: Latents,
    /// `[rows, voxels]`
    pub betas: Array2<f32>,
    /// Which of the training rows choose ridge's penalties.
    pub ridge_tuning: Split,
    /// Which of them choose the network's epoch; all fit where none do.
    pub network_tuning: Split,
    /// The largest r that the noise of single trials leaves every voxel, where it is known.
    pub ceiling: Option<Vec<f64>>,
    /// Image of every held-out trial.
    pub held_out_images: Vec<u64>,
}

impl Inputs {
    /// Reads everything.
    ///
    /// # Errors
    /// An empty part of the split, sizes that cannot fit into memory, betas that are constant or cannot be read.
    pub fn read(settings: &EncodeSettings, bench: &mut Workbench<'_>) -> crate::error::Result<Self> {
        let data = &settings.data;
        let subject = PreparedSubject::open(&data.prepared)?;
        let split = data.split.split(&subject)?;
        if split.validation.is_empty() {
            let what = format!("the validation part of `{}`", data.prepared.display());
            return Err(DataError::empty(what, data.split.advice_for(Side::Validation)).into());
        }
        require_memory(settings, &subject, &split)?;
        let ridge_tuning = tuning_split(&subject, &split.train, &settings.encode.ridge_fit)
            .map_err(|error| error.within(RIDGE_SECTION))?;
        let network_tuning = network_tuning(&settings.encode, &subject, &split)?;
        let ceiling = ceilings(&NsdTree::new(&settings.nsd), &subject)?;
        let trials: Vec<usize> = split.train.iter().chain(&split.validation).copied().collect();
        let latents = Latents::load(settings.sources(), &subject, &trials, bench)?;
        let betas = subject.betas_of(&trials)?;
        let train: Vec<usize> = (0..split.train.len()).collect();
        require_variation(subject.path(), betas.view(), &train)?;
        let groups = subject.split_groups();
        let held_out_images = split.validation.iter().map(|trial| groups[*trial]).collect();
        Ok(Self { subject, split, latents, betas, ridge_tuning, network_tuning, ceiling, held_out_images })
    }

    /// Training rows.
    pub fn num_train(&self) -> usize {
        self.split.train.len()
    }

    /// The row whose betas every row gets: its own, or for the control another's.
    pub fn betas_of(&self, control: BetasControl, seed: u64) -> Vec<usize> {
        control.order(self.betas.nrows(), seed)
    }

    /// Betas of the held-out rows.
    pub fn measured(&self, betas_of: &[usize]) -> Array2<f32> {
        self.betas.select(Axis(0), &betas_of[self.num_train()..])
    }

    /// Length of the padded voxel vector, and the zeros before the first voxel.
    pub fn padding(&self) -> [usize; 2] {
        let num_voxels = self.subject.num_voxels();
        let signal_len = padded_len(num_voxels, self.subject.subject());
        [signal_len, padding_left(num_voxels, signal_len)]
    }

    /// What a training is begun with, and must be continued with.
    ///
    /// # Errors
    /// Captions or images that cannot be read.
    pub fn content(&self, settings: &EncodeSettings) -> crate::error::Result<Content> {
        let mut split = ContentHash::default();
        split.places(self.split.train.iter().copied());
        split.places(self.split.validation.iter().copied());
        let data = &settings.data;
        let mut content = Content::default()
            .told("kind", settings.encode.kind)
            .told("space", settings.encode.space)
            .told("subject", self.subject.subject())
            .told("split", &data.split)
            .with("betas", ContentHash::of_array(&self.betas))
            .with("networks of the embeddings", self.latents.networks_sha256.join(", "))
            .with("trials of the split", split.finish());
        if settings.has_captions() {
            content = content.with("captions", file_sha256(&data.captions, "an encoder of captions")?);
        }
        if settings.has_pictures() {
            let images = distinct_images(self.subject.trials().iter().copied());
            content = content.with("photographs", photographs_sha256(&data.stimuli, &images)?);
        }
        Ok(content)
    }
}

/// Which of the training rows choose the network's epoch.
fn network_tuning(
    config: &EncodeConfig,
    subject: &PreparedSubject,
    split: &Split,
) -> crate::error::Result<Split> {
    if config.train.tuning_fraction == 0.0 || !config.kind.has_network() {
        return Ok(Split { train: (0..split.train.len()).collect(), validation: Vec::new() });
    }
    let share = RidgeConfig { tuning_fraction: config.train.tuning_fraction, ..RidgeConfig::default() };
    Ok(tuning_split(subject, &split.train, &share).map_err(|error| error.within(TRAIN_SECTION))?)
}

/// Refuses sizes that cannot fit: the betas of all trials, what is predicted of the held-out ones, and beside them a block of voxels in
/// double precision or the network.
fn require_memory(
    settings: &EncodeSettings,
    subject: &PreparedSubject,
    split: &Split,
) -> crate::error::Result<()> {
    let (num_trials, num_voxels) = (split.train.len() + split.validation.len(), subject.num_voxels());
    let of_betas = 4 * (num_trials + 2 * split.validation.len()) as u128 * num_voxels as u128;
    // The width of the embeddings is not read yet.
    let of_block = least_bytes(split.train.len(), 1, num_voxels.min(VOXELS_AT_ONCE));
    let need = WorkingMemory {
        key: "encode",
        what: format!("betas of {num_voxels} voxels in {num_trials} trials"),
        bytes: of_betas + of_block,
        advice: "fewer voxels (`prepare.roi`) or fewer trials (`split`) need less",
    };
    need.check()?;
    let EncodeConfig { kind, network, train, .. } = &settings.encode;
    if kind.kinds().contains(&EncoderKind::Paper) {
        let network = network.between(1, padded_len(num_voxels, subject.subject()));
        let batch = train.batch.min(split.train.len()) as u128;
        let activations = batch * network.least_activations();
        let need = Need { parameters: network.least_values(), activations, images: 0 };
        need.check(["encode.network", "encode.train.batch"], settings.data.device)?;
    }
    Ok(())
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
