//! Brightness, contrast, saturation, hue, grey.

use super::planes::Planes;

/// Shares of red, green and blue in grey.
const GREY: [f32; 3] = [0.2989, 0.587, 0.114];

/// One step of the colour jitter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ColourStep {
    /// Factor of all values.
    Brightness(f32),
    /// Factor of the distance from the image's mean grey.
    Contrast(f32),
    /// Factor of the distance from the pixel's grey.
    Saturation(f32),
    /// Shift around the circle of colours, in turns.
    Hue(f32),
}

impl ColourStep {
    /// Changes the image; values stay in 0..1.
    pub fn apply(self, planes: &mut Planes) {
        match self {
            Self::Brightness(factor) => planes.map_pixels(|pixel| pixel.map(|value| mix(value, 0.0, factor))),
            Self::Contrast(factor) => {
                // Of the image as the steps before left it.
                let mean = mean_grey(planes);
                planes.map_pixels(|pixel| pixel.map(|value| mix(value, mean, factor)));
            }
            Self::Saturation(factor) => planes.map_pixels(|pixel| {
                let grey = grey_of(pixel);
                pixel.map(|value| mix(value, grey, factor))
            }),
            Self::Hue(turns) => planes.map_pixels(|pixel| shift_hue(pixel, turns)),
        }
    }
}

/// Every pixel becomes its grey.
pub fn grey(planes: &mut Planes) {
    planes.map_pixels(|pixel| [grey_of(pixel); 3]);
}

/// `factor` of the way from `from` to `value`, and beyond it above 1.
fn mix(value: f32, from: f32, factor: f32) -> f32 {
    (factor * value + (1.0 - factor) * from).clamp(0.0, 1.0)
}

fn grey_of(pixel: [f32; 3]) -> f32 {
    GREY[0] * pixel[0] + GREY[1] * pixel[1] + GREY[2] * pixel[2]
}

fn mean_grey(planes: &Planes) -> f32 {
    let count = (planes.height * planes.width).max(1);
    let sum: f64 = planes
        .values
        .chunks_exact(count)
        .zip(GREY)
        .map(|(plane, share)| f64::from(share) * plane.iter().map(|value| f64::from(*value)).sum::<f64>())
        .sum();
    (sum / count as f64) as f32
}

/// Through hue, saturation and value; grey pixels have no hue and stay.
fn shift_hue(pixel: [f32; 3], turns: f32) -> [f32; 3] {
    let [red, green, blue] = pixel;
    let value = red.max(green).max(blue);
    let chroma = value - red.min(green).min(blue);
    if chroma <= 0.0 {
        return pixel;
    }
    let sixths = if value == red {
        (green - blue) / chroma
    } else if value == green {
        2.0 + (blue - red) / chroma
    } else {
        4.0 + (red - green) / chroma
    };
    let hue = (sixths / 6.0 + turns).rem_euclid(1.0);
    // A colour falls from full to none over one sixth of the circle, a third apart from the others.
    [5.0, 3.0, 1.0].map(|offset: f32| {
        let place = (offset + 6.0 * hue).rem_euclid(6.0);
        (value - chroma * place.min(4.0 - place).clamp(0.0, 1.0)).clamp(0.0, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(pixel: [f32; 3], step: ColourStep) -> [f32; 3] {
        let mut planes = Planes { values: pixel.to_vec(), height: 1, width: 1 };
        step.apply(&mut planes);
        [planes.values[0], planes.values[1], planes.values[2]]
    }

    fn assert_colour(actual: [f32; 3], expected: [f32; 3]) {
        assert!(actual.iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-6), "{actual:?}");
    }

    #[test]
    fn a_third_of_a_turn_moves_red_to_green_and_a_whole_one_nothing() {
        assert_colour(one([0.8, 0.2, 0.2], ColourStep::Hue(1.0 / 3.0)), [0.2, 0.8, 0.2]);
        assert_colour(one([0.8, 0.2, 0.2], ColourStep::Hue(-1.0 / 3.0)), [0.2, 0.2, 0.8]);
        for pixel in [[0.1, 0.5, 0.9], [0.9, 0.5, 0.1], [0.3, 0.9, 0.4], [0.4, 0.4, 0.4]] {
            assert_colour(one(pixel, ColourStep::Hue(1.0)), pixel);
        }
    }

    #[test]
    fn factors_by_hand() {
        assert_colour(one([0.2, 0.4, 0.9], ColourStep::Brightness(1.5)), [0.3, 0.6, 1.0]);
        // One pixel is its own mean grey, so contrast and saturation agree.
        let grey = 0.2989 * 0.2 + 0.587 * 0.4 + 0.114 * 0.9;
        let half = [0.2, 0.4, 0.9].map(|value: f32| (value + grey) / 2.0);
        assert_colour(one([0.2, 0.4, 0.9], ColourStep::Contrast(0.5)), half);
        assert_colour(one([0.2, 0.4, 0.9], ColourStep::Saturation(0.5)), half);
        assert_colour(one([0.2, 0.4, 0.9], ColourStep::Saturation(0.0)), [grey; 3]);
    }
}
