//! Whose brain the runs decoded: the facts of the prepared file, and whether the tree is a phantom's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::gathered::Gathered;
use super::measures::Findings;
use super::settings::ReportSettings;
use crate::data::nsd::tree::{AnnotationKind, NsdTree};
use crate::data::prepared::PreparedSubject;
use crate::error::Result;
use crate::files::file_is_there;
use crate::phantom::Marker;
use crate::phantom::files::marker::MARKER;
use crate::report::number_format::number;
use crate::report::{Block, Section, Table};

/// Digits of a hash that tell it from others.
const SHOWN_DIGITS: usize = 12;
/// The region that the paper drives first.
const USUAL_REGION: &str = "floc-faces";
/// All visual voxels: no region to drive.
const WHOLE: &str = "nsdgeneral";

/// What is known of the subject.
#[derive(Clone, Debug, Default)]
pub(super) struct Subject {
    /// Root of the tree of betas and images, as far as runs or settings name it.
    pub nsd: Option<PathBuf>,
    /// The prepared file, where it is still there.
    pub prepared: Option<PathBuf>,
    /// How a phantom was made; none of a measured brain.
    pub phantom: Option<Marker>,
    /// Whether the subject was imported without captions.
    pub lacks_captions: bool,
    /// Regions of the prepared file; unknown where that is gone.
    pub regions: Option<Vec<String>>,
    /// Facts: name and value.
    pub facts: Vec<(String, String)>,
}

impl Subject {
    /// Looks at the files that the shown runs read; those that are gone leave their facts out.
    ///
    /// # Errors
    /// A prepared file or a phantom's marker that is there and cannot be read.
    pub fn find(settings: &ReportSettings, gathered: &Gathered) -> Result<Self> {
        let runs = gathered.all();
        let recorded = runs.iter().find_map(|(_, run)| run.config.prepared().map(Path::to_path_buf));
        let stimuli = runs.iter().find_map(|(_, run)| run.config.stimuli());
        let recorded_tree = stimuli.and_then(NsdTree::of_stimuli).map(|tree| tree.root().to_path_buf());
        let mut subject = Self {
            nsd: settings.project.nsd().ok().or(recorded_tree),
            facts: vec![("subject".into(), settings.project.subject.to_string())],
            ..Self::default()
        };
        for path in [recorded, Some(settings.project.prepared())].into_iter().flatten() {
            if subject.prepared.is_none() && file_is_there(&path)? {
                let prepared = PreparedSubject::open(&path)?;
                subject.facts.extend(prepared_facts(&prepared));
                subject.regions = Some(prepared.rois().into_iter().map(String::from).collect());
                subject.prepared = Some(path);
            }
        }
        if let (Some(root), true) = (&subject.nsd, settings.project.subject.is_own()) {
            let captions = NsdTree::new(root).annotations_present(AnnotationKind::Captions)?;
            subject.lacks_captions = captions.is_empty();
        }
        if let Some(root) = &subject.nsd
            && file_is_there(&root.join(MARKER))?
        {
            let marker = Marker::read(root)?;
            subject.facts.push(("signal".into(), format!("{} × NSD's", number(marker.config.signal))));
            subject.phantom = Some(marker);
        }
        Ok(subject)
    }

    /// A region to stimulate: faces where they are known, else the first; none of a subject without regions.
    pub fn region(&self) -> Option<&str> {
        let Some(regions) = &self.regions else { return Some(USUAL_REGION) };
        let of_some = || regions.iter().find(|region| *region != WHOLE);
        let usual = regions.iter().find(|region| *region == USUAL_REGION);
        usual.or_else(of_some).map(String::as_str)
    }

    /// Strength of a phantom's signal; NSD's is 1.
    pub fn signal(&self) -> Option<f64> {
        self.phantom.as_ref().map(|marker| marker.config.signal)
    }

    /// The section about the subject, with what the settings say beside it.
    pub fn section(&self, settings: &ReportSettings, findings: &Findings) -> Section {
        let mut section = Section::new("The subject");
        if self.phantom.is_some() {
            section = section.text(PHANTOM);
        }
        for text in &settings.preface.introduction {
            section = section.text(text.clone());
        }
        let mut facts = self.facts.clone();
        if let Some((_, mapper)) = findings.mappers.first() {
            facts.push(("training trials".into(), mapper.num_train_trials.to_string()));
            facts.push(("held-out trials".into(), mapper.num_validation_trials.to_string()));
        }
        if let Some((_, split)) = findings.splits().first() {
            let digits: String = split.sha256.chars().take(SHOWN_DIGITS).collect();
            let value = format!("{}, {} pictures, SHA-256 {digits}…", split.rule, split.num_test_images);
            facts.push(("held out".into(), value));
        }
        facts.extend(settings.preface.facts.iter().cloned());
        section.with(Block::Table(Table {
            head: vec![String::new(), String::new()],
            rows: facts.into_iter().map(|(name, value)| vec![name, value]).collect(),
            caption: String::new(),
        }))
    }
}

const PHANTOM: &str = "This subject is a phantom: a synthetic brain that is known, stored as NSD stores one. Retinotopic voxels respond to \
                       contrast and colour in their receptive field, category voxels to faces, bodies, places and words, others to \
                       mixtures, some to nothing; every voxel has noise, drift and gain. The decoder sees only the files.";

fn prepared_facts(prepared: &PreparedSubject) -> Vec<(String, String)> {
    let images: BTreeSet<_> = prepared.trials().iter().map(|trial| trial.nsd_id).collect();
    let voxels = format!("{} in {}", prepared.num_voxels(), prepared.provenance().selection.join(" + "));
    vec![
        ("trials".into(), prepared.num_trials().to_string()),
        ("images".into(), images.len().to_string()),
        ("voxels".into(), voxels),
    ]
}
