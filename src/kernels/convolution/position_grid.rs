//! Images of one channel side by side with a zero between rows and a row of zeros between images.
//!
//! In this layout a shift by rows and columns is one distance in memory for all pixels of all images: taps of a convolution
//! become places to read from, and nothing needs to be copied per tap.

use crate::kernels::dots::LANES;

/// A grid of positions for some images.
#[derive(Clone, Copy, Debug)]
pub struct PositionGrid {
    /// Number of images.
    pub images: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
}

/// Makes a buffer ready for a layout of `len` values. The zeros of a layout stay where they are from task to task; the last task may
/// hold fewer images, and its zeros lie elsewhere.
pub fn zeros_for_layout(buffer: &mut Vec<f32>, len: usize) {
    if buffer.len() != len {
        buffer.clear();
        buffer.resize(len, 0.0);
    }
}

impl PositionGrid {
    /// Distance from row to row.
    pub fn line(&self) -> usize {
        self.width + 1
    }

    /// Positions of all images, rounded up to whole vectors.
    pub fn len(&self) -> usize {
        // A row's last pixel and the next row's first have one zero between them, which serves as the right border of
        // the one and the left border of the other; the line of zeros between images does the same for rows.
        (self.images * (self.height + 1) * self.line()).next_multiple_of(LANES)
    }

    /// Whether there is nothing to hold.
    pub fn is_empty(&self) -> bool {
        self.images * self.height * self.width == 0
    }

    /// The lines of a grid that hold pixels, one after the other, as (image, row, first position).
    pub fn lines(&self) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let Self { images, height, .. } = *self;
        let line = self.line();
        (0..images * height)
            .map(move |index| (index / height, index % height, (index + index / height) * line))
    }

    /// Copies pixels `plane(image)` into the grid that begins at `to[0]`; what lies between stays.
    pub fn fill<'a>(&self, plane: impl Fn(usize) -> &'a [f32], to: &mut [f32]) {
        for (image, row, at) in self.lines() {
            let from = &plane(image)[row * self.width..][..self.width];
            to[at..at + self.width].copy_from_slice(from);
        }
    }
}
