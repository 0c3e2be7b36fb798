//! Other files that an object of a file leads to: external links, raw values stored elsewhere, sources of virtual datasets.
//!
//! The library opens them itself, by names that the file holds, and would wait for a writer where one of them is a named pipe. So
//! the way to an object is gone here first, and every place where the library would look is looked at.

use std::ffi::CString;
use std::path::{Path, PathBuf};

use hdf5_metno::{Dataset, File, Group};
use hdf5_metno_sys::h5i::hid_t;
use hdf5_metno_sys::h5l::H5Lget_val;
use hdf5_metno_sys::h5p::{
    H5P_DEFAULT, H5Pget_virtual_count, H5Pget_virtual_dsetname, H5Pget_virtual_filename,
};

use crate::files::{InputKind, open_input};

/// Links that are followed on the way to one object: more than the library follows.
const MOST_LINKS: usize = 64;
/// Sources that a virtual dataset may have, with those of its sources.
const MOST_SOURCES: usize = 100_000;
/// Sources within sources: a dataset that is its own source has no end.
const DEEPEST_SOURCES: usize = 16;
/// Room for a link's value, whose size has 16 bits in a file.
const LONGEST_VALUE: usize = 1 << 16;
/// Files of one numbered pattern of a virtual dataset.
const MOST_NUMBERED: u64 = 10_000;
/// Variables that name further folders to look in, between colons.
const PREFIXES: [&str; 3] = ["HDF5_EXT_PREFIX", "HDF5_VDS_PREFIX", "HDF5_EXTFILE_PREFIX"];
/// How a virtual dataset names its own file.
const SAME_FILE: &str = ".";
/// Where a numbered pattern has its number.
const NUMBER: &str = "%b";

/// What a name of a group stands for, if not an object of the same file.
#[derive(Debug, PartialEq, Eq)]
enum Link {
    Soft(String),
    External { file: String, object: String },
}

/// Goes the way to `name`, which begins at `group` of the file at `from`.
///
/// # Errors
/// What is wrong with a file that the way leads to. Whatever the library itself refuses at once is left to it.
pub(super) fn check_way(group: &Group, from: &Path, name: &str) -> Result<(), String> {
    go(group, from, name, &mut { MOST_LINKS })
}

/// Looks at the files that the values of a dataset are read from.
///
/// # Errors
/// As [`check_way`]; and for a dataset that is put together from itself.
pub(super) fn check_sources(dataset: &Dataset) -> Result<(), String> {
    check_sources_of(dataset, DEEPEST_SOURCES, &mut { MOST_SOURCES })
}

fn go(group: &Group, from: &Path, name: &str, links_left: &mut usize) -> Result<(), String> {
    let root = || group.file().and_then(|file| file.group("/"));
    let start = if name.starts_with('/') { root() } else { Ok(group.clone()) };
    let Ok(mut here) = start else { return Ok(()) };
    let mut from = from.to_path_buf();
    let mut parts = name.split('/').filter(|part| !part.is_empty() && *part != ".").peekable();
    while let Some(part) = parts.next() {
        if let Some(link) = link(&here, part) {
            let Some(left) = links_left.checked_sub(1) else { return Ok(()) };
            *links_left = left;
            match link {
                Link::Soft(target) => go(&here, &from, &target, links_left)?,
                Link::External { file, object } => {
                    if let Some((file, path)) = first_file(&from, &file)? {
                        go(&file, &path, &object, links_left)?;
                    }
                }
            }
        }
        if parts.peek().is_some() {
            match here.group(part) {
                Ok(next) => here = next,
                // The library stops here as well.
                Err(_) => return Ok(()),
            }
            from = PathBuf::from(here.filename());
        }
    }
    Ok(())
}

fn check_sources_of(dataset: &Dataset, depth: usize, sources_left: &mut usize) -> Result<(), String> {
    let Ok(properties) = dataset.create_plist() else { return Ok(()) };
    let from = PathBuf::from(dataset.filename());
    for raw in properties.external() {
        places(&from, &raw.name).iter().try_for_each(|place| require_no_pipe(place))?;
    }
    for (name, object) in virtual_sources(properties.id()) {
        if name == SAME_FILE {
            if let Ok(file) = dataset.file() {
                check_source(&file, &from, &object, depth, sources_left)?;
            }
            continue;
        }
        for number in 0..MOST_NUMBERED {
            let Some((file, path)) = first_file(&from, &name.replace(NUMBER, &number.to_string()))? else {
                break;
            };
            check_source(&file, &path, &object, depth, sources_left)?;
            if !name.contains(NUMBER) {
                break;
            }
        }
    }
    Ok(())
}

/// Looks at a source of a virtual dataset: the way to it, and its own sources.
fn check_source(
    file: &File,
    path: &Path,
    object: &str,
    depth: usize,
    sources_left: &mut usize,
) -> Result<(), String> {
    let (Some(depth), Some(left)) = (depth.checked_sub(1), sources_left.checked_sub(1)) else {
        return Err("it is put together from itself, or from too many sources".into());
    };
    *sources_left = left;
    check_way(file, path, object)?;
    file.dataset(object).map_or(Ok(()), |source| check_sources_of(&source, depth, sources_left))
}

/// The first HDF5 file among the places where a file may be that the file at `from` names.
fn first_file(from: &Path, name: &str) -> Result<Option<(File, PathBuf)>, String> {
    for place in places(from, name) {
        require_no_pipe(&place)?;
        // What is not there or no HDF5 file, the library passes over.
        let file = open_input(&place, InputKind::Parts).ok().and_then(|_| File::open(&place).ok());
        if let Some(file) = file {
            return Ok(Some((file, place)));
        }
    }
    Ok(None)
}

/// Refuses what would make the library wait, or read for ever; what is not there, the library looks for elsewhere.
fn require_no_pipe(place: &Path) -> Result<(), String> {
    if place.is_file() || place.is_dir() || !place.exists() {
        return Ok(());
    }
    match open_input(place, InputKind::Parts) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("it leads to `{}`: {error}", place.display())),
    }
}

/// Where the library looks for a file that the file at `from` names, in its order.
fn places(from: &Path, name: &str) -> Vec<PathBuf> {
    let named = Path::new(name);
    let relative = if named.is_absolute() { named.file_name().map_or(named, Path::new) } else { named };
    let folder = |path: &Path| path.parent().map(Path::to_path_buf).unwrap_or_default();
    let origin = folder(from);
    let mut folders: Vec<PathBuf> = PREFIXES
        .iter()
        .filter_map(std::env::var_os)
        .flat_map(|prefixes| std::env::split_paths(&prefixes).collect::<Vec<_>>())
        .map(|prefix| PathBuf::from(prefix.to_string_lossy().replace("${ORIGIN}", &origin.to_string_lossy())))
        .collect();
    folders.extend([origin, PathBuf::new()]);
    folders.extend(std::fs::canonicalize(from).ok().map(|resolved| folder(&resolved)));
    let mut found: Vec<PathBuf> = named.is_absolute().then(|| named.to_path_buf()).into_iter().collect();
    found.extend(folders.into_iter().map(|folder| folder.join(relative)));
    found
}

/// The link of this name in a group; none for an object of the file, or where there is none.
fn link(group: &Group, name: &str) -> Option<Link> {
    let name = CString::new(name).ok()?;
    let mut value = vec![0_u8; LONGEST_VALUE];
    let _lock = hdf5_metno_sys::LOCK.lock();
    // SAFETY: the library is locked, the group is open, the name ends in 0, and the value has the length that is said.
    let status =
        unsafe { H5Lget_val(group.id(), name.as_ptr(), value.as_mut_ptr().cast(), value.len(), H5P_DEFAULT) };
    if status < 0 { None } else { parse_link(&value) }
}

/// A soft link is a path; an external one begins with a byte for version and flags, both 0, where a path has none.
fn parse_link(value: &[u8]) -> Option<Link> {
    let texts = value.strip_prefix(&[0]);
    let mut parts = texts.unwrap_or(value).split(|byte| *byte == 0);
    let mut next = || parts.next().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    match texts {
        None => next().map(Link::Soft),
        Some(_) => Some(Link::External { file: next()?, object: next()? }),
    }
}

/// Files and datasets that a virtual dataset is put together from.
fn virtual_sources(properties: hid_t) -> Vec<(String, String)> {
    let _lock = hdf5_metno_sys::LOCK.lock();
    let mut count = 0;
    // SAFETY: the library is locked and the property list is open.
    if unsafe { H5Pget_virtual_count(properties, &raw mut count) } < 0 {
        return Vec::new();
    }
    let text = |index: usize, get: VirtualName| {
        let mut text = vec![0_u8; LONGEST_VALUE];
        // SAFETY: as above, and the text has the length that is said.
        let length = unsafe { get(properties, index, text.as_mut_ptr().cast(), text.len()) };
        text.truncate(usize::try_from(length).ok()?);
        Some(String::from_utf8_lossy(&text).into_owned())
    };
    let source = |index| Some((text(index, H5Pget_virtual_filename)?, text(index, H5Pget_virtual_dsetname)?));
    let mut sources: Vec<_> = (0..count).filter_map(source).collect();
    // Many blocks may come from one dataset.
    sources.sort_unstable();
    sources.dedup();
    sources
}

/// A function of the library that gives a name of one of a virtual dataset's sources.
type VirtualName = unsafe extern "C" fn(hid_t, usize, *mut std::ffi::c_char, usize) -> isize;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::formats::hdf5::H5File;

    /// A folder with a named pipe and a file with two numbers.
    fn folder_with_pipe() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.h5");
        assert!(std::process::Command::new("mkfifo").arg(pipe).status().unwrap().success());
        let file = File::create(folder.path().join("inner.h5")).unwrap();
        file.new_dataset_builder().with_data(&[1_i32, 2]).create("x").unwrap();
        folder
    }

    #[test]
    fn links_that_lead_to_a_pipe_are_refused_and_others_followed() {
        let folder = folder_with_pipe();
        let path = folder.path().join("links.h5");
        {
            let file = File::create(&path).unwrap();
            file.link_external("inner.h5", "/x", "good").unwrap();
            file.link_external("pipe.h5", "/x", "pipe").unwrap();
            file.link_external(folder.path().join("pipe.h5").to_str().unwrap(), "/x", "absolute").unwrap();
            file.link_external("gone.h5", "/x", "gone").unwrap();
            file.link_external("links.h5", "/pipe", "twice").unwrap();
            file.link_soft("/pipe", "soft").unwrap();
            file.link_soft("/circle", "circle").unwrap();
            file.link_soft("/many/many/many/many", "many").unwrap();
            let group = file.create_group("a").unwrap();
            group.link_external("links.h5", "/", "top").unwrap();
        }
        let file = H5File::open(&path, "a test").unwrap();
        for name in ["good", "a/top/good"] {
            assert_eq!(file.dataset(name).unwrap().read_all::<i32>().unwrap(), [1, 2], "{name}");
        }
        for name in ["pipe", "absolute", "twice", "soft", "a/top/pipe", "a/top/a/top/soft"] {
            let error = file.dataset(name).unwrap_err().to_string();
            assert!(
                error.contains("pipe.h5`: it is a named pipe, expected a regular file"),
                "{name}: {error}"
            );
        }
        for name in ["gone", "circle", "many"] {
            assert!(!file.dataset(name).unwrap_err().to_string().contains("pipe"), "{name}");
        }
        // The links that lead somewhere are listed, and nothing waits for the others.
        let listed: Vec<String> = file.datasets().into_iter().map(|(name, _)| name).collect();
        assert!(listed.contains(&"good".to_string()) && !listed.contains(&"pipe".to_string()), "{listed:?}");
    }

    #[test]
    fn values_that_are_stored_in_a_pipe_are_refused() {
        let folder = folder_with_pipe();
        let path = folder.path().join("raw.h5");
        {
            let file = File::create(&path).unwrap();
            let pipe = folder.path().join("pipe.h5");
            let builder = file.new_dataset::<i32>().shape(2).external(pipe.to_str().unwrap(), 0, 8);
            builder.create("x").unwrap();
        }
        let error = H5File::open(&path, "a test").unwrap().dataset("x").unwrap_err().to_string();
        assert!(error.contains("raw.h5` cannot be read: dataset `/x`: it leads to `"), "{error}");
        assert!(error.contains("a named pipe"), "{error}");
    }

    #[test]
    fn sources_of_virtual_datasets_are_looked_at() {
        let folder = folder_with_pipe();
        let write = |name: &str, source: &str, dataset: &str| {
            let path = folder.path().join(name);
            let file = File::create(&path).unwrap();
            let builder = file.new_dataset::<i32>().shape(2);
            builder.virtual_map(source, dataset, 2, .., 2, ..).create("x").unwrap();
            drop(file);
            H5File::open(&path, "a test").unwrap().dataset("x")
        };
        assert_eq!(write("good.h5", "inner.h5", "/x").unwrap().read_all::<i32>().unwrap(), [1, 2]);
        let error = write("circle.h5", ".", "/x").unwrap_err().to_string();
        assert!(error.contains("put together from itself"), "{error}");
        // Two that are each other's source: the library would go round until the stack is full.
        write("one.h5", "two.h5", "/x").unwrap();
        let error = write("two.h5", "one.h5", "/x").unwrap_err().to_string();
        assert!(error.contains("put together from itself"), "{error}");
        for (name, source) in [("bad.h5", "pipe.h5"), ("worse.h5", "bad.h5"), ("self.h5", "worse.h5")] {
            let error = write(name, source, "/x").unwrap_err().to_string();
            assert!(error.contains("pipe.h5`: it is a named pipe"), "{name}: {error}");
        }
    }

    #[test]
    fn an_external_link_names_file_and_object() {
        let parsed = parse_link(b"\0inner.h5\0/a/x\0\0\0").unwrap();
        assert_eq!(parsed, Link::External { file: "inner.h5".into(), object: "/a/x".into() });
        assert_eq!(parse_link(b"/a/x\0\0\0"), Some(Link::Soft("/a/x".into())));
    }

    #[test]
    fn the_library_looks_beside_the_file_and_in_the_working_folder() {
        let expected = ["data/b.h5", "b.h5"].map(PathBuf::from);
        assert!(places(Path::new("data/a.h5"), "b.h5").ends_with(&expected));
        let expected = ["/x/b.h5", "data/b.h5", "b.h5"].map(PathBuf::from);
        assert_eq!(places(Path::new("data/a.h5"), "/x/b.h5"), expected);
    }
}
