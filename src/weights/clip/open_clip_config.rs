//! The `open_clip_config.json` that OpenCLIP writes beside the weights: heads, activation, and how pixels are normalised.

use std::path::Path;

use serde_json::Value;

use super::sizes::ClipHints;
use crate::error::{Fault, FileError};
use crate::models::clip::ClipActivation;
use crate::models::clip::preprocess::{CLIP_MEAN, CLIP_STD};
use crate::weights::sizes::as_count;

const FILE: &str = "open_clip_config.json";
/// Channels of a head where the file does not say.
const HEAD_WIDTH: usize = 64;
/// Published means and deviations are rounded to six digits or more.
const TOLERANCE: f64 = 1e-4;

/// Hints from the `open_clip_config.json` in the folder of `weights`; none when there is none. OpenCLIP's networks have the exact
/// GELU unless the file says `quick_gelu`.
///
/// # Errors
/// [`FileError`] for a file that is no JSON, and for pixels that are normalised in another way than ours.
pub fn open_clip_config_beside(weights: &Path) -> Result<Option<ClipHints>, FileError> {
    let path = weights.with_file_name(FILE);
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
    let config: Value =
        serde_json::from_str(&text).map_err(|error| Fault::new("file", "JSON", error).at(&path))?;
    let Some(model) = config.get("model_cfg").filter(|model| model.is_object()) else {
        return Err(Fault::new("`model_cfg`", "an object", "none").at(&path));
    };
    for (key, ours) in [("mean", CLIP_MEAN), ("std", CLIP_STD)] {
        require_normalisation(&config["preprocess_cfg"][key], &format!("preprocess_cfg.{key}"), ours)
            .map_err(|fault| fault.at(&path))?;
    }
    let quick = model.get("quick_gelu").and_then(Value::as_bool).unwrap_or(false);
    let vision = &model["vision_cfg"];
    // The file tells the number of heads of the text tower, but the width of a head of the vision tower.
    let head_width = vision.get("head_width").and_then(as_count).unwrap_or(HEAD_WIDTH);
    let vision_heads = vision.get("width").and_then(as_count).and_then(|width| width.checked_div(head_width));
    Ok(Some(ClipHints {
        vision_heads: vision_heads.filter(|heads| *heads > 0),
        text_heads: model["text_cfg"].get("heads").and_then(as_count),
        activation: Some(if quick { ClipActivation::QuickGelu } else { ClipActivation::Gelu }),
    }))
}

/// Refuses a mean or deviation of the three colours that is not the one that pixels are normalised with here.
pub(super) fn require_normalisation(stored: &Value, field: &str, ours: [f64; 3]) -> Result<(), Fault> {
    // A key that is not there reads as null.
    if stored.is_null() {
        return Ok(());
    }
    let is_ours = stored.as_array().is_some_and(|values| {
        values.len() == ours.len()
            && values
                .iter()
                .zip(ours)
                .all(|(value, ours)| value.as_f64().is_some_and(|value| (value - ours).abs() <= TOLERANCE))
    });
    let expected = || format!("CLIP's own, {ours:?}");
    if is_ours { Ok(()) } else { Err(Fault::new(format!("`{field}`"), expected(), stored)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(text: &str) -> Result<Option<ClipHints>, FileError> {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join(FILE), text).unwrap();
        open_clip_config_beside(&root.path().join("open_clip_model.safetensors"))
    }

    #[test]
    fn the_exact_gelu_is_the_default_and_quick_gelu_is_said() {
        let sizes = r#""vision_cfg": {"width": 768, "head_width": 96}, "text_cfg": {"heads": 8}"#;
        let found = hints(&format!(r#"{{"model_cfg": {{{sizes}}}}}"#)).unwrap().unwrap();
        let expected =
            ClipHints { vision_heads: Some(8), text_heads: Some(8), activation: Some(ClipActivation::Gelu) };
        assert_eq!(found, expected);
        let quick = hints(r#"{"model_cfg": {"quick_gelu": true}}"#).unwrap().unwrap();
        assert_eq!(quick.activation, Some(ClipActivation::QuickGelu));
        assert!(hints("{}").unwrap_err().to_string().contains("model_cfg"));
        assert_eq!(open_clip_config_beside(Path::new("nowhere/model.safetensors")).unwrap(), None);
    }

    #[test]
    fn other_pixels_are_refused() {
        let with_mean = |mean: &str| {
            hints(&format!(r#"{{"model_cfg": {{}}, "preprocess_cfg": {{"mean": {mean}, "std": null}}}}"#))
        };
        assert!(with_mean("[0.48145466, 0.4578275, 0.40821073]").is_ok());
        let error = with_mean("[0.5, 0.5, 0.5]").unwrap_err().to_string();
        assert!(error.contains("preprocess_cfg.mean") && error.contains("0.48145466"), "{error}");
    }
}
