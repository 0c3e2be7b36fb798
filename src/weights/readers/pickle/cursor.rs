//! Bytes of a pickle from first to last: lengths are compared with what is left before anything is taken.

use std::fmt::Display;

use super::opcode as op;
use super::tree::Value;
use crate::error::Fault;

/// Longest module or name of a global, in bytes.
pub(super) const MAX_GLOBAL_BYTES: usize = 1024;

/// A place in the bytes.
pub(super) struct Cursor<'a, 'w> {
    pub bytes: &'a [u8],
    pub at: usize,
    /// Where the current opcode stands.
    pub opcode_at: usize,
    /// The pickle, for messages.
    pub what: &'w str,
}

impl<'a> Cursor<'a, '_> {
    pub fn fault(&self, expected: impl Display, found: impl Display) -> Fault {
        Fault::new(format!("{}, byte {}", self.what, self.opcode_at), expected, found)
    }

    /// Bytes after this place.
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub fn too_long(&self, length: u64) -> Fault {
        let left = self.left();
        self.fault(format!("at most the {left} bytes that are left"), format!("a length of {length}"))
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let taken = self.bytes[self.at..].get(..count).ok_or_else(|| self.too_long(count as u64))?;
        self.at += count;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let taken = *self.bytes[self.at..].first_chunk::<N>().ok_or_else(|| self.too_long(N as u64))?;
        self.at += N;
        Ok(taken)
    }

    /// The bytes after a length of one, four or eight bytes.
    pub fn counted(&mut self, opcode: u8) -> Result<&'a [u8], Fault> {
        let length = match opcode {
            op::SHORT_BINUNICODE | op::SHORT_BINBYTES | op::SHORT_BINSTRING | op::LONG1 => {
                u64::from(self.array::<1>()?[0])
            }
            // A negative length of BINSTRING or LONG4 is a huge one here.
            op::BINUNICODE | op::BINBYTES | op::BINSTRING | op::LONG4 => {
                u64::from(u32::from_le_bytes(self.array()?))
            }
            _ => u64::from_le_bytes(self.array()?),
        };
        let count = usize::try_from(length).map_err(|_| self.too_long(length))?;
        self.take(count)
    }

    pub fn integer(&mut self, opcode: u8) -> Result<Value<'a>, Fault> {
        Ok(Value::Int(match opcode {
            op::BININT => i64::from(i32::from_le_bytes(self.array()?)),
            op::BININT1 => i64::from(self.array::<1>()?[0]),
            op::BININT2 => i64::from(u16::from_le_bytes(self.array()?)),
            _ => {
                let bytes = self.counted(opcode)?;
                if bytes.len() > 8 {
                    return Ok(Value::BigInt(bytes));
                }
                let is_negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
                // Two's complement in fewer than eight bytes: the sign fills those that are missing.
                let mut padded = [if is_negative { 0xff } else { 0 }; 8];
                padded[..bytes.len()].copy_from_slice(bytes);
                i64::from_le_bytes(padded)
            }
        }))
    }

    pub fn line(&mut self) -> Result<&'a str, Fault> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().take(MAX_GLOBAL_BYTES).position(|&byte| byte == b'\n').ok_or_else(|| {
            self.fault(format!("a name of at most {MAX_GLOBAL_BYTES} bytes"), "a longer one")
        })?;
        let text = std::str::from_utf8(&rest[..end]).map_err(|error| self.fault("a name in UTF-8", error))?;
        self.at += end + 1;
        Ok(text)
    }
}
