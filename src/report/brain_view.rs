//! A value per voxel, seen through the brain: from behind, from above, from either side.
//!
//! NSD's volumes run left to right, posterior to anterior, inferior to superior. A pixel is the mean over the voxels on its
//! line of sight.

use image::{Rgb, RgbImage};

/// Side from which the brain is projected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Viewpoint {
    /// Behind the head: left is left, up is up.
    Behind,
    /// Above: left is left, the front is up.
    Above,
    /// The left hemisphere from its side: the front is left.
    Left,
    /// The right hemisphere from its side: the front is right.
    Right,
}

impl Viewpoint {
    /// All viewpoints, in the order in which a report shows them.
    pub const ALL: [Self; 4] = [Self::Behind, Self::Above, Self::Left, Self::Right];

    /// What stands below a picture from here.
    pub fn name(self) -> &'static str {
        match self {
            Self::Behind => "from behind",
            Self::Above => "from above",
            Self::Left => "left side",
            Self::Right => "right side",
        }
    }
}

/// Values of some voxels of a volume.
#[derive(Clone, Debug)]
pub struct BrainView<'a> {
    /// `[X, Y, Z]` of the volume.
    pub grid: [usize; 3],
    /// Indices into the volume, x fastest.
    pub voxels: &'a [usize],
    /// One value per voxel; those that are not finite are not drawn.
    pub values: &'a [f64],
    /// Values of the darkest and the brightest colour.
    pub range: (f64, f64),
}

/// Colour where there is no voxel.
const EMPTY: Rgb<u8> = Rgb([128, 128, 128]);
/// Pixels along the edge of a voxel.
const SCALE: u32 = 3;
/// Dark blue over green to yellow; equal steps of value look like equal steps of lightness.
const COLOURS: [[f64; 3]; 5] = [
    [48.0, 18.0, 78.0],
    [54.0, 81.0, 140.0],
    [32.0, 144.0, 140.0],
    [94.0, 201.0, 97.0],
    [253.0, 231.0, 60.0],
];

impl BrainView<'_> {
    /// The picture, cut to the voxels that are drawn from any side.
    pub fn draw(&self, from: Viewpoint) -> RgbImage {
        let [x_size, y_size, z_size] = self.grid;
        let (width, height) = match from {
            Viewpoint::Behind => (x_size, z_size),
            Viewpoint::Above => (x_size, y_size),
            Viewpoint::Left | Viewpoint::Right => (y_size, z_size),
        };
        let mut sums = vec![(0.0, 0_u32); width * height];
        let (mut low, mut high) = ((width, height), (0, 0));
        for (voxel, value) in self.voxels.iter().zip(self.values) {
            // x runs fastest in NSD's volumes.
            let (x, y, z) = (voxel % x_size, voxel / x_size % y_size, voxel / (x_size * y_size));
            // The two hemispheres meet in the middle of the grid: x runs from left to right.
            let is_left = 2 * x < x_size;
            let (column, row) = match from {
                // Rows of a picture run downwards, z and y of a volume upwards and forwards: they are turned round.
                Viewpoint::Behind => (x, z_size - 1 - z),
                Viewpoint::Above => (x, y_size - 1 - y),
                Viewpoint::Left if is_left => (y_size - 1 - y, z_size - 1 - z),
                Viewpoint::Right if !is_left => (y, z_size - 1 - z),
                Viewpoint::Left | Viewpoint::Right => continue,
            };
            if !value.is_finite() {
                continue;
            }
            let (sum, count) = &mut sums[row * width + column];
            *sum += value;
            *count += 1;
            low = (low.0.min(column), low.1.min(row));
            high = (high.0.max(column + 1), high.1.max(row + 1));
        }
        // No voxel on this side, or none with a value.
        if low.0 >= high.0 {
            return RgbImage::from_pixel(SCALE, SCALE, EMPTY);
        }
        let size = [high.0 - low.0, high.1 - low.1].map(|side| side as u32 * SCALE);
        RgbImage::from_fn(size[0], size[1], |u, v| {
            let (column, row) = (low.0 + (u / SCALE) as usize, low.1 + (v / SCALE) as usize);
            match sums[row * width + column] {
                (_, 0) => EMPTY,
                (sum, count) => self.colour(sum / f64::from(count)),
            }
        })
    }

    fn colour(&self, value: f64) -> Rgb<u8> {
        let (low, high) = self.range;
        // In units of steps between neighbouring colours; what lies outside the range takes the colour of its end.
        let place = ((value - low) / (high - low)).clamp(0.0, 1.0) * (COLOURS.len() - 1) as f64;
        let lower = (place.floor() as usize).min(COLOURS.len() - 2);
        let share = place - lower as f64;
        let mix =
            |channel: usize| COLOURS[lower][channel] * (1.0 - share) + COLOURS[lower + 1][channel] * share;
        Rgb([0, 1, 2].map(|channel| mix(channel).round() as u8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn voxels_appear_where_they_lie_and_means_are_taken_along_the_view() {
        // Left, right (two behind each other), and one without a value.
        let flat = |x: usize, y: usize, z: usize| x + 4 * (y + 3 * z);
        let voxels = [flat(0, 0, 0), flat(3, 0, 1), flat(3, 2, 1), flat(1, 1, 0)];
        let values = [0.0, 0.0, 1.0, f64::NAN];
        let view = BrainView { grid: [4, 3, 2], voxels: &voxels, values: &values, range: (0.0, 1.0) };
        let behind = view.draw(Viewpoint::Behind);
        assert_eq!(behind.dimensions(), (4 * SCALE, 2 * SCALE));
        let at = |image: &RgbImage, column: u32, row: u32| image.get_pixel(column * SCALE, row * SCALE).0;
        assert_eq!(at(&behind, 0, 1), [48, 18, 78]);
        assert_eq!(at(&behind, 3, 0), [32, 144, 140]);
        assert_eq!(at(&behind, 1, 1), EMPTY.0);
        let above = view.draw(Viewpoint::Above);
        assert_eq!(at(&above, 3, 0), [253, 231, 60]);
        let right = view.draw(Viewpoint::Right);
        assert_eq!(right.dimensions(), (3 * SCALE, SCALE));
        assert_eq!(at(&right, 2, 0), [253, 231, 60]);
        assert_eq!(view.draw(Viewpoint::Left).dimensions(), (SCALE, SCALE));
    }

    #[test]
    fn nothing_to_see_is_a_small_picture() {
        let view = BrainView { grid: [2, 2, 2], voxels: &[], values: &[], range: (0.0, 1.0) };
        assert_eq!(view.draw(Viewpoint::Behind).get_pixel(0, 0), &EMPTY);
    }
}
