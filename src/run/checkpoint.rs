//! Checkpoints: everything needed to continue as if never stopped.
//!
//! Layout: 8 bytes magic, SHA-256 of the rest, length of the state as u64 little-endian, the state as JSON,
//! then networks and optimiser moments as Burn records in MessagePack at full precision. Written in one step.

use std::path::Path;

use burn::record::{FullPrecisionSettings, NamedMpkBytesRecorder, Record, Recorder};
use burn::tensor::backend::Backend;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use tracing::debug;

use super::checkpoint_tensors::parameters;
use super::error::RunError;
use crate::error::Fault;
use crate::files::write_atomic;
use crate::tensor_ops::stored::StoredTensors;

const MAGIC: &[u8; 8] = b"MRCKPT01";
const DIGEST_BYTES: usize = 32;
const LENGTH_BYTES: usize = 8;

/// Writes `record` (networks, optimisers) and `state` (step, best loss, …) to `path`.
///
/// # Errors
/// [`RunError::unwritable`].
pub fn save_checkpoint<B: Backend, R: Record<B>>(
    path: &Path,
    record: R,
    state: &impl Serialize,
) -> Result<(), RunError> {
    let state = serde_json::to_vec(state).map_err(|error| RunError::unwritable(path, error))?;
    let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
    let record =
        Recorder::<B>::record(&recorder, record, ()).map_err(|error| RunError::unwritable(path, error))?;
    let mut body = Vec::with_capacity(LENGTH_BYTES + state.len() + record.len());
    body.extend_from_slice(&(state.len() as u64).to_le_bytes());
    body.extend_from_slice(&state);
    body.extend_from_slice(&record);
    let mut file = Vec::with_capacity(MAGIC.len() + DIGEST_BYTES + body.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&Sha256::digest(&body));
    file.extend_from_slice(&body);
    write_atomic(path, &file)?;
    debug!(path = %path.display(), bytes = file.len(), "checkpoint written");
    Ok(())
}

/// Reads what [`save_checkpoint`] wrote.
///
/// A right digest says that a file is whole, not that its sizes are those of this run: before a tensor is made, `check` gets the
/// state and the parameters of the record by their paths (`0.` stands in front of those of its first member, and so on) and claims
/// those of the run's networks. A file with others beside them is refused.
///
/// # Errors
/// [`RunError::missing`] and [`RunError::invalid`]; a truncated or altered file is refused by its digest. Those of `check`.
pub fn load_checkpoint<B: Backend, R: Record<B>, S: DeserializeOwned>(
    path: &Path,
    device: &B::Device,
    check: impl FnOnce(&S, &mut StoredTensors) -> Result<(), RunError>,
) -> Result<(R, S), RunError> {
    let file = RunError::read_weights(path, "`--resume`")?;
    let invalid = |field: &str, expected: &str, found: &str| {
        RunError::from(Fault::new(field, expected, found).at(path))
    };
    let rest = file
        .strip_prefix(MAGIC)
        .ok_or_else(|| invalid("first bytes", "a mindreader checkpoint, version 1", "something else"))?;
    let (digest, body) = rest
        .split_at_checked(DIGEST_BYTES)
        .ok_or_else(|| invalid("length", "a whole checkpoint", "a truncated one"))?;
    // Before anything is parsed: a file that was cut short or altered is told by its digest, not by what parsers make
    // of it.
    if Sha256::digest(body)[..] != *digest {
        return Err(invalid("digest", "the digest of the content", "another (truncated or altered file)"));
    }
    let (length, body) = body
        .split_first_chunk::<LENGTH_BYTES>()
        .ok_or_else(|| invalid("length", "a whole checkpoint", "a truncated one"))?;
    let (state, record) = usize::try_from(u64::from_le_bytes(*length))
        .ok()
        .and_then(|length| body.split_at_checked(length))
        .ok_or_else(|| invalid("state", "its length within the file", "a larger one"))?;
    let state = serde_json::from_slice(state)
        .map_err(|error| invalid("state", "the state of this kind of run", &error.to_string()))?;
    let mut tensors = parameters(record).map_err(|fault| fault.at(path))?;
    check(&state, &mut tensors)?;
    tensors.require_all_claimed().map_err(|fault| fault.at(path))?;
    let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
    let record = Recorder::<B>::load(&recorder, record.to_vec(), device).map_err(|error| {
        invalid("record", "networks and optimisers of this kind of run", &error.to_string())
    })?;
    Ok((record, state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::{Diff, cpu};
    use burn::module::Module;
    use burn::nn::{Linear, LinearConfig};
    use burn::optim::{AdamConfig, GradientsParams, Optimizer};
    use burn::tensor::Tensor;

    type Adam = burn::optim::adaptor::OptimizerAdaptor<burn::optim::Adam, Linear<Diff>, Diff>;

    /// Claims a layer that stands first in the record.
    fn of_model(path: &Path, tensors: &mut StoredTensors) -> Result<(), RunError> {
        let layer: Linear<Diff> = LinearConfig::new(3, 2).init(&cpu());
        tensors.claim_module("0", &layer).map_err(|fault| fault.at(path).into())
    }

    fn load<R: Record<Diff>>(path: &Path) -> Result<(R, u64), RunError> {
        load_checkpoint::<Diff, R, u64>(path, &cpu(), |_, tensors| of_model(path, tensors))
    }

    fn step(model: Linear<Diff>, adam: &mut Adam) -> Linear<Diff> {
        let input = Tensor::<Diff, 2>::ones([2, 3], &cpu());
        let gradients = model.forward(input).powi_scalar(2).mean().backward();
        let gradients = GradientsParams::from_grads(gradients, &model);
        adam.step(0.1, model, gradients)
    }

    #[test]
    fn network_and_moments_continue_bit_for_bit() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("checkpoint.mpk");
        let mut adam: Adam = AdamConfig::new().init();
        let mut model: Linear<Diff> = LinearConfig::new(3, 2).init(&cpu());
        model = step(model, &mut adam);
        save_checkpoint(&path, (model.clone().into_record(), adam.to_record()), &7_u64).unwrap();
        model = step(model, &mut adam);

        let ((record, moments), state) =
            load_checkpoint::<Diff, _, u64>(&path, &cpu(), |_, tensors| of_model(&path, tensors)).unwrap();
        let mut adam = AdamConfig::new().init::<Diff, Linear<Diff>>().load_record(moments);
        let resumed = LinearConfig::new(3, 2).init::<Diff>(&cpu()).load_record(record);
        let resumed = step(resumed, &mut adam);
        assert_eq!(state, 7);
        assert_eq!(model.weight.val().into_data(), resumed.weight.val().into_data());
    }

    #[test]
    fn truncated_and_foreign_files_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("checkpoint.mpk");
        let model: Linear<Diff> = LinearConfig::new(3, 2).init(&cpu());
        save_checkpoint(&path, model.clone().into_record(), &1_u64).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 4, 20, 45, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let result = load::<<Linear<Diff> as Module<Diff>>::Record>(&path);
            let error = result.err().map(|error| error.to_string()).unwrap();
            assert!(error.contains("checkpoint.mpk"), "{error}");
        }
    }

    /// The same file with `from` replaced by `to` in its record, and the digest of what it holds then.
    fn altered(path: &Path, from: &[u8], to: &[u8]) {
        let mut file = std::fs::read(path).unwrap();
        let body = MAGIC.len() + DIGEST_BYTES;
        let places = file.windows(from.len()).filter(|bytes| *bytes == from).count();
        assert!(places > 0, "{from:?} is in the file");
        let place = file.windows(from.len()).position(|bytes| bytes == from).unwrap();
        file.splice(place..place + from.len(), to.iter().copied());
        let digest = Sha256::digest(&file[body..]);
        file[MAGIC.len()..body].copy_from_slice(&digest);
        std::fs::write(path, file).unwrap();
    }

    #[test]
    fn a_lie_under_a_right_digest_is_named() {
        type Stored =
            (<Linear<Diff> as Module<Diff>>::Record, <Adam as Optimizer<Linear<Diff>, Diff>>::Record);
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("checkpoint.mpk");
        let mut adam: Adam = AdamConfig::new().init();
        let model = step(LinearConfig::new(3, 2).init(&cpu()), &mut adam);
        // Three bytes of MessagePack: a list of two, 3 and 2.
        for (from, to, named) in [
            (&b"shape\x92\x03\x02"[..], &b"shape\x92\x03\x03"[..], "0.weight"),
            (b"shape\x92\x03\x02", b"shape\x92\x02\x03", "found [3, 2]"),
            (b"shape\x92\x03\x02", b"shape\x92\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\x02", "0.weight"),
            (b"Rank2", b"Rank7", "moment"),
            (b"moment_1", b"moment_9", "moment"),
            (b"shape\x91\x02", b"shape\x91\x00", "bias"),
            (b"\xa3F32", b"\xa3F64", "F64"),
        ] {
            save_checkpoint(&path, (model.clone().into_record(), adam.to_record()), &1_u64).unwrap();
            assert!(load::<Stored>(&path).is_ok());
            altered(&path, from, to);
            let error = load::<Stored>(&path).err().map(|error| error.to_string()).unwrap();
            assert!(error.contains("checkpoint.mpk") && error.contains(named), "{named}: {error}");
            assert!(!error.contains('\n') && error.len() < 500, "{error}");
        }
    }
}
