//! A walk through the files of a subject.

use std::path::Path;

use super::checks::{in_ranges, json_object, stimuli};
use super::report::{Finding, Lack, Need};
use crate::commands::prepare::{PrepareConfig, last_session};
use crate::data::error::DataError;
use crate::data::formats::nifti;
use crate::data::nsd::betas::{check_whole, find_session};
use crate::data::nsd::ctab::LabelTable;
use crate::data::nsd::design::ExperimentDesign;
use crate::data::nsd::region_atlas::REGION_ATLASES;
use crate::data::nsd::responses;
use crate::data::nsd::roi_pattern::parts_of;
use crate::data::nsd::stim_info::StimInfo;
use crate::data::nsd::tree::{AnnotationKind, COCO_SPLITS, Hemisphere, NsdTree};
use crate::data::subject::{NsdSubject, Resolution};
use crate::files::file_is_there;

/// Files of the experiment that cannot be used.
pub(super) struct Experiment {
    pub design: Option<Lack>,
    pub stim_info: Option<Lack>,
    pub stimuli: Option<Lack>,
}

/// A walk through a subject's files, which notes each.
pub(super) struct Search<'a> {
    pub tree: &'a NsdTree,
    pub subject: NsdSubject,
    pub resolution: Resolution,
    pub prepare: &'a PrepareConfig,
    pub findings: Vec<Finding>,
}

impl Search<'_> {
    /// Notes a file, and what `check` says of one that is there; what is wrong with it, if anything is.
    fn look(
        &mut self,
        path: &Path,
        need: Need,
        needed_for: &str,
        check: impl FnOnce(&Path) -> Result<(), DataError>,
    ) -> Option<Lack> {
        let (bytes, problem) = match file_is_there(path) {
            Ok(false) => (None, None),
            Ok(true) => (Some(size_of_file(path)), check(path).err().map(|error| error.to_string())),
            Err(error) => (None, Some(error.to_string())),
        };
        let name = self.tree.relative(path);
        let lack = match &problem {
            Some(problem) => Some(Lack::Broken(problem.clone())),
            None => bytes.is_none().then(|| Lack::Missing(name.clone())),
        };
        let needed_for = needed_for.to_string();
        self.findings.push(Finding { path: name, bytes, needed_for, need, problem });
        lack
    }

    /// What was shown when, and what it shows.
    pub fn experiment(&mut self) -> Experiment {
        let tree = self.tree;
        let stim_info_for = "captions, categories, keeping crops of a photograph together";
        let stimuli_for = "image embeddings, ground truth beside reconstructions";
        let design_for = "the image shown in every trial";
        let read_design = |path: &Path| ExperimentDesign::read(path).map(|_| ());
        let read_table = |path: &Path| StimInfo::read(path).map(|_| ());
        let found = Experiment {
            design: self.look(&tree.experiment_design(), Need::Required, design_for, read_design),
            stim_info: self.look(&tree.stim_info(), Need::Optional, stim_info_for, read_table),
            stimuli: self.look(&tree.stimuli(), Need::Optional, stimuli_for, stimuli),
        };
        let read_responses = |path: &Path| responses::read(path).map(|_| ());
        let responses_for = "a check of the order of trials";
        self.look(&tree.responses(self.subject), Need::Optional, responses_for, read_responses);
        found
    }

    /// Every session that `prepare` would read, in either format, and the noise ceiling: the sessions that can be read, and what
    /// stands in the way.
    pub fn betas(&mut self) -> (Vec<u16>, Option<Lack>) {
        let (tree, subject, resolution) = (self.tree, self.subject, self.resolution);
        let version = &self.prepare.betas_version;
        let last = last_session(subject, self.prepare).unwrap_or(u16::MAX);
        let (mut found, mut missing, mut bytes, mut lack) = (Vec::new(), Vec::new(), 0, None);
        for session in 1..=last.min(subject.num_sessions() as u16) {
            let whole = find_session(tree, subject, resolution, version, session)
                .and_then(|file| file.map(|file| check_whole(&file).map(|()| file)).transpose());
            match whole {
                Ok(Some(file)) => {
                    bytes += size_of_file(&file.path);
                    found.push(session);
                }
                Ok(None) => missing.push(session),
                Err(error) => {
                    let path = tree.relative(&tree.betas_hdf5(subject, resolution, version, session));
                    let problem = error.to_string();
                    let needed_for = format!("the responses of session {session}");
                    lack.get_or_insert(Lack::Broken(problem.clone()));
                    let (need, problem) = (Need::Required, Some(problem));
                    self.findings.push(Finding { path, bytes: None, needed_for, need, problem });
                }
            }
        }
        self.note_sessions(&found, Some(bytes));
        self.note_sessions(&missing, None);
        let check = |path: &Path| nifti::check_whole(path, "the noise ceiling");
        self.look(&tree.ncsnr(subject, resolution, version), Need::Optional, "the noise ceiling", check);
        let first = || Lack::Missing(tree.relative(&tree.betas_hdf5(subject, resolution, version, 1)));
        let lack = lack.or_else(|| found.is_empty().then(first));
        (found, lack)
    }

    /// One line for sessions of one state, however many they are.
    fn note_sessions(&mut self, sessions: &[u16], bytes: Option<u64>) {
        if sessions.is_empty() {
            return;
        }
        let folder = self.tree.betas_dir(self.subject, self.resolution, &self.prepare.betas_version);
        let path = self.tree.relative(&folder.join("betas_sessionNN.hdf5"));
        let noun = if sessions.len() == 1 { "session" } else { "sessions" };
        let needed_for = format!("the responses of {noun} {}", in_ranges(sessions));
        self.findings.push(Finding { path, bytes, needed_for, need: Need::Optional, problem: None });
    }

    /// Masks and names of the regions; the default mask when it is wanted and cannot be used.
    pub fn regions(&mut self, rois: &[String]) -> Option<Lack> {
        let (tree, subject, resolution) = (self.tree, self.subject, self.resolution);
        let is_wanted = self.prepare.roi.iter().flat_map(|roi| parts_of(roi)).any(|part| is_general(&part));
        let need = if is_wanted { Need::Required } else { Need::Optional };
        let check = |path: &Path| nifti::check_whole(path, "a region of interest");
        let sides = [Hemisphere::Left, Hemisphere::Right].map(Some);
        let general = tree.roi(subject, resolution, "nsdgeneral", None);
        // The halves of the brain by themselves will do.
        let halves = sides.map(|side| tree.roi(subject, resolution, "nsdgeneral", side));
        let has_halves = halves.iter().all(|half| file_is_there(half) == Ok(true));
        let has_whole = file_is_there(&general) != Ok(false);
        let mask = if !has_whole && has_halves { &halves[0] } else { &general };
        let lack = self.look(mask, need, "the default choice of voxels", check);
        for atlas in &REGION_ATLASES {
            if let Some(needed_for) = atlas.needed_for {
                let path = tree.roi(subject, resolution, atlas.name, None);
                self.look(&path, Need::Optional, needed_for, check);
            }
        }
        for name in rois {
            let tables = tree.label_tables(subject, name);
            let table = LabelTable::find(tree, subject, name);
            if !table.as_ref().is_ok_and(|table| !table.names.is_empty()) {
                let needed_for = format!("the names of the regions in `{name}`");
                self.look(&tables[0], Need::Optional, &needed_for, |_| table.map(|_| ()));
            }
        }
        lack.filter(|_| is_wanted)
    }

    /// COCO's annotations of every kind; the files of captions that cannot be used.
    pub fn annotations(&mut self) -> Vec<Option<Lack>> {
        let tree = self.tree;
        let mut captions = Vec::new();
        for (kind, needed_for) in [
            (AnnotationKind::Captions, "captions (`screen-captions`, caption mapper, `pretrain-clip`)"),
            (AnnotationKind::Instances, "categories: things"),
            (AnnotationKind::Stuff, "categories: stuff"),
        ] {
            for split in COCO_SPLITS {
                let lack = self.look(&tree.annotations(kind, split), Need::Optional, needed_for, json_object);
                if kind == AnnotationKind::Captions {
                    captions.push(lack);
                }
            }
        }
        captions
    }
}

/// Whether a region is (half of, or part of) `nsdgeneral`.
fn is_general(region: &str) -> bool {
    let region = region.strip_prefix("lh.").or_else(|| region.strip_prefix("rh.")).unwrap_or(region);
    region.split(':').next() == Some("nsdgeneral")
}

fn size_of_file(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
