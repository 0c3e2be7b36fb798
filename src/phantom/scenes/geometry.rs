//! Closed outlines: the only shape that scenes are made of.
//!
//! Coordinates are whatever the caller draws in (scene pixels, or the unit frame of a thing);
//! curves are flattened once, finely enough for 425 pixels.

use std::f32::consts::TAU;

/// A point or vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down in scene pixels, up in a thing's frame.
    pub y: f32,
}

/// Short form of [`Point`], since outlines are tables of points.
pub const fn at(x: f32, y: f32) -> Point {
    Point { x, y }
}

/// A closed polygon with counter-clockwise orientation (positive shoelace area), so that unions add up.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    points: Vec<Point>,
}

impl Outline {
    /// Closed polygon through the points; the orientation is corrected.
    pub fn polygon(points: impl Into<Vec<Point>>) -> Self {
        let mut points = points.into();
        if signed_area(&points) < 0.0 {
            points.reverse();
        }
        Self { points }
    }

    /// Axis-parallel rectangle from two opposite corners.
    pub fn rectangle(from: Point, to: Point) -> Self {
        Self::polygon([from, at(to.x, from.y), to, at(from.x, to.y)])
    }

    /// Rectangle whose corners are quarter circles of the given radius.
    pub fn rounded(from: Point, to: Point, radius: f32) -> Self {
        let (x0, x1) = (from.x.min(to.x), from.x.max(to.x));
        let (y0, y1) = (from.y.min(to.y), from.y.max(to.y));
        let r = radius.min((x1 - x0) / 2.0).min((y1 - y0) / 2.0);
        let corners =
            [(x1 - r, y1 - r, 0.0), (x0 + r, y1 - r, 0.25), (x0 + r, y0 + r, 0.5), (x1 - r, y0 + r, 0.75)];
        let points: Vec<Point> = corners
            .iter()
            .flat_map(|&(cx, cy, start)| {
                (0..=6).map(move |step| {
                    let angle = TAU * (start + step as f32 / 24.0);
                    at(cx + r * angle.cos(), cy + r * angle.sin())
                })
            })
            .collect();
        Self::polygon(points)
    }

    /// Ellipse with semi-axes `rx`, `ry`, turned by `turn` radians.
    pub fn ellipse(centre: Point, rx: f32, ry: f32, turn: f32) -> Self {
        Self::arc_polygon(centre, rx, ry, turn, 0.0, 1.0, 40)
    }

    /// Circle.
    pub fn circle(centre: Point, radius: f32) -> Self {
        Self::ellipse(centre, radius, radius, 0.0)
    }

    /// Regular polygon with a flat side on top.
    pub fn regular(centre: Point, radius: f32, sides: usize) -> Self {
        Self::arc_polygon(centre, radius, radius, TAU / (2.0 * sides as f32), 0.0, 1.0, sides)
    }

    /// Slice of an ellipse, from one fraction of a turn to another, closed through its centre.
    pub fn sector(centre: Point, rx: f32, ry: f32, from: f32, to: f32) -> Self {
        let mut points = Self::arc_points(centre, rx, ry, 0.0, from, to, 24);
        points.push(at(centre.x + rx * (TAU * to).cos(), centre.y + ry * (TAU * to).sin()));
        points.push(centre);
        Self::polygon(points)
    }

    /// Stroke with round ends whose radius goes from `r0` to `r1`.
    pub fn limb(from: Point, to: Point, r0: f32, r1: f32) -> Self {
        let angle = (to.y - from.y).atan2(to.x - from.x);
        let mut points = Vec::with_capacity(20);
        // Half a circle around either end; the straight sides follow from joining them.
        for (centre, radius, start) in [(to, r1, -0.25_f32), (from, r0, 0.25)] {
            for step in 0..=9 {
                let turn = angle + TAU * (start + step as f32 / 18.0);
                points.push(at(centre.x + radius * turn.cos(), centre.y + radius * turn.sin()));
            }
        }
        Self::polygon(points)
    }

    /// Smooth closed curve (Catmull-Rom) through the points: animals and other organic silhouettes.
    pub fn smooth(points: &[Point]) -> Self {
        const STEPS: usize = 6;
        let n = points.len();
        let mut curve = Vec::with_capacity(n * STEPS);
        for i in 0..n {
            // The curve from p1 to p2, with the slopes that their neighbours give.
            let [p0, p1, p2, p3] =
                [points[(i + n - 1) % n], points[i], points[(i + 1) % n], points[(i + 2) % n]];
            for step in 0..STEPS {
                let t = step as f32 / STEPS as f32;
                let blend = |a: f32, b: f32, c: f32, d: f32| {
                    0.5 * (2.0 * b
                        + (c - a) * t
                        + (2.0 * a - 5.0 * b + 4.0 * c - d) * t * t
                        + (3.0 * b - a - 3.0 * c + d) * t * t * t)
                };
                curve.push(at(blend(p0.x, p1.x, p2.x, p3.x), blend(p0.y, p1.y, p2.y, p3.y)));
            }
        }
        Self::polygon(curve)
    }

    /// The corners.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// The outline with every corner moved by `place`.
    pub fn mapped(&self, place: impl Fn(Point) -> Point) -> Self {
        Self::polygon(self.points.iter().copied().map(place).collect::<Vec<_>>())
    }

    /// Smallest rectangle around the outline, as its two corners.
    pub fn bounds(&self) -> (Point, Point) {
        let mut low = at(f32::INFINITY, f32::INFINITY);
        let mut high = at(f32::NEG_INFINITY, f32::NEG_INFINITY);
        for point in &self.points {
            low = at(low.x.min(point.x), low.y.min(point.y));
            high = at(high.x.max(point.x), high.y.max(point.y));
        }
        (low, high)
    }

    fn arc_polygon(c: Point, rx: f32, ry: f32, turn: f32, from: f32, to: f32, steps: usize) -> Self {
        Self::polygon(Self::arc_points(c, rx, ry, turn, from, to, steps))
    }

    fn arc_points(c: Point, rx: f32, ry: f32, turn: f32, from: f32, to: f32, steps: usize) -> Vec<Point> {
        let (sin, cos) = turn.sin_cos();
        (0..steps)
            .map(|step| {
                let angle = TAU * (from + (to - from) * step as f32 / steps as f32);
                let (x, y) = (rx * angle.cos(), ry * angle.sin());
                at(c.x + x * cos - y * sin, c.y + x * sin + y * cos)
            })
            .collect()
    }
}

fn signed_area(points: &[Point]) -> f32 {
    let n = points.len();
    (0..n)
        .map(|i| {
            let (a, b) = (points[i], points[(i + 1) % n]);
            // Twice the area of the triangle with the origin, signed.
            a.x * b.y - b.x * a.y
        })
        .sum::<f32>()
        / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlines_have_the_area_of_their_shape() {
        let square = Outline::rectangle(at(3.0, 1.0), at(1.0, 4.0));
        assert_eq!(signed_area(square.points()), 6.0);
        let circle = Outline::circle(at(5.0, 5.0), 2.0);
        assert!((signed_area(circle.points()) - 12.566).abs() < 0.1);
        let limb = Outline::limb(at(0.0, 0.0), at(4.0, 0.0), 1.0, 1.0);
        assert!((signed_area(limb.points()) - (8.0 + std::f32::consts::PI)).abs() < 0.1);
    }

    #[test]
    fn bounds_enclose_every_corner() {
        let (low, high) = Outline::polygon([at(1.0, 2.0), at(-3.0, 5.0), at(0.0, -1.0)]).bounds();
        assert_eq!((low, high), (at(-3.0, -1.0), at(1.0, 5.0)));
    }
}
