//! Snapshots whose metadata or header lie about their tensors.

use std::fs;
use std::path::{Path, PathBuf};

use rand::{RngExt, rngs::ChaCha12Rng};
use serde_json::{Value, json};

use crate::json::{hostile, mutate};
use crate::project::{
    ENCODE, EVALUATE, FINETUNE, IMAGE_MAPPER, JUDGE, MICROSTIM, PRETRAIN, Project, RECONSTRUCT, SCREEN, Step,
    replace,
};
use crate::trial::Trial;

/// A snapshot of the project: run folder's ending, file, and the steps that read it.
const SNAPSHOTS: &[(&str, &str, &[&Step])] = &[
    ("pretrain-clip-subj01", "best.safetensors", &[&IMAGE_MAPPER, &SCREEN, &PRETRAIN, &EVALUATE, &ENCODE]),
    ("pretrain-classifier-subj01", "classifier.safetensors", &[&JUDGE]),
    ("train-mapper-image-subj01", "best.safetensors", &[&RECONSTRUCT, &EVALUATE, &MICROSTIM, &FINETUNE]),
    ("train-mapper-caption-subj01", "best.safetensors", &[&RECONSTRUCT, &EVALUATE, &MICROSTIM, &FINETUNE]),
    ("pretrain-gan-subj01", "generator.safetensors", &[&FINETUNE, &PRETRAIN]),
    ("pretrain-gan-subj01", "discriminator.safetensors", &[&FINETUNE, &PRETRAIN]),
    ("finetune-gan-subj01", "generator.safetensors", &[&RECONSTRUCT, &MICROSTIM]),
];

/// One of the snapshots, and a command that reads it.
fn choose(project: &Project, rng: &mut ChaCha12Rng) -> (PathBuf, Vec<std::ffi::OsString>) {
    let (run, file, steps) = SNAPSHOTS[rng.random_range(0..SNAPSHOTS.len())];
    let path = project.run(run).join(file);
    if rng.random_bool(0.1) {
        let out = project.work.join("half.safetensors");
        let args = [
            "--device".into(),
            "cpu".into(),
            "compact-weights".into(),
            "--from".into(),
            path.clone().into(),
            "--out".into(),
            out.into(),
        ];
        return (path, args.into());
    }
    if rng.random_bool(0.1) {
        return (
            path.clone(),
            vec!["--device".into(), "cpu".into(), "weights".into(), "--tensors".into(), path.into()],
        );
    }
    let step = steps[rng.random_range(0..steps.len())];
    let folder = path.parent().unwrap().to_str().unwrap().to_string();
    let more: Vec<String> = match (run, step.name) {
        ("pretrain-classifier-subj01", _) => vec!["--classifier".into(), path.to_str().unwrap().into()],
        ("pretrain-gan-subj01", "pretrain-gan") => vec!["--init-from".into(), folder],
        ("train-mapper-image-subj01", "evaluate") if rng.random_bool(0.3) => {
            return (path.clone(), init_from(project, &path));
        }
        _ => vec![],
    };
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    (path, project.command(step, &more))
}

fn init_from(project: &Project, path: &Path) -> Vec<std::ffi::OsString> {
    project.command(&IMAGE_MAPPER, &["--init-from", path.to_str().unwrap()])
}

/// The header of a file and what is behind it.
fn parts(path: &Path) -> (Value, Vec<u8>) {
    let bytes = fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    (serde_json::from_slice(&bytes[8..8 + length]).unwrap(), bytes[8 + length..].to_vec())
}

fn write(path: &Path, header: &Value, data: &[u8]) {
    let mut text = header.to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend(text);
    bytes.extend(data);
    replace(path, &bytes);
}

/// One number of the configuration, rarely of the provenance, is another; the tensors are as they were.
pub fn metadata(project: &Project, rng: &mut ChaCha12Rng) -> Trial {
    let (path, args) = choose(project, rng);
    let (mut header, data) = parts(&path);
    let text = header["__metadata__"]["mindreader"].as_str().unwrap();
    let mut said: Value = serde_json::from_str(text).unwrap();
    let part = if rng.random_bool(0.85) { "config" } else { "provenance" };
    let what = mutate(&mut said[part], rng).unwrap_or_else(|| {
        said[part] = hostile(rng);
        "all".into()
    });
    header["__metadata__"]["mindreader"] = json!(said.to_string());
    write(&path, &header, &data);
    Trial::one(format!("{} {part}{what}", path.display()), args)
}

/// One tensor has another shape, type, place or name.
pub fn header(project: &Project, rng: &mut ChaCha12Rng) -> Trial {
    let (path, args) = choose(project, rng);
    let (mut header, data) = parts(&path);
    let names: Vec<String> =
        header.as_object().unwrap().keys().filter(|name| *name != "__metadata__").cloned().collect();
    let name = names[rng.random_range(0..names.len())].clone();
    let what = match rng.random_range(0..6) {
        0 => mutate(&mut header[&name]["shape"], rng).unwrap_or_default(),
        1 => mutate(&mut header[&name]["data_offsets"], rng).unwrap_or_default(),
        2 => {
            let types = ["F16", "BF16", "F64", "I32", "U8", "BOOL", "I64", "F8_E4M3", "nothing"];
            let dtype = types[rng.random_range(0..types.len())];
            header[&name]["dtype"] = json!(dtype);
            dtype.to_string()
        }
        3 => {
            // As many values in other axes.
            let shape = header[&name]["shape"].as_array_mut().unwrap();
            shape.reverse();
            if rng.random_bool(0.5) {
                shape.push(json!(1));
            }
            format!("{shape:?}")
        }
        4 => {
            let tensor = header.as_object_mut().unwrap().shift_remove(&name).unwrap();
            header["another"] = tensor;
            "renamed".into()
        }
        _ => {
            // Twice as long in one axis with bytes of another: shapes, offsets and length of the file agree.
            let other = header[&names[rng.random_range(0..names.len())]].clone();
            header[&name]["shape"] = other["shape"].clone();
            "the shape of another".into()
        }
    };
    write(&path, &header, &data);
    Trial::one(format!("{} tensor {name}: {what}", path.display()), args)
}
