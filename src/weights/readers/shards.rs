//! A network in several safetensors files, as Hugging Face writes large ones: `model.safetensors.index.json` names the shard of every
//! tensor.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Fault, FileError};
use crate::files::without_mark;

/// How the name of an index ends.
const INDEX_ENDING: &str = ".safetensors.index.json";

/// The index of a sharded network.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// The index that `path` is or, where it is a folder, holds; none for any other file.
///
/// # Errors
/// [`FileError`] for a folder with no index or several.
pub(super) fn index_of(path: &Path) -> Result<Option<PathBuf>, FileError> {
    let is_index =
        |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(INDEX_ENDING));
    if !path.is_dir() {
        return Ok(is_index(path).then(|| path.to_path_buf()));
    }
    let entries = std::fs::read_dir(path).map_err(|error| FileError::unreadable(path, error))?;
    let entries: Vec<_> =
        entries.collect::<Result<_, _>>().map_err(|error| FileError::unreadable(path, error))?;
    let mut found: Vec<PathBuf> =
        entries.iter().map(std::fs::DirEntry::path).filter(|path| is_index(path)).collect();
    match (found.pop(), found.is_empty()) {
        (Some(index), true) => Ok(Some(index)),
        (last, _) => {
            let count = found.len() + usize::from(last.is_some());
            let expected = format!("one file `*{INDEX_ENDING}` (or give the file with the weights)");
            Err(Fault::new("folder", expected, format!("{count} of them")).at(path))
        }
    }
}

/// Refuses a single shard: `model-00001-of-00002.safetensors`.
///
/// # Errors
/// [`FileError::Invalid`] that says what to give instead.
pub(super) fn refuse_single_shard(path: &Path) -> Result<(), FileError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let count = name.strip_suffix(".safetensors").and_then(|stem| {
        let (rest, count) = stem.rsplit_once("-of-")?;
        let (_, number) = rest.rsplit_once('-')?;
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
        (is_number(number) && is_number(count)).then(|| count.trim_start_matches('0').to_string())
    });
    match count {
        Some(count) if count != "1" => {
            let fault = Fault::new("file", "a whole network", format!("one of its {count} shards"));
            Err(fault.hint(format!("give the folder, or the file `*{INDEX_ENDING}` in it")).at(path))
        }
        _ => Ok(()),
    }
}

/// The shards that an index names, each once, and how many tensors it lists.
///
/// # Errors
/// A fault of the index.
pub(super) fn shards_of(
    index: &Path,
    bytes: &[u8],
) -> Result<(Vec<PathBuf>, BTreeMap<String, String>), Fault> {
    let Index { weight_map } = serde_json::from_slice(without_mark(bytes))
        .map_err(|error| Fault::new("index", "an object with `weight_map`", error))?;
    let names: BTreeSet<&String> = weight_map.values().collect();
    let mut shards = Vec::new();
    for name in names {
        // A name with folders could lead anywhere.
        if name.is_empty() || name.contains(['/', '\\']) || name.starts_with('.') {
            return Err(Fault::new("`weight_map`", "names of files in the same folder", format!("`{name}`")));
        }
        shards.push(index.with_file_name(name));
    }
    if shards.is_empty() {
        return Err(Fault::new("`weight_map`", "at least one tensor", "none"));
    }
    Ok((shards, weight_map))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Classified;

    #[test]
    fn a_single_shard_says_what_to_give() {
        let error = refuse_single_shard(Path::new("a/model-00001-of-00002.safetensors")).unwrap_err();
        assert!(error.to_string().contains("one of its 2 shards"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("index.json")));
        for whole in ["model.safetensors", "a-of-b.safetensors", "m-00001-of-00001.safetensors", "m.pt"] {
            assert!(refuse_single_shard(Path::new(whole)).is_ok(), "{whole}");
        }
    }

    #[test]
    fn an_index_names_files_of_its_own_folder_only() {
        let index = Path::new("a/model.safetensors.index.json");
        let (shards, tensors) =
            shards_of(index, br#"{"weight_map": {"w": "b", "v": "b", "u": "c"}}"#).unwrap();
        assert_eq!(shards, [PathBuf::from("a/b"), PathBuf::from("a/c")]);
        assert_eq!(tensors.len(), 3);
        for bad in [
            r#"{"weight_map": {"w": "../b"}}"#,
            r#"{"weight_map": {"w": ""}}"#,
            "{}",
            r#"{"weight_map": {}}"#,
        ] {
            assert!(shards_of(index, bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
