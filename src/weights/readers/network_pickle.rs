//! Network pickles of StyleGAN2-ADA, Lafite and Mind Reader (docs/spec/checkpoints.md §2).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::budget::Budget;
use super::layout;
use super::pickle::{self, Id, Tree, Value};
use super::storage::{Storage, Storages};
use super::torch_legacy;
use crate::error::Fault;
use crate::weights::foreign::{Dtype, ForeignNetwork};

const WHAT: &str = "network pickle";

/// Every network of a pickle by its key; a pickle of one bare network calls it `""`.
///
/// # Errors
/// A fault that names the pickle, the network or the tensor.
pub(super) fn read(bytes: &[u8], budget: &mut Budget) -> Result<BTreeMap<String, ForeignNetwork>, Fault> {
    let tree = pickle::parse(bytes, WHAT, budget)?;
    if tree.length() != bytes.len() {
        return Err(Fault::new(format!("end of the {WHAT}"), format!("byte {}", tree.length()), bytes.len()));
    }
    refuse_tensorflow(&tree, bytes)?;
    let mut storages = PickledStorages { source: bytes, found: HashMap::new() };
    if layout::is_module(&tree, tree.root()) {
        let network = layout::module(&tree, tree.root(), "", &mut storages, budget)?;
        return Ok(BTreeMap::from([(String::new(), network)]));
    }
    let Some(entries) = tree.entries(tree.root()) else {
        return Err(tree.fault(WHAT, "a dict of networks (`G`, `D`, `G_ema`, …)", tree.root()));
    };
    let mut networks = BTreeMap::new();
    for &(key, value) in entries {
        budget.work(WHAT, 1)?;
        let Some(key) = tree.text(key).filter(|_| layout::is_module(&tree, value)) else { continue };
        let network = layout::module(&tree, value, key, &mut storages, budget)?;
        if networks.insert(key.to_string(), network).is_some() {
            return Err(Fault::new(format!("network `{key}`"), "one of this name", "several"));
        }
    }
    if networks.is_empty() {
        let keys: Vec<&str> = entries.iter().take(8).filter_map(|(key, _)| tree.text(*key)).collect();
        let found = format!("a dict of {}: {}", entries.len(), keys.join(", "));
        return Err(Fault::new(WHAT, "at least one network (`G`, `D`, `G_ema`, …)", found)
            .hint("a state dict must be written by torch.save, not by pickle"));
    }
    Ok(networks)
}

/// Older networks are objects of NVIDIA's TensorFlow library.
fn refuse_tensorflow(tree: &Tree<'_>, bytes: &[u8]) -> Result<(), Fault> {
    let is_tensorflow = tree.values().iter().any(|value| match value {
        Value::Global { module, .. } => *module == "dnnlib.tflib" || module.starts_with("dnnlib.tflib."),
        _ => false,
    });
    if is_tensorflow {
        let found = format!("one of StyleGAN for TensorFlow ({} bytes)", bytes.len());
        return Err(Fault::new(WHAT, "one of StyleGAN2-ADA for PyTorch", found)
            .hint("convert it with legacy.py of NVIDIA's stylegan2-ada-pytorch"));
    }
    Ok(())
}

/// Bytes of the file, or decoded from a text in it (protocol 2).
type Payload<'a> = Cow<'a, [u8]>;

/// Storages that are legacy streams inside the pickle.
struct PickledStorages<'a> {
    source: &'a [u8],
    /// Streams that were read, by the value that holds them.
    found: HashMap<Id, (Dtype, Payload<'a>, Range<usize>)>,
}

impl<'a> Storages<'a> for PickledStorages<'a> {
    fn storage(
        &mut self,
        tree: &Tree<'a>,
        id: Id,
        name: &str,
        budget: &mut Budget,
    ) -> Result<Storage<'_>, Fault> {
        if !self.found.contains_key(&id) {
            let found = self.load(tree, id, name, budget)?;
            self.found.insert(id, found);
        }
        let (dtype, bytes) = match self.found.get(&id) {
            Some((dtype, payload, range)) => (*dtype, &payload[range.clone()]),
            // Never seen: it was put in just now.
            None => (Dtype::U8, &self.source[..0]),
        };
        Ok(Storage { dtype, bytes })
    }
}

impl<'a> PickledStorages<'a> {
    fn load(
        &self,
        tree: &Tree<'a>,
        id: Id,
        name: &str,
        budget: &mut Budget,
    ) -> Result<(Dtype, Payload<'a>, Range<usize>), Fault> {
        let what = format!("storage of tensor `{name}`");
        let Some(("torch.storage", "_load_from_bytes", &[argument])) = tree.call(id) else {
            return Err(tree.fault(&what, "a call of `torch.storage._load_from_bytes`", id));
        };
        let payload = payload(tree, argument, &what, budget)?;
        let stream = torch_legacy::read(&payload, &what, budget)?;
        let id = super::storage::storage_id(&stream.tree, stream.tree.root(), &what)?;
        let (dtype, range) = stream
            .storages
            .get(id.key)
            .filter(|_| stream.storages.len() == 1)
            .cloned()
            .ok_or_else(|| Fault::new(&what, "exactly one", stream.storages.len()))?;
        // It borrows the payload.
        drop(stream);
        Ok((dtype, payload, range))
    }
}

fn payload<'a>(tree: &Tree<'a>, id: Id, what: &str, budget: &mut Budget) -> Result<Payload<'a>, Fault> {
    let refuse = || tree.fault(what, "bytes", id);
    if let Value::Bytes(bytes) = tree.value(id) {
        return Ok(Cow::Borrowed(bytes));
    }
    let Some(("_codecs", "encode", &[text, encoding])) = tree.call(id) else { return Err(refuse()) };
    let text = tree.text(text).filter(|_| tree.text(encoding) == Some("latin1")).ok_or_else(refuse)?;
    budget.bytes(what, text.len() as u64)?;
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    bytes.map(Cow::Owned).map_err(|_| Fault::new(what, "code points below 256", "larger ones"))
}
