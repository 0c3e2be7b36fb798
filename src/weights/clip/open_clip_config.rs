//! The `open_clip_config.json` that OpenCLIP writes beside the weights: heads, activation, and how pixels are normalised.

use std::path::Path;

use serde_json::Value;

use super::sizes::ClipHints;
use crate::error::{Fault, FileError};
use crate::models::clip::ClipActivation;
use crate::models::clip::preprocess::{CLIP_MEAN, CLIP_STD};
use crate::weights::json_beside::{json_beside, require_colours};
use crate::weights::sizes::as_count;

const FILE: &str = "open_clip_config.json";
/// Channels of a head where the file does not say.
const HEAD_WIDTH: usize = 64;

/// Hints from the `open_clip_config.json` in the folder of `weights`; none when there is none. OpenCLIP's networks have the exact
/// GELU unless the file says `quick_gelu`.
///
/// # Errors
/// [`FileError`] for a file that is no JSON, and for pixels that are normalised in another way than ours.
pub fn open_clip_config_beside(weights: &Path) -> Result<Option<ClipHints>, FileError> {
    let path = weights.with_file_name(FILE);
    let Some(config) = json_beside(&path)? else { return Ok(None) };
    let Some(model) = config.get("model_cfg").filter(|model| model.is_object()) else {
        return Err(Fault::new("`model_cfg`", "an object", "none").at(&path));
    };
    let preprocess = &config["preprocess_cfg"];
    require_resizing(preprocess).map_err(|fault| fault.at(&path))?;
    for (key, ours) in [("mean", CLIP_MEAN), ("std", CLIP_STD)] {
        require_colours(&preprocess[key], &format!("`preprocess_cfg.{key}`"), ours, "CLIP's own")
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
        image_size: vision.get("image_size").and_then(as_count),
    }))
}

/// Refuses images that are resized in another way than ours.
fn require_resizing(preprocess: &Value) -> Result<(), Fault> {
    for (key, ours) in [("interpolation", "bicubic"), ("resize_mode", "shortest")] {
        let stored = &preprocess[key];
        if !stored.is_null() && stored.as_str() != Some(ours) {
            let field = format!("`preprocess_cfg.{key}`");
            return Err(Fault::new(field, format!("`{ours}`, as our images are resized"), stored));
        }
    }
    Ok(())
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
        let expected = ClipHints {
            vision_heads: Some(8),
            text_heads: Some(8),
            activation: Some(ClipActivation::Gelu),
            image_size: None,
        };
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
        let squashed =
            hints(r#"{"model_cfg": {}, "preprocess_cfg": {"resize_mode": "squash"}}"#).unwrap_err();
        assert!(squashed.to_string().contains("preprocess_cfg.resize_mode"), "{squashed}");
        let error = with_mean("[0.5, 0.5, 0.5]").unwrap_err().to_string();
        assert!(error.contains("preprocess_cfg.mean") && error.contains("0.48145466"), "{error}");
    }
}
