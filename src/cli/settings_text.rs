//! Where in a TOML text something stands, and what its parser says, in words for users.

use std::ops::Range;

use toml::de::{DeTable, DeValue, Error};

/// What is wrong with a text of settings.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TextFault {
    /// The key at fault; none where the text is no TOML.
    pub key: Option<String>,
    /// Its line, counted from 1; none where the parser does not say.
    pub line: Option<usize>,
    /// What the value is and what it may be, where the parser says so in its own fixed form.
    pub mismatch: Option<Mismatch>,
    /// The parser's words.
    pub message: String,
}

/// A value of another type, or beyond what its type holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mismatch {
    /// The value.
    pub found: String,
    /// What it may be.
    pub expected: String,
    /// Whether a number was expected.
    pub is_number: bool,
}

impl TextFault {
    /// Reads an error of the parser about `text`.
    pub fn of(text: &str, error: &Error) -> Self {
        let span = error.span();
        let line = span.as_ref().map(|span| line_at(text, span.start));
        let key = span.and_then(|span| key_at(DeTable::parse(text).ok()?.get_ref(), &span));
        let message = error.message().trim_end().to_string();
        Self { key, line, mismatch: mismatch(&message), message }
    }
}

/// The keys of all values in a text and their lines, counted from 1; none for what is no TOML.
pub(super) fn lines_of_keys(text: &str) -> Vec<(String, usize)> {
    let mut lines = Vec::new();
    if let Ok(table) = DeTable::parse(text) {
        collect_lines(text, table.get_ref(), "", &mut lines);
    }
    lines
}

fn collect_lines(text: &str, table: &DeTable<'_>, section: &str, lines: &mut Vec<(String, usize)>) {
    for (key, value) in table.iter() {
        let path = joined(section, key.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) => collect_lines(text, inner, &path, lines),
            _ => lines.push((path, line_at(text, key.span().start))),
        }
    }
}

/// The innermost key whose name or value covers `span`.
fn key_at(table: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
    let covers = |outer: Range<usize>| outer.start <= span.start && span.end <= outer.end;
    // Tables first: where a value of theirs is at fault, they may cover it too.
    let inner = table.iter().find_map(|(key, value)| {
        let deeper = key_at(value.get_ref().as_table()?, span)?;
        Some(joined(key.get_ref(), &deeper))
    });
    inner.or_else(|| {
        let mut keys = table.iter();
        let (key, _) = keys.find(|(key, value)| covers(key.span()) || covers(value.span()))?;
        Some(key.get_ref().to_string())
    })
}

fn joined(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_string() } else { format!("{section}.{key}") }
}

fn line_at(text: &str, position: usize) -> usize {
    1 + text.bytes().take(position).filter(|byte| *byte == b'\n').count()
}

/// `invalid type: string "many", expected u16` taken apart, without the names of Rust's types.
fn mismatch(message: &str) -> Option<Mismatch> {
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (found, expected) = rest.rsplit_once(", expected ")?;
    let kinds = ["string ", "integer ", "floating point ", "boolean "];
    let value = kinds.iter().find_map(|kind| found.strip_prefix(kind)).unwrap_or(found);
    let found = match value {
        "map" => "a section",
        "sequence" => "a list",
        value => value.trim_matches('`'),
    };
    let is_whole = ["u8", "u16", "u32", "u64", "usize", "i64"].contains(&expected);
    let is_number = is_whole || ["f32", "f64"].contains(&expected);
    let expected = match expected {
        _ if is_whole => "a whole number",
        _ if is_number => "a number",
        "a boolean" => "`true` or `false`",
        other if other.starts_with("struct ") || other == "a map" => "a section",
        other if other == "a sequence" || other.starts_with("an array") => "a list",
        other => other,
    };
    Some(Mismatch { found: found.to_string(), expected: expected.to_string(), is_number })
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Outer {
        #[serde(default)]
        count: u16,
        #[serde(default)]
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Inner {
        rate: f64,
        #[serde(default)]
        widths: Vec<usize>,
    }

    fn fault(text: &str) -> TextFault {
        TextFault::of(text, &toml::from_str::<Outer>(text).unwrap_err())
    }

    #[test]
    fn keys_and_lines_of_faults_are_found_however_they_are_written() {
        for (text, key, line) in [
            ("count = \"many\"", "count", 1),
            ("count = -1", "count", 1),
            ("\n[inner]\nrate = \"fast\"", "inner.rate", 3),
            ("inner.rate = true", "inner.rate", 1),
            ("\ninner = { rate = 1.0,\n  widths = [1, -2] }", "inner.widths", 3),
            ("[inner]\nrate = 1.0\nrte = 2.0", "inner.rte", 3),
            ("count = 1\n[inner]\nwidths = []", "inner", 2),
        ] {
            let fault = fault(text);
            assert_eq!((fault.key.as_deref(), fault.line), (Some(key), Some(line)), "{text}: {fault:?}");
        }
        let broken = fault("count = 1\ncount = 2");
        assert_eq!((broken.key, broken.line), (None, Some(2)));
    }

    #[test]
    fn types_are_told_in_words() {
        for (text, found, expected) in [
            ("count = \"many\"", "\"many\"", "a whole number"),
            ("count = -1", "-1", "a whole number"),
            ("count = nan", "NaN", "a whole number"),
            ("[inner]\nrate = []", "a list", "a number"),
            ("[inner]\nrate = {}", "a section", "a number"),
        ] {
            let mismatch = fault(text).mismatch.unwrap();
            assert_eq!((mismatch.found.as_str(), mismatch.expected.as_str()), (found, expected), "{text}");
            assert!(mismatch.is_number);
        }
        assert_eq!(fault("[inner]\nrte = 2.0").mismatch, None);
    }

    #[test]
    fn every_value_has_its_line() {
        let text = "count = 1\n[inner]\nrate = 1.0\n\nwidths = [\n1]\n";
        let lines = lines_of_keys(text);
        let expected = [("count", 1), ("inner.rate", 3), ("inner.widths", 5)];
        assert_eq!(lines, expected.map(|(key, line)| (key.to_string(), line)));
    }
}
