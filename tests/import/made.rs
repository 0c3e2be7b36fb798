//! Files that `make_networks.py` writes, and the program that reads them.

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use burn::tensor::{Tensor, TensorData};
use mindreader::tensor_ops::backend::{Base, cpu};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use tempfile::TempDir;

use crate::python;

/// A folder with the files of one part of the script; none (after saying so) without its libraries.
pub struct Made {
    folder: TempDir,
}

impl Made {
    pub fn new(test: &str, part: &str, libraries: &str) -> Option<Self> {
        let python = python::find(test)?;
        let imports = format!("import safetensors.torch, torch, {libraries}");
        let there = std::process::Command::new(python).args(["-c", &imports]).output().unwrap();
        if !there.status.success() {
            eprintln!("skipped: {test}: this Python cannot `{imports}`");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/import/make_networks.py");
        let call = format!(
            "import runpy, sys; sys.argv = ['', '.', '{part}']; runpy.run_path({:?}, run_name='__main__')",
            script.to_str().unwrap()
        );
        python::run(python, folder.path(), &call);
        Some(Self { folder })
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Imports a file and returns the snapshot and the summary.
    pub fn import(&self, from: &str, arguments: &[&str]) -> (PathBuf, Value) {
        let out = self.path(&format!("{}.imported.safetensors", from.replace('/', "_")));
        let output = import(&self.path(from), &out, arguments);
        assert!(output.status.success(), "{from}: {}", stderr(&output));
        (out, serde_json::from_slice(&output.stdout).unwrap())
    }

    /// An input or output that the library computed.
    pub fn values(&self, network: &str, name: &str) -> (Vec<f32>, Vec<usize>) {
        let bytes = std::fs::read(self.path(&format!("{network}.outputs.safetensors"))).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let view = file.tensor(name).unwrap();
        let values = match view.dtype() {
            Dtype::F32 => view.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Dtype::I64 => view.data().as_chunks().0.iter().map(|&b| i64::from_le_bytes(b) as f32).collect(),
            other => panic!("{name} is {other:?}"),
        };
        (values, view.shape().to_vec())
    }

    pub fn tensor<const D: usize>(&self, network: &str, name: &str) -> Tensor<Base, D> {
        let (values, shape) = self.values(network, name);
        Tensor::from_data(TensorData::new(values, shape), &cpu())
    }

    /// Fails where an output is further from the library's than `tolerance` times the largest.
    pub fn assert_close<const D: usize>(
        &self,
        network: &str,
        name: &str,
        actual: Tensor<Base, D>,
        tolerance: f32,
    ) {
        let (expected, shape) = self.values(network, name);
        assert_eq!(actual.dims().as_slice(), shape, "{network} {name}");
        let actual: Vec<f32> = actual.into_data().to_vec().unwrap();
        let scale = expected.iter().fold(0.0_f32, |scale, value| scale.max(value.abs()));
        let worst = actual.iter().zip(&expected).map(|(a, e)| (a - e).abs()).fold(0.0_f32, f32::max);
        eprintln!("{network} {name}: error {worst:.2e} of {scale:.2e}");
        assert!(scale > 1e-3, "{network} {name} is all but zero and shows nothing");
        assert!(
            worst <= tolerance * scale,
            "{network} {name}: error {worst:.3e} of values up to {scale:.3e}"
        );
    }
}

/// `import-weights --json`.
pub fn import(from: &Path, out: &Path, arguments: &[&str]) -> Output {
    let mut command = mindreader();
    command.args(["import-weights", "--json", "--from"]).arg(from).arg("--out").arg(out).args(arguments);
    command.output().unwrap()
}

/// `weights --json`.
pub fn describe(file: &Path, arguments: &[&str]) -> Value {
    let output = mindreader().args(["weights", "--json"]).arg(file).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_slice::<Value>(&output.stdout).unwrap()[0].clone()
}

pub fn mindreader() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mindreader"));
    command.env_remove("RUST_LOG").args(["--device", "cpu", "--quiet"]);
    command
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
