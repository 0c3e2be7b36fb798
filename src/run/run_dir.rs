//! The numbered folder of a run: `runs/00007-train-mapper-image-subj01/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::{Span, info_span};

use super::clock::now_utc;
use super::error::RunError;
use super::event_log::EventLog;
use super::under_way::UnderWay;
use crate::error::FileError;
use crate::files::{
    FolderLock, InputKind, file_is_there, folder_is_there, is_temporary, read_text, write_atomic,
};

/// Extensions of the files that runs write in one step.
const RUN_FILES: [&str; 7] = ["mpk", "safetensors", "jsonl", "json", "toml", "svg", "png"];

/// Target of the span that lives as long as a run is under way; its field `folder` says where the run writes.
pub const RUN_TARGET: &str = "mindreader::run";

/// What a run writes when everything else of it is there.
pub const SUMMARY_FILE: &str = "summary.json";

/// A folder that belongs to one run. It is made when the run starts and never overwritten; as long as the run is under way, no
/// other process writes there.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    span: Span,
    /// Given back with the last copy; none where the file system has no locks.
    _lock: Option<Arc<FolderLock>>,
    /// None where nothing begins.
    under_way: Option<Arc<UnderWay>>,
}

/// The newest run of a kind, and what was passed over to find it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewestRun {
    /// The file that was looked for, in the newest finished run.
    pub file: Option<PathBuf>,
    /// Folders of newer runs that are not finished, oldest first.
    pub unfinished: Vec<PathBuf>,
}

/// Runs by whether they came to their end, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundRuns {
    /// Those that did.
    pub finished: Vec<PathBuf>,
    /// Those that were killed or are under way.
    pub unfinished: Vec<PathBuf>,
}

impl RunDir {
    /// Makes the next free folder `NNNNN-description` under `runs`.
    ///
    /// # Errors
    /// [`RunError::unwritable`] when the folder cannot be made.
    pub fn create(runs: &Path, description: &str) -> Result<Self, RunError> {
        fs::create_dir_all(runs).map_err(|error| RunError::unwritable(runs, error))?;
        // Behind the highest number, never in a gap: numbers tell the order of runs.
        let mut number =
            numbered(runs)?.into_iter().filter_map(|(number, _)| number.checked_add(1)).max().unwrap_or(0);
        loop {
            let path = runs.join(format!("{number:05}-{description}"));
            match fs::create_dir(&path) {
                Ok(()) => return Self::begin(path),
                // Another run took the number between the look and the making.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(RunError::unwritable(&path, error)),
            }
        }
    }

    /// Opens the folder that holds `checkpoint`, to continue in it, and removes what a killed run had half written.
    ///
    /// # Errors
    /// [`RunError::missing`] when the folder is not there; [`RunError::unwritable`], also when another process runs in it.
    pub fn of_checkpoint(checkpoint: &Path) -> Result<Self, RunError> {
        let folder = match checkpoint.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
            Some(folder) if folder_is_there(folder)? => folder,
            _ => return Err(RunError::missing(checkpoint, "`--resume`")),
        };
        if !file_is_there(checkpoint)? {
            // Some other folder may have been named by mistake: nothing begins there.
            return Ok(Self { path: folder.to_path_buf(), span: Span::none(), _lock: None, under_way: None });
        }
        let run = Self::begin(folder.to_path_buf())?;
        remove_half_written(folder)?;
        // Snapshots and sample sheets lie one folder below.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                remove_half_written(&entry.path())?;
            }
        }
        Ok(run)
    }

    /// A run in the folder begins, or goes on.
    fn begin(path: PathBuf) -> Result<Self, RunError> {
        let lock = FolderLock::take(&path, &this_process())?.map(Arc::new);
        let span = info_span!(target: RUN_TARGET, "run", folder = %path.display());
        let under_way = Some(Arc::new(UnderWay::begin(&path)));
        Ok(Self { path, span, _lock: lock, under_way })
    }

    /// The run as a span, open until the last copy of this is dropped: the parent of what happens in it.
    pub fn span(&self) -> &Span {
        &self.span
    }

    /// The newest run under `runs` whose name is `NNNNN-description`, that holds `file` and that is finished by
    /// `is_finished`.
    ///
    /// # Errors
    /// [`RunError::File`] for a run that is there and cannot be looked at: an older one must not take its place in silence.
    pub fn newest(
        runs: &Path,
        description: &str,
        file: &str,
        is_finished: impl Fn(&Path) -> Result<bool, RunError>,
    ) -> Result<NewestRun, RunError> {
        let mut found = Self::all(runs, |name| name == description)?;
        let mut unfinished = Vec::new();
        while let Some(run) = found.pop() {
            let file = run.join(file);
            if file_is_there(&file)? && is_finished(&run)? {
                unfinished.reverse();
                return Ok(NewestRun { file: Some(file), unfinished });
            }
            unfinished.push(run);
        }
        unfinished.reverse();
        Ok(NewestRun { file: None, unfinished })
    }

    /// The runs under `runs` whose name behind the number is wanted, oldest first.
    ///
    /// # Errors
    /// [`RunError::File`] for a folder that is there and cannot be listed.
    pub fn all(runs: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, RunError> {
        let mut found = numbered(runs)?;
        found.retain(|(_, path)| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.split_once('-').is_some_and(|(_, rest)| is_wanted(rest))
        });
        found.sort();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// The highest number of a run under `runs`; none where there is no run.
    ///
    /// # Errors
    /// As [`RunDir::all`].
    pub fn highest(runs: &Path) -> Result<Option<u32>, RunError> {
        Ok(numbered(runs)?.into_iter().map(|(number, _)| number).max())
    }

    /// Folders of runs with a higher number than `after` whose description is wanted, oldest first.
    ///
    /// # Errors
    /// As [`RunDir::all`].
    pub fn newer(
        runs: &Path,
        after: Option<u32>,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<PathBuf>, RunError> {
        let mut found = numbered(runs)?;
        found.retain(|(number, path)| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let is_newer = after.is_none_or(|after| *number > after);
            is_newer && name.split_once('-').is_some_and(|(_, description)| is_wanted(description))
        });
        found.sort();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// Whether a process is at work in the folder of a run.
    pub fn is_under_way(folder: &Path) -> bool {
        FolderLock::is_held(folder)
    }

    /// The folder that everything of the run is written into.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path inside the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file inside the folder in one step: it is there whole or not at all.
    ///
    /// # Errors
    /// [`RunError::unwritable`].
    pub fn write_atomic(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, RunError> {
        let path = self.join(name);
        write_atomic(&path, bytes)?;
        Ok(path)
    }

    /// Writes a picture inside the folder as a PNG, in one step.
    ///
    /// # Errors
    /// [`RunError::Unwritable`].
    pub fn write_png(&self, name: &str, picture: &image::RgbImage) -> Result<PathBuf, RunError> {
        let mut png = std::io::Cursor::new(Vec::new());
        picture
            .write_to(&mut png, image::ImageFormat::Png)
            .map_err(|error| RunError::unwritable(self.join(name), error))?;
        self.write_atomic(name, png.get_ref())
    }

    /// Says that there is a checkpoint at `path` now, with so many steps, for whoever ends the process in the middle of the next one.
    pub fn note_checkpoint(&self, path: &Path, steps: u64) {
        if let Some(under_way) = &self.under_way {
            under_way.note(path, steps);
        }
    }

    /// The run's metrics, one JSON object a line.
    pub fn events(&self) -> EventLog {
        EventLog::new(self.join("metrics.jsonl"))
    }
}

/// Who holds a folder, for those who come later.
pub fn this_process() -> String {
    let host = read_text(Path::new("/proc/sys/kernel/hostname"), InputKind::Text)
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok());
    let host = host.as_deref().map(str::trim).filter(|host| !host.is_empty()).unwrap_or("this machine");
    format!("process {} on {host} since {}", std::process::id(), now_utc())
}

/// Removes temporary files that nobody will rename any more: whoever holds the run's folder is the only one who writes there.
fn remove_half_written(folder: &Path) -> Result<(), RunError> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && is_half_written(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path()).map_err(|error| RunError::unwritable(entry.path(), error))?;
        }
    }
    Ok(())
}

/// A temporary file's name; `.checkpoint.mpk.x7Kp2a` and the like of older versions: a dot, the name of a run's file, six letters
/// or digits.
fn is_half_written(name: &str) -> bool {
    let is_older =
        name.strip_prefix('.').and_then(|name| name.rsplit_once('.')).is_some_and(|(target, suffix)| {
            let extension = Path::new(target).extension().and_then(|extension| extension.to_str());
            suffix.len() == 6
                && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric())
                && extension.is_some_and(|extension| RUN_FILES.contains(&extension))
        });
    is_older || is_temporary(name)
}

/// Folders named `NNNNN-…` with their numbers.
fn numbered(runs: &Path) -> Result<Vec<(u32, PathBuf)>, RunError> {
    if !folder_is_there(runs)? {
        return Ok(Vec::new());
    }
    let unreadable = |error: std::io::Error| FileError::unreadable(runs, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(runs).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.split_once('-').and_then(|(number, _)| number.parse().ok());
        found.extend(number.map(|number| (number, entry.path())));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_up_and_the_newest_run_with_the_file_is_found() {
        let root = tempfile::tempdir().unwrap();
        let first = RunDir::create(root.path(), "train-mapper-image-subj01").unwrap();
        let second = RunDir::create(root.path(), "train-mapper-image-subj01").unwrap();
        let unfinished = RunDir::create(root.path(), "train-mapper-image-subj01").unwrap();
        assert!(first.path().ends_with("00000-train-mapper-image-subj01"));
        first.write_atomic("best.safetensors", b"1").unwrap();
        second.write_atomic("best.safetensors", b"2").unwrap();
        assert!(unfinished.path().ends_with("00002-train-mapper-image-subj01"));
        first.write_atomic(SUMMARY_FILE, b"{}").unwrap();
        let newest = |description: &str| {
            let is_finished = |run: &Path| Ok(run.join(SUMMARY_FILE).is_file());
            RunDir::newest(root.path(), description, "best.safetensors", is_finished).unwrap()
        };
        // Killed: its best weights so far are there, its summary is not.
        let found = newest("train-mapper-image-subj01");
        assert_eq!(found.file, Some(first.join("best.safetensors")));
        assert_eq!(found.unfinished, [second.path(), unfinished.path()]);
        second.write_atomic(SUMMARY_FILE, b"{}").unwrap();
        let found = newest("train-mapper-image-subj01");
        assert_eq!(found.file, Some(second.join("best.safetensors")));
        assert_eq!(found.unfinished, [unfinished.path()]);
        assert_eq!(newest("train-mapper"), NewestRun::default());
        assert_eq!(RunDir::highest(root.path()).unwrap(), Some(2));
        assert_eq!(RunDir::highest(&root.path().join("none")).unwrap(), None);
        let newer =
            |after| RunDir::newer(root.path(), after, |name| name.starts_with("train-mapper-image")).unwrap();
        assert_eq!(newer(Some(0)), [second.path(), unfinished.path()]);
        assert_eq!((newer(None).len(), newer(Some(2)).len()), (3, 0));
        assert!(RunDir::newer(root.path(), None, |name| name == "train-mapper").unwrap().is_empty());
    }

    #[test]
    fn a_run_under_way_is_not_continued_by_another_and_a_killed_one_is() {
        let root = tempfile::tempdir().unwrap();
        let run = RunDir::create(root.path(), "x").unwrap();
        let checkpoint = run.write_atomic("checkpoint.mpk", b"whole").unwrap();
        let copy = run.clone();
        drop(run);
        assert!(RunDir::is_under_way(copy.path()));
        let error = RunDir::of_checkpoint(&checkpoint).unwrap_err().to_string();
        let holder = format!("00000-x` cannot be written: process {} on ", std::process::id());
        assert!(error.contains(&holder) && error.contains(" since 20"), "{error}");
        let folder = copy.path().to_path_buf();
        drop(copy);
        assert!(!RunDir::is_under_way(&folder));
        RunDir::of_checkpoint(&checkpoint).unwrap();
    }

    #[test]
    fn what_a_killed_run_had_half_written_goes_when_it_is_continued() {
        let root = tempfile::tempdir().unwrap();
        let dir = RunDir::create(root.path(), "x").unwrap();
        let checkpoint = dir.write_atomic("checkpoint.mpk", b"whole").unwrap();
        let kept =
            ["checkpoint.mpk", ".hidden", ".summary.json.swp", ".notes.backup", ".summary.json.a-b_cd"];
        let gone = [
            ".checkpoint.mpk.x7Kp2a",
            ".best.safetensors.000000",
            "plots/.losses.svg.ABCDEF",
            "plots/.partial-mindreader-aB3dE6",
        ];
        fs::create_dir(dir.join("plots")).unwrap();
        for name in kept.iter().chain(&gone) {
            fs::write(dir.join(name), b"half").unwrap();
        }
        drop(dir);
        let dir = RunDir::of_checkpoint(&checkpoint).unwrap();
        assert!(kept.iter().all(|name| dir.join(name).is_file()));
        assert!(gone.iter().all(|name| !dir.join(name).exists()));
        let error = RunDir::of_checkpoint(&root.path().join("none/checkpoint.mpk")).unwrap_err();
        assert!(matches!(error, RunError::File(FileError::Missing { .. })), "{error}");
    }

    #[test]
    fn an_unwritable_place_is_named() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, b"not a folder").unwrap();
        let error = RunDir::create(&file, "x").unwrap_err();
        assert!(error.to_string().contains("file` cannot be written"), "{error}");
    }
}
