//! What a result says of its split, so that two results can be told to be of the same held-out pictures.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A split by its rule and a hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitRecord {
    /// The rule with what it needs, in words.
    pub rule: String,
    /// Distinct pictures held out.
    pub num_test_images: usize,
    /// SHA-256, in hexadecimal, of the rule and the sorted names of the pictures held out, each with a line feed behind it.
    pub sha256: String,
}

impl SplitRecord {
    /// The record of a rule, in words, and the names of the pictures that it holds out.
    pub(super) fn new(rule: String, names: BTreeSet<String>) -> Self {
        let mut hash = Sha256::new();
        for line in std::iter::once(&rule).chain(&names) {
            hash.update(line.as_bytes());
            hash.update(b"\n");
        }
        let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { num_test_images: names.len(), rule, sha256 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_lines() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        let record = SplitRecord::new("given".into(), names(&["b.png", "a.png"]));
        // printf 'given\na.png\nb.png\n' | sha256sum
        assert_eq!(record.sha256, "d3c0fe9fb444203a44ea02b28c14ed145a61258560fed723bafb7baf7a5704c7");
        assert_eq!(record.num_test_images, 2);
        assert_ne!(record.sha256, SplitRecord::new("given".into(), names(&["a.png"])).sha256);
        assert_ne!(record.sha256, SplitRecord::new("paper".into(), names(&["b.png", "a.png"])).sha256);
    }
}
