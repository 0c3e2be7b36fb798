//! Which things stand where: draws a scene from a seed.

use rand::{RngExt, rngs::ChaCha12Rng};

use super::backdrop::Backdrop;
use super::colour::{HAIR, SKIN};
use super::places::Place;
use super::things::{Look, Thing};
use crate::tensor_ops::random::keyed_rng;

/// A thing in its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Kind of thing.
    pub thing: Thing,
    /// Colours and pose of this specimen.
    pub look: Look,
    /// Feet, or lower edge, in scene pixels.
    pub x: f32,
    /// Height of the feet in scene pixels from the upper edge.
    pub y: f32,
    /// Pixels per frame unit.
    pub height: f32,
    /// +1 or −1.
    pub facing: f32,
}

/// How the second thing stands to the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// Side by side.
    Beside,
    /// The first stands nearer to the viewer and hides part of the second.
    InFrontOf,
    /// The first lies or sits on the second.
    On,
    /// The first is below the second.
    Under,
}

/// A scene: what the renderer draws, captions tell and annotations list.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// Width and height of the whole picture in pixels, as a COCO photograph's.
    pub size: (u32, u32),
    /// Left and top of NSD's square crop, whose side is the shorter side of the picture.
    pub crop_origin: (u32, u32),
    /// Surroundings.
    pub backdrop: Backdrop,
    /// Things from the one that captions name first; drawn from far to near.
    pub placed: Vec<Placed>,
    /// Relation between the first and the second thing.
    pub relation: Relation,
    /// Factor on red, green, blue: hour and weather.
    pub light: [f32; 3],
}

/// What may stand in a place: thing, weight, height as a share of the crop.
fn cast(place: Place) -> &'static [(Thing, u32, f32)] {
    use Thing::*;
    match place {
        Place::Meadow => &[
            (Person, 5, 0.62),
            (Dog, 4, 0.4),
            (Cat, 2, 0.36),
            (Bird, 2, 0.3),
            (Ball, 3, 0.2),
            (Umbrella, 2, 0.66),
            (Portrait, 3, 0.8),
        ],
        Place::Beach => &[
            (Person, 5, 0.6),
            (Umbrella, 4, 0.66),
            (Dog, 3, 0.38),
            (Ball, 3, 0.2),
            (Chair, 2, 0.42),
            (Portrait, 2, 0.8),
        ],
        Place::Sea => &[(Boat, 8, 0.5), (Bird, 3, 0.3)],
        Place::Snowfield => &[(Person, 5, 0.6), (Dog, 3, 0.4), (Bird, 2, 0.28), (Portrait, 2, 0.8)],
        Place::Street => {
            &[(Car, 6, 0.34), (Bus, 5, 0.46), (StopSign, 5, 0.76), (Person, 4, 0.55), (Dog, 1, 0.3)]
        }
        Place::Sky => &[(Airplane, 6, 0.42), (Bird, 5, 0.38)],
        Place::BrickYard => &[
            (Cat, 3, 0.42),
            (Dog, 2, 0.42),
            (Chair, 3, 0.5),
            (StopSign, 3, 0.76),
            (Clock, 2, 0.34),
            (Person, 3, 0.66),
            (Ball, 2, 0.22),
            (Portrait, 3, 0.8),
        ],
        Place::LivingRoom => &[
            (Person, 4, 0.66),
            (Cat, 4, 0.42),
            (Dog, 3, 0.42),
            (Chair, 4, 0.52),
            (Clock, 3, 0.3),
            (Ball, 2, 0.2),
            (Portrait, 3, 0.8),
        ],
        Place::Kitchen => &[(Pizza, 6, 0.5), (Apple, 6, 0.34), (Clock, 2, 0.32), (Cat, 2, 0.46)],
        Place::Bedroom => {
            &[(Bed, 7, 0.4), (Cat, 3, 0.36), (Person, 3, 0.64), (Clock, 2, 0.28), (Chair, 2, 0.46)]
        }
    }
}

impl Scene {
    /// The scene of one image number.
    pub fn draw(seed: u64, image: u64) -> Self {
        let mut rng = keyed_rng(seed, "phantom/scene", image);
        // The order of draws here is part of every scene of every seed.
        let size = if rng.random_bool(0.7) { (640, 480) } else { (480, 640) };
        let side = size.0.min(size.1);
        // NSD cropped at the start, the centre or the end of the longer side.
        let spare = size.0.max(size.1) - side;
        let offset = spare / 2 * rng.random_range(0..3);
        let crop_origin = if size.0 > size.1 { (offset, 0) } else { (0, offset) };
        let place = Place::ALL[rng.random_range(0..Place::ALL.len())];
        let (low, high) = place.horizon_range();
        // The ground line lies within the crop, so that it looks alike in both formats.
        let horizon = crop_origin.1 as f32 + side as f32 * (low + (high - low) * rng.random::<f32>());
        let backdrop = Backdrop { place, horizon, size: (size.0 as f32, size.1 as f32), seed: rng.random() };
        let brightness = rng.random_range(0.72..1.08);
        let warmth: f32 = rng.random_range(-0.1..0.1);
        let light = [brightness * (1.0 + warmth), brightness, brightness * (1.0 - warmth)];
        let frame =
            Frame { origin: (crop_origin.0 as f32, crop_origin.1 as f32), side: side as f32, horizon };
        let (placed, relation) = frame.arrange(place, &mut rng);
        Self { size, crop_origin, backdrop, placed, relation, light }
    }
}

/// The square that the viewer will see.
struct Frame {
    origin: (f32, f32),
    side: f32,
    horizon: f32,
}

impl Frame {
    fn arrange(&self, place: Place, rng: &mut ChaCha12Rng) -> (Vec<Placed>, Relation) {
        let zoom = rng.random_range(0.75..1.35);
        let first = draw_thing(place, rng, &[]);
        if first.0 == Thing::Portrait {
            let x = rng.random_range(0.35..0.65);
            return (vec![self.portrait(x, zoom, rng)], Relation::Beside);
        }
        let count = [1, 2, 2, 3][rng.random_range(0..4_usize)];
        let mut chosen = vec![first];
        while chosen.len() < count {
            let taken: Vec<Thing> = chosen.iter().map(|(thing, _)| *thing).collect();
            let next = draw_thing(place, rng, &taken);
            if next.0 == Thing::Portrait || taken.contains(&next.0) {
                break;
            }
            chosen.push(next);
        }
        let first_left = rng.random_bool(0.5);
        let columns: &[f32] = match (chosen.len(), first_left) {
            (1, _) => &[0.5],
            (2, true) => &[0.3, 0.72],
            (2, false) => &[0.7, 0.28],
            (_, true) => &[0.25, 0.55, 0.82],
            (_, false) => &[0.75, 0.45, 0.18],
        };
        let mut placed: Vec<Placed> = chosen
            .iter()
            .zip(columns)
            .map(|(&(thing, height), &column)| {
                let column = column + rng.random_range(-0.07..0.07);
                let crowd = if chosen.len() > 1 { 0.78 } else { 1.0 };
                self.stand(place, thing, column, height * zoom * crowd, rng)
            })
            .collect();
        let relation = relate(&mut placed, rng);
        (placed, relation)
    }

    fn portrait(&self, column: f32, zoom: f32, rng: &mut ChaCha12Rng) -> Placed {
        let height = self.side * 0.78 * zoom.clamp(0.8, 1.15);
        Placed {
            thing: Thing::Portrait,
            look: draw_look(Thing::Portrait, rng),
            x: self.origin.0 + column * self.side,
            y: self.origin.1 + self.side,
            height,
            facing: facing(rng),
        }
    }

    fn stand(&self, place: Place, thing: Thing, column: f32, height: f32, rng: &mut ChaCha12Rng) -> Placed {
        let mut look = draw_look(thing, rng);
        let bottom = self.origin.1 + self.side;
        let depth: f32 = rng.random_range(0.3..0.95);
        // What is wider than the crop would be cut on both sides and could not be recognised.
        let widest = self.side * 0.92 / (2.0 * thing.half_width());
        let mut height = (height * self.side * rng.random_range(0.88..1.14)).min(widest);
        let y = match thing {
            Thing::Airplane => self.origin.1 + self.side * rng.random_range(0.4..0.72),
            Thing::Clock => self.horizon.min(bottom) - self.side * rng.random_range(0.1..0.18),
            Thing::Bird if matches!(place, Place::Sky | Place::Sea) || look.variant.is_multiple_of(2) => {
                look.variant -= look.variant % 2;
                self.origin.1 + self.side * rng.random_range(0.35..0.55)
            }
            Thing::Boat => self.horizon + (bottom - self.horizon) * (0.12 + 0.6 * depth),
            // The street's road begins below the kerb.
            Thing::Car | Thing::Bus => self.horizon + (bottom - self.horizon) * (0.45 + 0.5 * depth),
            _ => self.horizon + (bottom - self.horizon) * (0.12 + 0.82 * depth),
        };
        // What stands nearer is larger; and nothing loses its head at the upper edge.
        height *= 0.82 + 0.3 * depth;
        height = height.min((y - self.origin.1) * 0.97);
        Placed { thing, look, x: self.origin.0 + column * self.side, y, height, facing: facing(rng) }
    }
}

fn facing(rng: &mut ChaCha12Rng) -> f32 {
    if rng.random_bool(0.5) { 1.0 } else { -1.0 }
}

fn draw_thing(place: Place, rng: &mut ChaCha12Rng, taken: &[Thing]) -> (Thing, f32) {
    let candidates: Vec<_> = cast(place).iter().filter(|(thing, _, _)| !taken.contains(thing)).collect();
    let total: u32 = candidates.iter().map(|(_, weight, _)| weight).sum();
    let mut ticket = rng.random_range(0..total.max(1));
    for (thing, weight, height) in &candidates {
        if ticket < *weight {
            return (*thing, *height);
        }
        ticket -= weight;
    }
    (cast(place)[0].0, cast(place)[0].2)
}

fn draw_look(thing: Thing, rng: &mut ChaCha12Rng) -> Look {
    let colours = thing.colours();
    Look {
        colour: colours[rng.random_range(0..colours.len())],
        skin: SKIN[rng.random_range(0..SKIN.len())],
        hair: HAIR[rng.random_range(0..HAIR.len())],
        variant: rng.random_range(0..1000),
    }
}

/// Moves the second thing (or the first) into a relation that fits the pair.
fn relate(placed: &mut [Placed], rng: &mut ChaCha12Rng) -> Relation {
    if placed.len() < 2 {
        return Relation::Beside;
    }
    let pair = (placed[0].thing, placed[1].thing);
    let small = |thing| matches!(thing, Thing::Cat | Thing::Dog | Thing::Ball | Thing::Apple);
    match pair {
        (upper, Thing::Bed) if small(upper) => {
            placed[0].x = placed[1].x - placed[1].facing * 0.35 * placed[1].height;
            placed[0].y = placed[1].y - 0.42 * placed[1].height;
            placed[0].height = placed[0].height.min(placed[1].height * 0.75).min(placed[0].y * 0.9);
            Relation::On
        }
        (Thing::Cat | Thing::Ball, Thing::Chair) => {
            placed[0].x = placed[1].x;
            placed[0].y = placed[1].y - 0.47 * placed[1].height;
            placed[0].height = (placed[1].height * 0.5).min(placed[0].y * 0.9);
            Relation::On
        }
        (Thing::Person | Thing::Dog | Thing::Chair, Thing::Umbrella) => {
            placed[0].x = placed[1].x + 0.14 * placed[1].height * placed[1].facing;
            placed[0].y = placed[1].y + 3.0;
            placed[0].height = placed[0].height.min(placed[1].height * 0.66);
            Relation::Under
        }
        (first, second) if grounded(first) && grounded(second) && rng.random_bool(0.35) => {
            // Nearer to the viewer and overlapping, but not hiding more than about half.
            let step = (placed[0].thing.half_width() * placed[0].height
                + placed[1].thing.half_width() * placed[1].height)
                * 0.62;
            let side = (placed[0].x - placed[1].x).signum();
            placed[1].x = placed[0].x - side * step;
            placed[1].y = placed[1].y.min(placed[0].y - 4.0);
            Relation::InFrontOf
        }
        _ => Relation::Beside,
    }
}

fn grounded(thing: Thing) -> bool {
    !matches!(thing, Thing::Airplane | Thing::Bird | Thing::Boat | Thing::Clock)
}
