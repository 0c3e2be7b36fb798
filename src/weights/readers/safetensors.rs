//! Safetensors (docs/spec/checkpoints.md §7): the crate checks lengths, offsets and shapes; names are checked here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use safetensors::SafeTensors;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::budget::Budget;
use super::view::element_count;
use crate::error::Fault;
use crate::weights::foreign::{Dtype, ForeignNetwork, ForeignTensor};

/// The tensors of a file.
///
/// # Errors
/// A fault that names the header or the tensor.
pub(super) fn read(bytes: &[u8], budget: &mut Budget) -> Result<ForeignNetwork, Fault> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| Fault::new("safetensors header", "one that fits the data", error))?;
    refuse_repeated_names(bytes)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        let dtype = dtype(view.dtype()).ok_or_else(|| {
            Fault::new(
                format!("dtype of tensor `{name}`"),
                "F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL",
                view.dtype(),
            )
        })?;
        if element_count(view.shape()).is_none() {
            let found = format!("{:?}", view.shape());
            return Err(Fault::new(format!("shape of tensor `{name}`"), "a number of elements", found));
        }
        budget.tensor(name, view.data().len() as u64)?;
        let tensor = ForeignTensor { dtype, shape: view.shape().to_vec(), bytes: view.data().to_vec() };
        tensors.insert(name.to_string(), tensor);
    }
    Ok(ForeignNetwork { tensors, ..ForeignNetwork::default() })
}

fn dtype(foreign: safetensors::Dtype) -> Option<Dtype> {
    use safetensors::Dtype as Foreign;
    Some(match foreign {
        Foreign::F64 => Dtype::F64,
        Foreign::F32 => Dtype::F32,
        Foreign::F16 => Dtype::F16,
        Foreign::BF16 => Dtype::Bf16,
        Foreign::I64 => Dtype::I64,
        Foreign::I32 => Dtype::I32,
        Foreign::I16 => Dtype::I16,
        Foreign::I8 => Dtype::I8,
        Foreign::U8 => Dtype::U8,
        Foreign::BOOL => Dtype::Bool,
        _ => return None,
    })
}

/// The crate keeps the last of two tensors of one name without a word.
fn refuse_repeated_names(bytes: &[u8]) -> Result<(), Fault> {
    struct Names;
    impl<'de> Visitor<'de> for Names {
        type Value = Option<String>;
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut seen = BTreeSet::new();
            let mut repeated = None;
            while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                if seen.contains(&name) {
                    repeated.get_or_insert_with(|| name.clone());
                }
                seen.insert(name);
            }
            Ok(repeated)
        }
    }
    // The crate has checked the length of the header; its text is only walked through again.
    let header = bytes.first_chunk::<8>().map(|length| u64::from_le_bytes(*length) as usize);
    let header = header.and_then(|length| bytes.get(8..length.checked_add(8)?)).unwrap_or_default();
    let mut json = serde_json::Deserializer::from_slice(header);
    match serde::Deserializer::deserialize_map(&mut json, Names) {
        Ok(None) => Ok(()),
        Ok(Some(name)) => Err(Fault::new(format!("tensor `{name}`"), "one of this name", "several")),
        Err(error) => Err(Fault::new("safetensors header", "a JSON object", error)),
    }
}
