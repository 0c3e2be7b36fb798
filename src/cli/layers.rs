//! Settings in layers: flags over `--set` over the configuration file over defaults.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::usage_error::UsageError;

/// A configuration under construction; later layers win.
#[derive(Debug, Default, Clone)]
pub struct Layers {
    table: Table,
}

impl Layers {
    /// Adds a configuration file. It is checked by itself first, so that a wrong key is shown with its line.
    ///
    /// # Errors
    /// When the file is missing, is not TOML, or holds an unknown key or a wrong value.
    pub fn file<C: DeserializeOwned>(self, path: &Path) -> Result<Self, UsageError> {
        let name = format!("configuration `{}`", path.display());
        let text =
            std::fs::read_to_string(path).map_err(|error| UsageError::new(format!("{name}: {error}")))?;
        self.text::<C>(&name, &text)
    }

    /// Adds a configuration that is at hand as text; `name` stands in errors.
    ///
    /// # Errors
    /// As [`Layers::file`].
    pub fn text<C: DeserializeOwned>(mut self, name: &str, text: &str) -> Result<Self, UsageError> {
        let wrong = |error: toml::de::Error| {
            UsageError::new(format!("{name}: {}", error.to_string().trim_end()))
                .hint("`mindreader config` prints every key with its value")
        };
        toml::from_str::<C>(text).map_err(wrong)?;
        let table: Table = toml::from_str(text).map_err(wrong)?;
        merge(&mut self.table, table);
        Ok(self)
    }

    /// Adds one `--set key.path=value`; the value is TOML, a bare word is a string.
    ///
    /// # Errors
    /// When there is no `=` or the path runs through something that is not a section.
    pub fn assignment(self, text: &str) -> Result<Self, UsageError> {
        let (key, value) = text.split_once('=').ok_or_else(|| {
            UsageError::new(format!("`--set {text}`: expected `key=value`"))
                .hint("for example `--set mapper.train.phase1.epochs=5`")
        })?;
        let parsed: Result<Table, _> = toml::from_str(&format!("value = {value}"));
        let value = match parsed {
            Ok(mut table) => table.remove("value").unwrap_or_else(|| Value::String(value.into())),
            Err(_) => Value::String(value.into()),
        };
        self.value(key.trim(), value)
    }

    /// Sets one key.
    ///
    /// # Errors
    /// When the path runs through something that is not a section.
    pub fn value(mut self, key: &str, value: impl Into<Value>) -> Result<Self, UsageError> {
        let mut parts: Vec<&str> = key.split('.').collect();
        let last = parts.pop().unwrap_or_default();
        let mut table = &mut self.table;
        for part in parts {
            let entry = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            table = entry
                .as_table_mut()
                .ok_or_else(|| UsageError::new(format!("setting `{key}`: `{part}` is not a section")))?;
        }
        table.insert(last.into(), value.into());
        Ok(self)
    }

    /// Sets one key where there is a value.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn optional<T: Clone + Into<Value>>(self, key: &str, value: Option<&T>) -> Result<Self, UsageError> {
        match value {
            Some(value) => self.value(key, value.clone()),
            None => Ok(self),
        }
    }

    /// Sets one key where there is a path.
    ///
    /// # Errors
    /// As [`Layers::value`].
    pub fn optional_path(self, key: &str, path: Option<&PathBuf>) -> Result<Self, UsageError> {
        match path {
            Some(path) => self.value(key, path.to_string_lossy().into_owned()),
            None => Ok(self),
        }
    }

    /// Gives each of `keys` the value of the top-level key `from`, unless it has one of its own.
    ///
    /// # Errors
    /// When a path runs through something that is not a section.
    pub fn inherit(mut self, from: &str, keys: &[&str]) -> Result<Self, UsageError> {
        let Some(value) = self.table.get(from).cloned() else { return Ok(self) };
        for key in keys {
            if self.get(key).is_none() {
                self = self.value(key, value.clone())?;
            }
        }
        Ok(self)
    }

    fn get(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let first = self.table.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.as_table()?.get(part))
    }

    /// The typed settings.
    ///
    /// # Errors
    /// When a key is unknown or a value has the wrong type or range.
    pub fn resolve<C: DeserializeOwned>(self) -> Result<C, UsageError> {
        // Through text, because the message then shows the offending line.
        let text = toml::to_string(&self.table).map_err(|error| UsageError::new(error.to_string()))?;
        toml::from_str(&text)
            .map_err(|error| UsageError::new(format!("settings: {}", error.to_string().trim_end())))
    }
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => merge(below, above),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        rate: f64,
        name: String,
    }

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        seed: u64,
        inner: Inner,
    }

    fn with_file(text: &str) -> Result<Layers, UsageError> {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.toml");
        std::fs::write(&path, text).unwrap();
        Layers::default().file::<Outer>(&path)
    }

    #[test]
    fn later_layers_win_and_the_rest_stays() {
        let layers = with_file("seed = 1\n[inner]\nrate = 0.5\nname = \"a\"\n").unwrap();
        let layers = layers.assignment("inner.rate=0.25").unwrap().assignment("inner.name=b-c").unwrap();
        let outer: Outer = layers.value("seed", 9_i64).unwrap().resolve().unwrap();
        assert_eq!(outer, Outer { seed: 9, inner: Inner { rate: 0.25, name: "b-c".into() } });
    }

    #[test]
    fn a_section_inherits_what_it_does_not_set() {
        let layers = Layers::default().value("seed", 4_i64).unwrap();
        let inherited = layers.clone().inherit("seed", &["inner.rate"]).unwrap();
        assert_eq!(inherited.get("inner.rate"), Some(&Value::Integer(4)));
        let own = layers.value("inner.rate", 0.5).unwrap().inherit("seed", &["inner.rate"]).unwrap();
        assert_eq!(own.get("inner.rate"), Some(&Value::Float(0.5)));
    }

    #[test]
    fn wrong_keys_and_values_are_named() {
        let error = with_file("[inner]\nrte = 0.5\n").unwrap_err().to_string();
        assert!(error.contains("a.toml") && error.contains("rte") && error.contains("rate"), "{error}");
        let error = with_file("seed = \"x\"\n").unwrap_err().to_string();
        assert!(error.contains("seed") && error.contains("invalid type"), "{error}");
        assert!(Layers::default().assignment("seed").unwrap_err().to_string().contains("key=value"));
        let error = Layers::default().assignment("seed.x=1").unwrap().resolve::<Outer>().unwrap_err();
        assert!(error.to_string().contains("seed"), "{error}");
        let missing = Layers::default().file::<Outer>(Path::new("none.toml")).unwrap_err().to_string();
        assert!(missing.contains("none.toml"), "{missing}");
    }
}
