//! Surface patterns as functions of position: noise, bricks, planks, tiles, waves, blades.
//!
//! Every pattern is a brightness factor around 1 in scene pixels. Detail finer than about two canvas pixels is
//! faded out, so small pictures show the average instead of a moiré.

use super::geometry::Point;

/// A pattern and its scale.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // The variants' own lines name their fields.
pub enum Texture {
    /// Even surface.
    Plain,
    /// Fractal noise: `size` of the largest blobs in scene pixels, `strength` of the modulation.
    Grain { size: f32, strength: f32 },
    /// Noise stretched in the vertical: grass, fur.
    Blades { size: f32, strength: f32 },
    /// Courses of bricks of the given height, with light joints.
    Bricks { height: f32 },
    /// Boards of the given width, running to the right.
    Planks { width: f32 },
    /// Square tiles with joints.
    Tiles { size: f32 },
    /// Horizontal ripples that widen downwards from the horizon at `horizon`.
    Waves { horizon: f32 },
    /// Vertical stripes of the given width.
    Stripes { width: f32 },
}

impl Texture {
    /// Brightness factor at a point; `pixel` is the size of a canvas pixel in scene pixels.
    pub fn brightness(self, p: Point, seed: u32, pixel: f32) -> f32 {
        match self {
            Self::Plain => 1.0,
            Self::Grain { size, strength } => {
                1.0 + strength * fractal(p.x / size, p.y / size, seed, pixel / size)
            }
            Self::Blades { size, strength } => {
                1.0 + strength * fractal(p.x / size * 2.5, p.y / size * 0.7, seed, pixel / size * 2.5)
            }
            Self::Bricks { height } => {
                let course = (p.y / height).floor();
                // Every second course is shifted by half a brick.
                let along = p.x / (height * 2.2) + if course as i32 % 2 == 0 { 0.0 } else { 0.5 };
                let joint =
                    joint(p.y / height, 0.12, pixel / height).max(joint(along, 0.05, pixel / (height * 2.2)));
                let tone = lattice(along.floor() as i32, course as i32, seed) * 0.16;
                (1.0 + tone) * (1.0 - joint) + 1.45 * joint
            }
            Self::Planks { width } => {
                let board = (p.y / width).floor();
                let along = p.x / (width * 7.0) + lattice(0, board as i32, seed) * 3.0;
                let joint =
                    joint(p.y / width, 0.06, pixel / width).max(joint(along, 0.01, pixel / (width * 7.0)));
                let tone = lattice(along.floor() as i32, board as i32, seed.wrapping_add(7)) * 0.16;
                let fibre =
                    0.1 * fractal(p.x / (width * 2.5), p.y / (width * 0.25), seed, pixel / (width * 0.25));
                (1.0 + tone + fibre) * (1.0 - 0.55 * joint)
            }
            Self::Tiles { size } => {
                let joint = joint(p.x / size, 0.05, pixel / size).max(joint(p.y / size, 0.05, pixel / size));
                let tone = lattice((p.x / size).floor() as i32, (p.y / size).floor() as i32, seed) * 0.05;
                (1.0 + tone) * (1.0 - 0.25 * joint)
            }
            Self::Waves { horizon } => {
                let depth = (p.y - horizon).max(1.0);
                let rows = 26.0 * depth.ln();
                let swell =
                    fractal(p.x / (8.0 + depth * 0.5), rows * 0.22, seed, pixel / (4.0 + depth * 0.2));
                1.0 + 0.22 * swell
            }
            Self::Stripes { width } => {
                let phase = (p.x / width).rem_euclid(2.0);
                let fade = (1.0 - pixel / width).clamp(0.0, 1.0);
                1.0 + fade * if phase < 1.0 { 0.12 } else { -0.12 }
            }
        }
    }
}

/// Share of a joint at a position in units of the period; joints wider than a pixel are sharp.
fn joint(position: f32, width: f32, pixel: f32) -> f32 {
    let distance = (position - position.round()).abs();
    let soft = pixel.max(0.02);
    (((width / 2.0 + soft / 2.0 - distance) / soft).clamp(0.0, 1.0)) * (width / soft).min(1.0)
}

/// Sum of noise octaves in about −1..1; octaves with detail below two pixels are left out.
fn fractal(x: f32, y: f32, seed: u32, pixel: f32) -> f32 {
    let mut sum = 0.0;
    let mut frequency = 1.0;
    let mut amplitude = 0.6;
    for octave in 0..4 {
        // Faded out between a quarter and three quarters of a period a pixel: a sudden end would show as a change of
        // texture with size.
        let weight = (1.5 - frequency * pixel * 2.0).clamp(0.0, 1.0);
        if weight > 0.0 {
            sum += weight
                * amplitude
                * smooth_noise(x * frequency, y * frequency, seed.wrapping_add(octave * 101));
        }
        // Not 2: octaves whose lattices coincide would show a grid.
        frequency *= 2.1;
        amplitude *= 0.6;
    }
    sum
}

/// Value noise: random numbers on a lattice, smoothly interpolated.
fn smooth_noise(x: f32, y: f32, seed: u32) -> f32 {
    let (column, row) = (x.floor(), y.floor());
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (u, v) = (ease(x - column), ease(y - row));
    let (i, j) = (column as i32, row as i32);
    let top = lattice(i, j, seed) * (1.0 - u) + lattice(i + 1, j, seed) * u;
    let bottom = lattice(i, j + 1, seed) * (1.0 - u) + lattice(i + 1, j + 1, seed) * u;
    top * (1.0 - v) + bottom * v
}

/// Hash of a lattice point as a number in −1..1.
fn lattice(i: i32, j: i32, seed: u32) -> f32 {
    let mut hash = (i as u32).wrapping_mul(0x9e37_79b1) ^ (j as u32).wrapping_mul(0x85eb_ca77) ^ seed;
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    hash = (hash ^ (hash >> 12)).wrapping_mul(0x297a_2d39);
    hash ^= hash >> 15;
    hash as f32 / (u32::MAX as f32 / 2.0) - 1.0
}

#[cfg(test)]
mod tests {
    use super::super::geometry::at;
    use super::*;

    #[test]
    fn noise_is_centred_and_reproducible() {
        let texture = Texture::Grain { size: 10.0, strength: 0.5 };
        let values: Vec<f32> = (0..4000)
            .map(|i| texture.brightness(at((i % 80) as f32 * 3.1, (i / 80) as f32 * 2.7), 5, 1.0))
            .collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        assert!((mean - 1.0).abs() < 0.05, "mean {mean}");
        assert!(values.iter().any(|v| *v > 1.15) && values.iter().any(|v| *v < 0.85));
        assert_eq!(texture.brightness(at(3.0, 4.0), 5, 1.0), texture.brightness(at(3.0, 4.0), 5, 1.0));
        assert_ne!(texture.brightness(at(3.0, 4.0), 5, 1.0), texture.brightness(at(3.0, 4.0), 6, 1.0));
    }

    #[test]
    fn fine_detail_fades_on_coarse_canvases() {
        let texture = Texture::Grain { size: 4.0, strength: 0.5 };
        for i in 0..50 {
            assert_eq!(texture.brightness(at(i as f32 * 1.7, 3.0), 1, 40.0), 1.0);
        }
    }
}
