//! What snapshots of a GAN in training say of themselves.

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
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_images_seen_stand_behind_the_sources() {
        let sources = json!({"subject": "subj01", "images": 3, "clip_sha256": null});
        let origin = SnapshotOrigin { sources: &sources, images_seen: 8 };
        let text = serde_json::to_value(&origin).unwrap().to_string();
        assert_eq!(text, r#"{"subject":"subj01","images":3,"clip_sha256":null,"images_seen":8}"#);
    }
}
