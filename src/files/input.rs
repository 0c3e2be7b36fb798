//! The one door through which inputs are opened: regular files and links to them, of a size that their kind can have.
//!
//! A named pipe would wait for a writer, a device may never end, and a file of a terabyte that claims to be settings would
//! be read into memory before anybody looked at it. So every input is asked what it is before a byte is read.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// What an input is read as; decides how large it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputKind {
    /// Settings, label tables, markers, configurations beside weights: text that somebody could have typed.
    Text,
    /// Tables, logs, manifests and summaries: CSV, TSV, JSON and its lines.
    Table,
    /// Annotations of COCO, whose segmentations fill gigabytes.
    Annotations,
    /// A MATLAB file, which is read whole.
    Matlab,
    /// A picture.
    Picture,
    /// Weights, checkpoints and caches, which are read whole.
    Weights,
    /// Read in parts, each held against the size of the file by its reader: HDF5, NIfTI, archives.
    Parts,
}

/// Not worth asking the system about.
const ALWAYS_FITS: u64 = 1 << 30;

impl InputKind {
    /// Largest size in bytes.
    pub fn most_bytes(self) -> u64 {
        match self {
            Self::Text => 16 << 20,
            Self::Picture => 256 << 20,
            Self::Table => 1 << 30,
            Self::Matlab => 4 << 30,
            Self::Annotations => 8 << 30,
            Self::Weights => 64 << 30,
            Self::Parts => u64::MAX,
        }
    }
}

/// Opens an input for reading.
///
/// # Errors
/// The system's; and where the path leads to anything but a regular file (a folder, a named pipe, a device, a socket), or to one
/// larger than its kind can be.
pub fn open_input(path: &Path, kind: InputKind) -> io::Result<File> {
    // Asked before it is opened: to open some devices is to use them.
    check(&std::fs::metadata(path)?, kind)?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // A pipe that took the file's place in the meantime must not make the program wait.
        options.custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits());
    }
    let file = options.open(path)?;
    check(&file.metadata()?, kind)?;
    Ok(file)
}

/// Reads a whole input.
///
/// # Errors
/// As [`open_input`], and where it does not fit into memory.
pub fn read_input(path: &Path, kind: InputKind) -> io::Result<Vec<u8>> {
    let file = open_input(path, kind)?;
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    let may_fit = size <= ALWAYS_FITS || free_memory().is_none_or(|free| size <= free);
    if !may_fit || !usize::try_from(size).is_ok_and(|size| bytes.try_reserve_exact(size).is_ok()) {
        return Err(io::Error::other(format!("its {size} bytes do not fit into memory")));
    }
    // A file may grow while it is read.
    let most = kind.most_bytes();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    check_size(bytes.len() as u64, kind)?;
    Ok(bytes)
}

/// Reads a whole input as UTF-8.
///
/// # Errors
/// As [`read_input`], and for other bytes than UTF-8.
pub fn read_text(path: &Path, kind: InputKind) -> io::Result<String> {
    String::from_utf8(read_input(path, kind)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it holds other bytes than UTF-8 text"))
}

/// Bytes of memory that can be had without swapping; none where the system does not tell. A system that promises more than it has
/// would end the process in the middle of the file.
fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    kib.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn check(metadata: &Metadata, kind: InputKind) -> io::Result<()> {
    if !metadata.is_file() {
        let found = name(metadata.file_type());
        return Err(io::Error::other(format!("it is {found}, expected a regular file")));
    }
    check_size(metadata.len(), kind)
}

fn check_size(size: u64, kind: InputKind) -> io::Result<()> {
    let most = kind.most_bytes();
    if size <= most {
        return Ok(());
    }
    Err(io::Error::other(format!("it has {size} bytes, expected at most {most} for a file of its kind")))
}

fn name(kind: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a named pipe";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
        if kind.is_socket() {
            return "a socket";
        }
    }
    if kind.is_dir() { "a folder" } else { "no file" }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn refusal(path: &Path, kind: InputKind) -> String {
        read_input(path, kind).unwrap_err().to_string()
    }

    #[test]
    fn files_and_links_to_them_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        fs::write(&file, "seed = 1").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read_input(&link, InputKind::Text).unwrap(), b"seed = 1");
        assert_eq!(read_text(&file, InputKind::Table).unwrap(), "seed = 1");
        fs::write(&file, b"\xff\xfe").unwrap();
        assert!(read_text(&file, InputKind::Text).unwrap_err().to_string().contains("UTF-8"));
        let missing = open_input(&folder.path().join("b"), InputKind::Parts).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        for path in [&pipe, &link] {
            assert_eq!(refusal(path, InputKind::Weights), "it is a named pipe, expected a regular file");
        }
        assert_eq!(
            refusal(Path::new("/dev/zero"), InputKind::Parts),
            "it is a device, expected a regular file"
        );
        assert_eq!(refusal(folder.path(), InputKind::Text), "it is a folder, expected a regular file");
    }

    #[test]
    fn a_file_larger_than_its_kind_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        for kind in [InputKind::Text, InputKind::Table, InputKind::Picture, InputKind::Weights] {
            let expected =
                format!("it has {} bytes, expected at most {} for", 1_u64 << 40, kind.most_bytes());
            assert!(refusal(&path, kind).starts_with(&expected), "{kind:?}");
        }
        assert!(open_input(&path, InputKind::Parts).is_ok());
        assert_eq!(refusal(&path, InputKind::Parts), "its 1099511627776 bytes do not fit into memory");
    }
}
