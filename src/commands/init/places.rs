//! Where files usually are.

use std::path::{Path, PathBuf};

use crate::run::snapshot::{CLIP_KIND, DISCRIMINATOR_KIND, GENERATOR_KIND, Snapshot};
use crate::training::gan::run_files::{DISCRIMINATOR_FILE, GENERATOR_FILE};

/// Names under which an NSD tree lies in a folder; the first is the folder itself.
const NSD_NAMES: [&str; 6] = ["", "nsd", "NSD", "natural-scenes-dataset", "data/nsd", "data"];
/// Names of folders with weights; the first is the folder itself.
const WEIGHTS_NAMES: [&str; 2] = ["", "weights"];
/// Folders below one with weights that are looked into.
const DEEPEST: usize = 2;
/// Most entries of a folder that are looked at: a folder of photographs is no folder of weights.
const MOST_ENTRIES: usize = 1000;

/// The first folder that has the parts of an NSD tree.
pub(super) fn find_nsd(look: &[PathBuf]) -> Option<PathBuf> {
    let is_tree = |root: &PathBuf| ["nsddata", "nsddata_betas"].iter().all(|part| root.join(part).is_dir());
    candidates(look, &NSD_NAMES).find(is_tree)
}

/// The first CLIP snapshot.
pub(super) fn find_clip(look: &[PathBuf]) -> Option<PathBuf> {
    let is_clip = |path: &Path| Snapshot::kind_of(path).as_deref() == Some(CLIP_KIND);
    candidates(look, &WEIGHTS_NAMES)
        .find_map(|folder| files_below(&folder, depth_of(&folder)).into_iter().find(|path| is_clip(path)))
}

/// The first folder with a generator and a discriminator.
pub(super) fn find_gan(look: &[PathBuf]) -> Option<PathBuf> {
    let has_both = |folder: &Path| {
        let parts = [(GENERATOR_FILE, GENERATOR_KIND), (DISCRIMINATOR_FILE, DISCRIMINATOR_KIND)];
        parts.iter().all(|(name, kind)| Snapshot::kind_of(&folder.join(name)).as_deref() == Some(*kind))
    };
    candidates(look, &WEIGHTS_NAMES).find_map(|folder| {
        let files = files_below(&folder, depth_of(&folder)).into_iter();
        let generators = files.filter(|path| path.ends_with(GENERATOR_FILE));
        generators.filter_map(|path| Some(path.parent()?.to_path_buf())).find(|folder| has_both(folder))
    })
}

fn candidates(look: &[PathBuf], names: &[&str]) -> impl Iterator<Item = PathBuf> {
    look.iter().flat_map(move |folder| {
        names.iter().map(move |name| match (*name, folder.as_os_str() == ".") {
            ("", _) => folder.clone(),
            // As the user would write it.
            (name, true) => PathBuf::from(name),
            (name, false) => folder.join(name),
        })
    })
}

/// How far below a folder is looked: not below the working directory, where anything may lie.
fn depth_of(folder: &Path) -> usize {
    if folder.as_os_str() == "." { 0 } else { DEEPEST }
}

/// Files of weights in a folder and `depth` folders below it, sorted; nothing of what cannot be listed.
fn files_below(folder: &Path, depth: usize) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_ENTRIES);
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.into_iter().partition(|path| path.is_dir());
    let is_weights = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "safetensors");
    let mut found: Vec<PathBuf> = files.into_iter().filter(is_weights).collect();
    if depth > 0 {
        found.extend(folders.iter().flat_map(|folder| files_below(folder, depth - 1)));
    }
    found
}
