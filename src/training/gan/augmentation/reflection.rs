//! What lies beyond the edge of an image: its mirror image.

/// Place of `index` in a line of `len` pixels that is mirrored at its outer pixels.
pub(super) fn reflected(index: isize, len: usize) -> usize {
    let last = len.saturating_sub(1) as isize;
    if last <= 0 {
        return 0;
    }
    // The mirror image of a mirror image has period 2·(len − 1): the outermost pixel is not repeated.
    let index = index.rem_euclid(2 * last);
    index.min(2 * last - index) as usize
}
