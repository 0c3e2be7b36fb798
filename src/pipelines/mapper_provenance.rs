//! What a mapper's snapshot says of its training.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::split::SplitConfig;
use crate::models::mapper::AnyMapperSnapshot;
use crate::pipelines::mapper_betas::BetasControl;
use crate::run::error::RunError;

/// Everything that decides a mapper's numbers. `Settings` is the command's section, or whatever a reader wants of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MapperProvenance<Settings> {
    /// Network, form of the targets, training.
    pub mapper: Settings,
    /// Sizes and data that the network is for.
    pub data: AnyMapperSnapshot,
    /// Trials of the subject.
    pub num_trials: usize,
    /// Which betas went with which image.
    pub betas: BetasControl,
    /// Which trials it was fitted to.
    pub split: SplitConfig,
}

/// The part of a snapshot's provenance that this program's own training writes.
#[derive(Deserialize)]
struct Provenance {
    /// Nothing of a mapper that was imported.
    settings: Option<Value>,
}

impl<Settings: DeserializeOwned> MapperProvenance<Settings> {
    /// The training behind `provenance`, which is of the snapshot `path`; nothing of a mapper that was imported.
    ///
    /// # Errors
    /// [`RunError::Invalid`] where a part of it is missing or cannot be read.
    pub fn of_provenance(path: &Path, provenance: &Value) -> Result<Option<Self>, RunError> {
        let expected = "settings of a training";
        let wrong = |error: serde_json::Error| RunError::invalid(path, "settings", expected, error);
        let Provenance { settings } = Provenance::deserialize(provenance).map_err(wrong)?;
        settings.filter(|settings| !settings.is_null()).map(Self::deserialize).transpose().map_err(wrong)
    }
}

impl<Settings> MapperProvenance<Settings> {
    /// Refuses another split than the mapper's own: images that it must not have seen would be among those that it was
    /// fitted to. `purpose` is what `split` is for.
    ///
    /// # Errors
    /// [`RunError::Invalid`] naming the mapper's file.
    pub fn require_split(&self, path: &Path, split: &SplitConfig, purpose: &str) -> crate::error::Result<()> {
        if self.split == *split {
            return Ok(());
        }
        let expected = format!("the split of this {purpose}, {}", serde_json::to_value(split)?);
        Err(RunError::invalid(path, "settings.split", expected, serde_json::to_value(&self.split)?).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IgnoredAny;
    use serde_json::json;

    fn read(provenance: &Value) -> Result<Option<MapperProvenance<IgnoredAny>>, RunError> {
        MapperProvenance::of_provenance(Path::new("m.safetensors"), provenance)
    }

    #[test]
    fn a_training_is_read_whole_or_refused() {
        assert!(read(&json!({"imported_from": "a file"})).unwrap().is_none());
        let network =
            json!({"signal_len": 64, "num_down": 1, "num_blocks": 1, "hidden": 4, "fc": 4, "embed_dim": 8});
        let data = json!({
            "network": network, "target": "image", "num_voxels": 40, "padding_left": 12, "subject": "subj02",
            "roi": "nsdgeneral", "clip_sha256": "0",
        });
        let split = SplitConfig { train_fraction: 0.5, ..SplitConfig::default() };
        let mut settings =
            json!({"mapper": {}, "data": data, "num_trials": 8, "betas": "measured", "split": split});
        let found = read(&json!({"settings": settings, "phases": []})).unwrap().unwrap();
        assert_eq!((&found.split, found.num_trials), (&split, 8));
        assert!(found.require_split(Path::new("m"), &found.split, "evaluation").is_ok());
        let error = found
            .require_split(Path::new("m"), &SplitConfig::default(), "evaluation")
            .unwrap_err()
            .to_string();
        assert!(error.contains("settings.split") && error.contains("0.85"), "{error}");
        settings.as_object_mut().unwrap().remove("split");
        let error = read(&json!({"settings": settings})).unwrap_err().to_string();
        assert!(error.contains("m.safetensors") && error.contains("split"), "{error}");
    }
}
