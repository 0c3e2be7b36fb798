//! Anti-aliased painting of outlines, with a region number per pixel beside the colour.
//!
//! Coverage is exact area coverage: every edge adds its signed area to an accumulation row, and the running
//! sum along the row is the covered share of each pixel. The same outlines painted at 64 or at 425 pixels hence
//! show the same picture.

use super::colour::Colour;
use super::geometry::{Outline, Point, at};

/// The part of the scene that a canvas shows, in scene pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Viewport {
    /// Left edge.
    pub left: f32,
    /// Top edge.
    pub top: f32,
    /// Width of the visible part.
    pub width: f32,
    /// Height of the visible part.
    pub height: f32,
}

/// What each pixel of a canvas keeps: its colour, or the number of the region it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Colours only: the picture.
    Colours,
    /// Region numbers only: the annotations.
    Regions,
}

/// Pixels under construction.
pub struct Canvas {
    width: usize,
    height: usize,
    viewport: Viewport,
    colours: Vec<[f32; 3]>,
    regions: Vec<u8>,
    coverage: Vec<f32>,
}

impl Canvas {
    /// Black canvas of `width` × `height` pixels, or region 0 everywhere.
    pub fn new(width: usize, height: usize, viewport: Viewport, layer: Layer) -> Self {
        let pixels = width * height;
        let (colours, regions) = match layer {
            Layer::Colours => (vec![[0.0; 3]; pixels], Vec::new()),
            Layer::Regions => (Vec::new(), vec![0; pixels]),
        };
        Self { width, height, viewport, colours, regions, coverage: Vec::new() }
    }

    /// Scene pixels per canvas pixel: paint leaves out detail finer than this.
    pub fn pixel_size(&self) -> f32 {
        self.viewport.width / self.width as f32
    }

    /// Paints the outline (scene pixels) with `paint(point) -> (colour, opacity)`; pixels covered by more than
    /// half are given to `region` when one is named.
    pub fn fill(&mut self, outline: &Outline, region: Option<u8>, paint: impl Fn(Point) -> (Colour, f32)) {
        let scale_x = self.width as f32 / self.viewport.width;
        let scale_y = self.height as f32 / self.viewport.height;
        let (left, top) = (self.viewport.left, self.viewport.top);
        let points: Vec<Point> =
            outline.points().iter().map(|p| at((p.x - left) * scale_x, (p.y - top) * scale_y)).collect();
        let mut low = at(f32::INFINITY, f32::INFINITY);
        let mut high = at(f32::NEG_INFINITY, f32::NEG_INFINITY);
        for p in &points {
            low = at(low.x.min(p.x), low.y.min(p.y));
            high = at(high.x.max(p.x), high.y.max(p.y));
        }
        let (x0, y0) = (low.x.floor().max(0.0) as usize, low.y.floor().max(0.0) as usize);
        let x1 = (high.x.ceil().max(0.0) as usize).min(self.width);
        let y1 = (high.y.ceil().max(0.0) as usize).min(self.height);
        if x0 >= x1 || y0 >= y1 {
            return;
        }
        let (columns, rows) = (x1 - x0, y1 - y0);
        self.coverage.clear();
        // Two cells more than columns: an edge writes into its own cell and the next one.
        self.coverage.resize((columns + 2) * rows, 0.0);
        for (i, &a) in points.iter().enumerate() {
            let b = points[(i + 1) % points.len()];
            let shift = |p: Point| at(p.x - x0 as f32, p.y - y0 as f32);
            accumulate(&mut self.coverage, columns, rows, shift(a), shift(b));
        }
        for row in 0..rows {
            let mut sum = 0.0;
            for column in 0..columns {
                sum += self.coverage[row * (columns + 2) + column];
                // The running sum is the winding number times the share; outlines that overlap themselves exceed 1.
                let covered = sum.abs().min(1.0);
                if covered < 1.0 / 512.0 {
                    continue;
                }
                let pixel = (y0 + row) * self.width + x0 + column;
                if let Some(region) = region
                    // A shared border at exactly one half must not leave a gap.
                    && covered > 0.499
                    && !self.regions.is_empty()
                {
                    self.regions[pixel] = region;
                }
                if !self.colours.is_empty() {
                    let x = left + ((x0 + column) as f32 + 0.5) / scale_x;
                    let y = top + ((y0 + row) as f32 + 0.5) / scale_y;
                    let (colour, opacity) = paint(at(x, y));
                    for (old, new) in self.colours[pixel].iter_mut().zip(colour.0) {
                        *old += (new - *old) * covered * opacity;
                    }
                }
            }
        }
    }

    /// Multiplies every pixel by the light's colour.
    pub fn lit(&mut self, light: [f32; 3]) {
        for pixel in &mut self.colours {
            for (channel, factor) in pixel.iter_mut().zip(light) {
                *channel *= factor;
            }
        }
    }

    /// The picture, 8 bits a channel.
    pub fn to_image(&self) -> image::RgbImage {
        let mut picture = image::RgbImage::new(self.width as u32, self.height as u32);
        for (pixel, colour) in picture.pixels_mut().zip(&self.colours) {
            *pixel = image::Rgb(colour.map(|channel| (channel.clamp(0.0, 1.0) * 255.0).round() as u8));
        }
        picture
    }

    /// Region number of each pixel, row by row.
    pub fn into_regions(self) -> Vec<u8> {
        self.regions
    }
}

/// Adds one edge's signed area to the rows it crosses; edges left of the window count fully, right of it not at all.
fn accumulate(cells: &mut [f32], columns: usize, rows: usize, a: Point, b: Point) {
    if a.y == b.y {
        return;
    }
    let (direction, upper, lower) = if a.y < b.y { (1.0, a, b) } else { (-1.0, b, a) };
    let slope = (lower.x - upper.x) / (lower.y - upper.y);
    let limit = columns as f32;
    let first = upper.y.max(0.0) as usize;
    let last = (lower.y.ceil().max(0.0) as usize).min(rows);
    for row in first..last {
        let y_from = upper.y.max(row as f32);
        let y_to = lower.y.min(row as f32 + 1.0);
        if y_to <= y_from {
            continue;
        }
        let height = (y_to - y_from) * direction;
        let x_at = |y: f32| upper.x + (y - upper.y) * slope;
        let (xa, xb) = (x_at(y_from), x_at(y_to));
        // Clamped, not cut: an edge left of the window still covers everything right of it.
        let (x_low, x_high) = (xa.min(xb).clamp(0.0, limit), xa.max(xb).clamp(0.0, limit));
        let line = &mut cells[row * (columns + 2)..(row + 1) * (columns + 2)];
        let first_cell = x_low as usize;
        let last_cell = (x_high.ceil() as usize).max(first_cell + 1);
        if last_cell == first_cell + 1 {
            // The edge stays within one pixel: the area right of its mean position is covered.
            let inside = 1.0 - ((x_low + x_high) / 2.0 - first_cell as f32);
            line[first_cell] += height * inside;
            line[first_cell + 1] += height * (1.0 - inside);
        } else {
            // Integral of the covered share, differenced from cell to cell.
            let per_x = height / (x_high - x_low);
            let mut before = 0.0;
            for (cell, sum) in line.iter_mut().enumerate().take(last_cell).skip(first_cell) {
                let enter = x_low.max(cell as f32);
                let leave = x_high.min(cell as f32 + 1.0);
                let crossing = (leave - enter) * per_x;
                let inside = (cell as f32 + 1.0) - (enter + leave) / 2.0;
                *sum += before + crossing * inside;
                before = crossing * (1.0 - inside);
            }
            line[last_cell] += before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Viewport = Viewport { left: 0.0, top: 0.0, width: 20.0, height: 20.0 };

    fn covered(outline: &Outline, size: usize) -> f32 {
        let mut canvas = Canvas::new(size, size, WHOLE, Layer::Colours);
        canvas.fill(outline, None, |_| (Colour([1.0; 3]), 1.0));
        canvas.colours.iter().map(|pixel| pixel[0]).sum::<f32>() * (20.0 / size as f32).powi(2)
    }

    #[test]
    fn coverage_equals_area_at_any_size() {
        let shape = Outline::polygon([at(2.3, 3.1), at(17.2, 5.7), at(8.8, 16.4)]);
        let area = 0.5_f32 * ((17.2 - 2.3) * (16.4 - 3.1) - (8.8 - 2.3) * (5.7 - 3.1));
        for size in [10, 20, 64] {
            assert!((covered(&shape, size) - area.abs()).abs() < 0.02 * area, "size {size}");
        }
    }

    #[test]
    fn outlines_beyond_the_edge_are_clipped() {
        let shape = Outline::rectangle(at(-5.0, -5.0), at(10.0, 30.0));
        assert!((covered(&shape, 20) - 200.0).abs() < 1e-2);
        let outside = Outline::rectangle(at(25.0, 0.0), at(30.0, 10.0));
        assert_eq!(covered(&outside, 20), 0.0);
    }

    #[test]
    fn regions_follow_the_last_paint() {
        let mut canvas = Canvas::new(20, 20, WHOLE, Layer::Regions);
        canvas.fill(&Outline::rectangle(at(0.0, 0.0), at(20.0, 20.0)), Some(1), |_| (Colour([0.0; 3]), 1.0));
        canvas.fill(&Outline::rectangle(at(4.0, 4.0), at(8.0, 8.0)), Some(2), |_| (Colour([0.0; 3]), 1.0));
        let regions = canvas.into_regions();
        assert_eq!(regions.iter().filter(|&&region| region == 2).count(), 16);
        assert_eq!(regions.iter().filter(|&&region| region == 1).count(), 384);
    }
}
