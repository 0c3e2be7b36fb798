//! Settings in layers: flags over `--set` over the configuration file over defaults.
//!
//! Every value keeps where it came from, so that an error names the flag, the key, or file and line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::flag_names::flag_name;
use super::settings_text::{Mismatch, TextFault, lines_of_keys};
use super::usage_error::UsageError;
use crate::error::{SettingError, one_line};
use crate::files::{InputKind, read_text};

/// Deepest key; the deepest of our own has six parts. Tables are freed, written and read by recursion.
const MOST_PARTS: usize = 16;
/// The largest whole number of TOML.
const LARGEST: i64 = i64::MAX;

/// A configuration under construction; later layers win.
#[derive(Debug, Default, Clone)]
pub struct Layers {
    table: Table,
    origins: BTreeMap<String, Origin>,
}

/// Who set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// A line of a file.
    File {
        /// The file in words.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// `--set` of this key.
    Assignment(String),
    /// A flag.
    Flag(&'static str),
}

impl Layers {
    /// Adds a configuration file. It is checked by itself first, so that a wrong key is shown with its line.
    ///
    /// # Errors
    /// When the file is missing, is not TOML, or holds an unknown key or a wrong value.
    pub fn file<C: Settings>(self, path: &Path) -> Result<Self, UsageError> {
        let name = format!("configuration `{}`", path.display());
        let text =
            read_text(path, InputKind::Text).map_err(|error| UsageError::new(format!("{name}: {error}")))?;
        self.text::<C>(&name, &text)
    }

    /// Adds a configuration that is at hand as text; `name` stands in errors.
    ///
    /// # Errors
    /// As [`Layers::file`].
    pub fn text<C: Settings>(mut self, name: &str, text: &str) -> Result<Self, UsageError> {
        let wrong = |error: toml::de::Error| {
            let fault = TextFault::of(text, &error);
            let place = fault.line.map_or(name.to_string(), |line| format!("{name}, line {line}"));
            let what = match &fault.key {
                Some(key) => format!("`{}`: {}", one_line(key), in_words(&fault)),
                None => in_words(&fault),
            };
            UsageError::new(format!("{place}: {what}"))
                .hint("`mindreader config` prints every key with its value")
        };
        toml::from_str::<C>(text).map_err(wrong)?;
        let table: Table = toml::from_str(text).map_err(wrong)?;
        merge(&mut self.table, table);
        for (key, line) in lines_of_keys(text) {
            self.originates(&key, Origin::File { name: name.to_string(), line });
        }
        Ok(self)
    }

    /// Adds a settings file below everything that is set so far. Of a section that a file has already, nothing is taken: its keys
    /// belong together. The second value says whether anything was.
    ///
    /// # Errors
    /// As [`Layers::file`].
    pub fn beneath<C: Settings>(self, path: &Path) -> Result<(Self, bool), UsageError> {
        let mut below = Self::default().file::<C>(path)?;
        let is_of_file = |section: &String| {
            let mut of_section = self.origins.iter().filter(|(key, _)| is_within(key, section));
            of_section.any(|(_, origin)| matches!(origin, Origin::File { .. }))
        };
        let configured: Vec<String> =
            below.table.keys().filter(|section| is_of_file(section)).cloned().collect();
        for section in configured {
            below.table.remove(&section);
            below.origins.retain(|key, _| !is_within(key, &section));
        }
        let has_any = !below.table.is_empty();
        merge(&mut below.table, self.table);
        for (key, origin) in self.origins {
            below.originates(&key, origin);
        }
        Ok((below, has_any))
    }

    /// Adds one `--set key.path=value`; the value is TOML, a bare word is a string.
    ///
    /// # Errors
    /// When there is no `=` or the path runs through something that is not a section.
    pub fn assignment(self, text: &str) -> Result<Self, UsageError> {
        let (key, value) = text.split_once('=').ok_or_else(|| {
            UsageError::new(format!("`--set {}`: expected `key=value`", one_line(text)))
                .hint("for example `--set train_mapper.train.phase1.epochs=5`")
        })?;
        let key = key.trim();
        self.set(key, parsed(value), Origin::Assignment(key.to_string()))
    }

    /// Sets one key, as a flag does.
    ///
    /// # Errors
    /// When the path runs through something that is not a section.
    pub fn value(self, key: &str, value: impl Into<Value>) -> Result<Self, UsageError> {
        let origin = flag_name(key).map_or(Origin::Assignment(key.to_string()), Origin::Flag);
        self.set(key, value.into(), origin)
    }

    fn set(mut self, key: &str, value: Value, origin: Origin) -> Result<Self, UsageError> {
        let mut parts: Vec<&str> = key.split('.').collect();
        if parts.len() > MOST_PARTS || parts.contains(&"") {
            let (expected, count) = (format!("1 to {MOST_PARTS} names joined by dots"), parts.len());
            let found = if parts.contains(&"") { "an empty one".into() } else { format!("{count} of them") };
            return Err(UsageError::new(format!(
                "setting `{}`: found {found}, expected {expected}",
                one_line(key)
            )));
        }
        let last = parts.pop().unwrap_or_default();
        let mut table = &mut self.table;
        for part in parts {
            let entry = table.entry(part).or_insert_with(|| Value::Table(Table::new()));
            table = entry
                .as_table_mut()
                .ok_or_else(|| UsageError::new(format!("setting `{key}`: `{part}` is not a section")))?;
        }
        table.insert(last.into(), value);
        self.originates(key, origin);
        Ok(self)
    }

    /// Takes note of who set `key`, and everything below it.
    fn originates(&mut self, key: &str, origin: Origin) {
        self.origins.retain(|known, _| !is_within(known, key));
        self.origins.insert(key.to_string(), origin);
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
            Some(path) => match path.to_str() {
                Some(text) => self.value(key, text),
                // A settings file holds text: written down another way it would be another path.
                None => Err(UsageError::new(format!(
                    "`{key}`: found `{}`, expected a path of UTF-8 text; a link of such a name may lead to it",
                    one_line(path.display().to_string())
                ))),
            },
            None => Ok(self),
        }
    }

    /// Gives each of `keys` the value of the top-level key `from`, unless it has one of its own.
    ///
    /// # Errors
    /// When a path runs through something that is not a section.
    pub fn inherit(mut self, from: &str, keys: &[&str]) -> Result<Self, UsageError> {
        let Some(value) = self.table.get(from).cloned() else { return Ok(self) };
        let origin = self.origin(from).cloned().unwrap_or_else(|| Origin::Assignment(from.to_string()));
        for key in keys {
            if self.get(key).is_none() {
                self = self.set(key, value.clone(), origin.clone())?;
            }
        }
        Ok(self)
    }

    /// Everything that is set, each value as [`Layers::assignment`] takes it.
    pub fn assignments(&self) -> Vec<String> {
        let mut found = Vec::new();
        list_assignments("", &self.table, &mut found);
        found
    }

    /// Whether anybody set `key`.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The text that `key` is set to; none where it is not set, or to something else.
    pub fn text_of(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    fn get(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let first = self.table.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.as_table()?.get(part))
    }

    /// Who set `key` or, where it was set as a whole, the section around it.
    fn origin(&self, key: &str) -> Option<&Origin> {
        let ends = key.match_indices('.').map(|(at, _)| at).chain([key.len()]);
        let mut outwards: Vec<usize> = ends.collect();
        outwards.reverse();
        outwards.into_iter().find_map(|end| self.origins.get(key.get(..end)?))
    }

    /// The typed settings, in their ranges as `check` knows them.
    ///
    /// # Errors
    /// When a key is unknown or a value has the wrong type or range: one line that names the flag, the key of `--set`, or
    /// file, line and key.
    pub fn resolve<C: Settings>(
        self,
        check: impl Fn(&C) -> Result<(), SettingError>,
    ) -> Result<C, UsageError> {
        // Through text, because the parser then tells the place of what it refuses.
        let text = toml::to_string(&self.table).map_err(|error| UsageError::new(error.to_string()))?;
        let config: C = toml::from_str(&text).map_err(|error| {
            let fault = TextFault::of(&text, &error);
            let key = fault.key.clone().unwrap_or_default();
            let range = fault.mismatch.as_ref().filter(|mismatch| mismatch.is_number);
            match range.and_then(|mismatch| Some((mismatch, range_of::<C>(&key, &check)?))) {
                Some((mismatch, range)) => {
                    self.blame(&key, &format!("found {}, expected {range}", one_line(&mismatch.found)))
                }
                None => self.blame(&key, &in_words(&fault)),
            }
        })?;
        check(&config).map_err(|error| {
            let SettingError { expected, found, .. } = &error;
            self.blame(&error.key(), &format!("found {}, expected {expected}", one_line(found)))
        })?;
        Ok(config)
    }

    /// An error about the value of `key`, which names who set it.
    fn blame(&self, key: &str, what: &str) -> UsageError {
        UsageError::new(match self.origin(key) {
            Some(Origin::Flag(flag)) => format!("`{flag}`: {what}"),
            Some(Origin::File { name, line }) => format!("{name}, line {line}: `{}`: {what}", one_line(key)),
            // An inherited value is set by another key.
            Some(Origin::Assignment(set)) if !is_within(key, set) => format!("`{}`: {what}", one_line(set)),
            Some(Origin::Assignment(_)) | None => format!("`{}`: {what}", one_line(key)),
        })
    }
}

/// Adds the values of a table below `section`, which ends with a dot unless it is empty.
fn list_assignments(section: &str, table: &Table, found: &mut Vec<String>) {
    for (name, value) in table {
        match value {
            Value::Table(inner) => list_assignments(&format!("{section}{name}."), inner, found),
            value => found.push(format!("{section}{name}={value}")),
        }
    }
}

/// Settings as the layers need them.
pub trait Settings: Serialize + DeserializeOwned + Default {}

impl<C: Serialize + DeserializeOwned + Default> Settings for C {}

/// Whether `key` is `section` or stands in it.
fn is_within(key: &str, section: &str) -> bool {
    key.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// The value of an assignment: TOML on one line, else a string.
fn parsed(value: &str) -> Value {
    let text = || Value::String(value.into());
    if value.contains(['\n', '\r']) {
        return text();
    }
    let table: Result<Table, _> = toml::from_str(&format!("value = {value}"));
    table.ok().and_then(|mut table| table.remove("value")).unwrap_or_else(text)
}

/// What is wrong with a value, in the parser's words or, where it speaks of Rust, in ours.
fn in_words(fault: &TextFault) -> String {
    if let Some(Mismatch { found, expected, .. }) = &fault.mismatch {
        return format!("found {}, expected {}", one_line(found), one_line(expected));
    }
    match fault.message.split_once(", expected ") {
        Some((unknown, known)) if unknown.starts_with("unknown field") => {
            format!("unknown key; expected {known}")
        }
        _ => one_line(&fault.message),
    }
}

/// The range in the words of a type that checks its own.
fn told_range(message: &str) -> Option<String> {
    let (found, expected) = message.split_once(", expected ")?;
    found.starts_with("found ").then(|| expected.to_string())
}

/// The range of the number at `key`, as its check tells it of a number that is too large for everything.
fn range_of<C: Settings>(key: &str, check: &impl Fn(&C) -> Result<(), SettingError>) -> Option<String> {
    let too_large = [LARGEST, i64::from(u32::MAX), i64::from(u16::MAX)].map(Value::Integer);
    let lists = too_large.clone().map(|number| Value::Array(vec![number.clone(), number]));
    too_large.into_iter().chain(lists).find_map(|value| {
        let mut table = Table::try_from(C::default()).ok()?;
        clear_the_way(&mut table, key);
        let layers = Layers { table, origins: BTreeMap::new() };
        let layers = layers.set(key, value, Origin::Assignment(key.to_string())).ok()?;
        let config: C = match toml::from_str(&toml::to_string(&layers.table).ok()?) {
            Ok(config) => config,
            Err(error) => return told_range(error.message()),
        };
        match check(&config) {
            Ok(()) => Some(format!("0 to {LARGEST}")),
            Err(error) if error.key() == key => Some(error.expected),
            Err(_) => None,
        }
    })
}

/// Takes out a value that stands where `key` needs a section: a choice may be a word or a section.
fn clear_the_way(table: &mut Table, key: &str) {
    let Some((section, rest)) = key.split_once('.') else { return };
    match table.get_mut(section) {
        Some(Value::Table(inner)) => clear_the_way(inner, rest),
        Some(_) => {
            table.remove(section);
        }
        None => {}
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
mod tests;
