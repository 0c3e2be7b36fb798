//! Snapshots whose weights are stored in half precision: half as large, and read like any other.
//!
//! A number is rounded to the nearest that half precision holds (relative error at most 2⁻¹¹); computing stays in single precision.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use half::f16;
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};

use super::error::RunError;

/// A tensor of a file that is being rewritten.
struct Stored {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// The snapshot with its single-precision tensors rounded to half precision; others stay as they are.
///
/// # Errors
/// [`RunError::invalid`] for a number that half precision does not hold (beyond ±65504, or NaN), with its tensor.
pub fn narrowed(path: &Path, bytes: &[u8]) -> Result<Vec<u8>, RunError> {
    rewritten(path, bytes, |name, view| {
        if view.dtype() != Dtype::F32 {
            return Ok(None);
        }
        let mut narrow = Vec::with_capacity(view.data().len() / 2);
        for value in view.data().chunks_exact(4) {
            let value = f32::from_le_bytes([value[0], value[1], value[2], value[3]]);
            // To the nearest, ties to even; what is too large becomes infinite.
            let rounded = f16::from_f32(value);
            if !rounded.is_finite() {
                let field = format!("tensor `{name}`");
                return Err(RunError::invalid(path, field, "numbers from -65504 to 65504", value));
            }
            narrow.extend(rounded.to_le_bytes());
        }
        Ok(Some((Dtype::F16, narrow)))
    })
}

/// The snapshot with its half-precision tensors in single precision; without such tensors, the bytes as they are.
///
/// # Errors
/// [`RunError::invalid`] when the tensors cannot be told apart.
pub(super) fn widened<'a>(path: &Path, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, RunError> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| invalid(path, &error))?;
    if !file.iter().any(|(_, view)| view.dtype() == Dtype::F16) {
        return Ok(Cow::Borrowed(bytes));
    }
    let wide = rewritten(path, bytes, |_, view| {
        if view.dtype() != Dtype::F16 {
            return Ok(None);
        }
        let values = view.data().chunks_exact(2).map(|value| f16::from_le_bytes([value[0], value[1]]));
        Ok(Some((Dtype::F32, values.flat_map(|value| value.to_f32().to_le_bytes()).collect())))
    })?;
    Ok(Cow::Owned(wide))
}

/// The file with other bytes for those tensors for which `change` gives some.
fn rewritten(
    path: &Path,
    bytes: &[u8],
    change: impl Fn(&str, &TensorView<'_>) -> Result<Option<(Dtype, Vec<u8>)>, RunError>,
) -> Result<Vec<u8>, RunError> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| invalid(path, &error))?;
    // The header stays as it is: kind, configuration and provenance are those of the same network.
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| invalid(path, &error))?;
    let entries: Option<HashMap<String, String>> = metadata.metadata().clone();
    let mut stored = Vec::new();
    for (name, view) in file.iter() {
        let (dtype, bytes) = change(name, &view)?.unwrap_or_else(|| (view.dtype(), view.data().to_vec()));
        stored.push(Stored { name: name.to_string(), dtype, shape: view.shape().to_vec(), bytes });
    }
    let views = stored
        .iter()
        .map(|tensor| {
            let view = TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes)?;
            Ok((tensor.name.as_str(), view))
        })
        .collect::<Result<Vec<_>, SafeTensorError>>()
        .map_err(|error| invalid(path, &error))?;
    safetensors::serialize(views, entries).map_err(|error| invalid(path, &error))
}

fn invalid(path: &Path, error: &SafeTensorError) -> RunError {
    RunError::invalid(path, "tensors", "a safetensors file", error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(values: &[f32]) -> Vec<u8> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let count = [7_u8, 0, 0, 0, 0, 0, 0, 0];
        let views = [
            ("a", TensorView::new(Dtype::F32, vec![values.len()], &bytes).unwrap()),
            ("count", TensorView::new(Dtype::I64, vec![1], &count).unwrap()),
        ];
        let entries = HashMap::from([("mindreader".to_string(), "{}".to_string())]);
        safetensors::serialize(views, Some(entries)).unwrap()
    }

    fn values(bytes: &[u8]) -> Vec<f32> {
        let file = SafeTensors::deserialize(bytes).unwrap();
        assert_eq!(file.tensor("count").unwrap().data()[0], 7);
        let view = file.tensor("a").unwrap();
        assert_eq!(view.dtype(), Dtype::F32);
        view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    }

    #[test]
    fn numbers_are_rounded_once_and_metadata_stays() {
        let path = Path::new("a.safetensors");
        let exact = file(&[1.0, -0.125, 1.0 + 1e-4]);
        let narrow = narrowed(path, &exact).unwrap();
        assert!(narrow.len() < exact.len());
        let wide = widened(path, &narrow).unwrap();
        let found = values(&wide);
        assert_eq!(found[..2], [1.0, -0.125]);
        assert!(found[2] != 1.0 + 1e-4 && (found[2] - 1.0).abs() < 1e-3);
        assert!(
            SafeTensors::read_metadata(&wide)
                .unwrap()
                .1
                .metadata()
                .as_ref()
                .unwrap()
                .contains_key("mindreader")
        );
        // What was rounded does not change again, and what was never narrowed is not copied.
        assert_eq!(narrowed(path, &wide).unwrap(), narrow);
        assert!(matches!(widened(path, &exact).unwrap(), Cow::Borrowed(_)));
    }

    #[test]
    fn numbers_beyond_half_precision_are_refused() {
        for value in [1e6, f32::NAN] {
            let error = narrowed(Path::new("a.safetensors"), &file(&[0.0, value])).unwrap_err().to_string();
            assert!(error.contains("tensor `a`") && error.contains("65504"), "{error}");
        }
    }
}
