//! Event files read back by the `tensorboard` package, checksums checked.
//!
//! Catches: wrong framing or checksums, wrong field numbers, a resumed run whose repeated steps show twice.

use std::path::Path;
use std::process::Command;

use mindreader::run::run_dir::RunDir;
use mindreader::run::training_log::TrainingLog;
use serde_json::{Value, json};

use crate::full_width::python;

const SCRIPT: &str = r#"
import json, struct, sys, pathlib
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import crc32c
board = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0})
board.Reload()
tags = board.Tags()
scalars = {tag: [[e.step, e.value] for e in board.Scalars(tag)] for tag in tags["scalars"]}
images = {tag: [[e.step, e.width, e.height, e.encoded_image_string.hex()] for e in board.Images(tag)]
          for tag in tags["images"]}
masked = lambda data: (((c := crc32c(data)) >> 15 | c << 17) + 0xA282EAD8) & 0xFFFFFFFF
records = []
for path in sorted(pathlib.Path(sys.argv[1]).glob("*tfevents*")):
    data, at = path.read_bytes(), 0
    while at < len(data):
        length, check = struct.unpack_from("<QI", data, at)
        body = data[at + 12:at + 12 + length]
        after, = struct.unpack_from("<I", data, at + 12 + length)
        records.append(masked(data[at:at + 8]) == check and masked(body) == after)
        at += 16 + length
print(json.dumps({"scalars": scalars, "images": images, "records": records}))
"#;

fn read(python: &Path, folder: &Path) -> Value {
    let output = Command::new(python).args(["-c", SCRIPT]).arg(folder).output().unwrap();
    assert!(output.status.success(), "the Python side failed:\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn tensorboard_reads_numbers_pictures_and_a_resumed_run() {
    let Some(python) = python("tensorboard") else { return };
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::create(root.path(), "run").unwrap();
    let png = b"\x89PNG\r\n\x1a\nany bytes longer than one varint byte, \
        any bytes longer than one varint byte, any bytes longer than one varint byte";
    let first = TrainingLog::start(&dir, 0).unwrap();
    for step in 0..4 {
        let event = json!({"epoch": step, "loss": 4.0 - f64::from(step), "held_out": {"loss": 0.25}});
        first.append(step as u64, &event).unwrap();
    }
    first.image(300, "samples", png, [20, 10]).unwrap();
    // A checkpoint after step 2: step 2 and 3 are written anew, the picture of step 300 is void.
    let second = TrainingLog::start(&dir, 2).unwrap();
    for step in 2..4 {
        second.append(step, &json!({"loss": 0.5})).unwrap();
    }
    second.image(200, "samples", png, [20, 10]).unwrap();

    let found = read(&python, dir.path());
    assert_eq!(found["scalars"]["loss"], json!([[0, 4.0], [1, 3.0], [2, 0.5], [3, 0.5]]));
    assert_eq!(found["scalars"]["held_out/loss"], json!([[0, 0.25], [1, 0.25]]));
    assert_eq!(found["scalars"]["epoch"], Value::Null);
    let hex: String = png.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(found["images"]["samples"], json!([[200, 20, 10, hex]]));
    let records = found["records"].as_array().unwrap();
    assert_eq!(records.len(), 2 + 4 + 1 + 2 + 2 + 1);
    assert!(records.iter().all(|good| good == true), "{records:?}");
}
