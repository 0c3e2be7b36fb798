//! Script modules (docs/spec/checkpoints.md §4.1): the path of attributes is the tensor's name.

use super::super::budget::Budget;
use super::super::pickle::{Id, MadeBy, Tree, Value};
use super::super::storage::Storages;
use super::super::tensor::is_tensor;
use super::collector::Collector;
use crate::error::Fault;
use crate::weights::foreign::ForeignNetwork;

/// The network whose root is the pickle's object.
///
/// # Errors
/// A fault that names the module or tensor.
pub(in super::super) fn script_module<'a>(
    tree: &Tree<'a>,
    storages: &mut impl Storages<'a>,
    budget: &mut Budget,
) -> Result<ForeignNetwork, Fault> {
    let Some(class) = script_class(tree, tree.root()) else {
        return Err(tree.fault("TorchScript archive", "a module of `__torch__`", tree.root()));
    };
    let mut collector = Collector::new(tree, "", storages, budget);
    walk(&mut collector, tree.root(), "", 0)?;
    Ok(collector.finish(Some(class)))
}

fn script_class<'a>(tree: &Tree<'a>, id: Id) -> Option<&'a str> {
    let made = tree.made(id).filter(|made| made.by == MadeBy::New)?;
    let (module, name) = tree.global(made.class)?;
    (module == "__torch__" || module.starts_with("__torch__.")).then_some(name)
}

fn walk<'a, S: Storages<'a>>(
    collector: &mut Collector<'_, 'a, S>,
    id: Id,
    prefix: &str,
    depth: usize,
) -> Result<(), Fault> {
    collector.check_depth(prefix, depth)?;
    let tree = collector.tree;
    let field = format!("module {}", collector.shown(prefix));
    // A module without attributes has no state.
    let Some(state) = tree.made(id).and_then(|made| made.state) else { return Ok(()) };
    let attributes =
        tree.entries(state).ok_or_else(|| tree.fault(format!("state of {field}"), "a dict", state))?;
    collector.budget.work(&field, attributes.len() + 1)?;
    for &(key, value) in attributes {
        let key = tree.text(key).ok_or_else(|| tree.fault(format!("attribute of {field}"), "a text", key))?;
        let path = collector.join(prefix, key)?;
        if is_tensor(tree, value) {
            collector.tensor(&path, value)?;
        } else if script_class(tree, value).is_some() {
            walk(collector, value, &path, depth + 1)?;
        } else if is_unreadable(tree, value) {
            // Names the tensor and what it is made of.
            collector.tensor(&path, value)?;
        } else {
            collector.setting(&path, value)?;
        }
    }
    Ok(())
}

/// A call that could be a weight of a kind that is not known here.
fn is_unreadable(tree: &Tree<'_>, id: Id) -> bool {
    match tree.value(id) {
        Value::Persistent(_) => true,
        Value::Made(_) => !matches!(
            tree.call(id),
            Some(("torch.jit._pickle", ..) | ("collections", ..) | ("torch", "Size" | "device", _))
        ),
        _ => false,
    }
}
