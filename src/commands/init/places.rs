//! Where files usually are.

use std::path::{Path, PathBuf};

use crate::error::SettingError;
use crate::pipelines::project::ProjectPaths;
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

/// Whether a folder has the parts of an NSD tree.
fn is_tree(root: &Path) -> bool {
    ["nsddata", "nsddata_betas"].iter().all(|part| root.join(part).is_dir())
}

/// Whether a file is a CLIP snapshot.
fn is_clip(path: &Path) -> bool {
    Snapshot::kind_of(path).as_deref() == Some(CLIP_KIND)
}

/// Whether a folder has a generator and a discriminator.
fn is_gan(folder: &Path) -> bool {
    let parts = [(GENERATOR_FILE, GENERATOR_KIND), (DISCRIMINATOR_FILE, DISCRIMINATOR_KIND)];
    parts.iter().all(|(name, kind)| Snapshot::kind_of(&folder.join(name)).as_deref() == Some(*kind))
}

/// Whether a folder is there, or can be made.
fn is_folder_or_free(path: &Path) -> bool {
    path.is_dir() || path.symlink_metadata().is_err()
}

/// Refuses what was named and is something else: the file would lead every later command astray.
///
/// # Errors
/// [`SettingError`] that names the flag.
pub(super) fn require_named(paths: &ProjectPaths) -> Result<(), SettingError> {
    let named = [
        (
            "--nsd",
            &paths.nsd,
            is_tree as fn(&Path) -> bool,
            "an NSD tree: a folder with nsddata and nsddata_betas",
        ),
        (
            "--clip",
            &paths.clip,
            is_clip,
            "a CLIP snapshot, as `mindreader pretrain-clip` or `import-weights` writes",
        ),
        (
            "--gan",
            &paths.pretrained_gan,
            is_gan,
            "a folder with snapshots of a generator and a discriminator",
        ),
        ("--work", &paths.work, is_folder_or_free, "a folder, or a name that nothing has yet"),
    ];
    for (flag, path, fits, expected) in named {
        if let Some(path) = path.as_deref().filter(|path| !fits(path)) {
            let found = crate::error::one_line(path.to_string_lossy());
            return Err(SettingError::new(flag, expected, format!("`{found}`")));
        }
    }
    Ok(())
}

/// The first folder that has the parts of an NSD tree.
pub(super) fn find_nsd(look: &[PathBuf]) -> Option<PathBuf> {
    candidates(look, &NSD_NAMES).find(|root| is_tree(root))
}

/// The first CLIP snapshot.
pub(super) fn find_clip(look: &[PathBuf]) -> Option<PathBuf> {
    candidates(look, &WEIGHTS_NAMES)
        .find_map(|folder| files_below(&folder, depth_of(&folder)).into_iter().find(|path| is_clip(path)))
}

/// The first folder with a generator and a discriminator.
pub(super) fn find_gan(look: &[PathBuf]) -> Option<PathBuf> {
    candidates(look, &WEIGHTS_NAMES).find_map(|folder| {
        let files = files_below(&folder, depth_of(&folder)).into_iter();
        let generators = files.filter(|path| path.ends_with(GENERATOR_FILE));
        generators.filter_map(|path| Some(path.parent()?.to_path_buf())).find(|folder| is_gan(folder))
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
