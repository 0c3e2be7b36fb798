//! Paints a place: bands of stuff with textures, from the horizon or floor line down.

use rand::{RngExt, rngs::ChaCha12Rng};

use super::canvas::Canvas;
use super::colour::Colour;
use super::geometry::{Outline, at};
use super::pen::{Paint, STUFF_OFFSET, fill_stuff};
use super::places::Place;
use super::texture::Texture;
use crate::tensor_ops::random::keyed_rng;

/// A place with everything that chance decides about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Backdrop {
    /// Kind.
    pub place: Place,
    /// Height of the ground line in scene pixels from the top.
    pub horizon: f32,
    /// Size of the scene in pixels.
    pub size: (f32, f32),
    /// Seed of details and textures.
    pub seed: u64,
}

impl Backdrop {
    /// Paints the whole scene's background.
    pub fn paint(&self, canvas: &mut Canvas) {
        let mut painter = Painter {
            canvas,
            rng: keyed_rng(self.seed, "phantom/backdrop", 0),
            backdrop: self,
            texture_seed: self.seed as u32,
        };
        match self.place {
            Place::Meadow => painter.meadow(),
            Place::Beach => painter.beach(),
            Place::Sea => painter.sea(),
            Place::Snowfield => painter.snowfield(),
            Place::Street => painter.street(),
            Place::Sky => painter.sky(),
            Place::BrickYard => painter.brick_yard(),
            Place::LivingRoom => painter.living_room(),
            Place::Kitchen => painter.kitchen(),
            Place::Bedroom => painter.bedroom(),
        }
    }
}

struct Painter<'a> {
    canvas: &'a mut Canvas,
    rng: ChaCha12Rng,
    backdrop: &'a Backdrop,
    texture_seed: u32,
}

impl Painter<'_> {
    fn pick(&mut self, choices: &[u32]) -> Colour {
        Colour::hex(choices[self.rng.random_range(0..choices.len())])
    }

    fn fill(&mut self, outline: &Outline, stuff: u8, paint: Paint) {
        fill_stuff(self.canvas, outline, STUFF_OFFSET + stuff, paint, self.texture_seed);
    }

    /// Full-width band between two heights.
    fn band(&mut self, top: f32, bottom: f32, stuff: u8, paint: Paint) {
        // Two pixels beyond the picture: its border is inside, not half covered.
        let outline = Outline::rectangle(at(-2.0, top), at(self.backdrop.size.0 + 2.0, bottom));
        self.fill(&outline, stuff, paint);
    }

    /// Sky of a random hour with a few clouds; stuff numbers 0 and 1.
    fn sky(&mut self) {
        let (width, height) = self.backdrop.size;
        let bottom = self.backdrop.horizon.min(height + 2.0);
        let colour = self.pick(&[0x5a_9ee0, 0x86_b8e6, 0x3f_7fd0, 0xa8_c4d8, 0xe8_a878, 0xb4_bcc4]);
        self.band(-2.0, bottom, 0, Paint::flat(colour).shaded(-0.35));
        let clouds = self.rng.random_range(0..4);
        for _ in 0..clouds {
            let x = self.rng.random_range(0.0..width);
            let y = self.rng.random_range(0.06..0.75) * bottom;
            let r = self.rng.random_range(0.03..0.07) * width;
            let white = Paint::flat(Colour::hex(0xfa_fafc)).shaded(0.12).opacity(0.85);
            let puffs =
                [(-1.5, 0.15, 0.7), (-0.6, -0.25, 1.0), (0.5, -0.1, 0.9), (1.4, 0.2, 0.65), (0.0, 0.25, 1.0)];
            for (dx, dy, size) in puffs {
                let puff = Outline::ellipse(at(x + dx * r, y + dy * r * 0.6), r * size, r * size * 0.55, 0.0);
                if y + dy * r * 0.6 + r * size * 0.55 < bottom {
                    self.fill(&puff, 1, white);
                }
            }
        }
    }

    fn meadow(&mut self) {
        self.sky();
        let ((width, height), horizon) = (self.backdrop.size, self.backdrop.horizon);
        let leaves = self.pick(&[0x3a_6a2c, 0x2c_5a30, 0x54_7a2c, 0xa8_6a24]);
        let trees = self.rng.random_range(0..7);
        for _ in 0..trees {
            let x = self.rng.random_range(0.0..width);
            let size = self.rng.random_range(0.09..0.2) * height;
            self.fill(
                &Outline::rectangle(at(x - size * 0.07, horizon - size), at(x + size * 0.07, horizon + 4.0)),
                2,
                Paint::flat(Colour::hex(0x5a_4028)),
            );
            let crown =
                Paint::flat(leaves).shaded(0.4).textured(Texture::Grain { size: size * 0.4, strength: 0.35 });
            for (dx, dy, r) in [(-0.3, 0.95, 0.4), (0.3, 1.0, 0.38), (0.0, 1.3, 0.45)] {
                self.fill(&Outline::circle(at(x + dx * size, horizon - dy * size), r * size), 2, crown);
            }
        }
        let grass = self.pick(&[0x5a_9a3a, 0x72_a83e, 0x48_8438, 0x9a_a44a]);
        let blades = Texture::Blades { size: 26.0, strength: 0.3 };
        self.band(horizon, height + 2.0, 3, Paint::flat(grass).shaded(0.25).textured(blades));
    }

    fn sea_from(&mut self, horizon: f32, bottom: f32) {
        let water = self.pick(&[0x2a_6a9c, 0x2f_8a9a, 0x1f_4f86, 0x4a_8fb4]);
        self.band(horizon, bottom, 2, Paint::flat(water).shaded(0.2).textured(Texture::Waves { horizon }));
    }

    fn sea(&mut self) {
        self.sky();
        self.sea_from(self.backdrop.horizon, self.backdrop.size.1 + 2.0);
    }

    fn beach(&mut self) {
        self.sky();
        let ((width, height), horizon) = (self.backdrop.size, self.backdrop.horizon);
        self.sea_from(horizon, height + 2.0);
        let shore = horizon + (height - horizon) * self.rng.random_range(0.22..0.36);
        let tilt = self.rng.random_range(-0.05..0.05) * width;
        let sand = self.pick(&[0xe2_c894, 0xd6_b682, 0xea_d8b0]);
        let (bottom, right) = (height + 2.0, width + 2.0);
        let edge = |lift: f32| {
            let (left_y, right_y) = (shore + tilt - lift, shore - tilt - lift);
            Outline::polygon([at(-2.0, left_y), at(right, right_y), at(right, bottom), at(-2.0, bottom)])
        };
        self.fill(&edge(7.0), 2, Paint::flat(Colour::hex(0xf2_f6f6)));
        let grain = Texture::Grain { size: 30.0, strength: 0.14 };
        self.fill(&edge(0.0), 3, Paint::flat(sand).shaded(0.12).textured(grain));
    }

    fn snowfield(&mut self) {
        self.sky();
        let ((width, height), horizon) = (self.backdrop.size, self.backdrop.horizon);
        for _ in 0..3 {
            let x = self.rng.random_range(0.0..width);
            let rise = self.rng.random_range(0.25..0.6) * horizon;
            let base = rise * self.rng.random_range(0.9..1.5);
            let rock =
                Paint::flat(Colour::hex(0x78_8496)).textured(Texture::Grain { size: 40.0, strength: 0.25 });
            let peak = at(x, horizon - rise);
            self.fill(
                &Outline::polygon([at(x - base, horizon + 2.0), peak, at(x + base, horizon + 2.0)]),
                2,
                rock,
            );
            let cap = [
                peak,
                at(x - base * 0.3, horizon - rise * 0.7),
                at(x - base * 0.1, horizon - rise * 0.76),
                at(x + base * 0.06, horizon - rise * 0.66),
                at(x + base * 0.3, horizon - rise * 0.7),
            ];
            self.fill(&Outline::polygon(cap), 2, Paint::flat(Colour::hex(0xf2_f5f8)));
        }
        let snow = self.pick(&[0xf2_f5f9, 0xe6_ecf4, 0xf6_f2ee]);
        let drift = Texture::Grain { size: 90.0, strength: 0.06 };
        self.band(horizon, height + 2.0, 3, Paint::flat(snow).shaded(0.12).textured(drift));
        for _ in 0..self.rng.random_range(0..5) {
            let x = self.rng.random_range(0.0..width);
            let size = self.rng.random_range(0.1..0.2) * height;
            let needle = Paint::flat(Colour::hex(0x2c_5440)).shaded(-0.3);
            for tier in 0..3 {
                let (low, high) = (tier as f32 * 0.26, 0.5 + tier as f32 * 0.26);
                let spread = size * (0.34 - 0.08 * tier as f32);
                let y = |rise: f32| horizon + 6.0 - rise * size;
                let tree = Outline::polygon([at(x - spread, y(low)), at(x, y(high)), at(x + spread, y(low))]);
                self.fill(&tree, 4, needle);
            }
        }
    }

    fn street(&mut self) {
        self.sky();
        let ((width, height), horizon) = (self.backdrop.size, self.backdrop.horizon);
        let mut x = -self.rng.random_range(0.0..0.1) * width;
        // Every house draws as many numbers as it needs; the backdrop has a stream of its own, so the things do not
        // move with it.
        while x < width {
            let w = self.rng.random_range(0.16..0.3) * width;
            let top = horizon * self.rng.random_range(0.02..0.45);
            let wall = self.pick(&[0xb8_7a5c, 0x9c_9a94, 0xc8_b48c, 0x84_8ea0, 0xa4_5a4c]);
            let bricks = Texture::Bricks { height: 9.0 };
            let facade = Outline::rectangle(at(x, top), at(x + w, horizon + 2.0));
            self.fill(&facade, 2, Paint::flat(wall.scaled(0.85)).textured(bricks));
            let columns = (w / 42.0).floor().max(1.0);
            let step = w / columns;
            let mut y = top + 16.0;
            while y + 26.0 < horizon - 18.0 {
                for column in 0..columns as usize {
                    let left = x + step * (column as f32 + 0.28);
                    let pane = Outline::rectangle(at(left, y), at(left + step * 0.44, y + 26.0));
                    self.fill(&pane, 2, Paint::flat(Colour::hex(0x4a_5e72)).shaded(-0.4));
                }
                y += 46.0;
            }
            x += w + 1.0;
        }
        let kerb = horizon + (height - horizon) * 0.16;
        let slabs = Texture::Tiles { size: 22.0 };
        self.band(horizon, kerb, 3, Paint::flat(Colour::hex(0xb4_b0a8)).textured(slabs));
        let asphalt = Texture::Grain { size: 7.0, strength: 0.12 };
        self.band(kerb, height + 2.0, 4, Paint::flat(Colour::hex(0x58_5a5e)).textured(asphalt));
        let line = kerb + (height - kerb) * 0.55;
        let mut dash = self.rng.random_range(-60.0..0.0);
        while dash < width {
            let mark = Outline::polygon([
                at(dash, line),
                at(dash + 70.0, line),
                at(dash + 64.0, line + 8.0),
                at(dash - 6.0, line + 8.0),
            ]);
            self.fill(&mark, 4, Paint::flat(Colour::hex(0xe8_e4d4)));
            dash += 130.0;
        }
    }

    fn brick_yard(&mut self) {
        let ((_, height), horizon) = (self.backdrop.size, self.backdrop.horizon);
        let brick = self.pick(&[0xa8_5440, 0xb8_6a48, 0x8c_4c40]);
        self.band(-2.0, horizon, 0, Paint::flat(brick).textured(Texture::Bricks { height: 20.0 }));
        let slabs = Texture::Tiles { size: 46.0 };
        self.band(horizon, height + 2.0, 1, Paint::flat(Colour::hex(0xa8_a49c)).shaded(0.2).textured(slabs));
    }

    fn window(&mut self, sill: f32) {
        let (width, height) = self.backdrop.size;
        let (w, h) = (0.24 * width, 0.3 * height);
        let x = self.rng.random_range(0.05..0.7) * width;
        let y = sill - h - self.rng.random_range(0.1..0.2) * height;
        let frame = Paint::flat(Colour::hex(0xf4_f2ee));
        self.fill(&Outline::rectangle(at(x - 8.0, y - 8.0), at(x + w + 8.0, y + h + 8.0)), 1, frame);
        self.fill(
            &Outline::rectangle(at(x, y), at(x + w, y + h)),
            1,
            Paint::flat(Colour::hex(0x9c_c6ea)).shaded(-0.2),
        );
        self.fill(&Outline::rectangle(at(x + w / 2.0 - 3.0, y), at(x + w / 2.0 + 3.0, y + h)), 1, frame);
        self.fill(&Outline::rectangle(at(x, y + h / 2.0 - 3.0), at(x + w, y + h / 2.0 + 3.0)), 1, frame);
    }

    fn room(&mut self, walls: &[u32], floor: Paint) {
        let ((_, height), horizon) = (self.backdrop.size, self.backdrop.horizon);
        let wall = self.pick(walls);
        let plaster = Texture::Grain { size: 60.0, strength: 0.05 };
        self.band(-2.0, horizon, 0, Paint::flat(wall).shaded(0.15).textured(plaster));
        if self.rng.random_bool(0.5) {
            self.window(horizon);
        }
        self.band(horizon, height + 2.0, 2, floor);
        self.band(horizon - 10.0, horizon, 0, Paint::flat(Colour::hex(0xec_e8e0)));
    }

    fn living_room(&mut self) {
        let board = self.pick(&[0x9a_6a3c, 0xb4_8250, 0x7a_4e2c]);
        let floor = Paint::flat(board).shaded(0.15).textured(Texture::Planks { width: 24.0 });
        self.room(&[0xd8_cdb4, 0xb8_ccd0, 0xd0_b0a0, 0xa8_bc9c, 0xe4_dfd4], floor);
    }

    fn bedroom(&mut self) {
        let pile = self.pick(&[0x8a_8498, 0x9c_7a6c, 0x6c_8290, 0xb0_a48c]);
        let floor = Paint::flat(pile).shaded(0.15).textured(Texture::Grain { size: 8.0, strength: 0.2 });
        self.room(&[0xc8_c0d8, 0xe0_d4c0, 0xb0_c4d8, 0xd8_bcbc], floor);
    }

    fn kitchen(&mut self) {
        let ((_, height), horizon) = (self.backdrop.size, self.backdrop.horizon);
        let tile = self.pick(&[0xe4_e6e4, 0xb4_d0d0, 0xe0_d0b4, 0xb8_c4dc]);
        self.band(-2.0, horizon, 0, Paint::flat(tile).textured(Texture::Tiles { size: 52.0 }));
        let board = self.pick(&[0xa8_743c, 0x86_5630, 0xc4_9a64]);
        let wood = Texture::Planks { width: 46.0 };
        self.band(horizon, height + 2.0, 1, Paint::flat(board).shaded(0.15).textured(wood));
        self.band(horizon, horizon + 7.0, 1, Paint::flat(board.scaled(0.6)));
    }
}
