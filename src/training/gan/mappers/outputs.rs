//! What training with mappers leaves of them: snapshots beside the GAN's, conditions for its sample sheets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::module::AutodiffModule;
use burn::tensor::Tensor;
use ndarray::Array2;
use serde::Serialize;
use serde_json::{Map, Value};

use super::joint::JointMappers;
use crate::models::mapper::{Mapper, MapperTarget};
use crate::run::error::RunError;
use crate::run::snapshot::{MAPPER_KIND, save_hashed_snapshot};
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
    /// The networks as they are, for pictures.
    pub(crate) fn current(&self, pair: &MapperPair, device: &Device) -> CurrentMappers<'_> {
        CurrentMappers {
            joint: self,
            networks: pair.0.each_ref().map(|trained| trained.network.valid()),
            device: device.clone(),
        }
    }
}

/// Name of a finetuned mapper's snapshot in the run's folder.
pub fn mapper_file(target: MapperTarget) -> String {
    format!("mapper-{target}.safetensors")
}

/// Where the mapper lies that was finetuned with a generator: beside `generator-00000080.safetensors` it is
/// `mapper-image-00000080.safetensors`, beside any other name [`mapper_file`].
pub fn companion_mapper(generator: &Path, target: MapperTarget) -> PathBuf {
    let name = generator.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let number = name.strip_prefix("generator-").and_then(|rest| rest.strip_suffix(".safetensors"));
    generator.with_file_name(match number {
        Some(number) => format!("mapper-{target}-{number}.safetensors"),
        None => mapper_file(target),
    })
}

/// Mappers that were written beside a generator.
#[derive(Debug, Default)]
pub(crate) struct SavedMappers {
    /// Their files, the image mapper's first.
    pub paths: Vec<PathBuf>,
    /// SHA-256 of each file by what the mapper predicts.
    pub sha256: BTreeMap<String, String>,
}

/// The mappers at a report.
pub struct CurrentMappers<'a> {
    joint: &'a JointMappers<'a>,
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
            let start = &self.joint.starts[index];
            let signal = start.snapshot.signal(betas, &self.device);
            start.snapshot.condition(self.networks[index].forward(signal))
        };
        let (first, second) = match self.joint.source.uses() {
            [true, true] => (decode(0), decode(1)),
            // The one that is used stands for both: the source takes what it needs, and no mapper runs for nothing.
            [true, false] => (decode(0), decode(0)),
            _ => (decode(1), decode(1)),
        };
        self.joint.source.heads(first, second, seed, positions)
    }
    /// Writes the mappers that are trained beside `generator`, as `train-mapper` writes its own; `gan_origin` is what the
    /// generator says of its origin.
    ///
    /// # Errors
    /// [`RunError::unwritable`].
    pub(crate) fn save_beside(
        &self,
        generator: &Path,
        gan_origin: &SnapshotOrigin<'_>,
    ) -> Result<SavedMappers, RunError> {
        let mut saved = SavedMappers::default();
        for branch in self.joint.branches() {
            let start = &self.joint.starts[branch.index()];
            let target = start.snapshot.target;
            let path = companion_mapper(generator, target);
            let origin = FinetunedMapperOrigin {
                stage_one: start.provenance.as_object(),
                finetuned_from_sha256: start.sha256,
                finetuned_with_gan: gan_origin,
            };
            let network = &self.networks[branch.index()];
            let sha256 = save_hashed_snapshot(&path, MAPPER_KIND, start.snapshot, &origin, network)?;
            saved.sha256.insert(target.to_string(), sha256);
            saved.paths.push(path);
        }
        Ok(saved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_generator_has_numbered_mappers() {
        let of = |generator: &str| companion_mapper(Path::new(generator), MapperTarget::Caption);
        assert_eq!(of("run/generator.safetensors"), Path::new("run/mapper-caption.safetensors"));
        assert_eq!(of("best.safetensors"), Path::new("mapper-caption.safetensors"));
        let numbered = Path::new("run/snapshots/mapper-caption-00000080.safetensors");
        assert_eq!(of("run/snapshots/generator-00000080.safetensors"), numbered);
    }
}
