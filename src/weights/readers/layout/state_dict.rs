//! What `torch.save` wrote: a state dict, one somewhere inside a checkpoint, or a whole module.

use super::super::budget::Budget;
use super::super::pickle::{Id, Tree, Value};
use super::super::storage::Storages;
use super::super::tensor::is_tensor;
use super::collector::Collector;
use super::module::{is_module, module};
use crate::error::Fault;
use crate::weights::foreign::ForeignNetwork;

/// Dicts around the state dict: `checkpoint["ema"]["state_dict"]` has two.
const MAX_DEPTH: usize = 4;
/// Candidates that a message names; the search ends with the next one.
const MAX_NAMED: usize = 8;
/// Attributes of optimisers look like state dicts.
const NO_NETWORKS: &[&str] = &["optim", "scheduler", "scaler", "rng_state"];

/// A state dict or module somewhere in the object.
struct Candidate {
    path: String,
    id: Id,
}

/// The one network of the object, as it is or below the keys of a checkpoint.
///
/// # Errors
/// A fault that names the tensor, or the candidates when there are several.
pub(in super::super) fn saved_object<'a>(
    tree: &Tree<'a>,
    storages: &mut impl Storages<'a>,
    budget: &mut Budget,
) -> Result<ForeignNetwork, Fault> {
    let mut candidates = Vec::new();
    find(tree, tree.root(), "", 0, &mut candidates, budget)?;
    match &candidates[..] {
        [only] if is_module(tree, only.id) => module(tree, only.id, "", storages, budget),
        [only] => state_dict(tree, only.id, storages, budget),
        [] => Err(tree.fault("saved object", "a state dict or module", tree.root())),
        several => {
            let names: Vec<_> = several
                .iter()
                .take(MAX_NAMED)
                .map(|candidate| match &candidate.path[..] {
                    "" => "the top level".into(),
                    path => format!("`{path}`"),
                })
                .collect();
            let more = if several.len() > MAX_NAMED { ", …" } else { "" };
            let found = format!("several: {}{more}", names.join(", "));
            Err(Fault::new("number of state dicts", "one", found)
                .hint("save the one you want as a file of its own"))
        }
    }
}

fn find(
    tree: &Tree<'_>,
    id: Id,
    path: &str,
    depth: usize,
    candidates: &mut Vec<Candidate>,
    budget: &mut Budget,
) -> Result<(), Fault> {
    if candidates.len() > MAX_NAMED {
        return Ok(());
    }
    if is_module(tree, id) {
        candidates.push(Candidate { path: path.into(), id });
        return Ok(());
    }
    let Some(entries) = tree.entries(id) else { return Ok(()) };
    budget.work("saved object", entries.len() + 1)?;
    let is_state_dict =
        entries.iter().any(|&(key, value)| tree.text(key).is_some() && is_tensor(tree, value));
    if is_state_dict {
        candidates.push(Candidate { path: path.into(), id });
    }
    // The search goes on below what was found: with a second state dict in it the choice would be a guess.
    if depth == MAX_DEPTH {
        return Ok(());
    }
    for &(key, value) in entries {
        let Some(key) = tree.text(key).filter(|key| key.len() < 128) else { continue };
        if NO_NETWORKS.iter().any(|start| key.starts_with(start)) {
            continue;
        }
        let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
        find(tree, value, &path, depth + 1, candidates, budget)?;
    }
    Ok(())
}

fn state_dict<'a>(
    tree: &Tree<'a>,
    id: Id,
    storages: &mut impl Storages<'a>,
    budget: &mut Budget,
) -> Result<ForeignNetwork, Fault> {
    let mut collector = Collector::new(tree, "", storages, budget);
    for &(key, value) in tree.entries(id).unwrap_or_default() {
        let key = tree.text(key).ok_or_else(|| tree.fault("name in the state dict", "a text", key))?;
        // Checks the length of the name.
        let name = collector.join("", key)?;
        if is_weight(tree, value) {
            collector.tensor(&name, value)?;
        } else {
            collector.setting(&name, value)?;
        }
    }
    Ok(collector.finish(None))
}

/// Whether the entry is, or could be, a weight: a call that is not known here is refused by name.
fn is_weight(tree: &Tree<'_>, id: Id) -> bool {
    match tree.value(id) {
        Value::Persistent(_) => true,
        Value::Made(_) => {
            let is_plain = tree.entries(id).is_some()
                || tree.items(id).is_some()
                || matches!(tree.call(id), Some(("torch", "Size" | "device", _)));
            let is_numpy_scalar =
                matches!(tree.call(id), Some((module, "scalar", _)) if module.starts_with("numpy"));
            !is_plain && !is_numpy_scalar
        }
        _ => false,
    }
}
