//! Which elements of a storage a tensor shows, and in what order.

use super::storage::Storage;

/// Elements of a shape; none when even the axes that are not empty multiply to no number.
pub(super) fn element_count(shape: &[usize]) -> Option<usize> {
    let product = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length.max(1)))?;
    Some(if shape.contains(&0) { 0 } else { product })
}

/// Offset, sizes and strides, in elements.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'v> {
    pub offset: usize,
    pub shape: &'v [usize],
    pub strides: &'v [usize],
}

impl View<'_> {
    /// One past the last element that the view touches; none when that is no number.
    pub fn end(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        // No stride is negative, so the last element on every axis is the farthest.
        let mut last = self.offset;
        for (&length, &stride) in self.shape.iter().zip(self.strides) {
            last = last.checked_add((length - 1).checked_mul(stride)?)?;
        }
        last.checked_add(1)
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(self.strides).rev().all(|(&length, &stride)| {
            // Along an axis of length 1 nobody steps: its stride says nothing.
            let fits = length == 1 || stride == expected;
            expected *= length;
            fits
        })
    }

    /// The elements in row-major order; the view must lie inside the storage.
    pub fn copy(&self, storage: Storage<'_>, elements: usize) -> Vec<u8> {
        let size = storage.dtype.size_bytes();
        if elements == 0 {
            return Vec::new();
        }
        if self.is_contiguous() {
            return storage.bytes[self.offset * size..(self.offset + elements) * size].to_vec();
        }
        let mut bytes = Vec::with_capacity(elements * size);
        let mut index = vec![0; self.shape.len()];
        let mut at = self.offset;
        for _ in 0..elements {
            bytes.extend_from_slice(&storage.bytes[at * size..][..size]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < self.shape[axis] {
                    at += self.strides[axis];
                    break;
                }
                index[axis] = 0;
                // Back to the first element of this axis, and on to the next axis on the left.
                at -= (self.shape[axis] - 1) * self.strides[axis];
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::foreign::Dtype;

    fn copied(offset: usize, shape: &[usize], strides: &[usize]) -> Vec<u8> {
        let bytes: Vec<u8> = (0..24).collect();
        let layout = View { offset, shape, strides };
        assert!(layout.end().unwrap() <= 24);
        layout.copy(Storage { dtype: Dtype::U8, bytes: &bytes }, element_count(shape).unwrap())
    }

    #[test]
    fn views_become_row_major() {
        assert_eq!(copied(1, &[2, 3], &[3, 1]), [1, 2, 3, 4, 5, 6]);
        assert_eq!(copied(0, &[3, 2], &[1, 3]), [0, 3, 1, 4, 2, 5], "transposed");
        assert_eq!(copied(2, &[2, 2], &[12, 4]), [2, 6, 14, 18], "a slice");
        assert_eq!(copied(5, &[3], &[0]), [5, 5, 5], "expanded");
        assert_eq!(copied(7, &[], &[]), [7], "a scalar");
        assert_eq!(copied(0, &[2, 1, 2], &[2, 99, 1]), [0, 1, 2, 3], "axes of one have any stride");
        assert!(copied(0, &[4, 0], &[1, 1]).is_empty());
    }

    #[test]
    fn counts_and_ends_that_are_no_numbers_are_seen() {
        assert_eq!(element_count(&[usize::MAX, 2]), None);
        assert_eq!(element_count(&[usize::MAX, 2, 0]), None);
        assert_eq!(element_count(&[3, 0]), Some(0));
        let far = View { offset: usize::MAX, shape: &[2], strides: &[1] };
        assert_eq!(far.end(), None);
        let wide = View { offset: 0, shape: &[3], strides: &[usize::MAX] };
        assert_eq!(wide.end(), None);
    }
}
