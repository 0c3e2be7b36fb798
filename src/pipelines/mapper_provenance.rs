//! What a mapper's snapshot says of its training.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::padding::padding_left;
use crate::data::split::SplitConfig;
use crate::files::{say_used, warn_once};
use crate::models::mapper::{AnyMapperSnapshot, MapperShape};
use crate::pipelines::mapper_betas::BetasControl;
use crate::run::error::RunError;

/// Where an imported mapper's provenance says how many zeros come before its voxels.
pub(crate) const PADDING_KEY: &str = "padding_left";

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
        if split.is_same_as_stored(&self.split) {
            return Ok(());
        }
        let expected = format!("the split of this {purpose}, {}", serde_json::to_value(split)?);
        Err(RunError::invalid(path, "settings.split", expected, serde_json::to_value(&self.split)?).into())
    }
}

/// Says that a mapper is used: what it predicts, its kind, and which betas it learned from.
pub(crate) fn say_mapper_used(path: &Path, snapshot: &AnyMapperSnapshot, provenance: &Value) {
    say_used(&format!("the {}", described(snapshot, provenance)), path);
}

/// `image mapper (kind paper, learned from measured betas)`.
fn described(snapshot: &AnyMapperSnapshot, provenance: &Value) -> String {
    let learned = |key: &str| BetasControl::deserialize(provenance.get(key)?.get("betas")?).ok();
    let from = match learned("settings") {
        Some(BetasControl::Measured) => "learned from each trial's own betas",
        Some(BetasControl::Shuffled) => "a control that learned from exchanged betas",
        None if provenance.get("imported_from").is_some() => "imported",
        None => "which does not say what betas it learned from",
    };
    format!("{} mapper (kind {}, {from})", snapshot.target, snapshot.network.kind())
}

/// Holds the zeros in front of the voxels against where a training puts them, or against what an import recorded.
///
/// # Errors
/// [`RunError::Invalid`] naming the mapper's file: every voxel would be read in another one's place.
pub(crate) fn check_padding(
    path: &Path,
    snapshot: &AnyMapperSnapshot,
    provenance: &Value,
) -> Result<(), RunError> {
    let recorded = provenance.get(PADDING_KEY).and_then(Value::as_u64);
    let usual = padding_left(snapshot.num_voxels, snapshot.network.signal_len());
    let (found, expected) = (snapshot.padding_left as u64, recorded.unwrap_or(usual as u64));
    if found == expected {
        return Ok(());
    }
    if recorded.is_none() && provenance.get("imported_from").is_some() {
        // Versions before this record was written could be told any.
        warn_once(&format!(
            "`{}` has {found} zeros in front of its voxels in place of {usual}, and does not say that it was imported so",
            path.display()
        ));
        return Ok(());
    }
    Err(RunError::invalid(
        path,
        "padding_left",
        format!("{expected}, where its training had the voxels"),
        found,
    ))
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
        // 17 digits, of which the last may be lost in JSON.
        let split = SplitConfig { train_fraction: 0.9666666666666667, ..split };
        let stored = serde_json::from_str(&serde_json::to_string(&split).unwrap()).unwrap();
        let found = MapperProvenance { split: stored, ..found };
        assert!(found.require_split(Path::new("m"), &split, "evaluation").is_ok());
        settings.as_object_mut().unwrap().remove("split");
        let error = read(&json!({"settings": settings})).unwrap_err().to_string();
        assert!(error.contains("m.safetensors") && error.contains("split"), "{error}");
    }

    #[test]
    fn a_mapper_that_is_used_says_its_kind_and_its_betas() {
        let data = |network: Value| {
            let data = json!({
                "network": network, "target": "caption", "num_voxels": 40, "padding_left": 0, "subject": "subj02",
                "roi": "nsdgeneral", "clip_sha256": "0",
            });
            serde_json::from_value::<AnyMapperSnapshot>(data).unwrap()
        };
        let ridge = data(json!({"kind": "ridge", "num_voxels": 40, "embed_dim": 8}));
        let paper = data(
            json!({"signal_len": 64, "num_down": 1, "num_blocks": 1, "hidden": 4, "fc": 4, "embed_dim": 8}),
        );
        let control = json!({"settings": {"betas": "shuffled"}});
        let words = "caption mapper (kind ridge, a control that learned from exchanged betas)";
        assert_eq!(described(&ridge, &control), words);
        let own = described(&paper, &json!({"settings": {"betas": "measured"}}));
        assert_eq!(own, "caption mapper (kind paper, learned from each trial's own betas)");
        assert!(described(&paper, &json!({"imported_from": "a file"})).ends_with("(kind paper, imported)"));
    }

    #[test]
    fn voxels_stay_where_the_training_or_the_import_had_them() {
        let data = json!({
            "network": {"signal_len": 64, "num_down": 1, "num_blocks": 1, "hidden": 4, "fc": 4, "embed_dim": 8},
            "target": "image", "num_voxels": 40, "padding_left": 12, "subject": "subj02", "roi": "nsdgeneral",
            "clip_sha256": "0",
        });
        let check = |left: usize, provenance: Value| {
            let snapshot: AnyMapperSnapshot = serde_json::from_value(data.clone()).unwrap();
            let snapshot = AnyMapperSnapshot { padding_left: left, ..snapshot };
            check_padding(Path::new("m.safetensors"), &snapshot, &provenance)
                .map_err(|error| error.to_string())
        };
        let trained = json!({"settings": {}});
        assert_eq!(check(12, trained.clone()), Ok(()));
        let error = check(13, trained).unwrap_err();
        assert!(
            error.starts_with("`m.safetensors`: padding_left is 13, expected 12")
                || error.contains("padding_left: found 13, expected 12"),
            "{error}"
        );
        assert_eq!(check(13, json!({"imported_from": "a", "padding_left": 13})), Ok(()));
        assert!(check(12, json!({"imported_from": "a", "padding_left": 13})).is_err());
        assert_eq!(check(13, json!({"imported_from": "by an older version"})), Ok(()));
    }
}
