//! One tensor from its recipe: storage, offset, sizes and strides, copied into row-major order.

use super::budget::Budget;
use super::pickle::{Id, Tree, Value};
use super::storage::Storages;
use super::view::{View, element_count};
use crate::error::Fault;
use crate::weights::foreign::ForeignTensor;

/// Most axes of a tensor.
const MAX_AXES: usize = 16;
/// Parameters around tensors around … : torch writes at most three.
const MAX_WRAPPERS: usize = 8;

/// How torch rebuilds a tensor.
#[derive(Clone, Copy, Debug)]
struct Recipe {
    storage: Id,
    offset: Id,
    sizes: Id,
    strides: Id,
}

/// Whether the value is a tensor or a parameter that can be read.
pub(super) fn is_tensor(tree: &Tree<'_>, id: Id) -> bool {
    recipe(tree, id).is_some()
}

/// The tensor `name`.
///
/// # Errors
/// A fault that names it.
pub(super) fn rebuild<'a>(
    tree: &Tree<'a>,
    id: Id,
    name: &str,
    storages: &mut impl Storages<'a>,
    budget: &mut Budget,
) -> Result<ForeignTensor, Fault> {
    let field = format!("tensor `{name}`");
    budget.work(&field, 1)?;
    let recipe = recipe(tree, id).ok_or_else(|| {
        tree.fault(&field, "torch's `_rebuild_tensor_v2` or `_rebuild_parameter`", id)
            .hint("save plain tensors: a state dict of the network, on the CPU, not quantised")
    })?;
    let offset =
        tree.int(recipe.offset).and_then(|offset| usize::try_from(offset).ok()).ok_or_else(|| {
            tree.fault(format!("offset of {field}"), "a position in the storage", recipe.offset)
        })?;
    let shape = lengths(tree, recipe.sizes, &format!("shape of {field}"))?;
    let strides = lengths(tree, recipe.strides, &format!("strides of {field}"))?;
    if shape.len() != strides.len() {
        return Err(Fault::new(
            format!("strides of {field}"),
            format!("{} of them", shape.len()),
            strides.len(),
        ));
    }
    let view = View { offset, shape: &shape, strides: &strides };
    let elements = element_count(&shape).ok_or_else(|| {
        Fault::new(format!("shape of {field}"), "a number of elements", format!("{shape:?}"))
    })?;
    let storage = storages.storage(tree, recipe.storage, name, budget)?;
    let available = storage.bytes.len() / storage.dtype.size_bytes();
    let is_inside = match view.end() {
        Some(end) => end <= available,
        None => false,
    };
    if !is_inside {
        return Err(Fault::new(
            format!("view of {field}"),
            format!("one inside its storage of {available} elements"),
            format!("offset {offset}, shape {shape:?}, strides {strides:?}"),
        ));
    }
    // The storage borrows its keeper, not the budget.
    budget.tensor(name, (elements as u64).saturating_mul(storage.dtype.size_bytes() as u64))?;
    let bytes = view.copy(storage, elements);
    Ok(ForeignTensor { dtype: storage.dtype, shape, bytes })
}

fn recipe(tree: &Tree<'_>, id: Id) -> Option<Recipe> {
    let mut id = id;
    let mut inner;
    let mut call = tree.call(id)?;
    for _ in 0..MAX_WRAPPERS {
        let (module, name, args) = call;
        match (module, name, args) {
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state", [tensor, ..]) => {
                id = *tensor;
                call = tree.call(id)?;
            }
            // A tensor that carries Python attributes; other classes may mean other values.
            ("torch._tensor", "_rebuild_from_type_v2", [function, class, args, ..]) => {
                match tree.global(*class)? {
                    ("torch", "Tensor") | ("torch.nn.parameter", "Parameter" | "Buffer") => {}
                    _ => return None,
                }
                inner = tree.global(*function)?;
                call = (inner.0, inner.1, tree.tuple(*args)?);
            }
            ("torch._utils", "_rebuild_tensor", [storage, offset, sizes, strides]) => {
                return Some(Recipe { storage: *storage, offset: *offset, sizes: *sizes, strides: *strides });
            }
            (
                "torch._utils",
                "_rebuild_tensor_v2",
                [storage, offset, sizes, strides, _, _, metadata @ ..],
            ) => {
                // Metadata marks lazily negated or conjugated values.
                return match metadata {
                    [] => true,
                    [metadata] => match tree.value(*metadata) {
                        Value::None => true,
                        Value::Dict(entries) => entries.is_empty(),
                        _ => false,
                    },
                    _ => false,
                }
                .then_some(Recipe {
                    storage: *storage,
                    offset: *offset,
                    sizes: *sizes,
                    strides: *strides,
                });
            }
            _ => return None,
        }
    }
    None
}

fn lengths(tree: &Tree<'_>, id: Id, field: &str) -> Result<Vec<usize>, Fault> {
    // Sizes may be torch.Size: a call on one tuple.
    let id = match tree.call(id) {
        Some(("torch", "Size", [inner])) => *inner,
        _ => id,
    };
    let items = match tree.value(id) {
        Value::Tuple(items) | Value::List(items) => items,
        _ => return Err(tree.fault(field, "a tuple of integers", id)),
    };
    if items.len() > MAX_AXES {
        return Err(Fault::new(field, format!("at most {MAX_AXES} axes"), items.len()));
    }
    items
        .iter()
        .map(|&item| {
            tree.int(item)
                .and_then(|length| usize::try_from(length).ok())
                .ok_or_else(|| tree.fault(field, "integers from 0", item))
        })
        .collect()
}
