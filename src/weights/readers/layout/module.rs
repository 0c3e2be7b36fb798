//! Pickled modules: persistent objects of StyleGAN2-ADA (docs/spec/checkpoints.md §2.2) and instances of
//! PyTorch's own classes. The names that come out are those of the module's state dict.

use std::collections::BTreeSet;

use super::super::budget::Budget;
use super::super::pickle::{Id, Tree, Value};
use super::super::storage::Storages;
use super::collector::Collector;
use crate::error::Fault;
use crate::weights::foreign::ForeignNetwork;

/// The only version of persistent objects that was ever published.
const PERSISTENCE_VERSION: i64 = 6;

/// Class and attributes of a module.
struct ModuleValue<'a> {
    class: Option<&'a str>,
    state: Id,
}

/// Whether the value is a module of either kind.
pub(in super::super) fn is_module(tree: &Tree<'_>, id: Id) -> bool {
    if persistent_meta(tree, id).is_some() {
        return true;
    }
    let state = tree.made(id).and_then(|made| made.state).and_then(|state| tree.entries(state));
    // Attributes come in any order, but the three tables of a module are always among the first.
    state.is_some_and(|entries| {
        entries.iter().take(16).any(|(key, _)| matches!(tree.text(*key), Some("_parameters" | "_modules")))
    })
}

/// The network that a module is; `label` names it in messages.
///
/// # Errors
/// A fault that names the module or tensor.
pub(in super::super) fn module<'a>(
    tree: &Tree<'a>,
    id: Id,
    label: &str,
    storages: &mut impl Storages<'a>,
    budget: &mut Budget,
) -> Result<ForeignNetwork, Fault> {
    let mut collector = Collector::new(tree, label, storages, budget);
    let class = walk(&mut collector, id, "", 0)?;
    Ok(collector.finish(class))
}

/// The dict that describes a persistent object.
fn persistent_meta<'t>(tree: &'t Tree<'_>, id: Id) -> Option<&'t [(Id, Id)]> {
    match tree.call(id)? {
        ("torch_utils.persistence", "_reconstruct_persistent_obj", &[meta]) => tree.entries(meta),
        _ => None,
    }
}

fn value<'a, S: Storages<'a>>(
    collector: &mut Collector<'_, 'a, S>,
    id: Id,
    prefix: &str,
) -> Result<ModuleValue<'a>, Fault> {
    let tree = collector.tree;
    let field = format!("module {}", collector.shown(prefix));
    let Some(meta) = persistent_meta(tree, id) else {
        let made = tree.made(id).and_then(|made| Some((made.class, made.state?)));
        let (class, state) = made.ok_or_else(|| tree.fault(&field, "a module", id))?;
        return Ok(ModuleValue { class: class_name(tree, class), state });
    };
    collector.budget.work(&field, meta.len())?;
    let entry =
        |name: &str| meta.iter().find(|(key, _)| tree.text(*key) == Some(name)).map(|(_, value)| *value);
    let missing = |name: &str| Fault::new(&field, format!("an entry `{name}`"), "none");
    let kind = entry("type").ok_or_else(|| missing("type"))?;
    if tree.text(kind) != Some("class") {
        return Err(tree.fault(format!("type of {field}"), "`class`", kind));
    }
    let version = entry("version").ok_or_else(|| missing("version"))?;
    if tree.int(version) != Some(PERSISTENCE_VERSION) {
        return Err(tree.fault(format!("version of {field}"), PERSISTENCE_VERSION, version));
    }
    let class = entry("class_name").ok_or_else(|| missing("class_name"))?;
    let class = tree.text(class).ok_or_else(|| tree.fault(format!("class of {field}"), "a text", class))?;
    let state = entry("state").ok_or_else(|| missing("state"))?;
    Ok(ModuleValue { class: Some(class), state })
}

/// The class of an instance; legacy streams keep `('module', class, file, source)` outside the pickle.
fn class_name<'a>(tree: &Tree<'a>, class: Id) -> Option<&'a str> {
    let class = match tree.value(class) {
        Value::Persistent(parts) => match tree.tuple(*parts)? {
            &[tag, class, ..] if tree.text(tag) == Some("module") => class,
            _ => return None,
        },
        _ => class,
    };
    tree.global(class).map(|(_, name)| name)
}

/// Collects a module and those in it; returns its class.
fn walk<'a, S: Storages<'a>>(
    collector: &mut Collector<'_, 'a, S>,
    id: Id,
    prefix: &str,
    depth: usize,
) -> Result<Option<&'a str>, Fault> {
    collector.check_depth(prefix, depth)?;
    let tree = collector.tree;
    let ModuleValue { class, state } = value(collector, id, prefix)?;
    let field = format!("module {}", collector.shown(prefix));
    let attributes =
        tree.entries(state).ok_or_else(|| tree.fault(format!("state of {field}"), "a dict", state))?;
    collector.budget.work(&field, attributes.len() + 1)?;
    let unsaved = unsaved_buffers(collector, attributes)?;
    let mut tables = BTreeSet::new();
    for &(key, value) in attributes {
        let key = tree.text(key).ok_or_else(|| tree.fault(format!("attribute of {field}"), "a text", key))?;
        if matches!(key, "_parameters" | "_buffers" | "_modules") {
            if !tables.insert(key) {
                return Err(Fault::new(format!("`{key}` of {field}"), "one table", "several"));
            }
            let entries = tree
                .entries(value)
                .ok_or_else(|| tree.fault(format!("`{key}` of {field}"), "a dict", value))?;
            collector.budget.work(&field, entries.len())?;
            for &(name, value) in entries {
                let name =
                    tree.text(name).ok_or_else(|| tree.fault(format!("name in {field}"), "a text", name))?;
                let is_unsaved = key == "_buffers" && unsaved.contains(name);
                // None stands for a parameter that the module does not have, such as a bias that was switched off.
                if is_unsaved || matches!(tree.value(value), Value::None) {
                    continue;
                }
                let path = collector.join(prefix, name)?;
                if key == "_modules" {
                    walk(collector, value, &path, depth + 1)?;
                } else {
                    collector.tensor(&path, value)?;
                }
            }
        } else if matches!(key, "_init_args" | "_init_kwargs") || !key.starts_with('_') {
            let path = collector.join(prefix, key)?;
            collector.setting(&path, value)?;
        }
    }
    if !tables.contains("_parameters") && !tables.contains("_modules") {
        return Err(Fault::new(field, "`_parameters` and `_modules`", "neither"));
    }
    Ok(class)
}

/// Buffers that PyTorch leaves out of the state dict.
fn unsaved_buffers<'a, S: Storages<'a>>(
    collector: &mut Collector<'_, 'a, S>,
    attributes: &[(Id, Id)],
) -> Result<BTreeSet<&'a str>, Fault> {
    let tree = collector.tree;
    let set = attributes.iter().find(|(key, _)| tree.text(*key) == Some("_non_persistent_buffers_set"));
    let names = set.and_then(|(_, set)| tree.items(*set)).unwrap_or_default();
    collector.budget.work("names of buffers", names.len())?;
    Ok(names.iter().filter_map(|&name| tree.text(name)).collect())
}
