//! Golden vectors: values of an independent implementation, stored as safetensors.
//!
//! Small files are in `tests/golden`; the large ones lie beside the checkout in `../shared/golden`,
//! and a test whose file is missing says so and returns. `tests/golden/tolerances.tsv` lists every output with its
//! tolerance; `scripts/parity` collects what was compared into docs/parity.md.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

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

    /// Compares with the output `name` at the tolerance of the table; anything further fails.
    pub fn expect(&self, name: &str, actual: &[f32]) {
        self.expect_as(name, "", actual, tolerance(&self.name, name));
    }

    /// As [`Self::expect`] for a variant of the computation, whose own tolerance is stated where it is called.
    pub fn expect_as(&self, name: &str, variant: &str, actual: &[f32], tolerance: f32) {
        let (expected, _) = self.f32(name);
        let label = format!("{} {name} {variant}", self.name);
        assert_close(&label, actual, &expected, tolerance);
        let scale = expected.iter().fold(0.0_f32, |scale, value| scale.max(value.abs()));
        self.record(name, variant, max_difference(actual, &expected), scale, tolerance);
    }

    /// Compares integers with the output `name`; they must be equal.
    pub fn expect_ints(&self, name: &str, actual: &[i64]) {
        let (expected, _) = self.ints(name);
        assert!(actual == expected, "{} {name}: found {actual:?}, expected {expected:?}", self.name);
        self.record(name, "", 0.0, 0.0, 0.0);
    }

    /// Notes that the output was compared, where `scripts/parity` asks for it.
    pub fn record(&self, name: &str, variant: &str, error: f32, scale: f32, tolerance: f32) {
        let Some(path) = std::env::var_os("MINDREADER_PARITY_LOG") else { return };
        let line = format!("{}\t{name}\t{variant}\t{error:e}\t{scale:e}\t{tolerance:e}\n", self.name);
        let mut log = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        log.write_all(line.as_bytes()).unwrap();
    }
}

/// Largest allowed absolute error of an output.
pub fn tolerance(set: &str, name: &str) -> f32 {
    static TABLE: OnceLock<HashMap<(&str, &str), f32>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        include_str!("../golden/tolerances.tsv")
            .lines()
            .skip_while(|line| !line.starts_with("set\t"))
            .skip(1)
            .map(|line| {
                let mut fields = line.split('\t');
                let mut next = || fields.next().unwrap();
                ((next(), next()), next().parse().unwrap())
            })
            .collect()
    });
    *table.get(&(set, name)).unwrap_or_else(|| panic!("no tolerance of {set} {name}"))
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
}
