//! NSD's crops: from positions in a COCO photograph to positions in the 425 × 425 image that was shown.
//!
//! A photograph was cut to a square along its longer side, then scaled. The table holds the fractions removed.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Edge of the image shown, in pixels.
const SHOWN_SIDE: f64 = 425.0;

/// Fractions of a photograph removed from each side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct CropBox {
    pub top: f64,
    pub bottom: f64,
    pub left: f64,
    pub right: f64,
}

/// The text is no `(top, bottom, left, right)` with fractions that leave something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected (top, bottom, left, right), fractions from 0 to 1 that leave something")]
pub struct CropBoxError;

impl FromStr for CropBox {
    type Err = CropBoxError;

    fn from_str(text: &str) -> Result<Self, CropBoxError> {
        let inner =
            text.trim().strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).ok_or(CropBoxError)?;
        let fractions = inner
            .split(',')
            .map(|part| part.trim().parse::<f64>().map_err(|_| CropBoxError))
            .collect::<Result<Vec<_>, _>>()?;
        let [top, bottom, left, right] = fractions[..] else { return Err(CropBoxError) };
        let leaves_something = top + bottom < 1.0 && left + right < 1.0;
        if !fractions.iter().all(|fraction| (0.0..1.0).contains(fraction)) || !leaves_something {
            return Err(CropBoxError);
        }
        Ok(Self { top, bottom, left, right })
    }
}

/// A rectangle: corner nearest the origin, width and height, in pixels (COCO's `bbox`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Rectangle {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rectangle {
    /// Width times height.
    pub fn area(&self) -> f64 {
        self.width * self.height
    }
}

impl CropBox {
    /// The square of a `width × height` photograph that was kept, in whole pixels: `(left, top, side)`.
    ///
    /// The side is that of the shorter side of what the fractions leave, so that rounding cannot reach outside.
    pub fn kept_square(&self, width: u32, height: u32) -> (u32, u32, u32) {
        let (w, h) = (f64::from(width), f64::from(height));
        let left = (self.left * w).round() as u32;
        let top = (self.top * h).round() as u32;
        let kept_width = (w * (1.0 - self.left - self.right)).round() as u32;
        let kept_height = (h * (1.0 - self.top - self.bottom)).round() as u32;
        // Both sides are rounded from fractions: the smaller one counts, and the square ends within the photograph.
        let side = kept_width
            .min(kept_height)
            .min(width.saturating_sub(left))
            .min(height.saturating_sub(top))
            .max(1);
        (left, top, side)
    }

    /// A rectangle of a `width × height` photograph in pixels of the image shown; none when nothing of it was kept.
    pub fn map_rectangle(&self, rectangle: Rectangle, width: u32, height: u32) -> Option<Rectangle> {
        let (w, h) = (f64::from(width), f64::from(height));
        let side = (w * (1.0 - self.left - self.right)).round();
        if side <= 0.0 {
            return None;
        }
        let scale = SHOWN_SIDE / side;
        // Clipped to what was kept: the rest of the rectangle was not shown.
        let map_x = |x: f64| ((x - self.left * w) * scale).clamp(0.0, SHOWN_SIDE);
        let map_y = |y: f64| ((y - self.top * h) * scale).clamp(0.0, SHOWN_SIDE);
        let (x, y) = (map_x(rectangle.x), map_y(rectangle.y));
        let mapped = Rectangle {
            x,
            y,
            width: map_x(rectangle.x + rectangle.width) - x,
            height: map_y(rectangle.y + rectangle.height) - y,
        };
        (mapped.area() > 0.0).then_some(mapped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixed_integers_and_fractions_are_read() {
        let crop: CropBox = "(0, 0, 0.1671875, 0.1671875)".parse().unwrap();
        assert_eq!(crop.left, 107.0 / 640.0);
        assert_eq!(crop.kept_square(640, 426), (107, 0, 426));
        for text in ["", "(0,0,0)", "0,0,0,0", "(0,0,0.5,0.5)", "(0,0,-0.1,0)", "(nan,0,0,0)", "(0,0,0,0,0)"]
        {
            assert!(text.parse::<CropBox>().is_err(), "{text}");
        }
    }

    #[test]
    fn rectangles_are_shifted_scaled_and_clipped() {
        let crop = CropBox { top: 0.0, bottom: 0.0, left: 0.25, right: 0.25 };
        let inside = Rectangle { x: 850.0, y: 85.0, width: 85.0, height: 85.0 };
        // 1700 × 850: columns 425 to 1275 are kept and halved.
        let mapped = crop.map_rectangle(inside, 1700, 850).unwrap();
        assert_eq!(mapped, Rectangle { x: 212.5, y: 42.5, width: 42.5, height: 42.5 });
        let half_out = Rectangle { x: 340.0, y: 0.0, width: 170.0, height: 10.0 };
        let mapped = crop.map_rectangle(half_out, 1700, 850).unwrap();
        assert_eq!(mapped, Rectangle { x: 0.0, y: 0.0, width: 42.5, height: 5.0 });
        let outside = Rectangle { x: 0.0, y: 0.0, width: 425.0, height: 850.0 };
        assert_eq!(crop.map_rectangle(outside, 1700, 850), None);
    }
}
