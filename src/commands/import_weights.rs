//! `mindreader import-weights`: a published checkpoint becomes a snapshot, or is refused tensor by tensor.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::data::padding::padding_left;
use crate::data::subject::{NsdSubject, Resolution, SubjectId};
use crate::error::Result;
use crate::models::mapper::{MapperConfig, MapperSnapshot, MapperTarget};
use crate::pipelines::mapper_provenance::PADDING_KEY;
use crate::run::error::RunError;
use crate::run::existing_output::ExistingOutput;
use crate::run::progress::Progress;
use crate::run::snapshot::{CLIP_KIND, Snapshot};
use crate::tensor_ops::backend::cpu;
use crate::weights::foreign::{FileFormat, ForeignFile};
use crate::weights::import::{ImportRequest, Imported, ImportedNetwork, import, provenance};
use crate::weights::kind::NetworkKind;
use crate::weights::readers::read_foreign;
use crate::weights::report::DroppedTensor;

/// Padding never adds a multiple of this.
const LONGEST_PADDING: usize = 32;

/// Stored where the CLIP behind a mapper is not known; no snapshot has this hash.
const UNKNOWN_CLIP: &str = "unknown";

/// What a mapper's snapshot says beside the network.
#[derive(Clone, Debug, Default)]
pub struct MapperOrigin {
    /// Whose brain; told by the length of the signal when unset.
    pub subject: Option<SubjectId>,
    /// Regions whose voxels it reads.
    pub roi: String,
    /// Voxels before padding; by default those of the subject's `nsdgeneral`.
    pub num_voxels: Option<usize>,
    /// Zeros before the first voxel; by default half of the padding.
    pub padding_left: Option<usize>,
    /// The space it predicts; by default captions for `fmri_vec2`, images for any other.
    pub target: Option<MapperTarget>,
    /// Snapshot of the CLIP that made its targets.
    pub clip: Option<PathBuf>,
}

/// What to import and where to.
#[derive(Clone, Debug)]
pub struct ImportWeightsSettings {
    /// Foreign file.
    pub from: PathBuf,
    /// Snapshot to write.
    pub out: PathBuf,
    /// Whether a file that is there already gives way.
    pub existing: ExistingOutput,
    /// Which network, how strictly, and what its file does not tell.
    pub request: ImportRequest,
    /// What a mapper's snapshot says beside its network.
    pub mapper: MapperOrigin,
}

/// The snapshot, and what became of every foreign tensor.
#[derive(Clone, Debug, Serialize)]
pub struct ImportWeightsSummary {
    /// The snapshot that was written.
    pub snapshot: PathBuf,
    /// SHA-256 of the snapshot.
    pub snapshot_sha256: String,
    /// Kind of network.
    pub kind: NetworkKind,
    /// The network's name in the foreign file; empty where there is only one.
    pub network: String,
    /// Container of the foreign file.
    pub container: FileFormat,
    /// SHA-256 of the foreign file.
    pub source_sha256: String,
    /// Tensors of the foreign network.
    pub tensors: usize,
    /// Of these, put into parameters.
    pub applied: usize,
    /// Of these, not needed, with the reasons.
    pub dropped: Vec<DroppedTensor>,
    /// Parameters of the snapshot.
    pub parameters: usize,
    /// Values in those parameters.
    pub values: usize,
    /// What does not fit; empty unless a partial import was allowed.
    pub problems: Vec<String>,
    /// Configuration in the snapshot.
    pub config: Value,
    /// What the file does not say and was assumed.
    pub assumed: Vec<String>,
    /// Other networks of the file.
    pub not_imported: Vec<String>,
}

/// Imports one network.
///
/// # Errors
/// [`crate::weights::import_error::ImportError`] and [`RunError`] for everything the user can put right;
/// nothing is written then.
pub fn run(settings: &ImportWeightsSettings, progress: &mut dyn Progress) -> Result<ImportWeightsSummary> {
    let ImportWeightsSettings { from, out, .. } = settings;
    if settings.existing.refuses(out) {
        return Err(RunError::unwritable(out, "it is there already; allow it with `--overwrite`").into());
    }
    if Snapshot::is_snapshot(from) {
        return Err(RunError::invalid(from, "file", "a foreign one", "a snapshot of this program").into());
    }
    progress.start("reading weights", 0);
    let file = read_foreign(from)?;
    let mut imported = import(&file, &settings.request, &cpu())?;
    let mut padding = None;
    let config = match &imported.network {
        ImportedNetwork::Mapper(network, _) => {
            let (snapshot, assumed) = mapper_snapshot(from, &imported.name, network, &settings.mapper)?;
            imported.report.assumed.extend(assumed);
            padding = Some(snapshot.padding_left);
            serde_json::to_value(snapshot)?
        }
        _ => imported.config()?,
    };
    let mut origin = provenance(&file, &imported);
    if let (Some(left), Some(origin)) = (padding, origin.as_object_mut()) {
        origin.insert(PADDING_KEY.into(), left.into());
    }
    imported.save(out, &config, &origin)?;
    progress.finish("");
    let snapshot_sha256 = Snapshot::open(out, imported.kind.as_str())?.sha256().to_string();
    let not_imported = others(&file, &imported.name);
    let Imported { name, kind, report, .. } = imported;
    Ok(ImportWeightsSummary {
        snapshot: out.clone(),
        snapshot_sha256,
        kind,
        network: name,
        container: file.format,
        source_sha256: file.sha256,
        tensors: report.tensors,
        applied: report.applied,
        dropped: report.dropped,
        parameters: report.parameters,
        values: report.values,
        problems: report.problems.iter().map(ToString::to_string).collect(),
        config,
        assumed: report.assumed,
        not_imported,
    })
}

/// The other networks of a file, each with its kind.
fn others(file: &ForeignFile, imported: &str) -> Vec<String> {
    let others = file.networks.iter().filter(|(name, _)| *name != imported);
    let described = others.map(|(name, network)| match NetworkKind::of(network) {
        Some(kind) => format!("{name} ({kind})"),
        None => format!("{name} (unknown)"),
    });
    described.collect()
}

/// Completes a mapper's sizes by what only the caller or the published numbers know; and what was assumed.
fn mapper_snapshot(
    from: &Path,
    network: &str,
    config: &MapperConfig,
    origin: &MapperOrigin,
) -> Result<(MapperSnapshot, Vec<String>)> {
    let mut completion = Completion { from, config, origin, assumed: Vec::new() };
    let subject = completion.subject()?;
    let num_voxels = completion.num_voxels(subject)?;
    let target = completion.target(network);
    let clip_sha256 = completion.clip_sha256()?;
    let snapshot = MapperSnapshot {
        network: config.clone(),
        target,
        num_voxels,
        padding_left: completion.padding_left(num_voxels)?,
        subject: subject.to_string(),
        roi: origin.roi.clone(),
        voxels_sha256: None,
        target_network_sha256: clip_sha256,
    };
    Ok((snapshot, completion.assumed))
}

/// A mapper's snapshot in the making.
struct Completion<'a> {
    /// Foreign file, for errors.
    from: &'a Path,
    /// Sizes that the tensors tell.
    config: &'a MapperConfig,
    /// What the caller tells.
    origin: &'a MapperOrigin,
    /// What neither tells.
    assumed: Vec<String>,
}

impl Completion<'_> {
    fn wrong_signal(&self, expected: &str) -> RunError {
        RunError::invalid(self.from, "length of the signal", expected, self.config.signal_len)
    }

    /// Whose brain: as the caller says, else the subject whose signal has this length.
    fn subject(&mut self) -> Result<SubjectId> {
        if let Some(subject) = self.origin.subject {
            return Ok(subject);
        }
        let signal_len = self.config.signal_len;
        let subject = subject_of(signal_len).ok_or_else(|| {
            self.wrong_signal("that of a subject's `nsdgeneral`, or `--subject` and `--num-voxels`")
        })?;
        self.assumed.push(format!("{subject}: a signal of {signal_len} is that of its `nsdgeneral`"));
        Ok(subject)
    }

    fn num_voxels(&self, subject: SubjectId) -> Result<usize> {
        let signal_len = self.config.signal_len;
        let nsd = subject.nsd().ok();
        let published = nsd.and_then(|nsd| nsd.expected_nsdgeneral_voxels(Resolution::Func1pt8mm));
        let Some(num_voxels) = self.origin.num_voxels.or(published) else {
            return Err(RunError::missing("--num-voxels", "a mapper of other volumes").into());
        };
        let fits = match self.origin.num_voxels {
            // Said by the caller, who may have padded more.
            Some(_) => num_voxels <= signal_len,
            None => is_padded(num_voxels, signal_len),
        };
        if !fits {
            let expected = format!(
                "that of {num_voxels} voxels of {subject} and less than {LONGEST_PADDING} zeros (`--num-voxels`)"
            );
            return Err(self.wrong_signal(&expected).into());
        }
        Ok(num_voxels)
    }

    /// The space that it predicts; mind-reader calls the mapper of captions `fmri_vec2`.
    fn target(&mut self, network: &str) -> MapperTarget {
        self.origin.target.unwrap_or_else(|| {
            let target = if network == "fmri_vec2" { MapperTarget::Caption } else { MapperTarget::Image };
            self.assumed.push(format!("it predicts the {target} embedding (`--target`)"));
            target
        })
    }

    fn clip_sha256(&mut self) -> Result<String> {
        let Some(path) = &self.origin.clip else {
            self.assumed.push(
                "the CLIP behind its targets is unknown: `finetune-gan` needs it (`--clip SNAPSHOT`)".into(),
            );
            return Ok(UNKNOWN_CLIP.into());
        };
        Ok(Snapshot::open(path, CLIP_KIND)?.network_sha256()?)
    }

    /// Zeros before the first voxel: as the caller says, else half of the padding.
    fn padding_left(&self, num_voxels: usize) -> Result<usize> {
        let signal_len = self.config.signal_len;
        let padding = signal_len - num_voxels;
        let left = self.origin.padding_left.unwrap_or_else(|| padding_left(num_voxels, signal_len));
        if left > padding {
            let expected = format!("at most the {padding} zeros of the padding");
            return Err(RunError::invalid(self.from, "`--padding-left`", expected, left).into());
        }
        Ok(left)
    }
}

fn is_padded(num_voxels: usize, signal_len: usize) -> bool {
    signal_len.checked_sub(num_voxels).is_some_and(|padding| padding < LONGEST_PADDING)
}

/// The only subject whose `nsdgeneral` is padded to this length.
fn subject_of(signal_len: usize) -> Option<SubjectId> {
    let voxels = |subject: NsdSubject| subject.expected_nsdgeneral_voxels(Resolution::Func1pt8mm);
    let mut fitting = NsdSubject::all()
        .filter(|subject| voxels(*subject).is_some_and(|voxels| is_padded(voxels, signal_len)));
    fitting.next().filter(|_| fitting.next().is_none()).map(SubjectId::Nsd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(signal_len: usize) -> MapperConfig {
        MapperConfig { signal_len, ..MapperConfig::default() }
    }

    fn complete(signal_len: usize, origin: &MapperOrigin) -> Result<(MapperSnapshot, Vec<String>), String> {
        mapper_snapshot(Path::new("m.pth"), "", &config(signal_len), origin)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_length_of_the_signal_tells_the_subject() {
        for (signal_len, number, left) in [(15_744, 1, 10), (13_040, 5, 0), (17_920, 6, 6)] {
            let (snapshot, assumed) = complete(signal_len, &MapperOrigin::default()).unwrap();
            assert_eq!(snapshot.subject, format!("subj{number:02}"));
            assert_eq!((snapshot.padding_left, snapshot.target), (left, MapperTarget::Image));
            assert_eq!(assumed.len(), 3, "{assumed:?}");
        }
    }

    #[test]
    fn other_lengths_need_to_be_explained() {
        let error = complete(64, &MapperOrigin::default()).unwrap_err();
        assert!(error.contains("m.pth") && error.contains("--num-voxels") && error.contains("64"), "{error}");
        let subject = Some(SubjectId::new(2).unwrap());
        let error = complete(64, &MapperOrigin { subject, ..Default::default() }).unwrap_err();
        assert!(error.contains("14278 voxels of subj02"), "{error}");
        let origin = MapperOrigin { subject, num_voxels: Some(40), ..Default::default() };
        let (snapshot, _) = complete(64, &origin).unwrap();
        assert_eq!((snapshot.num_voxels, snapshot.padding_left), (40, 12));
        let error = complete(64, &MapperOrigin { padding_left: Some(25), ..origin.clone() }).unwrap_err();
        assert!(error.contains("24 zeros"), "{error}");
        let origin = MapperOrigin { num_voxels: Some(65), ..origin };
        assert!(complete(64, &origin).is_err());
    }
}
