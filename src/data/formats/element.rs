//! Numbers of every kind that arrays are stored in, turned into single or double precision.

use half::f16;
use hdf5_metno::H5Type;

/// Single or double precision.
pub trait Real: H5Type + Copy + PartialEq + Into<f64> {
    /// The nearest number of this precision.
    fn nearest(number: f64) -> Self;
}

impl Real for f32 {
    fn nearest(number: f64) -> Self {
        number as Self
    }
}

impl Real for f64 {
    fn nearest(number: f64) -> Self {
        number
    }
}

/// Type of a stored number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Element {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
}

impl Element {
    /// Bytes of one number.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether it has numbers that single precision does not hold.
    pub fn needs_double(self) -> bool {
        matches!(self, Self::U32 | Self::I32 | Self::U64 | Self::I64 | Self::F64)
    }

    /// Appends the numbers that `bytes` hold; bytes behind the last whole number are left out.
    pub fn decode<R: Real>(self, bytes: &[u8], is_big_endian: bool, values: &mut Vec<R>) {
        macro_rules! numbers {
            ($number:ty, $to:expr) => {
                values.extend(bytes.chunks_exact(size_of::<$number>()).map(|chunk| {
                    let mut array = [0_u8; size_of::<$number>()];
                    array.copy_from_slice(chunk);
                    let number = if is_big_endian {
                        <$number>::from_be_bytes(array)
                    } else {
                        <$number>::from_le_bytes(array)
                    };
                    R::nearest($to(number))
                }))
            };
        }
        match self {
            Self::Bool => values.extend(bytes.iter().map(|byte| R::nearest(f64::from(u8::from(*byte != 0))))),
            Self::U8 => values.extend(bytes.iter().map(|byte| R::nearest(f64::from(*byte)))),
            Self::I8 => numbers!(i8, f64::from),
            Self::U16 => numbers!(u16, f64::from),
            Self::I16 => numbers!(i16, f64::from),
            Self::F16 => numbers!(f16, f64::from),
            Self::U32 => numbers!(u32, f64::from),
            Self::I32 => numbers!(i32, f64::from),
            Self::U64 => numbers!(u64, |number| number as f64),
            Self::I64 => numbers!(i64, |number| number as f64),
            Self::F32 => numbers!(f32, f64::from),
            Self::F64 => numbers!(f64, |number| number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_kind_and_order_are_read() {
        let read = |element: Element, bytes: &[u8], is_big_endian| {
            let mut values: Vec<f32> = Vec::new();
            element.decode(bytes, is_big_endian, &mut values);
            values
        };
        assert_eq!(read(Element::Bool, &[0, 1, 2], false), [0.0, 1.0, 1.0]);
        assert_eq!(read(Element::I16, &[0xff, 0xfe], true), [-2.0]);
        assert_eq!(read(Element::I16, &[0xfe, 0xff], false), [-2.0]);
        assert_eq!(read(Element::F16, &[0x00, 0x3e], false), [1.5]);
        assert_eq!(read(Element::U64, &9_u64.to_be_bytes(), true), [9.0]);
        assert_eq!(
            read(Element::F64, &[0.25_f64.to_le_bytes(), 4.0_f64.to_le_bytes()].concat(), false),
            [0.25, 4.0]
        );
        assert!(read(Element::F32, &[0, 0, 0], false).is_empty());
        let mut exact: Vec<f64> = Vec::new();
        Element::I64.decode(&16_777_217_i64.to_le_bytes(), false, &mut exact);
        assert_eq!(
            (exact, read(Element::I64, &16_777_217_i64.to_le_bytes(), false)),
            (vec![16_777_217.0], vec![16_777_216.0])
        );
        assert!(Element::I64.needs_double() && !Element::I16.needs_double());
    }
}
