//! What snapshots of a GAN in training say of themselves.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// What a snapshot of a GAN in training says of its origin.
#[derive(Debug, Serialize)]
pub struct SnapshotOrigin<'a> {
    /// Where data and first weights come from.
    #[serde(flatten)]
    pub sources: &'a Value,
    /// Real images that training had shown.
    pub images_seen: u64,
    /// SHA-256 of the mappers that belong to this generator, by what they predict; empty where they were not trained along.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub trained_mappers_sha256: BTreeMap<String, String>,
}

impl<'a> SnapshotOrigin<'a> {
    /// The origin of networks without mappers of their own.
    pub fn new(sources: &'a Value, images_seen: u64) -> Self {
        Self { sources, images_seen, trained_mappers_sha256: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_images_seen_stand_behind_the_sources() {
        let sources = json!({"subject": "subj01", "images": 3, "clip_sha256": null});
        let origin = SnapshotOrigin::new(&sources, 8);
        let text = serde_json::to_value(&origin).unwrap().to_string();
        assert_eq!(text, r#"{"subject":"subj01","images":3,"clip_sha256":null,"images_seen":8}"#);
        let trained_mappers_sha256 = BTreeMap::from([("image".to_string(), "m".to_string())]);
        let origin = SnapshotOrigin { trained_mappers_sha256, ..origin };
        let text = serde_json::to_value(&origin).unwrap().to_string();
        assert!(text.ends_with(r#""images_seen":8,"trained_mappers_sha256":{"image":"m"}}"#), "{text}");
    }
}
