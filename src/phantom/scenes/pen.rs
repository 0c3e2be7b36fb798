//! Draws in a thing's own frame: x forward, y up, feet at the origin, height about 1.

use super::canvas::Canvas;
use super::colour::Colour;
use super::geometry::{Outline, Point, at};
use super::texture::Texture;

/// What part of a thing an outline belongs to; faces and letters are kept apart because brains do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Whatever is neither face nor letters.
    Body,
    /// The face of a person.
    Face,
    /// Printed letters.
    Letters,
    /// Shadow: painted, but part of no region.
    Shadow,
}

/// Region numbers: instances take 1..=31, their faces and letters follow in steps of 32, stuff starts at 128.
pub const FACE_OFFSET: u8 = 32;
/// Added to an instance's region number for its printed letters, as [`FACE_OFFSET`] is for its face.
pub const LETTERS_OFFSET: u8 = 64;
/// First region number of stuff.
pub const STUFF_OFFSET: u8 = 128;

/// Colour, texture, shading and opacity inside an outline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paint {
    colour: Colour,
    texture: Texture,
    shade: f32,
    round: f32,
    opacity: f32,
}

impl Paint {
    /// The same opaque colour everywhere.
    pub fn flat(colour: Colour) -> Self {
        Self { colour, texture: Texture::Plain, shade: 0.0, round: 0.0, opacity: 1.0 }
    }

    /// Darker towards the bottom by this share.
    pub fn shaded(mut self, share: f32) -> Self {
        self.shade = share;
        self
    }

    /// Lit from the upper left like a ball, by this share.
    pub fn round(mut self, share: f32) -> Self {
        self.round = share;
        self
    }

    /// With a surface pattern.
    pub fn textured(mut self, texture: Texture) -> Self {
        self.texture = texture;
        self
    }

    /// Lets the ground shine through.
    pub fn opacity(mut self, opacity: f32) -> Self {
        self.opacity = opacity;
        self
    }

    /// Colour and opacity at a point of an outline with these bounds (`y` grows downwards).
    fn at(&self, p: Point, low: Point, high: Point, seed: u32, pixel: f32) -> (Colour, f32) {
        let u = (p.x - low.x) / (high.x - low.x).max(1e-6) * 2.0 - 1.0;
        let v = (p.y - low.y) / (high.y - low.y).max(1e-6) * 2.0 - 1.0;
        // Brightest up and left of the middle, falling with the squared distance.
        let ball = 0.5 - 0.5 * ((u + 0.35).powi(2) + (v + 0.4).powi(2)).min(2.0);
        let brightness =
            self.texture.brightness(p, seed, pixel) * (1.0 - self.shade * 0.5 * v + self.round * ball);
        (self.colour.scaled(brightness), self.opacity)
    }
}

/// Where and how a thing is drawn.
pub struct Pen<'a> {
    /// Target.
    pub canvas: &'a mut Canvas,
    /// Scene position of the frame's origin (between the feet).
    pub origin: Point,
    /// Scene pixels per frame unit.
    pub scale: f32,
    /// +1: x points to the right; −1: mirrored.
    pub facing: f32,
    /// Region number of the instance, 1..=31.
    pub instance: u8,
    /// Seed of the surface patterns.
    pub seed: u32,
}

impl Pen<'_> {
    /// Fills an outline given in frame units.
    pub fn fill(&mut self, outline: &Outline, paint: Paint) {
        self.fill_part(outline, paint, Part::Body);
    }

    /// As [`Pen::fill`], for a part with its own region.
    pub fn fill_part(&mut self, outline: &Outline, paint: Paint, part: Part) {
        let (origin, scale, facing) = (self.origin, self.scale, self.facing);
        // y turns over: up in a thing's frame is down in the picture. `mapped` corrects the orientation that a mirror
        // reverses.
        let placed = outline.mapped(|p| at(origin.x + p.x * scale * facing, origin.y - p.y * scale));
        let region = match part {
            Part::Body => Some(self.instance),
            Part::Face => Some(self.instance + FACE_OFFSET),
            Part::Letters => Some(self.instance + LETTERS_OFFSET),
            Part::Shadow => None,
        };
        let (low, high) = placed.bounds();
        // Patterns of things are given in frame units, so that they grow with the thing.
        let pixel = self.canvas.pixel_size() / scale;
        let seed = self.seed;
        self.canvas.fill(&placed, region, |p| {
            let local = at((p.x - origin.x) / scale, (p.y - origin.y) / scale);
            let to_local = |q: Point| at((q.x - origin.x) / scale, (q.y - origin.y) / scale);
            paint.at(local, to_local(low), to_local(high), seed, pixel)
        });
    }

    /// Soft shadow on the ground below the thing, `half_width` in frame units.
    pub fn ground_shadow(&mut self, half_width: f32) {
        for (grow, opacity) in [(1.25, 0.10), (1.05, 0.13), (0.85, 0.17)] {
            let outline = Outline::ellipse(at(0.0, 0.0), half_width * grow, half_width * 0.14 * grow, 0.0);
            self.fill_part(&outline, Paint::flat(Colour([0.05; 3])).opacity(opacity), Part::Shadow);
        }
    }
}

/// Fills an outline in scene pixels with a textured colour, as stuff is painted.
pub fn fill_stuff(canvas: &mut Canvas, outline: &Outline, region: u8, paint: Paint, seed: u32) {
    let (low, high) = outline.bounds();
    let pixel = canvas.pixel_size();
    canvas.fill(outline, Some(region), |p| paint.at(p, low, high, seed, pixel));
}
