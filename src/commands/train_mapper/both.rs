//! The two mappers that steer a generator, one after the other: what `train-mapper` without `--target` trains.

use serde::{Deserialize, Serialize};

use super::{TrainMapperSettings, TrainMapperSummary, run};
use crate::commands::screen_captions::{self, ScreenCaptionsSettings};
use crate::files::file_is_there;
use crate::models::mapper::MapperTarget;
use crate::run::progress::Progress;

/// What was found of both mappers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BothMappersSummary {
    /// Into CLIP's image space.
    pub image: TrainMapperSummary,
    /// Into its caption space; none where the subject has no captions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption: Option<TrainMapperSummary>,
}

/// Trains the image mapper and then the caption mapper, each in a run folder of its own. Captions that were not screened yet are
/// screened as `screening` says; where there are none, the caption mapper is left out, and that is said.
///
/// # Errors
/// As [`run`] and `screen-captions`. What the image mapper found stays.
pub fn run_both(
    settings: &TrainMapperSettings,
    screening: Option<&ScreenCaptionsSettings>,
    progress: &mut dyn Progress,
) -> crate::error::Result<BothMappersSummary> {
    let mut has_captions = file_is_there(&settings.captions)?;
    if let Some(screening) = screening.filter(|_| !has_captions) {
        progress.note("screening the captions, which the caption mapper is trained on");
        screen_captions::run(screening, progress)?;
        has_captions = true;
    }
    progress.note("image mapper");
    let image = run(&TrainMapperSettings { target: MapperTarget::Image, ..settings.clone() }, progress)?;
    if !has_captions {
        progress.warning(&format!(
            "no caption mapper is trained: the subject has no captions (`{}`)",
            settings.captions.display()
        ));
        return Ok(BothMappersSummary { image, caption: None });
    }
    progress.note("caption mapper");
    let caption = run(&TrainMapperSettings { target: MapperTarget::Caption, ..settings.clone() }, progress)?;
    Ok(BothMappersSummary { image, caption: Some(caption) })
}
