//! Writing: uncompressed v5, little endian, every variable a `double` array.

use std::path::Path;

use super::layout::{CLASS_DOUBLE, HEADER_BYTES, element_type};
use crate::data::error::DataError;
use crate::files::write_atomic;

/// Writes named arrays: `(name, dims, values with the first axis fastest)`. A row vector has dims `[1, n]`.
///
/// # Errors
/// [`DataError::unwritable`], also when values and dims do not agree.
pub fn write_arrays(path: &Path, arrays: &[(&str, &[usize], &[f64])]) -> Result<(), DataError> {
    let bytes = encode_arrays(path, arrays)?;
    Ok(write_atomic(path, &bytes)?)
}

/// The bytes that [`write_arrays`] writes; `path` is for messages.
///
/// # Errors
/// [`DataError::unwritable`].
pub fn encode_arrays(path: &Path, arrays: &[(&str, &[usize], &[f64])]) -> Result<Vec<u8>, DataError> {
    let mut file = b"MATLAB 5.0 MAT-file, written by mindreader".to_vec();
    // 116 bytes of text and 8 of an offset that nothing uses, all blank.
    file.resize(HEADER_BYTES - 4, b' ');
    file.extend(0x0100_u16.to_le_bytes());
    file.extend(b"IM");
    for (name, dims, values) in arrays {
        let unwritable =
            |reason: &str| DataError::unwritable(path, format!("variable `{name}` {dims:?}: {reason}"));
        if dims.len() < 2 || dims.iter().product::<usize>() != values.len() {
            return Err(unwritable("sizes and number of values do not agree"));
        }
        let sizes = dims
            .iter()
            .map(|dim| i32::try_from(*dim))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| unwritable("an axis is too long"))?;

        let mut body = Vec::with_capacity(values.len() * 8 + 128);
        let flags: Vec<u8> = [CLASS_DOUBLE, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
        element(&mut body, element_type::U32, &flags);
        let sizes: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
        element(&mut body, element_type::I32, &sizes);
        element(&mut body, element_type::I8, name.as_bytes());
        let values: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        element(&mut body, element_type::F64, &values);
        if u32::try_from(body.len()).is_err() {
            return Err(unwritable("more than 4 GiB"));
        }
        element(&mut file, element_type::MATRIX, &body);
    }
    Ok(file)
}

fn element(out: &mut Vec<u8>, kind: u32, data: &[u8]) {
    out.extend(kind.to_le_bytes());
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    // The size field does not count the padding.
    out.resize(out.len().next_multiple_of(8), 0);
}
