//! Bytes to the classifier's input.

/// RGB bytes of one picture, row by row (`[row, column, channel]`), to `[channel, row, column]` in −1..1.
pub fn planes_pm1(pixels_u8_hwc: &[u8], planes: &mut Vec<f32>) {
    for channel in 0..3 {
        // Pixel-interleaved to planes: every third byte, from the channel's own on.
        planes.extend(pixels_u8_hwc.iter().skip(channel).step_by(3).map(|level| level_pm1(*level)));
    }
}

/// The same, left and right exchanged; `side` is the picture's width.
pub fn mirrored_planes_pm1(pixels_u8_hwc: &[u8], side: usize, planes: &mut Vec<f32>) {
    for channel in 0..3 {
        for row in pixels_u8_hwc.chunks_exact(3 * side) {
            planes.extend(row.iter().skip(channel).step_by(3).rev().map(|level| level_pm1(*level)));
        }
    }
}

fn level_pm1(level: u8) -> f32 {
    f32::from(level) / 127.5 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_become_planes_and_columns_turn_round() {
        // Two rows of two pixels.
        let bytes = [0, 255, 0, 255, 0, 0, 255, 255, 0, 0, 0, 255];
        let (mut plain, mut mirrored) = (vec![], vec![]);
        planes_pm1(&bytes, &mut plain);
        mirrored_planes_pm1(&bytes, 2, &mut mirrored);
        assert_eq!(plain, [-1.0, 1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, -1.0, -1.0, -1.0, 1.0]);
        assert_eq!(mirrored, [1.0, -1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0]);
    }
}
