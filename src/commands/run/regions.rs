//! Which regions of a subject are driven or silenced.

use super::config::RunConfig;
use crate::data::error::DataError;
use crate::data::prepared::PreparedSubject;
use crate::error::Result;
use crate::pipelines::chain_record::StimulatedRegion;
use crate::pipelines::stimulation::Stimulation;

/// How the label volumes of functional localisers begin.
const LOCALISERS: &str = "floc-";
/// Early visual cortex, in the atlas of streams.
const EARLY: &str = "streams:early";
/// The streams beyond it.
const HIGHER: [&str; 3] = ["streams:ventral", "streams:lateral", "streams:parietal"];

/// A region that is stimulated, or why it is not.
pub(super) struct ChosenRegion {
    pub region: StimulatedRegion,
    /// Why not.
    pub left_out: Option<String>,
}

/// The regions that the settings name, or else those that the subject has: localisers are driven, early visual cortex and the
/// streams beyond it silenced.
///
/// # Errors
/// A name that the subject's label volumes do not know.
pub(super) fn regions(config: &RunConfig, subject: &PreparedSubject) -> Result<Vec<ChosenRegion>> {
    let driven = config.stimulate.clone().unwrap_or_else(|| localisers(subject));
    let silenced = config.silence.clone().unwrap_or_else(|| streams(subject));
    let driven = driven.into_iter().map(|roi| (roi, Stimulation::Excite));
    driven
        .chain(silenced.into_iter().map(|roi| (roi, Stimulation::Silence)))
        .map(|(roi, action)| {
            let left_out = match subject.select(&roi) {
                Ok(_) => None,
                Err(error @ DataError::Empty { .. }) => Some(error.to_string()),
                Err(error) => return Err(error.into()),
            };
            Ok(ChosenRegion { region: StimulatedRegion { roi, action }, left_out })
        })
        .collect()
}

/// Whether the regions are known before the subject is prepared: all are named.
pub(super) fn named_regions(config: &RunConfig) -> Option<Vec<StimulatedRegion>> {
    let of = |names: &[String], action| {
        names.iter().map(|roi| StimulatedRegion { roi: roi.clone(), action }).collect::<Vec<_>>()
    };
    let driven = of(config.stimulate.as_deref()?, Stimulation::Excite);
    let silenced = of(config.silence.as_deref()?, Stimulation::Silence);
    Some([driven, silenced].concat())
}

fn localisers(subject: &PreparedSubject) -> Vec<String> {
    let has_voxels =
        |name: &&str| subject.roi(name).is_some_and(|roi| roi.labels.iter().any(|label| *label > 0));
    let names = subject.rois().into_iter().filter(|name| name.starts_with(LOCALISERS));
    names.filter(has_voxels).map(String::from).collect()
}

/// Early cortex, and what the subject has of the streams beyond it as one region.
fn streams(subject: &PreparedSubject) -> Vec<String> {
    let is_there = |name: &&str| subject.select(name).is_ok();
    let higher: Vec<&str> = HIGHER.into_iter().filter(is_there).collect();
    let early = Some(EARLY).filter(is_there).map(String::from);
    early.into_iter().chain((!higher.is_empty()).then(|| higher.join(" + "))).collect()
}
