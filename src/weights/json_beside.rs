//! JSON that other programs put beside their weights.

use std::path::Path;

use serde_json::Value;

use crate::error::{Fault, FileError};
use crate::files::{InputKind, file_is_there, read_input, without_mark};

/// Published means and deviations are rounded to six digits or more.
const TOLERANCE: f64 = 1e-4;
const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];

/// The JSON at `path`; none where there is no such file.
///
/// # Errors
/// [`FileError`] for a file that is there and cannot be read, is larger than 16 MiB, or is no JSON.
pub(super) fn json_beside(path: &Path) -> Result<Option<Value>, FileError> {
    if !file_is_there(path)? {
        return Ok(None);
    }
    let bytes = read_input(path, InputKind::Text).map_err(|error| FileError::unreadable(path, error))?;
    serde_json::from_slice(without_mark(&bytes))
        .map(Some)
        .map_err(|error| Fault::new("file", "JSON", error).at(path))
}

/// Refuses a mean or deviation of the three colours that is not the one that pixels are normalised with here; nothing stored is no
/// other one.
pub(super) fn require_colours(stored: &Value, field: &str, ours: [f64; 3], whose: &str) -> Result<(), Fault> {
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
    let [red, green, blue] = ours;
    let expected = format!("{whose}, [{red}, {green}, {blue}]");
    if is_ours { Ok(()) } else { Err(Fault::new(field, expected, stored)) }
}

/// Refuses a ResNet whose pixels are normalised in another way than ImageNet's: `pretrained_cfg` in the `config.json` of `timm`,
/// Hugging Face's `preprocessor_config.json`.
///
/// # Errors
/// [`FileError`] that names file and key.
pub(super) fn require_imagenet_colours(weights: &Path) -> Result<(), FileError> {
    let imagenet = "ImageNet's";
    let path = weights.with_file_name("config.json");
    if let Some(config) = json_beside(&path)? {
        let of_timm = &config["pretrained_cfg"];
        require_colours(&of_timm["mean"], "`pretrained_cfg.mean`", IMAGENET_MEAN, imagenet)
            .and_then(|()| require_colours(&of_timm["std"], "`pretrained_cfg.std`", IMAGENET_STD, imagenet))
            .map_err(|fault| fault.at(&path))?;
    }
    let path = weights.with_file_name("preprocessor_config.json");
    if let Some(config) = json_beside(&path)? {
        require_colours(&config["image_mean"], "`image_mean`", IMAGENET_MEAN, imagenet)
            .and_then(|()| require_colours(&config["image_std"], "`image_std`", IMAGENET_STD, imagenet))
            .map_err(|fault| fault.at(&path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resnet_of_other_colours_is_refused_by_file_and_key() {
        let root = tempfile::tempdir().unwrap();
        let weights = root.path().join("model.safetensors");
        let with = |name: &str, text: &str| {
            std::fs::write(root.path().join(name), text).unwrap();
            let found = require_imagenet_colours(&weights).map_err(|error| error.to_string());
            std::fs::remove_file(root.path().join(name)).unwrap();
            found
        };
        assert_eq!(require_imagenet_colours(&weights), Ok(()));
        assert_eq!(
            with(
                "config.json",
                r#"{"pretrained_cfg": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}}"#
            ),
            Ok(())
        );
        let error = with("config.json", r#"{"pretrained_cfg": {"mean": [0.5, 0.5, 0.5]}}"#).unwrap_err();
        assert!(error.contains("config.json`: `pretrained_cfg.mean`") && error.contains("0.485"), "{error}");
        let error = with("preprocessor_config.json", r#"{"image_std": [0.5, 0.5, 0.5]}"#).unwrap_err();
        assert!(
            error.contains("preprocessor_config.json`: `image_std`") && error.contains("0.229"),
            "{error}"
        );
        assert!(with("config.json", "{").unwrap_err().contains("expected JSON"));
    }
}
