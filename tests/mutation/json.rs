//! Numbers of JSON documents replaced by others.

use rand::{RngExt, rngs::ChaCha12Rng};
use serde_json::{Value, json};

/// What no number of a file is.
pub fn hostile(rng: &mut ChaCha12Rng) -> Value {
    let values = [
        json!(0),
        json!(-1),
        json!(1),
        json!(2),
        json!(0.5),
        json!(-0.0),
        json!(100_000),
        json!(1_000_000_000),
        json!(1_u64 << 31),
        json!(1_u64 << 32),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(-1e300),
        json!(1e-300),
        json!("NaN"),
        json!("a\u{1b}[2Jtext\n"),
        json!("x".repeat(3000)),
        json!(true),
        json!([]),
        json!({}),
        json!([1, 2, 3]),
        Value::Null,
    ];
    values[rng.random_range(0..values.len())].clone()
}

/// Paths to all numbers.
fn numbers(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Number(_) => found.push(path.to_string()),
        Value::Array(values) => {
            values
                .iter()
                .enumerate()
                .for_each(|(index, value)| numbers(value, &format!("{path}/{index}"), found));
        }
        Value::Object(entries) => entries.iter().for_each(|(key, value)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            numbers(value, &format!("{path}/{key}"), found);
        }),
        _ => {}
    }
}

/// Replaces or removes one number, and says which; none where there are no numbers.
pub fn mutate(document: &mut Value, rng: &mut ChaCha12Rng) -> Option<String> {
    let mut found = Vec::new();
    numbers(document, "", &mut found);
    if found.is_empty() {
        return None;
    }
    let path = found.swap_remove(rng.random_range(0..found.len()));
    if rng.random_bool(0.08) {
        let (parent, key) = path.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(entries) => drop(entries.shift_remove(key)),
            Value::Array(values) => drop(values.remove(key.parse().unwrap())),
            _ => unreachable!("a number has a parent"),
        }
        return Some(format!("{path} removed"));
    }
    let value = hostile(rng);
    let text: String = value.to_string().chars().take(40).collect();
    *document.pointer_mut(&path).unwrap() = value;
    Some(format!("{path} = {text}"))
}
