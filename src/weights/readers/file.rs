//! From a path to the networks in the file, whatever its container.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::budget::Budget;
use super::detect::{Container, detect};
use super::shards::{index_of, refuse_single_shard, shards_of};
use super::{layout, network_pickle, torch_legacy, torch_zip};
use crate::error::{Fault, FileError};
use crate::files::{InputKind, read_input};
use crate::run::snapshot::hex;
use crate::weights::foreign::{FileFormat, ForeignFile, ForeignNetwork};

/// Networks of a file by name; a file with one unnamed network calls it `""`.
pub type Networks = BTreeMap<String, ForeignNetwork>;

/// Reads a foreign weight file of any known container; its content decides, not its extension. The index of a sharded network, or the
/// folder that holds it, stands for all its shards.
///
/// # Errors
/// [`FileError`] for a file that is not there, unknown, damaged or hostile. Time and memory stay
/// proportional to the file's size.
pub fn read_foreign(path: &Path) -> Result<ForeignFile, FileError> {
    if let Some(index) = index_of(path)? {
        return read_shards(&index);
    }
    refuse_single_shard(path)?;
    let bytes = read_bytes(path)?;
    let (format, networks) = parse_foreign(&bytes).map_err(|fault| fault.at(path))?;
    Ok(ForeignFile {
        path: path.to_path_buf(),
        format,
        sha256: hex(&Sha256::digest(&bytes)),
        size_bytes: bytes.len() as u64,
        networks,
    })
}

/// The network of an index; its digest is that of the index and all shards, in the order of their names.
fn read_shards(index: &Path) -> Result<ForeignFile, FileError> {
    let bytes = read_bytes(index)?;
    let mut digest = Sha256::new_with_prefix(&bytes);
    let mut size_bytes = bytes.len() as u64;
    let (shards, listed) = shards_of(index, &bytes).map_err(|fault| fault.at(index))?;
    let mut network = ForeignNetwork::default();
    for shard in shards {
        // The bytes of a shard are gone before the next is read; its tensors stay.
        let bytes = read_bytes(&shard)?;
        digest.update(&bytes);
        size_bytes += bytes.len() as u64;
        let (_, networks) = parse_foreign(&bytes).map_err(|fault| fault.at(&shard))?;
        network.tensors.extend(networks.into_values().flat_map(|network| network.tensors));
    }
    if let Some((tensor, shard)) = listed.iter().find(|(tensor, _)| !network.tensors.contains_key(*tensor)) {
        let fault =
            Fault::new(format!("tensor `{tensor}`"), format!("in `{shard}`, as the index says"), "missing");
        return Err(fault.at(index));
    }
    Ok(ForeignFile {
        path: index.to_path_buf(),
        format: FileFormat::Safetensors,
        sha256: hex(&digest.finalize()),
        size_bytes,
        networks: unnamed(network),
    })
}

/// The networks in the bytes of a file.
///
/// # Errors
/// A fault that names the part of the file that is wrong.
pub fn parse_foreign(bytes: &[u8]) -> Result<(FileFormat, Networks), Fault> {
    let mut budget = Budget::for_file(bytes.len() as u64);
    let (format, networks) = match detect(bytes)? {
        Container::Safetensors => {
            (FileFormat::Safetensors, unnamed(super::safetensors::read(bytes, &mut budget)?))
        }
        Container::Zip => {
            let (format, network) = torch_zip::read(bytes, &mut budget)?;
            (format, unnamed(network))
        }
        Container::TorchLegacy => {
            let stream = torch_legacy::read(bytes, "legacy file", &mut budget)?;
            let (tree, mut storages) = stream.into_parts();
            (FileFormat::TorchLegacy, unnamed(layout::saved_object(&tree, &mut storages, &mut budget)?))
        }
        Container::Pickle => (FileFormat::NetworkPickle, network_pickle::read(bytes, &mut budget)?),
    };
    if networks.values().all(|network| network.tensors.is_empty()) {
        return Err(Fault::new("file", "at least one tensor", "none"));
    }
    Ok((format, networks))
}

fn unnamed(network: ForeignNetwork) -> Networks {
    BTreeMap::from([(String::new(), network)])
}

/// The whole file. Only a regular file has a size that bounds the work.
fn read_bytes(path: &Path) -> Result<Vec<u8>, FileError> {
    read_input(path, InputKind::Weights).map_err(|error| FileError::from_io(path, "", &error))
}
