//! `scripts/fetch-weights` against a server on this machine: resumes, digests, refusals, import.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use safetensors::{Dtype, tensor::TensorView};
use sha2::{Digest, Sha256};

use crate::phantom::stderr;

/// What the server has, and what was asked of it.
#[derive(Default)]
struct Shelf {
    files: BTreeMap<String, Vec<u8>>,
    /// Bytes after which the next answer for a path breaks off.
    cuts: BTreeMap<String, usize>,
    /// Path and first byte asked for.
    requests: Vec<(String, usize)>,
}

struct Server {
    address: String,
    shelf: Arc<Mutex<Shelf>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let shared = Arc::clone(&shelf);
        // Ends with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &shared).unwrap_or_default();
            }
        });
        Self { address, shelf }
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        self.shelf.lock().unwrap().files.insert(path.into(), bytes.to_vec());
    }

    fn cut(&self, path: &str, after: usize) {
        self.shelf.lock().unwrap().cuts.insert(path.into(), after);
    }

    fn requests(&self) -> Vec<(String, usize)> {
        std::mem::take(&mut self.shelf.lock().unwrap().requests)
    }
}

/// One request with one answer, ranges included.
fn answer(mut stream: TcpStream, shelf: &Mutex<Shelf>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let path = request.split(' ').nth(1).unwrap_or("/").to_string();
    let mut start = 0;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            start = range.trim_end_matches('-').parse().unwrap();
        }
    }
    let mut shelf = shelf.lock().unwrap();
    shelf.requests.push((path.clone(), start));
    let cut = shelf.cuts.remove(&path);
    let Some(bytes) = shelf.files.get(&path) else {
        return stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnone");
    };
    let total = bytes.len();
    if start >= total {
        let head = format!("HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */{total}\r\n");
        return stream.write_all(format!("{head}Content-Length: 0\r\nConnection: close\r\n\r\n").as_bytes());
    }
    let (status, range) = match start {
        0 => ("200 OK", String::new()),
        _ => ("206 Partial Content", format!("Content-Range: bytes {start}-{}/{total}\r\n", total - 1)),
    };
    let length = total - start;
    write!(stream, "HTTP/1.1 {status}\r\n{range}Content-Length: {length}\r\nConnection: close\r\n\r\n")?;
    let end = cut.map_or(total, |cut| total.min(start + cut));
    stream.write_all(&bytes[start..end])
}

/// A mapper of subject 1 with few channels.
fn mapper(value: f32) -> Vec<u8> {
    let shapes: [(&str, Vec<usize>); 6] = [
        ("encoder.0.0", vec![2, 1, 4]),
        ("encoder.1.net.0", vec![2, 2, 3]),
        ("encoder.1.net.2", vec![2, 2, 3]),
        ("encoder.1.net.4", vec![2, 2, 1]),
        ("encoder.2", vec![3, 2, 1]),
        ("fc.1", vec![2, 7872, 1]),
    ];
    let last = ("fc.3", vec![1, 2, 1]);
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = shapes
        .into_iter()
        .chain([last])
        .flat_map(|(name, shape)| {
            [(format!("{name}.weight"), shape.clone()), (format!("{name}.bias"), vec![shape[0]])]
        })
        .map(|(name, shape)| {
            let count = shape.iter().product();
            (name, shape, value.to_le_bytes().repeat(count))
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A table of weights at a host that does not exist, and a mirror that does.
struct Fetch {
    root: tempfile::TempDir,
    server: Server,
}

impl Fetch {
    /// None (after saying so) without curl.
    fn new(test: &str, digest_of_one: &str) -> Option<Self> {
        if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
            println!("skipped: {test}: curl is missing");
            return None;
        }
        let root = tempfile::tempdir().unwrap();
        let row = |name: &str, file: &str, digest: &str| {
            format!("{name}\thttps://weights.invalid/models/{file}\t{digest}\tmapper\tMIT\ta mapper\n")
        };
        let table = row("one", "one.bin", digest_of_one) + &row("unstated", "two.bin", "-");
        std::fs::write(root.path().join("table.tsv"), table).unwrap();
        Some(Self { root, server: Server::start() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join("weights").join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new("bash")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/fetch-weights"))
            .args(["--table", "table.tsv", "--base-url", &format!("weights.invalid={}", self.server.address)])
            .args(["--binary", env!("CARGO_BIN_EXE_mindreader")])
            .args(arguments)
            .current_dir(self.root.path())
            .env("MINDREADER_RETRY_SECONDS", "0")
            .env("no_proxy", "127.0.0.1")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    }

    fn fails(&self, code: i32, arguments: &[&str], needles: &[&str]) {
        let output = self.run(arguments);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{text}");
        for needle in needles {
            assert!(text.contains(needle), "`{needle}` is missing in: {text}");
        }
    }
}

#[test]
fn a_download_is_checked_and_imported() {
    let bytes = mapper(0.25);
    let Some(fetch) = Fetch::new("fetch", &sha256(&bytes)[..8]) else { return };
    fetch.server.put("/models/one.bin", &bytes);
    let text = fetch.succeeds(&["--accept", "one"]);
    assert!(text.find("licence: MIT").unwrap() < text.find(&fetch.server.address).unwrap(), "{text}");
    assert_eq!(std::fs::read(fetch.path("downloads/one-one.bin")).unwrap(), bytes);
    let snapshot =
        mindreader::run::snapshot::Snapshot::open(&fetch.path("one.safetensors"), "mapper").unwrap();
    assert_eq!(snapshot.provenance()["sha256"], sha256(&bytes));
    // Nothing is done twice.
    fetch.server.requests();
    let text = fetch.succeeds(&["--accept", "one"]);
    assert!(text.contains("SHA-256 is right") && fetch.server.requests().is_empty(), "{text}");
}

#[test]
fn a_cut_connection_goes_on_where_it_stopped() {
    let bytes = mapper(0.5);
    let Some(fetch) = Fetch::new("resume", &sha256(&bytes)) else { return };
    fetch.server.put("/models/one.bin", &bytes);
    fetch.server.cut("/models/one.bin", 10_000);
    fetch.succeeds(&["--accept", "--no-import", "one"]);
    let starts: Vec<usize> = fetch.server.requests().into_iter().map(|(_, start)| start).collect();
    assert_eq!(starts, [0, 10_000]);
    assert_eq!(std::fs::read(fetch.path("downloads/one-one.bin")).unwrap(), bytes);
    assert!(!fetch.path("one.safetensors").exists());

    // A part of an earlier run, complete or not.
    for length in [bytes.len() - 7, bytes.len()] {
        std::fs::remove_file(fetch.path("downloads/one-one.bin")).unwrap();
        std::fs::write(fetch.path("downloads/one-one.bin.part"), &bytes[..length]).unwrap();
        fetch.succeeds(&["--accept", "--no-import", "one"]);
        assert_eq!(std::fs::read(fetch.path("downloads/one-one.bin")).unwrap(), bytes);
        assert_eq!(fetch.server.requests().first().map(|(_, start)| *start), Some(length));
    }
}

#[test]
fn a_wrong_digest_removes_the_file() {
    let bytes = mapper(1.0);
    let Some(fetch) = Fetch::new("digest", &sha256(&bytes)) else { return };
    fetch.server.put("/models/one.bin", &mapper(2.0));
    fetch.fails(1, &["--accept", "one"], &["SHA-256", &sha256(&bytes), &sha256(&mapper(2.0)), "removed"]);
    assert_eq!(std::fs::read_dir(fetch.path("downloads")).unwrap().count(), 0);
    assert!(!fetch.path("one.safetensors").exists());
}

#[test]
fn a_digest_that_nobody_states_is_kept_and_checked() {
    let Some(fetch) = Fetch::new("lock", "-") else { return };
    fetch.server.put("/models/two.bin", &mapper(1.0));
    let text = fetch.succeeds(&["--accept", "--no-import", "unstated"]);
    assert!(text.contains("states no digest"), "{text}");
    let lock = std::fs::read_to_string(fetch.path("fetch.lock")).unwrap();
    assert!(lock.starts_with(&format!("{} unstated ", sha256(&mapper(1.0)))), "{lock}");
    std::fs::remove_file(fetch.path("downloads/unstated-two.bin")).unwrap();
    fetch.server.put("/models/two.bin", &mapper(2.0));
    fetch.fails(1, &["--accept", "--no-import", "unstated"], &[&sha256(&mapper(1.0)), "removed"]);
}

#[test]
fn missing_files_names_and_licences_are_named() {
    let Some(fetch) = Fetch::new("404", "-") else { return };
    fetch.fails(1, &["--accept", "one"], &["answers 404", "/models/one.bin"]);
    assert_eq!(std::fs::read_dir(fetch.path("downloads")).unwrap().count(), 0);
    fetch.fails(2, &["one"], &["licence: MIT", "--accept"]);
    fetch.fails(2, &["--accept", "three"], &["unknown name three"]);
    fetch.fails(2, &["--accept", "one", "--binary"], &["--binary needs a value"]);
    // What is no network is downloaded and refused by the import.
    fetch.server.put("/models/one.bin", b"no weights");
    fetch.fails(1, &["--accept", "one"], &["the import failed", "one-one.bin"]);
    assert!(!fetch.path("one.safetensors").exists());
}

#[test]
fn the_published_table_is_complete() {
    let output = Command::new("bash")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/fetch-weights"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for needle in [
        "clip: ",
        "MIT",
        "inception: ",
        "Apache-2.0",
        "resnet50: ",
        "BSD-3",
        "vicreg: ",
        "CC BY-NC",
        "lafite",
    ] {
        assert!(text.contains(needle), "`{needle}` is missing in: {text}");
    }
}
