//! What training with mappers leaves of them: snapshots beside the GAN's, conditions for its sample sheets.

use std::path::PathBuf;

use burn::module::AutodiffModule;
use burn::tensor::Tensor;
use ndarray::Array2;
use serde::Serialize;
use serde_json::{Map, Value};

use super::joint::{JointMappers, MapperBranch, MapperStart};
use crate::models::condition_source::ConditionSource;
use crate::models::mapper::{Mapper, MapperTarget};
use crate::run::error::RunError;
use crate::run::run_dir::RunDir;
use crate::run::snapshot::{MAPPER_KIND, save_snapshot};
use crate::tensor_ops::backend::{Base, Device};
use crate::training::gan::snapshot_origin::SnapshotOrigin;
use crate::training::gan::state::MapperPair;

/// What a finetuned mapper's snapshot says of its origin.
#[derive(Serialize)]
struct FinetunedMapperOrigin<'a> {
    /// Where it comes from stays readable at its old place; what was done to it comes beside.
    #[serde(flatten)]
    stage_one: Option<&'a Map<String, Value>>,
    finetuned_from_sha256: &'a str,
    finetuned_with_gan: &'a SnapshotOrigin<'a>,
}

impl JointMappers<'_> {
    /// Writes the mappers that were trained, `mapper-image.safetensors` and the like, as `train-mapper` writes its own.
    pub(crate) fn save_snapshots(
        &self,
        pair: &MapperPair,
        run: &RunDir,
        gan_origin: &SnapshotOrigin<'_>,
    ) -> Result<Vec<PathBuf>, RunError> {
        let write = |branch: MapperBranch| {
            let start = &self.starts[branch.index()];
            let path = run.join(&mapper_file(start.snapshot.target));
            let origin = FinetunedMapperOrigin {
                stage_one: start.provenance.as_object(),
                finetuned_from_sha256: start.sha256,
                finetuned_with_gan: gan_origin,
            };
            let network = pair.0[branch.index()].network.valid();
            save_snapshot(&path, MAPPER_KIND, start.snapshot, &origin, &network)?;
            Ok(path)
        };
        self.branches().map(write).collect()
    }

    /// The networks as they are, for pictures.
    pub(crate) fn current(&self, pair: &MapperPair, device: &Device) -> CurrentMappers<'_> {
        CurrentMappers {
            source: self.source,
            starts: &self.starts,
            networks: pair.0.each_ref().map(|trained| trained.network.valid()),
            device: device.clone(),
        }
    }
}

/// Name of a finetuned mapper's snapshot in the run's folder.
pub fn mapper_file(target: MapperTarget) -> String {
    format!("mapper-{target}.safetensors")
}

/// The mappers at a report.
pub struct CurrentMappers<'a> {
    source: ConditionSource,
    starts: &'a [MapperStart<'a>; 2],
    networks: [Mapper<Base>; 2],
    device: Device,
}

impl CurrentMappers<'_> {
    /// Conditions as in `reconstruct`: of unit norm, not perturbed; a mix is drawn by the seed and `positions`.
    ///
    /// # Shapes
    /// - betas: `[trials, voxels]`, z-scored within session, unpadded; outputs: `[trials, width]`
    pub fn heads(&self, betas: &Array2<f32>, seed: u64, positions: &[u64]) -> [Tensor<Base, 2>; 2] {
        let decode = |index: usize| {
            let start = &self.starts[index];
            let signal = start.snapshot.signal(betas, &self.device);
            start.snapshot.condition(self.networks[index].forward(signal))
        };
        let (first, second) = match self.source.uses() {
            [true, true] => (decode(0), decode(1)),
            [true, false] => (decode(0), decode(0)),
            _ => (decode(1), decode(1)),
        };
        self.source.heads(first, second, seed, positions)
    }
}
