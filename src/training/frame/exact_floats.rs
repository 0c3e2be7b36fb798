//! JSON in which numbers keep every bit.
//!
//! Decimal text that is read by a fast parser need not give the same double back; a resumed run would differ in its last digit.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::{Map, Value, json};

/// Key of the one member of an object that stands for a double.
const BITS: &str = "f64_bits";

/// A value whose floats are written as their bits.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ExactFloats<T>(pub T);

impl<T: Serialize> Serialize for ExactFloats<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Through a tree of JSON values: only there is a float told from a whole number.
        let value = serde_json::to_value(&self.0).map_err(ser::Error::custom)?;
        to_bits(value).serialize(serializer)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for ExactFloats<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = from_bits(Value::deserialize(deserializer)?);
        serde_json::from_value(value).map(Self).map_err(de::Error::custom)
    }
}

fn to_bits(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => json!({ BITS: float.to_bits() }),
            None => Value::Number(number),
        },
        other => map_members(other, to_bits),
    }
}

fn from_bits(value: Value) -> Value {
    let bits = value.as_object().filter(|members| members.len() == 1).and_then(|members| members.get(BITS));
    match bits.and_then(Value::as_u64) {
        Some(bits) => json!(f64::from_bits(bits)),
        None => map_members(value, from_bits),
    }
}

/// The same list or object with `change` done to every member.
fn map_members(value: Value, change: fn(Value) -> Value) -> Value {
    match value {
        Value::Array(members) => Value::Array(members.into_iter().map(change).collect()),
        Value::Object(members) => {
            let members: Map<String, Value> =
                members.into_iter().map(|(name, member)| (name, change(member))).collect();
            Value::Object(members)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::random::keyed_rng;
    use rand::RngExt;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Figures {
        loss: f64,
        losses: Vec<f32>,
        count: u64,
        name: String,
        none: Option<f64>,
        some: Option<f64>,
    }

    #[test]
    fn every_bit_comes_back() {
        let mut rng = keyed_rng(1, "floats", 0);
        for _ in 0..200 {
            let figures = Figures {
                loss: rng.random::<f64>() * 7.0,
                losses: (0..3).map(|_| rng.random::<f32>()).collect(),
                count: u64::MAX,
                name: "1.5".into(),
                none: None,
                some: Some(-0.0),
            };
            let text = serde_json::to_string(&ExactFloats(&figures)).unwrap();
            let ExactFloats(read) = serde_json::from_str::<ExactFloats<Figures>>(&text).unwrap();
            assert_eq!(read.loss.to_bits(), figures.loss.to_bits());
            assert_eq!(read.some.unwrap().to_bits(), (-0.0_f64).to_bits());
            assert_eq!(read, figures);
        }
        assert!(serde_json::from_str::<ExactFloats<Figures>>("{\"loss\": 1}").is_err());
    }
}
