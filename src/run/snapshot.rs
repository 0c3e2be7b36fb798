//! Snapshots: weights of one network with its configuration, enough to use it. Safetensors, so that anyone can open them.
//!
//! The file's `__metadata__` holds `mindreader`: a JSON object with `kind`, `config` and `provenance`.

use std::io::Read;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::store::{ModuleSnapshot, SafetensorsStore};
use burn::tensor::backend::Backend;
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tracing::debug;

use super::error::RunError;
use super::half_snapshot::widened;
use crate::error::{Fault, SettingError};
use crate::files::{InputKind, open_input, say_used, write_atomic};
use crate::tensor_ops::stored::{StoredNetwork, StoredTensors};

/// Kind of a CLIP's snapshot.
pub const CLIP_KIND: &str = "clip";
/// Kind of a mapper's snapshot.
pub const MAPPER_KIND: &str = "mapper";
/// Kind of an encoder's snapshot.
pub const ENCODER_KIND: &str = "encoder";
/// Kind of a generator's snapshot.
pub const GENERATOR_KIND: &str = "generator";
/// Kind of a discriminator's snapshot.
pub const DISCRIMINATOR_KIND: &str = "discriminator";
/// Kind of a ResNet's snapshot.
pub const RESNET_KIND: &str = "resnet";
/// Kind of a scene classifier's snapshot.
pub const CLASSIFIER_KIND: &str = "classifier";
/// Kind of an Inception network's snapshot.
pub const INCEPTION_KIND: &str = "inception";

const METADATA_KEY: &str = "mindreader";

/// Safetensors allows no longer header, in bytes.
const LONGEST_HEADER: u64 = 100_000_000;

/// What a snapshot says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Header {
    kind: String,
    config: Value,
    provenance: Value,
}

/// An opened snapshot: header read, tensors not yet.
#[derive(Debug, Clone)]
pub struct Snapshot {
    path: PathBuf,
    bytes: Vec<u8>,
    header: Header,
    sha256: String,
}

/// Writes a network's weights and configuration in one step.
///
/// # Errors
/// [`RunError::unwritable`].
pub fn save_snapshot<B: Backend, M: Module<B>>(
    path: &Path,
    kind: &str,
    config: &impl Serialize,
    provenance: &impl Serialize,
    module: &M,
) -> Result<(), RunError> {
    save_hashed_snapshot(path, kind, config, provenance, module).map(|_| ())
}

/// As [`save_snapshot`]; SHA-256 of the file, as [`Snapshot::sha256`] finds it.
///
/// # Errors
/// [`RunError::unwritable`].
pub fn save_hashed_snapshot<B: Backend, M: Module<B>>(
    path: &Path,
    kind: &str,
    config: &impl Serialize,
    provenance: &impl Serialize,
    module: &M,
) -> Result<String, RunError> {
    let unwritable = |reason: String| RunError::unwritable(path, reason);
    let config = serde_json::to_value(config).map_err(|error| unwritable(error.to_string()))?;
    let provenance = serde_json::to_value(provenance).map_err(|error| unwritable(error.to_string()))?;
    let header = Header { kind: kind.into(), config, provenance };
    let header = serde_json::to_string(&header).map_err(|error| unwritable(error.to_string()))?;
    // One entry only: several would be written in random order, and equal networks would differ in their hash.
    let mut store = SafetensorsStore::from_bytes(None).clear_metadata().metadata(METADATA_KEY, header);
    module.save_into(&mut store).map_err(|error| unwritable(error.to_string()))?;
    let bytes = store.get_bytes().map_err(|error| unwritable(error.to_string()))?;
    write_atomic(path, &bytes)?;
    debug!(path = %path.display(), kind, bytes = bytes.len(), "snapshot written");
    Ok(hex(&Sha256::digest(&bytes)))
}

impl Snapshot {
    /// Reads the file and its header, and checks that it holds a network of `kind`.
    ///
    /// # Errors
    /// [`RunError::missing`] and [`RunError::invalid`].
    pub fn open(path: &Path, kind: &str) -> Result<Self, RunError> {
        let snapshot = Self::open_unsaid(path, kind)?;
        say_used(&format!("the {kind}"), path);
        Ok(snapshot)
    }

    /// The same for a caller that says itself what is used.
    ///
    /// # Errors
    /// As [`Snapshot::open`].
    pub fn open_unsaid(path: &Path, kind: &str) -> Result<Self, RunError> {
        let snapshot = Self::read(path, &format!("the {kind} network"))?;
        if snapshot.kind() != kind {
            let found = format!("`{}`", snapshot.kind());
            return Err(RunError::invalid(path, "kind", format!("`{kind}`"), found));
        }
        Ok(snapshot)
    }

    /// Reads the file and its header, whatever kind of network it holds.
    ///
    /// # Errors
    /// [`RunError::missing`] and [`RunError::invalid`].
    pub fn open_any(path: &Path) -> Result<Self, RunError> {
        Self::read(path, "a network")
    }

    /// Whether a file is a snapshot rather than foreign; reads its header only.
    pub fn is_snapshot(path: &Path) -> bool {
        Self::own_entry(path).is_some()
    }

    /// Kind of the network in a file, none of what is no snapshot; reads its header only.
    pub fn kind_of(path: &Path) -> Option<String> {
        let header: Header = serde_json::from_str(Self::own_entry(path)?.as_str()?).ok()?;
        Some(header.kind)
    }

    /// Configuration of the network in a file, none of what is no snapshot; reads its header only.
    pub fn config_of(path: &Path) -> Option<Value> {
        let header: Header = serde_json::from_str(Self::own_entry(path)?.as_str()?).ok()?;
        Some(header.config)
    }

    /// What the header of a file holds under our name.
    fn own_entry(path: &Path) -> Option<Value> {
        let mut file = open_input(path, InputKind::Parts).ok()?;
        let mut length = [0; 8];
        file.read_exact(&mut length).ok()?;
        // The first bytes of a foreign file may claim any length.
        let length = u64::from_le_bytes(length).min(LONGEST_HEADER);
        let mut header = Vec::new();
        file.take(length).read_to_end(&mut header).ok()?;
        let header: Value = serde_json::from_slice(&header).ok()?;
        header.get("__metadata__")?.get(METADATA_KEY).cloned()
    }

    fn read(path: &Path, needed_for: &str) -> Result<Self, RunError> {
        let bytes = RunError::read_weights(path, needed_for)?;
        let invalid = |field: &str, expected: &str, found: String| {
            RunError::from(Fault::new(field, expected, found).at(path))
        };
        let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes)
            .map_err(|error| invalid("header", "a safetensors file", error.to_string()))?;
        let text = metadata
            .metadata()
            .as_ref()
            .and_then(|entries| entries.get(METADATA_KEY))
            .ok_or_else(|| invalid("metadata", "the entry `mindreader`", "none".into()))?;
        let header: Header = serde_json::from_str(text).map_err(|error| {
            invalid("metadata `mindreader`", "kind, config, provenance", error.to_string())
        })?;
        let sha256 = hex(&Sha256::digest(&bytes));
        Ok(Self { path: path.to_path_buf(), bytes, header, sha256 })
    }

    /// SHA-256 of the whole file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// SHA-256 of kind, configuration and tensors: equal networks are equal, wherever and whenever they were imported, and whether
    /// their weights are stored in half precision or, rounded alike, in single.
    ///
    /// # Errors
    /// [`RunError::invalid`] when the tensors cannot be told apart.
    pub fn network_sha256(&self) -> Result<String, RunError> {
        let bytes = widened(&self.path, &self.bytes)?;
        let file = safetensors::SafeTensors::deserialize(&bytes)
            .map_err(|error| RunError::invalid(&self.path, "tensors", "a safetensors file", error))?;
        let mut tensors = file.tensors();
        // By name: the order in the file says nothing of the network.
        tensors.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut digest = Sha256::new();
        digest.update(format!("{}\n{}\n", self.header.kind, self.header.config));
        for (name, view) in tensors {
            // Type and shape belong to the digest: the same bytes in another shape are another network.
            digest.update(format!("{name} {:?} {:?}\n", view.dtype(), view.shape()));
            digest.update(view.data());
        }
        Ok(hex(&digest.finalize()))
    }

    /// What kind of network it holds.
    pub fn kind(&self) -> &str {
        &self.header.kind
    }

    /// The file's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the weights come from.
    pub fn provenance(&self) -> &Value {
        &self.header.provenance
    }

    /// The network's configuration.
    ///
    /// # Errors
    /// [`RunError::invalid`] when it is not one of `C`.
    pub fn config<C: DeserializeOwned>(&self) -> Result<C, RunError> {
        serde_json::from_value(self.header.config.clone()).map_err(|error| {
            let expected = format!("the configuration of a {}", self.header.kind);
            Fault::new("config", expected, error).at(&self.path).into()
        })
    }

    /// The stored network with its configuration; `init` makes one of that configuration, whose weights are replaced. It is not
    /// called before the configuration has been held against the tensors of the file.
    ///
    /// # Errors
    /// [`RunError::invalid`] when the configuration makes no network, or its tensors are not those of the file.
    pub fn network<B: Backend, C: DeserializeOwned + StoredNetwork, M: Module<B>>(
        &self,
        init: impl FnOnce(&C) -> Result<M, SettingError>,
    ) -> Result<(C, M), RunError> {
        let config: C = self.claimed_config()?;
        let empty = init(&config).map_err(|error| self.unfit(error))?;
        Ok((config, self.load_into(empty)?))
    }

    /// The configuration, once it has been held against the tensors of the file: what [`Snapshot::network`] believes.
    ///
    /// # Errors
    /// [`RunError::invalid`] when the configuration makes no network, or its tensors are not those of the file.
    pub fn claimed_config<C: DeserializeOwned + StoredNetwork>(&self) -> Result<C, RunError> {
        let config: C = self.config()?;
        config.check_sizes().map_err(|error| self.unfit(error))?;
        config.claim(&mut self.tensors()?).map_err(|fault| fault.at(&self.path))?;
        Ok(config)
    }

    /// A configuration that makes no network, as an error of the file.
    pub fn unfit(&self, error: SettingError) -> RunError {
        RunError::invalid(&self.path, format!("config `{}`", error.key()), error.expected, error.found)
    }

    /// Names and shapes of the tensors, all of them numbers that a network can have.
    fn tensors(&self) -> Result<StoredTensors, RunError> {
        let file = safetensors::SafeTensors::deserialize(&self.bytes)
            .map_err(|error| RunError::invalid(&self.path, "tensors", "a safetensors file", error))?;
        for (name, view) in file.iter() {
            if !matches!(view.dtype(), Dtype::F32 | Dtype::F16) {
                let fault = Fault::new(format!("type of tensor `{name}`"), "F32 or F16", view.dtype());
                return Err(fault.at(&self.path).into());
            }
        }
        Ok(StoredTensors::new(file.iter().map(|(name, view)| (name.to_string(), view.shape().to_vec()))))
    }

    /// Refuses weights that are infinite or no numbers, as a flipped bit makes them: nothing that is computed with them would be one.
    fn require_numbers(&self) -> Result<(), RunError> {
        let file = safetensors::SafeTensors::deserialize(&self.bytes)
            .map_err(|error| RunError::invalid(&self.path, "tensors", "a safetensors file", error))?;
        for (name, view) in file.iter() {
            let is_finite = match view.dtype() {
                Dtype::F16 => {
                    view.data().as_chunks().0.iter().all(|bytes| half::f16::from_le_bytes(*bytes).is_finite())
                }
                _ => view.data().as_chunks().0.iter().all(|bytes| f32::from_le_bytes(*bytes).is_finite()),
            };
            if !is_finite {
                let fault = Fault::new(format!("tensor `{name}`"), "finite numbers", "NaN or an infinity");
                return Err(fault.at(&self.path).into());
            }
        }
        Ok(())
    }

    /// Puts the weights into `module`. Every tensor must be there, be used, and fit.
    ///
    /// # Errors
    /// [`RunError::invalid`] that names the tensor.
    pub fn load_into<B: Backend, M: Module<B>>(&self, module: M) -> Result<M, RunError> {
        let mut tensors = self.tensors()?;
        tensors.claim_module("", &module).map_err(|fault| fault.at(&self.path))?;
        tensors.require_all_claimed().map_err(|fault| fault.at(&self.path))?;
        self.require_numbers()?;
        let mut module = module;
        let mut store = SafetensorsStore::from_bytes(Some(widened(&self.path, &self.bytes)?.into_owned()));
        // Burn's own report is a page; names, shapes and types have been compared above.
        module.load_from(&mut store).map_err(|error| {
            Fault::new("weights", "every tensor of the network", error.to_string()).at(&self.path)
        })?;
        Ok(module)
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::half_snapshot::narrowed;
    use crate::tensor_ops::backend::{Base, cpu};
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Tensor;
    use serde_json::json;

    fn linear(inputs: usize) -> Linear<Base> {
        LinearConfig::new(inputs, 2).init(&cpu())
    }

    #[test]
    fn weights_and_config_come_back() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.safetensors");
        let saved = linear(3);
        save_snapshot(&path, "test", &json!({"inputs": 3}), &json!({}), &saved).unwrap();
        let snapshot = Snapshot::open(&path, "test").unwrap();
        assert_eq!(snapshot.config::<Value>().unwrap()["inputs"], 3);
        // Another origin makes another file, but not another network; other weights do.
        let again = root.path().join("b.safetensors");
        let identity = |provenance: Value, layer: &Linear<Base>| {
            save_snapshot(&again, "test", &json!({"inputs": 3}), &provenance, layer).unwrap();
            let snapshot = Snapshot::open(&again, "test").unwrap();
            (snapshot.sha256().to_string(), snapshot.network_sha256().unwrap())
        };
        let (file, network) = identity(json!({"time": "later"}), &saved);
        assert_ne!(file, snapshot.sha256());
        assert_eq!(network, snapshot.network_sha256().unwrap());
        assert_ne!(identity(json!({}), &linear(3)).1, network);
        // Weights that half precision holds are the same network in either form.
        let write = |name: &str, bytes: &[u8]| {
            let path = root.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            Snapshot::open(&path, "test").unwrap()
        };
        let half = write("half.safetensors", &narrowed(&path, snapshot.bytes()).unwrap());
        let wide = write("wide.safetensors", &widened(&path, half.bytes()).unwrap());
        assert!(half.bytes().len() < wide.bytes().len());
        assert_eq!(half.network_sha256().unwrap(), wide.network_sha256().unwrap());
        let weights = |snapshot: &Snapshot| snapshot.load_into(linear(3)).unwrap().weight.to_data();
        assert_eq!(weights(&half), weights(&wide));
        let loaded = snapshot.load_into(linear(3)).unwrap();
        let input = Tensor::<Base, 2>::ones([1, 3], &cpu());
        assert_eq!(saved.forward(input.clone()).into_data(), loaded.forward(input).into_data());
    }

    #[test]
    fn wrong_kind_wrong_shape_and_garbage_are_named() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.safetensors");
        save_snapshot(&path, "mapper", &json!({}), &json!({}), &linear(3)).unwrap();
        let text = |result: Result<Snapshot, RunError>| result.err().map(|error| error.to_string()).unwrap();
        assert!(text(Snapshot::open(&path, "clip")).contains("kind: found `mapper`, expected `clip`"));
        let error = Snapshot::open(&path, "mapper").unwrap().load_into(linear(4)).unwrap_err().to_string();
        assert!(error.contains("a.safetensors") && error.contains("weight"), "{error}");
        let mut broken = linear(3);
        broken.weight = broken.weight.map(|weight| weight.div_scalar(0.0));
        save_snapshot(&path, "mapper", &json!({}), &json!({}), &broken).unwrap();
        let error = Snapshot::open(&path, "mapper").unwrap().load_into(linear(3)).unwrap_err().to_string();
        assert!(
            error.ends_with("tensor `weight`: found NaN or an infinity, expected finite numbers"),
            "{error}"
        );
        std::fs::write(&path, b"PK\x03\x04 not safetensors").unwrap();
        assert!(text(Snapshot::open(&path, "mapper")).contains("expected a safetensors file"));
        assert!(text(Snapshot::open(&root.path().join("none"), "mapper")).contains("is missing"));
    }
}
