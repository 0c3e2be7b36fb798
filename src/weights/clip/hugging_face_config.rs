//! The `config.json` that Hugging Face writes beside the weights: it tells heads and activation.

use std::path::Path;

use serde_json::Value;

use super::sizes::ClipHints;
use crate::error::{Fault, FileError};
use crate::models::clip::ClipActivation;
use crate::weights::json_beside::json_beside;
use crate::weights::sizes::as_count;

const FILE: &str = "config.json";

/// LayerNorm's ε that our network computes with.
const LAYER_NORM_EPSILON: f64 = 1e-5;

/// Hints from the `config.json` in the folder of `weights`; none when there is none or it is not a CLIP's.
///
/// # Errors
/// [`FileError`] for a CLIP that our network does not compute: another activation, another ε.
pub fn config_beside(weights: &Path) -> Result<Option<ClipHints>, FileError> {
    let path = weights.with_file_name(FILE);
    let Some(config) = json_beside(&path)? else { return Ok(None) };
    let invalid = |fault: Fault| fault.at(&path);
    if config.get("model_type").and_then(Value::as_str) != Some("clip") {
        return Ok(None);
    }
    let of_tower = |tower: &str, key: &str| config.get(tower).and_then(|tower| tower.get(key));
    let mut activation = None;
    for tower in ["vision_config", "text_config"] {
        // Their default, which older files leave out.
        let name = of_tower(tower, "hidden_act").and_then(Value::as_str).unwrap_or("quick_gelu");
        let found = match name {
            "quick_gelu" => ClipActivation::QuickGelu,
            "gelu" => ClipActivation::Gelu,
            other => {
                let field = format!("`{tower}.hidden_act`");
                return Err(invalid(Fault::new(field, "`quick_gelu` or `gelu`", format!("`{other}`"))));
            }
        };
        if activation.is_some_and(|first| first != found) {
            let field = "`text_config.hidden_act`";
            return Err(invalid(Fault::new(field, "that of the vision tower", format!("`{name}`"))));
        }
        activation = Some(found);
        let epsilon = of_tower(tower, "layer_norm_eps").and_then(Value::as_f64).unwrap_or(LAYER_NORM_EPSILON);
        // Exactly: both are the nearest double to one decimal number.
        if epsilon != LAYER_NORM_EPSILON {
            let field = format!("`{tower}.layer_norm_eps`");
            return Err(invalid(Fault::new(field, LAYER_NORM_EPSILON, epsilon)));
        }
    }
    let heads = |tower: &str| of_tower(tower, "num_attention_heads").and_then(as_count);
    Ok(Some(ClipHints {
        vision_heads: heads("vision_config"),
        text_heads: heads("text_config"),
        activation,
        image_size: of_tower("vision_config", "image_size").and_then(as_count),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hints(text: &str) -> Result<Option<ClipHints>, FileError> {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join(FILE), text).unwrap();
        config_beside(&root.path().join("model.safetensors"))
    }

    #[test]
    fn heads_and_activation_are_read_and_other_networks_refused() {
        let vision = r#""vision_config": {"num_attention_heads": 2, "hidden_act": "gelu"}"#;
        let text = r#""text_config": {"num_attention_heads": 4, "hidden_act": "gelu"}"#;
        let found = hints(&format!(r#"{{"model_type": "clip", {vision}, {text}}}"#)).unwrap().unwrap();
        let expected = ClipHints {
            vision_heads: Some(2),
            text_heads: Some(4),
            activation: Some(ClipActivation::Gelu),
            image_size: None,
        };
        assert_eq!(found, expected);
        assert_eq!(hints(r#"{"model_type": "bert"}"#).unwrap(), None);
        let error = hints(&format!(r#"{{"model_type": "clip", {vision}}}"#)).unwrap_err().to_string();
        assert!(error.contains("config.json") && error.contains("quick_gelu"), "{error}");
        let relu = r#""vision_config": {"hidden_act": "relu"}"#;
        let error = hints(&format!(r#"{{"model_type": "clip", {relu}}}"#)).unwrap_err().to_string();
        assert!(error.contains("relu"), "{error}");
        let coarse = r#""text_config": {"layer_norm_eps": 0.001}"#;
        let error = hints(&format!(r#"{{"model_type": "clip", {coarse}}}"#)).unwrap_err().to_string();
        assert!(error.contains("layer_norm_eps"), "{error}");
        assert!(hints("{").is_err());
    }
}
