//! Archives of `torch.save` since 1.6 and of `torch.jit.save` (docs/spec/checkpoints.md §1.1 and §4.1).

use std::borrow::Cow;
use std::collections::HashMap;

use super::budget::Budget;
use super::layout;
use super::pickle::{self, Id, Tree};
use super::storage::{Storage, Storages, storage_id};
use super::torch_legacy::big_endian;
use super::zip_bytes::ZipBytes;
use crate::error::Fault;
use crate::weights::foreign::{FileFormat, ForeignNetwork};

/// The network in an archive, and which of the two kinds it is.
///
/// # Errors
/// A fault that names the entry, the pickle or the tensor.
pub(super) fn read(bytes: &[u8], budget: &mut Budget) -> Result<(FileFormat, ForeignNetwork), Fault> {
    let directory = ZipBytes::read(bytes, budget)?;
    let top = top_folder(&directory)?;
    let order = format!("{top}/byteorder");
    if directory.contains(&order) {
        match directory.unpack(&order, budget)?.trim_ascii() {
            b"little" => {}
            b"big" => return Err(big_endian("archive")),
            other => {
                return Err(Fault::new(
                    format!("zip entry `{order}`"),
                    "`little`",
                    String::from_utf8_lossy(other),
                ));
            }
        }
    }
    let entry = format!("{top}/data.pkl");
    let pickled = directory.unpack(&entry, budget)?;
    let what = format!("pickle `{entry}`");
    let tree = pickle::parse(&pickled, &what, budget)?;
    if tree.length() != pickled.len() {
        return Err(Fault::new(format!("end of {what}"), format!("byte {}", tree.length()), pickled.len()));
    }
    // Only `torch.jit.save` writes constants.
    let is_script = directory.contains(&format!("{top}/constants.pkl"));
    let mut storages = ZipStorages { directory, top, unpacked: HashMap::new() };
    if is_script {
        Ok((FileFormat::TorchScript, layout::script_module(&tree, &mut storages, budget)?))
    } else {
        Ok((FileFormat::TorchZip, layout::saved_object(&tree, &mut storages, budget)?))
    }
}

/// The one folder that holds `data.pkl`.
fn top_folder(directory: &ZipBytes<'_>) -> Result<String, Fault> {
    let mut tops: Vec<&str> = directory
        .names()
        .filter_map(|name| name.strip_suffix("/data.pkl"))
        .filter(|top| !top.is_empty() && !top.contains('/'))
        .collect();
    tops.sort_unstable();
    match tops[..] {
        [top] => Ok(top.to_string()),
        [] => Err(Fault::new("zip archive", "an entry `<folder>/data.pkl`", "none")
            .hint("the file is no PyTorch archive; if it is packed in a zip, unpack it first")),
        _ => Err(Fault::new("zip archive", "one `data.pkl`", format!("several: {}", tops.join(", ")))),
    }
}

struct ZipStorages<'z> {
    directory: ZipBytes<'z>,
    top: String,
    /// Entries that were unpacked and whose checksums were compared, once each.
    unpacked: HashMap<String, Cow<'z, [u8]>>,
}

impl<'a> Storages<'a> for ZipStorages<'_> {
    fn storage(
        &mut self,
        tree: &Tree<'a>,
        id: Id,
        name: &str,
        budget: &mut Budget,
    ) -> Result<Storage<'_>, Fault> {
        let id = storage_id(tree, id, &format!("tensor `{name}`"))?;
        let entry = format!("{}/data/{}", self.top, id.key);
        if !self.directory.contains(&entry) {
            let field = format!("storage of tensor `{name}`");
            return Err(Fault::new(field, format!("zip entry `{entry}`"), "missing"));
        }
        if !self.unpacked.contains_key(&entry) {
            let unpacked = self.directory.unpack(&entry, budget)?;
            self.unpacked.insert(entry.clone(), unpacked);
        }
        let bytes: &[u8] = self.unpacked.get(&entry).map_or(&[], |bytes| bytes);
        let size = id.size_bytes().filter(|&size| size <= bytes.len() as u64).ok_or_else(|| {
            let expected = format!("{} elements of {} bytes", id.count, id.dtype.size_bytes());
            Fault::new(
                format!("zip entry `{entry}` of tensor `{name}`"),
                expected,
                format!("{} bytes", bytes.len()),
            )
        })?;
        Ok(Storage { dtype: id.dtype, bytes: &bytes[..size as usize] })
    }
}
