//! Random resized crop and flip.

use rand::{Rng, RngExt};

use super::config::AugmentConfig;
use super::planes::Planes;

/// Draws before the fallback at the centre.
const TRIES: usize = 10;

/// A rectangle of an image, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CropWindow {
    pub top: usize,
    pub left: usize,
    pub height: usize,
    pub width: usize,
}

impl CropWindow {
    /// Area uniform, logarithm of the aspect uniform, place uniform; the largest possible window at the centre when ten draws
    /// do not fit a `side` × `side` image.
    pub(super) fn draw(config: &AugmentConfig, side: usize, rng: &mut impl Rng) -> Self {
        let [least, largest] = config.crop_aspect;
        for _ in 0..TRIES {
            let area = (side * side) as f64 * uniform(config.crop_area, rng);
            let aspect = uniform([least.ln(), largest.ln()], rng).exp();
            // Halves go to the even number, as Python rounds.
            let width = (area * aspect).sqrt().round_ties_even() as usize;
            let height = (area / aspect).sqrt().round_ties_even() as usize;
            if (1..=side).contains(&width) && (1..=side).contains(&height) {
                let top = rng.random_range(0..=side - height);
                let left = rng.random_range(0..=side - width);
                return Self { top, left, height, width };
            }
        }
        let length = |share: f64| ((side as f64 * share).round_ties_even() as usize).clamp(1, side);
        // For a square image, the allowed aspect nearest to 1 gives the largest window.
        let aspect = 1.0_f64.clamp(least, largest);
        let (width, height) = (length(aspect.min(1.0)), length((1.0 / aspect).min(1.0)));
        Self { top: (side - height) / 2, left: (side - width) / 2, height, width }
    }

    /// The window at `side` × `side`, bilinear. It must lie inside the image.
    pub fn apply(&self, planes: &Planes, side: usize) -> Planes {
        let mut values = Vec::with_capacity(3 * self.height * self.width);
        for plane in planes.values.chunks_exact((planes.height * planes.width).max(1)) {
            for row in plane.chunks_exact(planes.width).skip(self.top).take(self.height) {
                values.extend_from_slice(&row[self.left..self.left + self.width]);
            }
        }
        Planes { values, height: self.height, width: self.width }.resize(side, false)
    }
}

/// A number between the two ends.
pub(super) fn uniform([low, high]: [f64; 2], rng: &mut impl Rng) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// Left becomes right.
pub(super) fn flip(planes: &mut Planes) {
    for row in planes.values.chunks_exact_mut(planes.width.max(1)) {
        row.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_ops::random::keyed_rng;

    #[test]
    fn windows_lie_inside_and_keep_to_their_ranges() {
        let mut rng = keyed_rng(1, "crop", 0);
        let config = AugmentConfig::default();
        for _ in 0..500 {
            let CropWindow { top, left, height, width } = CropWindow::draw(&config, 256, &mut rng);
            assert!(top + height <= 256 && left + width <= 256);
            let area = (height * width) as f64 / 65536.0;
            assert!((0.79..=1.0).contains(&area), "{area}");
            assert!((0.74..1.36).contains(&(width as f64 / height as f64)));
        }
    }

    #[test]
    fn what_never_fits_is_cut_at_the_centre() {
        let config = AugmentConfig { crop_area: [1.0, 1.0], crop_aspect: [2.0, 2.5], ..Default::default() };
        let window = CropWindow::draw(&config, 8, &mut keyed_rng(1, "crop", 0));
        assert_eq!(window, CropWindow { top: 2, left: 0, height: 4, width: 8 });
    }

    #[test]
    fn a_window_is_enlarged_and_a_flip_turns_rows() {
        let values: Vec<f32> = (0..3 * 16).map(|index| (index % 16) as f32).collect();
        let planes = Planes { values, height: 4, width: 4 };
        let window = CropWindow { top: 1, left: 2, height: 2, width: 2 };
        let mut cut = window.apply(&planes, 2);
        assert_eq!(cut.values[..4], [6.0, 7.0, 10.0, 11.0]);
        flip(&mut cut);
        assert_eq!(cut.values[..4], [7.0, 6.0, 11.0, 10.0]);
    }
}
