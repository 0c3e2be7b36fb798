//! Whether betas are those that a mapper was trained for: subject, regions, voxels.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::data::nsd::roi_pattern::parts_of;
use crate::data::prepared::PreparedSubject;
use crate::files::warn_once;
use crate::models::mapper::AnyMapperSnapshot;
use crate::run::error::RunError;

/// Refuses betas of another subject, or of other voxels. What an older snapshot does not tell of its voxels is taken for right; of an
/// imported mapper the regions are what somebody said of it, and another name is a warning.
///
/// # Errors
/// [`RunError::invalid`] that names the prepared file, what it holds, and what the mapper was trained on.
pub(crate) fn check_input(
    snapshot: &AnyMapperSnapshot,
    provenance: &Value,
    prepared: &PreparedSubject,
) -> Result<(), RunError> {
    let AnyMapperSnapshot { subject, num_voxels, roi, voxels_sha256, .. } = snapshot;
    let wrong = |field, expected: String, found: String| {
        let expected = format!("{expected} as the mapper was trained on");
        Err(RunError::invalid(prepared.path(), field, expected, found))
    };
    if prepared.subject().to_string() != *subject {
        return wrong("subject", subject.clone(), prepared.subject().to_string());
    }
    if prepared.num_voxels() != *num_voxels {
        return wrong("number of voxels", num_voxels.to_string(), prepared.num_voxels().to_string());
    }
    let are_same_voxels = voxels_sha256.as_ref().map(|then| *then == prepared.voxels_sha256());
    // Without places in a volume voxels are numbers from 0, which all regions have.
    let are_known = are_same_voxels == Some(true) && prepared.has_volume();
    let found = prepared.provenance().selection.join(" + ");
    if !are_known && !are_same_regions(roi, &found) {
        if provenance.get("imported_from").is_some() {
            warn_once(&format!(
                "`{}` holds the voxels of `{found}`, and the mapper was imported as one of `{roi}`",
                prepared.path().display()
            ));
            return Ok(());
        }
        return wrong("regions", format!("`{roi}`"), format!("`{found}`"));
    }
    if are_same_voxels == Some(false) {
        let found = format!("others of `{found}`");
        return wrong("places of the voxels", format!("those of `{roi}`"), found);
    }
    Ok(())
}

/// Whether two selections name the same regions, in whatever order; one that is not told is any.
fn are_same_regions(then: &str, now: &str) -> bool {
    let of = |text: &str| parts_of(text).into_iter().collect::<BTreeSet<_>>();
    [then, now].iter().any(|text| text.trim().is_empty()) || of(then) == of(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_compared_as_sets() {
        assert!(are_same_regions("V1 + V2", "V2 + V1") && are_same_regions("V1 + V2", "V1+V2"));
        assert!(are_same_regions("", "V1") && are_same_regions("V1", ""));
        assert!(!are_same_regions("V1", "V2") && !are_same_regions("V1 + V2", "V1"));
    }
}
