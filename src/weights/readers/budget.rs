//! What reading one file may cost, so that a small file cannot ask for much time or memory.

use crate::error::Fault;

/// Pickle opcodes, values visited and zip entries, together. Published files need some hundred thousand.
const MAX_WORK: u64 = 1 << 21;
/// Tensors of all networks of a file. StyleGAN2's G, D and G_ema have 600, CLIP 302.
const MAX_TENSORS: u32 = 1 << 16;
/// Decoded bytes for each byte of the file: tied weights and expanded buffers stay far below.
const BYTES_PER_FILE_BYTE: u64 = 4;
/// Decoded bytes that even the smallest file may have.
const FREE_BYTES: u64 = 1 << 20;

/// What is left of the limits; shared by everything that reads one file.
#[derive(Debug)]
pub(super) struct Budget {
    work: u64,
    tensors: u32,
    bytes: u64,
    max_bytes: u64,
}

impl Budget {
    /// The limits for a file of this size.
    pub fn for_file(size_bytes: u64) -> Self {
        let max_bytes = size_bytes.saturating_mul(BYTES_PER_FILE_BYTE).saturating_add(FREE_BYTES);
        Self { work: MAX_WORK, tensors: MAX_TENSORS, bytes: max_bytes, max_bytes }
    }

    /// Takes steps of work.
    ///
    /// # Errors
    /// A fault that names `what` when too many were taken.
    pub fn work(&mut self, what: &str, steps: usize) -> Result<(), Fault> {
        match self.work.checked_sub(steps as u64) {
            Some(left) => self.work = left,
            None => {
                return Err(Fault::new(
                    what,
                    format!("at most {MAX_WORK} opcodes and values"),
                    "more: a file longer than any known one, or built to grow without end",
                ));
            }
        }
        Ok(())
    }

    /// Takes decoded bytes, before they are allocated.
    ///
    /// # Errors
    /// A fault that names `what` when the file would unfold into too much.
    pub fn bytes(&mut self, what: &str, count: u64) -> Result<(), Fault> {
        match self.bytes.checked_sub(count) {
            Some(left) => self.bytes = left,
            None => {
                return Err(Fault::new(
                    what,
                    format!("at most {} decoded bytes from a file of this size", self.max_bytes),
                    format!("{count} bytes more than the {} left", self.bytes),
                )
                .hint("load the file where it came from and save contiguous tensors, each once"));
            }
        }
        Ok(())
    }

    /// Takes one tensor of `count` bytes.
    ///
    /// # Errors
    /// As [`Budget::bytes`], or too many tensors.
    pub fn tensor(&mut self, name: &str, count: u64) -> Result<(), Fault> {
        let Some(left) = self.tensors.checked_sub(1) else {
            return Err(Fault::new(
                "number of tensors",
                format!("at most {MAX_TENSORS}"),
                format!("more; `{name}` is the next"),
            ));
        };
        self.tensors = left;
        self.bytes(&format!("tensor `{name}`"), count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_counted_down_and_named() {
        let mut budget = Budget::for_file(10);
        let all = FREE_BYTES + 40;
        budget.bytes("x", all).unwrap();
        assert!(budget.tensor("w", 1).unwrap_err().to_string().contains("tensor `w`"));
        budget.work("pickle", MAX_WORK as usize).unwrap();
        assert!(budget.work("pickle", 1).is_err());
        for _ in 1..MAX_TENSORS {
            budget.tensor("w", 0).unwrap();
        }
        assert_eq!(budget.tensor("w", 0).unwrap_err().field, "number of tensors");
    }
}
