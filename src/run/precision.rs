//! Number format in which trained networks are applied.

use std::fmt;
use std::str::FromStr;

use burn::tensor::{DType, backend::Backend};
use serde::{Deserialize, Serialize};

use super::error::RunError;
use crate::tensor_ops::backend::{Base, Device};

/// Number format of inference. Training is in single precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Precision {
    /// Single precision everywhere.
    #[default]
    Single,
    /// Mappers, CLIP and the generator's four highest resolutions in half precision; GPUs only.
    Half,
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "f32" => Ok(Self::Single),
            "f16" => Ok(Self::Half),
            _ => Err(format!("found `{text}`, expected `f32` or `f16`")),
        }
    }
}

impl TryFrom<String> for Precision {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Precision> for String {
    fn from(precision: Precision) -> Self {
        precision.to_string()
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single => "f32",
            Self::Half => "f16",
        })
    }
}

impl Precision {
    /// Refuses a device that does not compute so. `name` is the device's in logs.
    ///
    /// # Errors
    /// [`RunError::Device`].
    pub fn check(self, device: &Device, name: &str) -> Result<(), RunError> {
        let reason = match (self, device) {
            (Self::Single, _) => return Ok(()),
            (Self::Half, Device::Flex(_)) => "the CPU computes in f32; `precision = \"f16\"` is for GPUs",
            (Self::Half, _) if Base::supports_dtype(device, DType::F16) => return Ok(()),
            (Self::Half, _) => "it has no half precision; leave `precision` at f32",
        };
        Err(RunError::Device { device: name.into(), reason: reason.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::backend::cpu;

    #[test]
    fn formats_parse_and_print_and_the_cpu_refuses_half() {
        for (text, precision) in [("f32", Precision::Single), ("f16", Precision::Half)] {
            assert_eq!(text.parse(), Ok(precision));
            assert_eq!(precision.to_string(), text);
        }
        assert!("bf16".parse::<Precision>().unwrap_err().contains("expected `f32` or `f16`"));
        assert!(Precision::Single.check(&cpu(), "cpu").is_ok());
        let error = Precision::Half.check(&cpu(), "cpu").unwrap_err().to_string();
        assert!(error.contains("device `cpu`") && error.contains("f16"), "{error}");
    }
}
