//! Affine maps of the plane of an image.

/// From output to input, in pixels about the centre: `(x, y) ↦ (a·x + b·y + c, d·x + e·y + f)`, x to the right, y down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct AffineMap {
    /// `[a, b, c]`, `[d, e, f]`
    pub rows: [[f64; 3]; 2],
}

impl AffineMap {
    pub const IDENTITY: Self = Self { rows: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]] };

    pub fn scale(x: f64, y: f64) -> Self {
        Self { rows: [[x, 0.0, 0.0], [0.0, y, 0.0]] }
    }

    pub fn translation(x: f64, y: f64) -> Self {
        Self { rows: [[1.0, 0.0, x], [0.0, 1.0, y]] }
    }

    pub fn rotation(angle: f64) -> Self {
        let (sin, cos) = angle.sin_cos();
        Self { rows: [[cos, -sin, 0.0], [sin, cos, 0.0]] }
    }

    /// Rotation by `turns` · 90°, without rounding.
    pub fn quarter_turns(turns: u8) -> Self {
        // Exact zeros and ones, so that [`Self::moves_whole_pixels`] still recognises the map after it was multiplied
        // with others.
        let (sin, cos) = [(0.0, 1.0), (1.0, 0.0), (0.0, -1.0), (-1.0, 0.0)][usize::from(turns % 4)];
        Self { rows: [[cos, -sin, 0.0], [sin, cos, 0.0]] }
    }

    /// `self · other`: `other` is applied to coordinates first.
    pub fn then(self, other: Self) -> Self {
        let rows = self.rows.map(|[a, b, c]| {
            // The third row is (0, 0, 1) in both and in the product.
            let [[d, e, f], [g, h, i]] = other.rows;
            [a * d + b * g, a * e + b * h, a * f + b * i + c]
        });
        Self { rows }
    }

    pub fn at(&self, x: f64, y: f64) -> [f64; 2] {
        self.rows.map(|[a, b, c]| a * x + b * y + c)
    }

    /// Whether every pixel comes from a pixel: a signed permutation of the axes and a shift by whole pixels.
    pub fn moves_whole_pixels(&self) -> bool {
        let [[a, b, c], [d, e, f]] = self.rows;
        let is_axis = |x: f64, y: f64| (x.abs() == 1.0 && y == 0.0) || (x == 0.0 && y.abs() == 1.0);
        is_axis(a, b) && is_axis(d, e) && c.fract() == 0.0 && f.fract() == 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_multiply_from_the_left() {
        let map = AffineMap::scale(2.0, 3.0).then(AffineMap::translation(1.0, -1.0));
        assert_eq!(map.at(0.0, 0.0), [2.0, -3.0]);
        assert_eq!(map.at(1.0, 1.0), [4.0, 0.0]);
        assert!(!map.moves_whole_pixels());
        assert!(AffineMap::quarter_turns(3).then(AffineMap::translation(2.0, 0.0)).moves_whole_pixels());
    }
}
