//! Storages: the flat arrays that tensors are views of, whatever container holds them.

use super::budget::Budget;
use super::pickle::{Id, Tree, Value};
use crate::error::Fault;
use crate::weights::foreign::Dtype;

/// A flat array of whole elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage<'s> {
    pub dtype: Dtype,
    pub bytes: &'s [u8],
}

/// Where a container keeps its storages.
pub(super) trait Storages<'a> {
    /// The storage that `id` stands for; `name` is the tensor's, for messages.
    ///
    /// # Errors
    /// A fault that names the tensor.
    fn storage(
        &mut self,
        tree: &Tree<'a>,
        id: Id,
        name: &str,
        budget: &mut Budget,
    ) -> Result<Storage<'_>, Fault>;
}

/// What a persistent id says of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StorageId<'a> {
    pub key: &'a str,
    pub dtype: Dtype,
    /// Number of elements.
    pub count: u64,
}

impl StorageId<'_> {
    /// Its size, unless that is no number.
    pub fn size_bytes(&self) -> Option<u64> {
        self.count.checked_mul(self.dtype.size_bytes() as u64)
    }
}

/// Reads `('storage', class, key, location, count)`, in legacy streams with a view, which must be None.
///
/// # Errors
/// A fault that names `field` and the part that is wrong.
pub(super) fn storage_id<'a>(tree: &Tree<'a>, id: Id, field: &str) -> Result<StorageId<'a>, Fault> {
    let Value::Persistent(inner) = tree.value(id) else {
        return Err(tree.fault(field, "a storage", id));
    };
    let expected = "('storage', class, key, location, count)";
    let Some([tag, class, key, _location, count, view @ ..]) = tree.tuple(*inner) else {
        return Err(tree.fault(format!("storage of {field}"), expected, *inner));
    };
    if tree.text(*tag) != Some("storage") {
        return Err(tree.fault(format!("storage of {field}"), expected, *tag));
    }
    match view {
        [] => {}
        [view] if matches!(tree.value(*view), Value::None) => {}
        _ => {
            return Err(Fault::new(
                format!("storage of {field}"),
                "a whole storage",
                "a view of another one",
            ));
        }
    }
    let dtype = tree.global(*class).and_then(storage_dtype).ok_or_else(|| {
        tree.fault(format!("storage class of {field}"), "one of torch's numeric storages", *class)
    })?;
    let key = tree.text(*key).ok_or_else(|| tree.fault(format!("storage key of {field}"), "a text", *key))?;
    let count = tree
        .int(*count)
        .and_then(|count| u64::try_from(count).ok())
        .ok_or_else(|| tree.fault(format!("storage size of {field}"), "a count of elements", *count))?;
    Ok(StorageId { key, dtype, count })
}

fn storage_dtype((module, name): (&str, &str)) -> Option<Dtype> {
    if module != "torch" && module != "torch.cuda" {
        return None;
    }
    Some(match name {
        "DoubleStorage" => Dtype::F64,
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::Bf16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::Bool,
        _ => return None,
    })
}
