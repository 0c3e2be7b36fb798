//! Named means and counts between two reports.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Numbers gathered since the last report; part of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunningStats {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    name: String,
    /// Bits of an f64: decimal text need not give the same number back.
    sum_bits: u64,
    /// Number of values; none for a plain count.
    values: Option<u64>,
}

impl Entry {
    fn result(&self) -> f64 {
        let sum = f64::from_bits(self.sum_bits);
        self.values.map_or(sum, |values| sum / values as f64)
    }
}

impl RunningStats {
    /// Adds a value to the mean of `name`.
    pub fn record(&mut self, name: &str, value: f64) {
        let entry = self.entry(name, Some(0));
        entry.sum_bits = (f64::from_bits(entry.sum_bits) + value).to_bits();
        entry.values = entry.values.map(|values| values + 1);
    }

    /// Adds to the count of `name`.
    pub fn count(&mut self, name: &str, number: u64) {
        let entry = self.entry(name, None);
        entry.sum_bits = (f64::from_bits(entry.sum_bits) + number as f64).to_bits();
    }

    /// Mean or count so far.
    pub fn mean(&self, name: &str) -> Option<f64> {
        self.entries.iter().find(|entry| entry.name == name).map(Entry::result)
    }

    /// All means and counts in order of first appearance; starts afresh.
    pub fn take(&mut self) -> Map<String, Value> {
        self.entries.drain(..).map(|entry| (entry.name.clone(), json!(entry.result()))).collect()
    }

    fn entry(&mut self, name: &str, values: Option<u64>) -> &mut Entry {
        let index = self.entries.iter().position(|entry| entry.name == name).unwrap_or_else(|| {
            self.entries.push(Entry { name: name.to_string(), sum_bits: 0.0_f64.to_bits(), values });
            self.entries.len() - 1
        });
        &mut self.entries[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_averaged_counts_are_not_and_both_survive_text() {
        let mut stats = RunningStats::default();
        for value in [0.1, 0.2] {
            stats.record("loss", value);
            stats.count("events", 3);
        }
        let text = serde_json::to_string(&stats).unwrap();
        let mut read: RunningStats = serde_json::from_str(&text).unwrap();
        assert_eq!(read, stats);
        assert_eq!(read.mean("events"), Some(6.0));
        let taken = read.take();
        assert_eq!(taken["loss"], json!((0.1 + 0.2) / 2.0));
        assert!(read.mean("loss").is_none());
    }
}
