//! Parsing; every length is checked, nothing is trusted.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::ZlibDecoder;

use super::layout::{CLASS_DOUBLE, CLASS_LAST_NUMERIC, HEADER_BYTES, element_type};
use crate::data::error::DataError;
use crate::files::{InputKind, read_input};

/// Deflate cannot shrink data by more than this.
const MAX_DEFLATE_RATIO: u64 = 1032;
const MAX_AXES: usize = 32;
const COMPLEX_FLAG: u32 = 0x0800;

/// A numeric array.
#[derive(Clone, Debug, PartialEq)]
pub struct MatArray {
    /// Sizes of the axes, as MATLAB prints them.
    pub dims: Vec<usize>,
    /// Values in MATLAB's order: **first** axis fastest.
    pub data: Vec<f64>,
}

/// Reads the named variables of a file; the others are skipped, whatever they are.
///
/// # Errors
/// [`DataError::missing`] with `needed_for`; those of [`parse_arrays`].
pub fn read_arrays(
    path: &Path,
    names: &[&str],
    needed_for: &str,
) -> Result<BTreeMap<String, MatArray>, DataError> {
    let bytes =
        read_input(path, InputKind::Matlab).map_err(|error| DataError::from_io(path, needed_for, &error))?;
    parse_arrays(path, &bytes, names)
}

/// Reads the named variables from the bytes of a file; `path` is for messages.
///
/// # Errors
/// [`DataError::unreadable`] for a damaged or v7.3 file; [`DataError::Invalid`] for a variable that is missing or not
/// a real numeric array.
pub fn parse_arrays(
    path: &Path,
    bytes: &[u8],
    names: &[&str],
) -> Result<BTreeMap<String, MatArray>, DataError> {
    let mut found = BTreeMap::new();
    each_variable(path, bytes, |variable, order| {
        let Some(name) = names.iter().find(|name| name.as_bytes() == variable.name) else { return Ok(()) };
        let array = variable.numbers(order).map_err(|found| {
            DataError::invalid(path, format!("variable `{name}`"), "a real numeric array", found)
        })?;
        found.insert((*name).to_string(), array);
        Ok(())
    })?;
    match names.iter().find(|name| !found.contains_key(**name)) {
        Some(name) => Err(DataError::invalid(path, format!("variable `{name}`"), "there", "missing")),
        None => Ok(found),
    }
}

/// Names and sizes of the numeric variables of a file, in its order; `path` is for messages.
///
/// # Errors
/// [`DataError::unreadable`] for a damaged or v7.3 file.
pub fn list_arrays(path: &Path, bytes: &[u8]) -> Result<Vec<(String, Vec<usize>)>, DataError> {
    let mut found = Vec::new();
    each_variable(path, bytes, |variable, _| {
        if (CLASS_DOUBLE..=CLASS_LAST_NUMERIC).contains(&variable.class) {
            found.push((String::from_utf8_lossy(variable.name).into_owned(), variable.dims.clone()));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Hands every variable of a file to `take`.
fn each_variable(
    path: &Path,
    bytes: &[u8],
    mut take: impl FnMut(&Variable<'_>, Order) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let damaged = |what: &str| DataError::unreadable(path, format!("as a MATLAB v5 file: {what}"));
    if bytes.starts_with(b"MATLAB 7.3") || bytes.starts_with(b"\x89HDF") {
        return Err(damaged("it is a v7.3 (HDF5) file; save it with `-v7`"));
    }
    let header = bytes.get(..HEADER_BYTES).ok_or_else(|| damaged("shorter than its header"))?;
    let order = match &header[126..] {
        b"IM" => Order::Little,
        b"MI" => Order::Big,
        _ => return Err(damaged("no byte-order mark at byte 126")),
    };

    let mut rest = &bytes[HEADER_BYTES..];
    while !rest.is_empty() {
        let element =
            Element::take(&mut rest, order, Padding::Top).ok_or_else(|| damaged("it is cut off"))?;
        let inflated;
        // What MATLAB writes as v7: a deflated element that holds one ordinary element.
        let matrix = if element.kind == element_type::COMPRESSED {
            inflated = inflate(element.data).ok_or_else(|| damaged("a compressed variable is broken"))?;
            let mut inner = inflated.as_slice();
            Element::take(&mut inner, order, Padding::Top)
                .ok_or_else(|| damaged("a compressed variable is cut off"))?
        } else {
            element
        };
        if matrix.kind != element_type::MATRIX {
            continue;
        }
        let variable = Variable::parse(matrix.data, order).ok_or_else(|| damaged("a broken variable"))?;
        take(&variable, order)?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

/// Elements inside a variable are padded to eight bytes, compressed ones in the file are not.
#[derive(Clone, Copy, PartialEq)]
enum Padding {
    Top,
    Inside,
}

struct Element<'a> {
    kind: u32,
    data: &'a [u8],
}

impl<'a> Element<'a> {
    fn take(rest: &mut &'a [u8], order: Order, padding: Padding) -> Option<Self> {
        let first = order.u32(rest.get(..4)?.try_into().ok()?);
        if first >> 16 != 0 {
            // The small form: size and type share four bytes, the data are the other four.
            let size = (first >> 16) as usize;
            let data = rest.get(4..8)?.get(..size)?;
            *rest = &rest[8..];
            return Some(Self { kind: first & 0xffff, data });
        }
        let size = order.u32(rest.get(4..8)?.try_into().ok()?) as usize;
        let data = rest.get(8..)?.get(..size)?;
        let padded = match padding {
            Padding::Inside => size.checked_next_multiple_of(8)?,
            Padding::Top if first == element_type::COMPRESSED => size,
            Padding::Top => size.checked_next_multiple_of(8)?,
        };
        // The very last element of a file may come without its padding.
        *rest = rest.get(8 + padded..).unwrap_or_default();
        Some(Self { kind: first, data })
    }
}

fn inflate(data: &[u8]) -> Option<Vec<u8>> {
    let limit = (data.len() as u64).saturating_mul(MAX_DEFLATE_RATIO);
    let mut inflated = Vec::new();
    ZlibDecoder::new(data).take(limit).read_to_end(&mut inflated).ok()?;
    Some(inflated)
}

struct Variable<'a> {
    class: u32,
    is_complex: bool,
    name: &'a [u8],
    dims: Vec<usize>,
    rest: &'a [u8],
}

impl<'a> Variable<'a> {
    fn parse(mut data: &'a [u8], order: Order) -> Option<Self> {
        let flags = Element::take(&mut data, order, Padding::Inside)?;
        let flags = order.u32(flags.data.get(..4)?.try_into().ok()?);
        let dims = Element::take(&mut data, order, Padding::Inside)?;
        let name = Element::take(&mut data, order, Padding::Inside)?;
        if dims.kind != element_type::I32 || dims.data.len() > 4 * MAX_AXES {
            return None;
        }
        let dims = dims
            .data
            .chunks_exact(4)
            .map(|bytes| usize::try_from(order.u32(bytes.try_into().ok()?)).ok())
            .collect::<Option<_>>()?;
        Some(Self {
            class: flags & 0xff,
            is_complex: flags & COMPLEX_FLAG != 0,
            name: name.data,
            dims,
            rest: data,
        })
    }

    /// The values, or what the variable is instead.
    fn numbers(&self, order: Order) -> Result<MatArray, String> {
        if !(CLASS_DOUBLE..=CLASS_LAST_NUMERIC).contains(&self.class) {
            return Err(format!("of class {} (cell, struct, text or sparse)", self.class));
        }
        if self.is_complex {
            return Err("complex".to_string());
        }
        let mut rest = self.rest;
        let element =
            Element::take(&mut rest, order, Padding::Inside).ok_or_else(|| "cut off".to_string())?;
        let data = decode(&element, order).ok_or_else(|| format!("stored as type {}", element.kind))?;
        let expected = self.dims.iter().try_fold(1_usize, |all, dim| all.checked_mul(*dim));
        // The sizes that the header names are held against the numbers that are there.
        if expected != Some(data.len()) {
            return Err(format!("{} values for the sizes {:?}", data.len(), self.dims));
        }
        Ok(MatArray { dims: self.dims.clone(), data })
    }
}

fn decode(element: &Element<'_>, order: Order) -> Option<Vec<f64>> {
    macro_rules! numbers {
        ($number:ty) => {{
            let chunks = element.data.chunks_exact(size_of::<$number>());
            if !chunks.remainder().is_empty() {
                return None;
            }
            chunks
                .map(|chunk| {
                    let bytes = chunk.try_into().ok()?;
                    Some(match order {
                        Order::Little => <$number>::from_le_bytes(bytes),
                        Order::Big => <$number>::from_be_bytes(bytes),
                    } as f64)
                })
                .collect()
        }};
    }
    match element.kind {
        element_type::I8 => numbers!(i8),
        element_type::U8 => numbers!(u8),
        element_type::I16 => numbers!(i16),
        element_type::U16 => numbers!(u16),
        element_type::I32 => numbers!(i32),
        element_type::U32 => numbers!(u32),
        element_type::I64 => numbers!(i64),
        element_type::U64 => numbers!(u64),
        element_type::F32 => numbers!(f32),
        element_type::F64 => numbers!(f64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode_arrays;
    use super::*;

    fn sample() -> Vec<u8> {
        let values: Vec<f64> = (0..6).map(f64::from).collect();
        encode_arrays(Path::new("d.mat"), &[("a", &[2, 3], &values), ("long_name", &[1, 1], &[-7.5])])
            .unwrap()
    }

    #[test]
    fn written_arrays_are_read_back() {
        let read = parse_arrays(Path::new("d.mat"), &sample(), &["a", "long_name"]).unwrap();
        assert_eq!(read["a"].dims, [2, 3]);
        assert_eq!(read["a"].data, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(read["long_name"].data, [-7.5]);
        let listed = list_arrays(Path::new("d.mat"), &sample()).unwrap();
        assert_eq!(listed, [("a".to_string(), vec![2, 3]), ("long_name".to_string(), vec![1, 1])]);
    }

    #[test]
    fn missing_variables_foreign_files_and_v73_are_named() {
        let path = Path::new("d.mat");
        let error = parse_arrays(path, &sample(), &["b"]).unwrap_err().to_string();
        assert!(error.contains("variable `b` is missing"), "{error}");
        let error = parse_arrays(path, &[b' '; 200], &["a"]).unwrap_err().to_string();
        assert!(error.contains("byte-order mark"), "{error}");
        let error = parse_arrays(path, b"MATLAB 7.3 MAT-file", &["a"]).unwrap_err().to_string();
        assert!(error.contains("v7.3"), "{error}");
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = sample();
        for len in 0..bytes.len() - 1 {
            assert!(parse_arrays(Path::new("d.mat"), &bytes[..len], &["a", "long_name"]).is_err(), "{len}");
        }
    }
}
