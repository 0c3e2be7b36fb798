//! Arguments of `import`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::layers::Layers;
use crate::cli::usage_error::UsageError;

/// Arguments of `import`.
#[derive(Debug, Args)]
#[command(
    after_help = "Example: mindreader import --subject s01 --betas betas.npy --trials trials.csv --images pictures\n\
                  Everything that may be given: docs/own-data.md"
)]
pub struct ImportArgs {
    /// Responses [trials, voxels] (.npy, .npz, HDF5, MATLAB, CSV) or volumes (.nii.gz); FILE:NAME picks an array; several are joined
    #[arg(long, value_name = "FILE[:NAME]")]
    pub betas: Vec<String>,
    /// Responses to held-out pictures, joined behind the others
    #[arg(long, value_name = "FILE[:NAME]")]
    pub test_betas: Vec<String>,
    /// Volume that is not 0 at the voxels to take, for betas that are volumes
    #[arg(long, value_name = "FILE")]
    pub mask: Option<PathBuf>,
    /// Table with a column `image`, optional `session`, `run`, `split` (train or test), `class` (what the picture shows): row i is that
    /// of row i of the betas
    #[arg(long, value_name = "FILE.csv")]
    pub trials: Option<PathBuf>,
    /// Folder of pictures, or arrays [n, height, width(, 3)] or [n, side·side]
    #[arg(long, value_name = "DIR|FILE[:NAME]")]
    pub images: Vec<String>,
    /// How the pixels of flattened pictures lie: rows or columns
    #[arg(long, value_name = "ORDER")]
    pub image_order: Option<String>,
    /// Table with the columns `image` and `caption`, several rows a picture
    #[arg(long, value_name = "FILE.csv")]
    pub captions: Option<PathBuf>,
    /// Embeddings, a row a picture, that `train_mapper.own_targets` aims at in place of CLIP's
    #[arg(long, value_name = "FILE[:NAME]")]
    pub targets: Option<String>,
    /// Table with a column `image`: the picture of every row of --targets
    #[arg(long, value_name = "FILE.csv")]
    pub target_names: Option<PathBuf>,
    /// Table with a column a region (0/1 or labels) and a row a voxel, or a label volume; may be given several times
    #[arg(long, value_name = "FILE")]
    pub rois: Vec<PathBuf>,
    /// Table with the columns `i`, `j`, `k` and a row a voxel; needs --affine
    #[arg(long, value_name = "FILE.csv")]
    pub coordinates: Option<PathBuf>,
    /// Millimetres of those voxels: a table of 4 x 4 numbers, or a volume of their space
    #[arg(long, value_name = "FILE")]
    pub affine: Option<PathBuf>,
    /// Percent of a single trial's variance that can be explained, a number a voxel, or a volume
    #[arg(long, value_name = "FILE[:NAME]")]
    pub noise_ceiling: Option<String>,
    /// Within what betas are made z-scores: session, run, train (by the training trials) or none
    #[arg(long, value_name = "WHAT")]
    pub standardize: Option<String>,
    /// Replace a subject of this name that is already there
    #[arg(long)]
    pub overwrite: bool,
}

impl ImportArgs {
    /// Adds the flags to the settings.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn layers(&self, mut layers: Layers) -> Result<Layers, UsageError> {
        let lists = [
            ("import.betas", &self.betas),
            ("import.test_betas", &self.test_betas),
            ("import.images", &self.images),
        ];
        for (key, list) in lists {
            if !list.is_empty() {
                layers = layers.value(key, list.clone())?;
            }
        }
        if !self.rois.is_empty() {
            let rois: Vec<String> =
                self.rois.iter().map(|path| path.to_string_lossy().into_owned()).collect();
            layers = layers.value("import.rois", rois)?;
        }
        for (key, path) in [
            ("import.mask", &self.mask),
            ("import.trials", &self.trials),
            ("import.captions", &self.captions),
            ("import.target_names", &self.target_names),
            ("import.coordinates", &self.coordinates),
            ("import.affine", &self.affine),
        ] {
            layers = layers.optional_path(key, path.as_ref())?;
        }
        layers
            .optional("import.image_order", self.image_order.as_ref())?
            .optional("import.targets", self.targets.as_ref())?
            .optional("import.noise_ceiling", self.noise_ceiling.as_ref())?
            .optional("import.standardize", self.standardize.as_ref())
    }
}
