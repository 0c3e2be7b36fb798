//! `torch.save` before 1.6: four pickles, a list of keys, then the storages (docs/spec/checkpoints.md §1.2).
//! Network pickles hold one such stream for every tensor.

use std::collections::BTreeMap;
use std::ops::Range;

use super::budget::Budget;
use super::pickle::{self, Id, Tree, Value};
use super::storage::{Storage, StorageId, Storages, storage_id};
use crate::data::formats::byte_fields::u64_at;
use crate::error::Fault;
use crate::weights::foreign::Dtype;

/// 0x1950a86a20f9469cfc6c, little endian.
const MAGIC: &[u8] = &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const PROTOCOL: i64 = 1001;

/// A stream whose pickles are parsed and whose storages are found.
#[derive(Debug)]
pub(super) struct LegacyStream<'a> {
    bytes: &'a [u8],
    pub tree: Tree<'a>,
    pub storages: BTreeMap<&'a str, (Dtype, Range<usize>)>,
}

/// Reads a stream that fills `bytes`; `what` names it in messages.
///
/// # Errors
/// A fault that names the pickle or the storage.
pub(super) fn read<'a>(bytes: &'a [u8], what: &str, budget: &mut Budget) -> Result<LegacyStream<'a>, Fault> {
    let mut at = 0;
    let mut next = |part: &str, budget: &mut Budget| {
        let tree = pickle::parse(&bytes[at..], &format!("{part} of the {what}"), budget)?;
        at += tree.length();
        Ok::<_, Fault>(tree)
    };
    let magic = next("first pickle", budget)?;
    if !matches!(magic.value(magic.root()), Value::BigInt(MAGIC)) {
        return Err(magic.fault(format!("first pickle of the {what}"), "torch's magic number", magic.root()));
    }
    let protocol = next("second pickle", budget)?;
    if protocol.int(protocol.root()) != Some(PROTOCOL) {
        return Err(protocol.fault(format!("protocol of the {what}"), PROTOCOL, protocol.root()));
    }
    let system = next("third pickle", budget)?;
    refuse_big_endian(&system, what)?;
    let tree = next("object", budget)?;
    let keys = next("list of storages", budget)?;
    let ids = named_storages(&tree, what, budget)?;
    let storages = place(bytes, at, &keys, &ids, what)?;
    Ok(LegacyStream { bytes, tree, storages })
}

impl<'a> LegacyStream<'a> {
    /// The object and what finds its storages.
    pub fn into_parts(self) -> (Tree<'a>, LegacyStorages<'a>) {
        (self.tree, LegacyStorages { bytes: self.bytes, storages: self.storages })
    }
}

fn refuse_big_endian(tree: &Tree<'_>, what: &str) -> Result<(), Fault> {
    let entries = tree.entries(tree.root()).unwrap_or_default();
    let is_little = entries.iter().find(|(key, _)| tree.text(*key) == Some("little_endian"));
    match is_little.map(|(_, value)| tree.value(*value)) {
        Some(Value::Bool(true)) => Ok(()),
        Some(Value::Bool(false)) => Err(big_endian(what)),
        _ => Err(Fault::new(format!("system of the {what}"), "an entry `little_endian`", "none")),
    }
}

/// What every container says to a big-endian file.
pub(super) fn big_endian(what: &str) -> Fault {
    Fault::new(format!("byte order of the {what}"), "little endian", "big endian")
        .hint("save the file again on a little-endian machine")
}

/// Every storage that the object names, by key.
fn named_storages<'a>(
    tree: &Tree<'a>,
    what: &str,
    budget: &mut Budget,
) -> Result<BTreeMap<&'a str, StorageId<'a>>, Fault> {
    let mut ids = BTreeMap::new();
    budget.work(what, tree.values().len())?;
    for (index, value) in tree.values().iter().enumerate() {
        let Value::Persistent(inner) = value else { continue };
        // Whole networks also name the source code of their classes.
        let is_storage = tree.tuple(*inner).and_then(|parts| tree.text(*parts.first()?)) == Some("storage");
        if !is_storage {
            continue;
        }
        let id = storage_id(tree, tree.nth(index), what)?;
        if ids.insert(id.key, id).is_some_and(|earlier| earlier != id) {
            let field = format!("storage `{}` of the {what}", id.key);
            return Err(Fault::new(field, "one type and size", "several"));
        }
    }
    Ok(ids)
}

/// Where the storages lie: each is its count and its bytes, in the order of the keys.
fn place<'a>(
    bytes: &[u8],
    start: usize,
    keys: &Tree<'_>,
    ids: &BTreeMap<&'a str, StorageId<'a>>,
    what: &str,
) -> Result<BTreeMap<&'a str, (Dtype, Range<usize>)>, Fault> {
    let Value::List(order) = keys.value(keys.root()) else {
        return Err(keys.fault(format!("list of storages of the {what}"), "a list", keys.root()));
    };
    let mut storages = BTreeMap::new();
    let mut at = start;
    for &key in order {
        let key =
            keys.text(key).ok_or_else(|| keys.fault(format!("storage key of the {what}"), "a text", key))?;
        let field = format!("storage `{key}` of the {what}");
        let (&key, id) = ids
            .get_key_value(key)
            .ok_or_else(|| Fault::new(&field, "one that the object names", "not named"))?;
        let left = (bytes.len() - at) as u64;
        let count = u64_at(bytes, at)
            .ok_or_else(|| Fault::new(&field, "a count of 8 bytes", format!("{left} bytes")))?;
        if count != id.count {
            return Err(Fault::new(&field, format!("{} elements", id.count), count as i64));
        }
        let size = id.size_bytes().filter(|&size| size <= left - 8).ok_or_else(|| {
            Fault::new(
                &field,
                format!("{} elements of {} bytes", id.count, id.dtype.size_bytes()),
                format!("{} bytes", left - 8),
            )
        })?;
        let range = at + 8..at + 8 + size as usize;
        at = range.end;
        if storages.insert(key, (id.dtype, range)).is_some() {
            return Err(Fault::new(&field, "one of this key", "several"));
        }
    }
    if at != bytes.len() {
        return Err(Fault::new(
            format!("end of the {what}"),
            format!("byte {at}"),
            format!("byte {}", bytes.len()),
        ));
    }
    Ok(storages)
}

/// Storages of a file that is one legacy stream.
#[derive(Debug)]
pub(super) struct LegacyStorages<'a> {
    bytes: &'a [u8],
    storages: BTreeMap<&'a str, (Dtype, Range<usize>)>,
}

impl<'a> Storages<'a> for LegacyStorages<'a> {
    fn storage(
        &mut self,
        tree: &Tree<'a>,
        id: Id,
        name: &str,
        _budget: &mut Budget,
    ) -> Result<Storage<'_>, Fault> {
        let id = storage_id(tree, id, &format!("tensor `{name}`"))?;
        let (dtype, range) = self.storages.get(id.key).ok_or_else(|| {
            Fault::new(
                format!("storage of tensor `{name}`"),
                "one in the file",
                format!("missing key `{}`", id.key),
            )
        })?;
        Ok(Storage { dtype: *dtype, bytes: &self.bytes[range.clone()] })
    }
}
