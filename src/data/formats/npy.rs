//! NumPy's `.npy`: one array of numbers, in C or Fortran order, of any byte order.
//!
//! The header is a Python dictionary; the `npyz` crate reads it, after it was found to be short and flat. Arrays of Python objects
//! (`pickle`), text, dates, complex numbers and records hold no plain numbers and are refused.

use std::io::Read;
use std::path::Path;

use ndarray::Array2;
use npyz::{DType, Endianness, NpyHeader, Order, TypeChar, WriterBuilder};

use super::element::Element;
use crate::data::error::DataError;
use crate::error::one_line;

/// The longest header that is read: a shape of 32 axes needs a few hundred bytes.
const LONGEST_HEADER: usize = 1 << 14;
/// Brackets in a header: one around the fields and one around the shape are usual; each is a step of recursion to the parser.
const MOST_BRACKETS: usize = 16;
/// Most axes of an array in NumPy.
const MOST_AXES: usize = 64;
const MAGIC: &[u8] = b"\x93NUMPY";

/// What a header says, held against itself and not yet against the length of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NpyHead {
    /// Sizes of the axes.
    pub shape: Vec<usize>,
    /// Type of the numbers.
    pub element: Element,
    /// Whether numbers are stored most significant byte first.
    pub is_big_endian: bool,
    /// Whether the first axis is the fastest.
    pub is_fortran: bool,
    /// Bytes before the numbers.
    pub data_offset: u64,
    /// Bytes of all numbers.
    pub data_bytes: u64,
}

impl NpyHead {
    /// Reads the header that `source` begins with; `name` is the file, or the entry of an archive, in errors.
    ///
    /// # Errors
    /// [`DataError::unreadable`] for another format or a header that is cut off; [`DataError::Invalid`] for an array that is not of
    /// plain numbers, or of more than can be counted.
    pub fn read(name: &Path, source: &mut impl Read) -> Result<Self, DataError> {
        let bytes = header_bytes(name, source)?;
        let unreadable =
            |error: std::io::Error| DataError::unreadable(name, format!("as an .npy file: {error}"));
        let brackets = bytes.iter().filter(|byte| b"([{".contains(byte)).count();
        if brackets > MOST_BRACKETS {
            return Err(DataError::invalid(name, "descr", "a plain number", "a record of fields"));
        }
        // The crate multiplies the sizes without looking whether the product can be counted.
        require_countable(name, &bytes)?;
        let header = NpyHeader::from_reader(bytes.as_slice()).map_err(unreadable)?;
        let (element, is_big_endian) = element_of(name, &header.dtype())?;
        let shape = header.shape().iter().map(|axis| usize::try_from(*axis).ok()).collect::<Option<Vec<_>>>();
        let shape = shape.filter(|shape| shape.len() <= MOST_AXES);
        let size = |shape: &Vec<usize>| {
            shape.iter().try_fold(element.size() as u64, |all, axis| all.checked_mul(*axis as u64))
        };
        let (Some(shape), Some(data_bytes)) = (shape.clone(), shape.as_ref().and_then(size)) else {
            let found = format!("{:?}", header.shape());
            return Err(DataError::invalid(
                name,
                "shape",
                format!("up to {MOST_AXES} axes that can be counted"),
                found,
            ));
        };
        let is_fortran = header.order() == Order::Fortran;
        Ok(Self { shape, element, is_big_endian, is_fortran, data_offset: bytes.len() as u64, data_bytes })
    }
}

/// A file of single-precision rows, in C order.
///
/// # Errors
/// [`std::io::Error`] of the writer.
pub fn npy_of_rows(rows: &Array2<f32>) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let shape = [rows.nrows() as u64, rows.ncols() as u64];
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
    // Row by row, whatever the order in memory.
    writer.extend(rows.iter().copied())?;
    writer.finish()?;
    Ok(bytes)
}

/// The bytes in front of the numbers, as many as they say themselves.
fn header_bytes(name: &Path, source: &mut impl Read) -> Result<Vec<u8>, DataError> {
    let cut_off = || DataError::unreadable(name, "as an .npy file: it ends inside its header");
    let mut bytes = vec![0; 10];
    source.read_exact(&mut bytes).map_err(|_| cut_off())?;
    if !bytes.starts_with(MAGIC) {
        return Err(DataError::unreadable(name, "as an .npy file: it does not begin as one"));
    }
    let mut len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    if bytes[6] > 1 {
        let mut high = [0; 2];
        source.read_exact(&mut high).map_err(|_| cut_off())?;
        len |= usize::from(u16::from_le_bytes(high)) << 16;
        bytes.extend(high);
    }
    if len > LONGEST_HEADER {
        let expected = format!("at most {LONGEST_HEADER} bytes");
        return Err(DataError::invalid(name, "length of the header", expected, len));
    }
    let start = bytes.len();
    bytes.resize(start + len, 0);
    source.read_exact(&mut bytes[start..]).map_err(|_| cut_off())?;
    Ok(bytes)
}

/// Refuses a shape whose product is no number of 63 bits. All that calls itself so is looked at: a key may stand there twice.
fn require_countable(name: &Path, header: &[u8]) -> Result<(), DataError> {
    let text = String::from_utf8_lossy(header);
    let wrong = |found: &str| {
        Err(DataError::invalid(name, "shape", "sizes that can be counted", one_line(format!("({found})"))))
    };
    if text.contains('\\') {
        return wrong("hidden behind `\\`");
    }
    for (at, _) in text.match_indices("shape") {
        let rest = text[at..].split_once(['(', '[']).map_or("", |(_, rest)| rest);
        let inside = rest.split([')', ']']).next().unwrap_or_default();
        let mut sizes = inside.split(',').map(str::trim).filter(|size| !size.is_empty());
        // An axis of 0 must not hide what is beside it.
        let product = sizes.try_fold(1_u64, |all, size| all.checked_mul(size.parse::<u64>().ok()?.max(1)));
        if product.is_none_or(|product| product > i64::MAX as u64) {
            return wrong(inside);
        }
    }
    Ok(())
}

fn element_of(name: &Path, dtype: &DType) -> Result<(Element, bool), DataError> {
    let refuse = |found: &str| {
        let expected = "real numbers (bool, int, uint or float of any width)";
        Err(DataError::invalid(name, "descr", expected, format!("{found}, {}", dtype.descr())))
    };
    let DType::Plain(plain) = dtype else { return refuse("records") };
    let element = match (plain.type_char(), plain.size_field()) {
        (TypeChar::Bool, 1) => Element::Bool,
        (TypeChar::Uint, 1) => Element::U8,
        (TypeChar::Uint, 2) => Element::U16,
        (TypeChar::Uint, 4) => Element::U32,
        (TypeChar::Uint, 8) => Element::U64,
        (TypeChar::Int, 1) => Element::I8,
        (TypeChar::Int, 2) => Element::I16,
        (TypeChar::Int, 4) => Element::I32,
        (TypeChar::Int, 8) => Element::I64,
        (TypeChar::Float, 2) => Element::F16,
        (TypeChar::Float, 4) => Element::F32,
        (TypeChar::Float, 8) => Element::F64,
        (TypeChar::Object, _) => return refuse("Python objects (save it without `allow_pickle`)"),
        _ => return refuse("other values"),
    };
    Ok((element, plain.endianness() == Endianness::Big))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: u8, text: &str) -> Vec<u8> {
        let mut bytes = [MAGIC, &[version, 0]].concat();
        if version > 1 {
            bytes.extend((text.len() as u32).to_le_bytes());
        } else {
            bytes.extend((text.len() as u16).to_le_bytes());
        }
        bytes.extend(text.as_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Result<NpyHead, String> {
        NpyHead::read(Path::new("a.npy"), &mut &bytes[..]).map_err(|error| error.to_string())
    }

    fn header(descr: &str, shape: &str) -> Vec<u8> {
        file(1, &format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"))
    }

    #[test]
    fn headers_of_both_versions_and_orders_are_read() {
        let text = "{'descr': '>f8', 'fortran_order': True, 'shape': (3, 4), }\n";
        let head = read(&file(1, text)).unwrap();
        assert_eq!((head.shape.as_slice(), head.element), (&[3, 4][..], Element::F64));
        assert!(head.is_big_endian && head.is_fortran);
        assert_eq!((head.data_offset, head.data_bytes), (10 + text.len() as u64, 96));
        assert_eq!(read(&file(2, text)).unwrap().data_offset, 12 + text.len() as u64);
        assert_eq!(read(&header("'|b1'", "(7,)")).unwrap().element, Element::Bool);
        assert_eq!(read(&header("'<f2'", "()")).unwrap().data_bytes, 2);
    }

    #[test]
    fn hostile_headers_are_refused_in_words() {
        let deep = format!("{}1{}", "(".repeat(5000), ")".repeat(5000));
        for (bytes, needle) in [
            (header("'|O'", "(3,)"), "Python objects"),
            (header("'<c16'", "(3,)"), "real numbers"),
            (header("'<U8'", "(3,)"), "real numbers"),
            (header("[('a', '<f4'), ('b', '<i4')]", "(3,)"), "records"),
            (header("'<f4'", &deep), "a plain number"),
            (header("'<f4'", "(4294967296, 4294967296)"), "can be counted"),
            (header("'<f4'", "(0, 4294967296, 4294967296)"), "can be counted"),
            (header("'<f8'", "(2305843009213693952,)"), "can be counted"),
            (header("'<f4'", "(-1, 3)"), "can be counted"),
            (header("'<f4'", "(3,), 'shape': (4294967296, 4294967296)"), "can be counted"),
            (header("'<f4'", "(3,), 'sha\\x70e': (9,)"), "can be counted"),
            (header("'<f4'", "'x'"), "as an .npy file"),
            (header("'<f3'", "(3,)"), "npy"),
            (file(1, "{'descr': '<f4'"), "as an .npy file"),
            (file(2, "")[..9].to_vec(), "ends inside its header"),
            ([MAGIC, &[2, 0, 255, 255, 255, 255]].concat(), "length of the header"),
            (b"PK\x03\x04 and more".to_vec(), "does not begin as one"),
            (header("'<f4'", "(3,)")[..40].to_vec(), "ends inside its header"),
        ] {
            let error = read(&bytes).unwrap_err();
            assert!(error.contains("a.npy") && error.contains(needle), "{needle}: {error}");
        }
    }

    #[test]
    fn rows_are_written_as_they_are_read() {
        let rows = ndarray::array![[1.0_f32, -2.5], [0.25, 4.0], [5.0, 6.0]];
        let bytes = npy_of_rows(&rows).unwrap();
        let head = NpyHead::read(Path::new("a.npy"), &mut bytes.as_slice()).unwrap();
        assert_eq!(
            (head.shape.as_slice(), head.element, head.is_fortran),
            (&[3, 2][..], Element::F32, false)
        );
        let numbers = &bytes[head.data_offset as usize..];
        let read: Vec<f32> =
            numbers.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect();
        assert_eq!(read, [1.0, -2.5, 0.25, 4.0, 5.0, 6.0]);
        // The same columns of a transposed view.
        assert_eq!(npy_of_rows(&rows.t().to_owned()).unwrap().len(), bytes.len());
    }
}
