//! Settings of the section `[run]`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::SettingError;
use crate::files::path_from_home;

/// Most regions that are driven, and most that are silenced.
const MOST_REGIONS: usize = 1000;

/// Which regions are stimulated, and where the report goes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// Regions that are driven, each as `microstim --roi` takes it. Default: every functional one (`floc-…`) that the subject has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stimulate: Option<Vec<String>>,
    /// Regions that are silenced. Default: early visual cortex, and the streams beyond it together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<Vec<String>>,
    /// The page. Default: `report-subj01.html` in the work folder.
    #[serde(deserialize_with = "path_from_home", skip_serializing_if = "Option::is_none")]
    pub report: Option<PathBuf>,
    /// Whether work is begun that takes more than a day by estimate.
    pub accept_long: bool,
}

impl RunConfig {
    /// Refuses regions that are named twice or not at all.
    ///
    /// # Errors
    /// [`SettingError`] that names the key.
    pub fn validate(&self) -> Result<(), SettingError> {
        for (key, regions) in [("stimulate", &self.stimulate), ("silence", &self.silence)] {
            let regions = regions.as_deref().unwrap_or_default();
            let wrong =
                |expected: &str, found: &str| Err(SettingError::new(key, expected, found).within("run"));
            if regions.len() > MOST_REGIONS {
                return wrong("at most 1000 regions", &regions.len().to_string());
            }
            let mut seen = BTreeSet::new();
            for region in regions {
                if region.trim().is_empty() {
                    return wrong("names of regions", "an empty one");
                }
                if !seen.insert(region) {
                    return wrong("each region once", &format!("`{region}` twice"));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_named_once() {
        let error = |text: &str| {
            let config: RunConfig = toml::from_str(text).unwrap();
            config.validate().map_err(|error| error.to_string())
        };
        assert_eq!(error("stimulate = [\"floc-faces\"]\nsilence = [\"floc-faces\"]"), Ok(()));
        assert_eq!(error("stimulate = []"), Ok(()));
        let twice = error("silence = [\"V1\", \"V1\"]").unwrap_err();
        assert_eq!(twice, "`run.silence`: found `V1` twice, expected each region once");
        assert!(error("stimulate = [\" \"]").unwrap_err().contains("run.stimulate"));
    }
}
