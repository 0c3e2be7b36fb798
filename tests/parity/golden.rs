//! Golden vectors: values of an independent implementation, stored as safetensors.
//!
//! Small files are in `tests/golden`; the large ones lie beside the checkout in `../shared/golden`,
//! and a test whose file is missing says so and returns.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};
use mindreader::weights::foreign::{self, ForeignNetwork, ForeignTensor};
use safetensors::{Dtype, SafeTensors};

/// One golden file, held in memory.
pub struct Golden {
    name: String,
    bytes: Vec<u8>,
}

impl Golden {
    /// Opens the set `name` (file name without extension), or says that it is missing.
    pub fn open(name: &str) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = format!("{name}.safetensors");
        let places: [PathBuf; 2] =
            [root.join("tests/golden").join(&file), root.join("../shared/golden").join(&file)];
        for path in places {
            if let Ok(bytes) = fs::read(&path) {
                return Some(Self { name: name.to_string(), bytes });
            }
        }
        eprintln!("skipped: {file} is missing");
        None
    }

    /// Reads a file that another program has just written.
    pub fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { name: path.display().to_string(), bytes }
    }

    fn file(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes)
            .unwrap_or_else(|error| panic!("{}: not a safetensors file: {error}", self.name))
    }

    /// Every tensor name, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.file().names().iter().map(|name| name.to_string()).collect();
        names.sort();
        names
    }

    /// Whether a tensor of this name exists.
    pub fn has(&self, name: &str) -> bool {
        self.file().tensor(name).is_ok()
    }

    /// Values and shape of a floating-point tensor.
    pub fn f32(&self, name: &str) -> (Vec<f32>, Vec<usize>) {
        let file = self.file();
        let view = file.tensor(name).unwrap_or_else(|_| panic!("{}: no tensor `{name}`", self.name));
        let bytes = view.data();
        let values = match view.dtype() {
            Dtype::F32 => bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect(),
            Dtype::F64 => {
                bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap()) as f32).collect()
            }
            other => panic!("{}: `{name}` is {other:?}, not floating point", self.name),
        };
        (values, view.shape().to_vec())
    }

    /// Values and shape of an integer (or boolean) tensor.
    pub fn ints(&self, name: &str) -> (Vec<i64>, Vec<usize>) {
        let file = self.file();
        let view = file.tensor(name).unwrap_or_else(|_| panic!("{}: no tensor `{name}`", self.name));
        let bytes = view.data();
        let values = match view.dtype() {
            Dtype::I64 => bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect(),
            Dtype::I32 => {
                bytes.chunks_exact(4).map(|b| i64::from(i32::from_le_bytes(b.try_into().unwrap()))).collect()
            }
            Dtype::U8 | Dtype::BOOL => bytes.iter().map(|&b| i64::from(b)).collect(),
            other => panic!("{}: `{name}` is {other:?}, not an integer type", self.name),
        };
        (values, view.shape().to_vec())
    }

    /// The tensors below `prefix` as a foreign network, in its own type and shape.
    pub fn foreign(&self, prefix: &str, keep: impl Fn(&str) -> bool) -> ForeignNetwork {
        let file = self.file();
        let tensors = self.names().into_iter().filter_map(|name| {
            let key = name.strip_prefix(prefix).filter(|key| keep(key))?.to_string();
            let view = file.tensor(&name).unwrap();
            let dtype = match view.dtype() {
                Dtype::F32 => foreign::Dtype::F32,
                Dtype::F64 => foreign::Dtype::F64,
                other => panic!("{}: `{name}` is {other:?}", self.name),
            };
            let shape = view.shape().to_vec();
            Some((key, ForeignTensor { dtype, shape, bytes: view.data().to_vec() }))
        });
        ForeignNetwork { tensors: tensors.collect(), ..Default::default() }
    }

    /// A scalar.
    pub fn scalar(&self, name: &str) -> f32 {
        let (values, shape) = self.f32(name);
        assert_eq!(values.len(), 1, "{}: `{name}` has shape {shape:?}, not a scalar", self.name);
        values[0]
    }

    /// A scalar that was stored in f64, with all its digits.
    pub fn f64_scalar(&self, name: &str) -> f64 {
        let file = self.file();
        let view = file.tensor(name).unwrap_or_else(|_| panic!("{}: no tensor `{name}`", self.name));
        assert_eq!(view.dtype(), Dtype::F64, "{}: `{name}`", self.name);
        f64::from_le_bytes(view.data().try_into().unwrap())
    }

    /// A floating-point tensor of rank `D` on `device`; a scalar may be read as rank 1.
    pub fn tensor<B: Backend, const D: usize>(&self, name: &str, device: &B::Device) -> Tensor<B, D> {
        let (values, shape) = self.f32(name);
        let shape = if shape.is_empty() && D == 1 { vec![1] } else { shape };
        assert_eq!(shape.len(), D, "{}: `{name}` has shape {shape:?}, not rank {D}", self.name);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// An integer tensor of rank `D` on `device`.
    pub fn int_tensor<B: Backend, const D: usize>(
        &self,
        name: &str,
        device: &B::Device,
    ) -> Tensor<B, D, Int> {
        let (values, shape) = self.ints(name);
        assert_eq!(shape.len(), D, "{}: `{name}` has shape {shape:?}, not rank {D}", self.name);
        Tensor::from_data(TensorData::new(values, shape), device)
    }
}

/// Values of a tensor on the host, row-major.
pub fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().to_vec().unwrap()
}

/// Largest absolute difference; NaN counts as infinite.
pub fn max_difference(actual: &[f32], expected: &[f32]) -> f32 {
    actual
        .iter()
        .zip(expected)
        .map(|(a, e)| (a - e).abs())
        .fold(0.0, |worst, d| if d.is_nan() { f32::INFINITY } else { worst.max(d) })
}

/// Fails when any element is further than `tolerance` (absolute) from the golden value.
pub fn assert_close(label: &str, actual: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(actual.len(), expected.len(), "{label}: number of values");
    let worst = max_difference(actual, expected);
    let scale = expected.iter().fold(0.0_f32, |scale, value| scale.max(value.abs()));
    assert!(
        worst <= tolerance,
        "{label}: largest error {worst:.3e} (values up to {scale:.3e}) is above the tolerance {tolerance:.3e}"
    );
    // Shown with `--nocapture`: how much of the tolerance was used.
    eprintln!("{label}: error {worst:.2e}, tolerance {tolerance:.2e}, values up to {scale:.2e}");
}
