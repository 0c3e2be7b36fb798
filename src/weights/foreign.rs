//! What every reader of foreign weights returns: named tensors and constructor settings, nothing executed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::error::Fault;

/// Container a foreign file was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileFormat {
    /// Header and raw tensors (docs/spec/checkpoints.md §7).
    Safetensors,
    /// `torch.save` since 1.6: a zip archive (docs/spec/checkpoints.md §1.1).
    TorchZip,
    /// `torch.save` before 1.6: five pickles and raw storages (docs/spec/checkpoints.md §1.2).
    TorchLegacy,
    /// `torch.jit.save`: a zip archive of a module (docs/spec/checkpoints.md §4.1).
    TorchScript,
    /// StyleGAN2-ADA, Lafite and Mind Reader network pickles (docs/spec/checkpoints.md §2).
    NetworkPickle,
}

/// Element type of a foreign tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

/// One tensor: row-major, little endian, strides already resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignTensor {
    /// Element type.
    pub dtype: Dtype,
    /// Sizes; empty for a scalar.
    pub shape: Vec<usize>,
    /// `dtype.size_bytes()` bytes for each element.
    pub bytes: Vec<u8>,
}

/// The tensors of one network, by their state-dict names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForeignNetwork {
    /// Class that the file names, e.g. `Generator`; none for a bare state dict.
    pub class_name: Option<String>,
    /// Tensors by state-dict name.
    pub tensors: BTreeMap<String, ForeignTensor>,
    /// Constructor arguments and plain attributes where the file keeps them, by dotted path
    /// (`_init_kwargs.synthesis_kwargs.structure`, `b4.structure`): numbers, booleans, strings, lists of these.
    pub settings: BTreeMap<String, Value>,
}

/// A file as it was read.
#[derive(Clone, Debug)]
pub struct ForeignFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Container that the bytes turned out to be.
    pub format: FileFormat,
    /// SHA-256 of the whole file, in hexadecimal.
    pub sha256: String,
    /// Size of the file in bytes.
    pub size_bytes: u64,
    /// Networks by name: `G`, `D`, `G_ema`, `fmri_vec`, … of a network pickle, or one network named `""`.
    pub networks: BTreeMap<String, ForeignNetwork>,
}

impl Dtype {
    /// Bytes of one element.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }
}

impl ForeignTensor {
    /// Values rounded to f32, row-major.
    pub fn to_f32(&self) -> Vec<f32> {
        fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            bytes.as_chunks::<N>().0.iter().map(|&chunk| value(chunk)).collect()
        }
        match self.dtype {
            Dtype::F64 => each(&self.bytes, |b| f64::from_le_bytes(b) as f32),
            Dtype::F32 => each(&self.bytes, f32::from_le_bytes),
            Dtype::F16 => each(&self.bytes, |b| half::f16::from_le_bytes(b).to_f32()),
            Dtype::Bf16 => each(&self.bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
            Dtype::I64 => each(&self.bytes, |b| i64::from_le_bytes(b) as f32),
            Dtype::I32 => each(&self.bytes, |b| i32::from_le_bytes(b) as f32),
            Dtype::I16 => each(&self.bytes, |b| f32::from(i16::from_le_bytes(b))),
            Dtype::I8 => each(&self.bytes, |b: [u8; 1]| f32::from(b[0] as i8)),
            Dtype::U8 | Dtype::Bool => each(&self.bytes, |b: [u8; 1]| f32::from(b[0])),
        }
    }

    /// Refuses values that are not finite; integers always are.
    ///
    /// # Errors
    /// A fault that names the tensor `name` and the first such value with its row-major index.
    pub fn check_finite(&self, name: &str) -> Result<(), Fault> {
        fn first<const N: usize>(bytes: &[u8], is_finite: impl Fn([u8; N]) -> bool) -> Option<usize> {
            bytes.as_chunks::<N>().0.iter().position(|&chunk| !is_finite(chunk))
        }
        let at = match self.dtype {
            Dtype::F64 => first(&self.bytes, |b| f64::from_le_bytes(b).is_finite()),
            Dtype::F32 => first(&self.bytes, |b| f32::from_le_bytes(b).is_finite()),
            Dtype::F16 => first(&self.bytes, |b| half::f16::from_le_bytes(b).is_finite()),
            Dtype::Bf16 => first(&self.bytes, |b| half::bf16::from_le_bytes(b).is_finite()),
            _ => None,
        };
        match at {
            Some(at) => Err(Fault::new(
                format!("tensor `{name}`"),
                "finite values only",
                format!("NaN or infinite at element {at}"),
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(dtype: Dtype, bytes: &[u8]) -> ForeignTensor {
        ForeignTensor { dtype, shape: vec![bytes.len() / dtype.size_bytes()], bytes: bytes.to_vec() }
    }

    #[test]
    fn values_that_are_not_finite_are_refused_by_name_and_index() {
        for (dtype, one, bad) in [
            (Dtype::F32, 1_f32.to_le_bytes().to_vec(), f32::NAN.to_le_bytes().to_vec()),
            (Dtype::F64, 1_f64.to_le_bytes().to_vec(), f64::INFINITY.to_le_bytes().to_vec()),
            (Dtype::F16, vec![0, 0x3c], vec![0, 0x7c]),
            (Dtype::Bf16, vec![0x80, 0x3f], vec![0xc0, 0x7f]),
        ] {
            assert_eq!(tensor(dtype, &one).to_f32(), [1.0]);
            tensor(dtype, &one).check_finite("w").unwrap();
            let fault = tensor(dtype, &[one, bad].concat()).check_finite("w").unwrap_err().to_string();
            assert!(fault.contains("`w`") && fault.contains("element 1"), "{fault}");
        }
        tensor(Dtype::I32, &[0xff; 4]).check_finite("w").unwrap();
    }
}
