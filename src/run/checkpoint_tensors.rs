//! What tensors a checkpoint's record has, without making one of them.
//!
//! A digest says that a file is whole, not that it is true. The record is walked once as MessagePack: each tensor must have as
//! many bytes as its shape says, and each optimiser's moments must have the shape of the parameter that they belong to.

use std::collections::HashMap;
use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use crate::error::Fault;
use crate::tensor_ops::stored::StoredTensors;

/// Type of every tensor that a record of full precision holds, and its bytes.
const TYPE: (&str, usize) = ("F32", 4);
/// What Burn puts between a parameter's identity and its moments.
const MOMENTS: &str = "V1";

/// Parameters of the networks, by their path in the record, and the moments of optimisers, checked against them.
///
/// # Errors
/// [`Fault`] that names the tensor that cannot be.
pub(super) fn parameters(record: &[u8]) -> Result<StoredTensors, Fault> {
    let mut found = Found::default();
    let mut reader = rmp_serde::Deserializer::from_read_ref(record);
    let walk = Walk { found: &mut found, path: String::new() };
    walk.deserialize(&mut reader)
        .map_err(|error| Fault::new("record", "networks and optimisers of this kind of run", error))?;
    found.parameters()
}

/// Everything with numbers in it.
#[derive(Default)]
struct Found {
    tensors: Vec<(String, Vec<usize>)>,
    /// Identities of parameters, with the place of their tensor in `tensors`.
    identities: Vec<(String, usize)>,
}

impl Found {
    fn parameters(self) -> Result<StoredTensors, Fault> {
        let mut shapes: HashMap<&str, &[usize]> = HashMap::new();
        let mut is_parameter = vec![false; self.tensors.len()];
        for (identity, index) in &self.identities {
            let Some((path, shape)) = self.tensors.get(*index) else { continue };
            is_parameter[*index] = true;
            if shapes.insert(identity, shape).is_some_and(|other| other != shape) {
                let expected = "one shape wherever the same parameter stands";
                return Err(Fault::new(format!("tensor `{path}`"), expected, format!("{shape:?}")));
            }
        }
        for ((path, shape), is_parameter) in self.tensors.iter().zip(&is_parameter) {
            if !is_parameter {
                check_moment(path, shape, &shapes)?;
            }
        }
        let parameters = self.tensors.into_iter().zip(is_parameter).filter(|(_, is_parameter)| *is_parameter);
        Ok(StoredTensors::new(parameters.map(|(tensor, _)| tensor)))
    }
}

/// A tensor that is no parameter: `….IDENTITY.V1.RankN.…`.
fn check_moment(path: &str, shape: &[usize], parameters: &HashMap<&str, &[usize]>) -> Result<(), Fault> {
    let parts: Vec<&str> = path.split('.').collect();
    let place = parts.iter().position(|part| *part == MOMENTS);
    let [identity, rank] = match place {
        Some(place) if place > 0 => [parts.get(place - 1), parts.get(place + 1)],
        _ => [None, None],
    };
    let parameter = identity.and_then(|identity| parameters.get(identity));
    let rank_fits = rank.is_some_and(|rank| **rank == format!("Rank{}", shape.len()));
    if rank_fits && parameter.is_some_and(|parameter| *parameter == shape) {
        return Ok(());
    }
    let expected = match parameter {
        Some(parameter) => format!("{parameter:?} as the parameter that it belongs to"),
        None => "a parameter that it belongs to".to_string(),
    };
    Err(Fault::new(format!("tensor `{path}`"), expected, format!("{shape:?}")))
}

/// Walks a value; `path` is its place in the record, module fields and positions joined by points.
struct Walk<'a> {
    found: &'a mut Found,
    path: String,
}

impl Walk<'_> {
    fn below(&mut self, part: impl fmt::Display) -> Walk<'_> {
        let point = if self.path.is_empty() { "" } else { "." };
        Walk { path: format!("{}{point}{part}", self.path), found: self.found }
    }

    /// The same place: what a parameter holds beside its identity is its tensor.
    fn here(&mut self) -> Walk<'_> {
        Walk { path: self.path.clone(), found: self.found }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut values: A) -> Result<(), A::Error> {
        let mut index = 0;
        while values.next_element_seed(self.below(index))?.is_some() {
            index += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let (mut identity, mut shape, mut bytes) = (None, None, None);
        let first = self.found.tensors.len();
        while let Some(key) = entries.next_key::<String>()? {
            match key.as_str() {
                "id" => identity = Some(entries.next_value::<String>()?),
                "shape" => shape = Some(entries.next_value::<Vec<usize>>()?),
                "bytes" => bytes = Some(entries.next_value_seed(ByteCount)?),
                "dtype" => {
                    let found = entries.next_value::<String>()?;
                    if found != TYPE.0 {
                        let text = format!("tensor `{}`: found {found}, expected {}", self.path, TYPE.0);
                        return Err(A::Error::custom(text));
                    }
                }
                // The content of the record, and the tensor of a parameter, have no name of their own in a module's paths.
                "item" | "param" => entries.next_value_seed(self.here())?,
                "metadata" if self.path.is_empty() => {
                    entries.next_value_seed(Walk { found: &mut Found::default(), path: String::new() })?
                }
                part => entries.next_value_seed(self.below(part))?,
            }
        }
        if let (Some(shape), Some(bytes)) = (shape, bytes) {
            let values = shape.iter().try_fold(TYPE.1, |all, axis: &usize| all.checked_mul(*axis));
            if values != Some(bytes) {
                let text = format!("tensor `{}`: found {bytes} bytes for the shape {shape:?}", self.path);
                return Err(A::Error::custom(text));
            }
            self.found.tensors.push((self.path, shape));
        } else if let Some(identity) = identity {
            self.found.identities.push((identity, first));
        }
        Ok(())
    }
}

/// Counts bytes, which are bytes or a list of numbers.
struct ByteCount;

impl<'de> DeserializeSeed<'de> for ByteCount {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ByteCount {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<usize, E> {
        Ok(bytes.len())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while values.next_element::<u8>()?.is_some() {
            count += 1;
        }
        Ok(count)
    }
}
