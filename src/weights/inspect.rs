//! What a file of weights holds, ours or foreign, without building a network.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::foreign::{Dtype, ForeignNetwork};
use super::import::ImportRequest;
use super::import_error::ImportError;
use super::kind::NetworkKind;
use super::readers::{parse_foreign, read_foreign};
use super::sizes::{SizeReader, SizesError};
use super::{clip, feature_networks, mapper, stylegan2};
use crate::run::snapshot::Snapshot;

/// One tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TensorDescription {
    /// Its name in the file.
    pub name: String,
    /// Element type.
    pub dtype: Dtype,
    /// Sizes of its axes.
    pub shape: Vec<usize>,
}

/// One network of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NetworkDescription {
    /// Its name in the file; empty where there is only one.
    pub name: String,
    /// Class that the file names.
    pub class_name: Option<String>,
    /// Its kind, where the tensors are those of a known network.
    pub kind: Option<String>,
    /// Its configuration: of a snapshot as stored, of a foreign network as far as shapes and settings tell.
    pub config: Option<Value>,
    /// Why there is no configuration.
    pub unclear: Option<String>,
    /// What was assumed for the configuration.
    pub assumed: Vec<String>,
    /// Number of tensors.
    pub num_tensors: usize,
    /// Number of their values.
    pub num_values: usize,
    /// Every tensor of the network.
    pub tensors: Vec<TensorDescription>,
}

/// What a file of weights holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WeightsDescription {
    /// The file.
    pub path: PathBuf,
    /// `snapshot` for the program's own files, else the foreign container.
    pub container: Value,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Size of the file in bytes.
    pub size_bytes: u64,
    /// Networks of the file, one for a snapshot.
    pub networks: Vec<NetworkDescription>,
    /// Where a snapshot comes from.
    pub provenance: Option<Value>,
}

/// Describes a file.
///
/// # Errors
/// [`ImportError`] for a file that is neither a snapshot nor a readable foreign one.
pub fn inspect(path: &Path) -> Result<WeightsDescription, ImportError> {
    if Snapshot::is_snapshot(path) { inspect_snapshot(path) } else { inspect_foreign(path) }
}

fn inspect_snapshot(path: &Path) -> Result<WeightsDescription, ImportError> {
    let snapshot = Snapshot::open_any(path)?;
    // A snapshot is a safetensors file like any other: the foreign reader lists its tensors.
    let (_, networks) = parse_foreign(snapshot.bytes()).map_err(|fault| fault.at(path))?;
    let networks = networks.values().map(|network| NetworkDescription {
        kind: Some(snapshot.kind().into()),
        config: snapshot.config().ok(),
        ..describe("", network)
    });
    Ok(WeightsDescription {
        path: path.to_path_buf(),
        container: "snapshot".into(),
        sha256: snapshot.sha256().into(),
        size_bytes: snapshot.bytes().len() as u64,
        networks: networks.collect(),
        provenance: Some(snapshot.provenance().clone()),
    })
}

fn inspect_foreign(path: &Path) -> Result<WeightsDescription, ImportError> {
    let file = read_foreign(path)?;
    let request =
        ImportRequest { clip: clip::config_beside(path)?.unwrap_or_default(), ..Default::default() };
    let networks = file.networks.iter().map(|(name, network)| {
        let kind = NetworkKind::of(network);
        let mut description = describe(name, network);
        description.kind = kind.map(|kind| kind.to_string());
        match kind.map(|kind| config(kind, &kind.tensors_of(network), &request)) {
            Some(Ok((config, assumed))) => {
                description.config = Some(config);
                description.assumed = assumed;
            }
            Some(Err(error)) => description.unclear = Some(error.to_string()),
            None => {}
        }
        description
    });
    Ok(WeightsDescription {
        path: path.to_path_buf(),
        container: serde_json::to_value(file.format).unwrap_or(Value::Null),
        sha256: file.sha256.clone(),
        size_bytes: file.size_bytes,
        networks: networks.collect(),
        provenance: None,
    })
}

fn describe(name: &str, network: &ForeignNetwork) -> NetworkDescription {
    let tensors: Vec<TensorDescription> = network
        .tensors
        .iter()
        .map(|(name, tensor)| TensorDescription {
            name: name.clone(),
            dtype: tensor.dtype,
            shape: tensor.shape.clone(),
        })
        .collect();
    NetworkDescription {
        name: name.into(),
        class_name: network.class_name.clone(),
        kind: None,
        config: None,
        unclear: None,
        assumed: vec![],
        num_tensors: tensors.len(),
        num_values: tensors.iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum(),
        tensors,
    }
}

/// The configuration that an import would find, and what it would assume.
fn config(
    kind: NetworkKind,
    network: &ForeignNetwork,
    request: &ImportRequest,
) -> Result<(Value, Vec<String>), SizesError> {
    fn parts<C: Serialize>((config, sizes): (C, SizeReader<'_>)) -> Result<(Value, Vec<String>), SizesError> {
        let config = serde_json::to_value(config).map_err(|error| SizesError::Config(error.to_string()))?;
        Ok((config, sizes.into_parts().1))
    }
    match kind {
        NetworkKind::Clip => parts(clip::clip_sizes(network, &request.clip)?),
        NetworkKind::Generator => {
            parts(stylegan2::generator_sizes(network, &request.gan, request.second_head)?)
        }
        NetworkKind::Discriminator => {
            parts(stylegan2::discriminator_sizes(network, &request.gan, request.second_head)?)
        }
        NetworkKind::Mapper => parts(mapper::mapper_sizes(network, request.mapper)?),
        NetworkKind::Resnet => parts(feature_networks::resnet_sizes(network)?),
        NetworkKind::Inception => parts(feature_networks::inception_sizes(network)?),
    }
}
