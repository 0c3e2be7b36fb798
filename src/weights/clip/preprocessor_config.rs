//! The `preprocessor_config.json` that Hugging Face writes beside the weights: how pixels become a CLIP's input.

use std::path::Path;

use serde_json::Value;

use crate::error::{Fault, FileError};
use crate::models::clip::preprocess::{CLIP_MEAN, CLIP_STD};
use crate::weights::json_beside::{json_beside, require_colours};
use crate::weights::sizes::as_count;

const FILE: &str = "preprocessor_config.json";
/// Pillow's number of bicubic interpolation.
const BICUBIC: u64 = 3;

/// Side of the images in pixels as the `preprocessor_config.json` in the folder of `weights` says it; none when there is none, or it
/// does not say.
///
/// # Errors
/// [`FileError`] for a file that is no JSON, and for pixels that are made in another way than ours: another mean, deviation or
/// interpolation, no normalisation.
pub(super) fn image_size_beside(weights: &Path) -> Result<Option<usize>, FileError> {
    let path = weights.with_file_name(FILE);
    let Some(config) = json_beside(&path)? else { return Ok(None) };
    check(&config).map_err(|fault| fault.at(&path))
}

fn check(config: &Value) -> Result<Option<usize>, Fault> {
    require_colours(&config["image_mean"], "`image_mean`", CLIP_MEAN, "CLIP's own")?;
    require_colours(&config["image_std"], "`image_std`", CLIP_STD, "CLIP's own")?;
    for step in ["do_resize", "do_center_crop", "do_normalize"] {
        if config[step].as_bool() == Some(false) {
            return Err(Fault::new(format!("`{step}`"), "true, as our images are prepared", false));
        }
    }
    let resample = &config["resample"];
    if !resample.is_null() && resample.as_u64() != Some(BICUBIC) {
        return Err(Fault::new("`resample`", "3, bicubic, as our images are resized", resample));
    }
    // Older files give one number, newer ones an object.
    let side = |size: &Value| match size {
        Value::Object(_) => {
            ["height", "width", "shortest_edge"].iter().find_map(|key| size.get(key)).and_then(as_count)
        }
        size => as_count(size),
    };
    Ok(side(&config["crop_size"]).or_else(|| side(&config["size"])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_published_files_are_ours_and_tell_the_side_of_the_images() {
        let mean = [0.48145466, 0.4578275, 0.40821073];
        let std = [0.26862954, 0.26130258, 0.27577711];
        let old = json!({"crop_size": 224, "do_center_crop": true, "do_normalize": true, "do_resize": true,
            "image_mean": mean, "image_std": std, "resample": 3, "size": 224});
        assert_eq!(check(&old).unwrap(), Some(224));
        let new = json!({"crop_size": {"height": 336, "width": 336}, "size": {"shortest_edge": 336}, "image_mean": mean});
        assert_eq!(check(&new).unwrap(), Some(336));
        assert_eq!(check(&json!({"size": {"shortest_edge": 224}})).unwrap(), Some(224));
        assert_eq!(check(&json!({})).unwrap(), None);
    }

    #[test]
    fn other_pixels_are_refused_by_key() {
        for (config, key, expected) in [
            (json!({"image_mean": [0.5, 0.5, 0.5]}), "`image_mean`", "0.48145466"),
            (json!({"image_std": [0.5, 0.5, 0.5]}), "`image_std`", "0.26862954"),
            (json!({"image_std": "x"}), "`image_std`", "0.26862954"),
            (json!({"resample": 2}), "`resample`", "bicubic"),
            (json!({"do_normalize": false}), "`do_normalize`", "true"),
        ] {
            let error = check(&config).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_file_is_found_beside_the_weights() {
        let root = tempfile::tempdir().unwrap();
        let weights = root.path().join("model.safetensors");
        assert_eq!(image_size_beside(&weights).unwrap(), None);
        std::fs::write(root.path().join(FILE), "\u{feff}{\"crop_size\": 64, \"resample\": 0}").unwrap();
        let error = image_size_beside(&weights).unwrap_err().to_string();
        assert!(error.contains("preprocessor_config.json`: `resample`: found 0"), "{error}");
    }
}
