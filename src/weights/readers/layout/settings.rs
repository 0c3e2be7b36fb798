//! Plain values of modules as JSON: constructor arguments and attributes. What is not plain is left out.

use std::collections::BTreeMap;

use serde_json::{Number, Value as Json};

use super::super::budget::Budget;
use super::super::pickle::{Id, Tree, Value};
use crate::error::Fault;

/// Dicts in dicts: `_init_kwargs.synthesis_kwargs.structure` has three levels.
const MAX_DEPTH: usize = 8;
/// Longer texts are sources or logs, not settings.
const MAX_TEXT_BYTES: usize = 1024;
/// Longest dotted path, in bytes.
const MAX_PATH_BYTES: usize = 512;
/// Longest list: per-layer numbers and the like.
const MAX_ITEMS: usize = 4096;
/// Work for one setting: dicts that share dicts must not multiply into much memory.
const WORK_PER_SETTING: usize = 32;

/// Adds the value at `path`, and the entries of dicts below it.
///
/// # Errors
/// Only that the file is built to grow without end.
pub(super) fn collect(
    tree: &Tree<'_>,
    id: Id,
    path: &str,
    settings: &mut BTreeMap<String, Json>,
    budget: &mut Budget,
) -> Result<(), Fault> {
    collect_at(tree, id, path, 0, settings, budget)
}

fn collect_at(
    tree: &Tree<'_>,
    id: Id,
    path: &str,
    depth: usize,
    settings: &mut BTreeMap<String, Json>,
    budget: &mut Budget,
) -> Result<(), Fault> {
    let Some(entries) = tree.entries(id) else {
        budget.work("settings", WORK_PER_SETTING + path.len() / 4)?;
        if let Some(value) = plain(tree, id, 0, budget)? {
            settings.insert(path.to_string(), value);
        }
        return Ok(());
    };
    if depth == MAX_DEPTH {
        return Ok(());
    }
    budget.work("settings", entries.len())?;
    for &(key, value) in entries {
        let key = match tree.value(key) {
            Value::Text(text) => (*text).to_string(),
            Value::Int(number) => number.to_string(),
            _ => continue,
        };
        if path.len() + key.len() < MAX_PATH_BYTES {
            collect_at(tree, value, &format!("{path}.{key}"), depth + 1, settings, budget)?;
        }
    }
    Ok(())
}

fn plain(tree: &Tree<'_>, id: Id, depth: usize, budget: &mut Budget) -> Result<Option<Json>, Fault> {
    budget.work("settings", 4)?;
    Ok(match tree.value(id) {
        Value::None => Some(Json::Null),
        Value::Bool(value) => Some(Json::Bool(*value)),
        Value::Int(value) => Some(Json::from(*value)),
        Value::Float(value) => Number::from_f64(*value).map(Json::Number),
        Value::Text(text) if text.len() <= MAX_TEXT_BYTES => {
            // A long text that many settings share must not multiply.
            budget.work("settings", text.len() / 4)?;
            Some(Json::from(*text))
        }
        Value::Made(_) if depth < MAX_DEPTH => match tree.call(id) {
            Some(("torch", "Size", &[inner])) => plain(tree, inner, depth + 1, budget)?,
            Some(("torch.jit._pickle", name, &[inner, ..])) if is_typed_list(name) => {
                plain(tree, inner, depth + 1, budget)?
            }
            Some((module, "scalar", &[dtype, bytes])) if module.starts_with("numpy") => {
                numpy_scalar(tree, dtype, bytes)
            }
            _ => None,
        },
        Value::List(items) | Value::Tuple(items) if depth < MAX_DEPTH && items.len() <= MAX_ITEMS => {
            let mut values = Vec::new();
            for &item in items {
                let Some(value) = plain(tree, item, depth + 1, budget)? else { return Ok(None) };
                values.push(value);
            }
            Some(Json::Array(values))
        }
        _ => None,
    })
}

/// TorchScript's lists and tagged values carry the plain one first.
fn is_typed_list(name: &str) -> bool {
    matches!(name, "build_intlist" | "build_doublelist" | "build_boollist" | "restore_type_tag")
}

/// `scalar(dtype, bytes)`, where the dtype is a call on its code and the bytes may be a text in latin 1.
fn numpy_scalar(tree: &Tree<'_>, dtype: Id, bytes: Id) -> Option<Json> {
    let made = tree.made(dtype)?;
    let Some(("numpy", "dtype")) = tree.global(made.class) else { return None };
    let code = tree.text(*tree.tuple(made.args)?.first()?)?;
    // The state names the byte order: `|` where there is none.
    let state = tree.tuple(made.state?)?;
    if tree.text(*state.get(1)?)? == ">" {
        return None;
    }
    let owned;
    let bytes = match tree.value(bytes) {
        Value::Bytes(bytes) => *bytes,
        _ => match tree.call(bytes) {
            Some(("_codecs", "encode", &[text, _])) => {
                owned =
                    // One more than the longest number has bytes: a longer text is refused by its length.
                    tree.text(text)?.chars().take(9).map(u8::try_from).collect::<Result<Vec<_>, _>>().ok()?;
                &owned
            }
            _ => return None,
        },
    };
    match code {
        "f8" => Number::from_f64(f64::from_le_bytes(bytes.try_into().ok()?)).map(Json::Number),
        "f4" => Number::from_f64(f64::from(f32::from_le_bytes(bytes.try_into().ok()?))).map(Json::Number),
        "i8" => Some(Json::from(i64::from_le_bytes(bytes.try_into().ok()?))),
        "i4" => Some(Json::from(i32::from_le_bytes(bytes.try_into().ok()?))),
        "b1" => bytes.first().map(|byte| Json::Bool(*byte != 0)),
        _ => None,
    }
}
