//! Files written by PyTorch and safetensors come back bit for bit, whatever their container.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use mindreader::weights::foreign::{Dtype, ForeignFile, ForeignTensor};
use mindreader::weights::readers::read_foreign;
use safetensors::SafeTensors;
use serde_json::Value;

use crate::python;

/// The folder that `make_foreign.py` fills; none (after saying so) without PyTorch.
fn foreign_files(test: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    let python = python::find(test)?;
    let has_torch = std::process::Command::new(python)
        .args(["-c", "import numpy, safetensors.torch, torch"])
        .output()
        .unwrap()
        .status
        .success();
    if !has_torch {
        eprintln!("skipped: {test}: this Python has no torch and safetensors");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/weights/make_foreign.py");
    let call = format!(
        "import runpy, sys; sys.argv = ['make_foreign', '.']; runpy.run_path({:?}, run_name='__main__')",
        script.to_str().unwrap()
    );
    python::run(python, folder.path(), &call);
    let path = folder.path().to_path_buf();
    Some((folder, path))
}

fn dtype(foreign: safetensors::Dtype) -> Dtype {
    match foreign {
        safetensors::Dtype::F64 => Dtype::F64,
        safetensors::Dtype::F32 => Dtype::F32,
        safetensors::Dtype::F16 => Dtype::F16,
        safetensors::Dtype::BF16 => Dtype::Bf16,
        safetensors::Dtype::I64 => Dtype::I64,
        safetensors::Dtype::I32 => Dtype::I32,
        safetensors::Dtype::I16 => Dtype::I16,
        safetensors::Dtype::I8 => Dtype::I8,
        safetensors::Dtype::U8 => Dtype::U8,
        safetensors::Dtype::BOOL => Dtype::Bool,
        other => panic!("{other:?} is not written by the script"),
    }
}

/// Tensors by file, network and name.
fn expected_tensors(bytes: &[u8]) -> BTreeMap<String, BTreeMap<String, BTreeMap<String, ForeignTensor>>> {
    let mut files: BTreeMap<_, BTreeMap<_, BTreeMap<_, _>>> = BTreeMap::new();
    for (key, view) in SafeTensors::deserialize(bytes).unwrap().iter() {
        let [file, network, name] = key.splitn(3, '|').collect::<Vec<_>>()[..] else { panic!("{key}") };
        let tensor = ForeignTensor {
            dtype: dtype(view.dtype()),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        };
        let networks = files.entry(file.to_string()).or_default();
        networks.entry(network.to_string()).or_default().insert(name.to_string(), tensor);
    }
    files
}

fn assert_same_tensors(
    name: &str,
    found: &BTreeMap<String, ForeignTensor>,
    expected: &BTreeMap<String, ForeignTensor>,
) {
    let names = |tensors: &BTreeMap<String, ForeignTensor>| tensors.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(found), names(expected), "{name}");
    for (tensor, expected) in expected {
        let found = &found[tensor];
        assert_eq!((found.dtype, &found.shape), (expected.dtype, &expected.shape), "{name}: {tensor}");
        assert!(found.bytes == expected.bytes, "{name}: values of {tensor} differ");
    }
}

fn assert_facts(file: &str, read: &ForeignFile, facts: &Value) {
    assert_eq!(serde_json::to_value(read.format).unwrap(), facts["format"], "{file}");
    for (network, class) in facts["classes"].as_object().unwrap() {
        assert_eq!(read.networks[network].class_name.as_deref(), class.as_str(), "{file}: {network}");
    }
    for (network, settings) in facts["settings"].as_object().unwrap() {
        for (path, value) in settings.as_object().unwrap() {
            let found = read.networks[network].settings.get(path);
            assert_eq!(found, Some(value), "{file}: {network}: {path}");
        }
    }
}

#[test]
fn files_of_the_real_libraries_come_back_bit_for_bit() {
    let Some((_guard, folder)) = foreign_files("files_of_the_real_libraries_come_back_bit_for_bit") else {
        return;
    };
    let expected = expected_tensors(&std::fs::read(folder.join("expected.safetensors")).unwrap());
    let facts: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    assert!(expected.len() >= 20, "{:?}", expected.keys());
    let mut num_tensors = 0;
    for (file, networks) in &expected {
        let read = read_foreign(&folder.join(file)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(read.networks.keys().collect::<Vec<_>>(), networks.keys().collect::<Vec<_>>(), "{file}");
        for (network, tensors) in networks {
            assert_same_tensors(&format!("{file}: {network}"), &read.networks[network].tensors, tensors);
            num_tensors += tensors.len();
        }
        assert_facts(file, &read, &facts[file]);
    }
    println!("{num_tensors} tensors of {} files", expected.len());
}
