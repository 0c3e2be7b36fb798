//! From description to pixels: the picture, and the region number of every pixel.

use super::canvas::{Canvas, Layer, Viewport};
use super::composition::{Placed, Scene};
use super::pen::Pen;

impl Scene {
    /// NSD's square crop, `size` × `size` pixels.
    pub fn render_crop(&self, size: u32) -> image::RgbImage {
        let side = self.size.0.min(self.size.1) as f32;
        let (left, top) = (self.crop_origin.0 as f32, self.crop_origin.1 as f32);
        self.render(size, size, Viewport { left, top, width: side, height: side })
    }

    /// The whole picture at its own resolution.
    pub fn render_whole(&self) -> image::RgbImage {
        self.render(self.size.0, self.size.1, self.whole())
    }

    /// Region number of every pixel of the whole picture, row by row (numbers: `pen`).
    pub fn regions(&self) -> Vec<u8> {
        let mut canvas =
            Canvas::new(self.size.0 as usize, self.size.1 as usize, self.whole(), Layer::Regions);
        self.paint(&mut canvas);
        canvas.into_regions()
    }

    fn whole(&self) -> Viewport {
        Viewport { left: 0.0, top: 0.0, width: self.size.0 as f32, height: self.size.1 as f32 }
    }

    fn render(&self, width: u32, height: u32, viewport: Viewport) -> image::RgbImage {
        let mut canvas = Canvas::new(width as usize, height as usize, viewport, Layer::Colours);
        self.paint(&mut canvas);
        // Light multiplies the finished picture, so the outlines of annotations are those of any light.
        canvas.lit(self.light);
        canvas.to_image()
    }

    fn paint(&self, canvas: &mut Canvas) {
        self.backdrop.paint(canvas);
        for (index, placed) in self.order_of_painting() {
            let mut pen = Pen {
                canvas,
                origin: super::geometry::at(placed.x, placed.y),
                scale: placed.height,
                facing: placed.facing,
                instance: index as u8 + 1,
                seed: self.backdrop.seed as u32 ^ (index as u32 + 1),
            };
            placed.thing.draw(&mut pen, &placed.look);
        }
    }

    /// Things with their index in `placed`, in the order of painting.
    fn order_of_painting(&self) -> Vec<(usize, &Placed)> {
        let mut order: Vec<(usize, &Placed)> = self.placed.iter().enumerate().collect();
        let support = self.relation == super::composition::Relation::On;
        // From far to near: who stands lower in the picture is nearer.
        order.sort_by(|a, b| {
            // What lies on something is painted after it, although its feet are higher up.
            let key = |(index, placed): &(usize, &Placed)| match (support, index) {
                (true, 0) => self.placed[1].y + 0.5,
                _ => placed.y,
            };
            key(a).total_cmp(&key(b))
        });
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_picture() {
        let draw = |seed, image| Scene::draw(seed, image).render_crop(64).into_raw();
        assert_eq!(draw(3, 10), draw(3, 10));
        assert_ne!(draw(3, 10), draw(3, 11));
        assert_ne!(draw(3, 10), draw(4, 10));
    }

    #[test]
    fn small_and_large_pictures_agree() {
        for index in 0..12 {
            let scene = Scene::draw(1, index);
            let small = scene.render_crop(64);
            let large = image::imageops::resize(
                &scene.render_crop(384),
                64,
                64,
                image::imageops::FilterType::Triangle,
            );
            let difference: f64 = small
                .as_raw()
                .iter()
                .zip(large.as_raw())
                .map(|(a, b)| f64::from(a.abs_diff(*b)))
                .sum::<f64>()
                / small.as_raw().len() as f64;
            assert!(difference < 8.0, "scene {index}: mean difference {difference:.1} of 255");
        }
    }

    #[test]
    fn every_thing_covers_pixels() {
        let mut seen = std::collections::BTreeSet::new();
        for index in 0..150 {
            let scene = Scene::draw(2, index);
            let regions = scene.regions();
            assert!(regions.iter().all(|region| *region != 0), "scene {index} has unpainted pixels");
            for (instance, placed) in scene.placed.iter().enumerate() {
                let pixels =
                    regions.iter().filter(|region| **region % 32 == instance as u8 + 1 && **region < 128);
                if pixels.count() > 100 {
                    seen.insert(placed.thing);
                }
            }
        }
        assert_eq!(seen.len(), super::super::things::Thing::ALL.len(), "{seen:?}");
    }
}
