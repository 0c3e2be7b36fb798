//! The black square.

use std::ops::Range;

use super::planes::Planes;

/// A square by its centre and edge, in fractions of the image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskSquare {
    /// Centre along the rows, then along the columns, 0..1.
    pub centre: [f64; 2],
    /// Edge.
    pub side: f64,
}

impl MaskSquare {
    /// Sets the square to 0. It is clipped at the border; the last row and column are never reached, as in the published code
    /// (docs/spec/open-questions.md OQ-06).
    pub fn apply(&self, planes: &mut Planes) {
        let rows = self.range(self.centre[0], planes.height);
        let columns = self.range(self.centre[1], planes.width);
        let (height, width) = (planes.height, planes.width);
        for plane in planes.values.chunks_exact_mut((height * width).max(1)) {
            for row in rows.clone() {
                plane[row * width..][columns.clone()].fill(0.0);
            }
        }
    }

    fn range(&self, centre: f64, len: usize) -> Range<usize> {
        let edge = |share: f64| (share * len as f64).round_ties_even().max(0.0) as usize;
        let end = edge(centre + self.side / 2.0).min(len.saturating_sub(1));
        edge(centre - self.side / 2.0).min(end)..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_row_and_column_stay() {
        let range = |centre, len| MaskSquare { centre: [0.5; 2], side: 0.3 }.range(centre, len);
        assert_eq!(range(0.5, 256), 90..166); // 89.6 and 166.4
        assert_eq!(range(0.0, 256), 0..38);
        assert_eq!(range(1.0, 256), 218..255);
        let mut planes = Planes { values: vec![1.0; 3 * 16], height: 4, width: 4 };
        MaskSquare { centre: [1.0, 0.5], side: 1.0 }.apply(&mut planes);
        let black = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0];
        for plane in planes.values.chunks_exact(16) {
            assert_eq!(plane, black);
        }
    }
}
