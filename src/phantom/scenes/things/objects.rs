//! Food, furniture and things of the street and the house.

use std::f32::consts::TAU;

use super::super::colour::Colour;
use super::super::geometry::{Outline, at};
use super::super::letters::write;
use super::super::pen::{Paint, Pen};
use super::super::texture::Texture;
use super::look::Look;

const INK: Colour = Colour::hex(0x22_2226);
const WOOD: Colour = Colour::hex(0x8a_5c34);
const STEEL: Colour = Colour::hex(0x9a_9ea2);

/// A ball with two seams, 1 high.
pub fn draw_ball(pen: &mut Pen, look: &Look) {
    pen.ground_shadow(0.5);
    let centre = at(0.0, 0.5);
    pen.fill(&Outline::circle(centre, 0.5), Paint::flat(look.colour.colour).round(0.7));
    let light = look.colour.name == "white" || look.colour.name == "yellow";
    let seam = Paint::flat(if light { INK } else { Colour::hex(0xf4_f2ec) });
    for (bulge, side) in [(0.18, -1.0_f32), (0.18, 1.0)] {
        let mut previous = None;
        for step in 0..=12 {
            let y = -0.46 + step as f32 * 0.92 / 12.0;
            let edge = (0.25 - y * y).max(0.0).sqrt();
            let point = at(side * (edge * 0.35 + bulge * (1.0 - 4.0 * y * y) * 0.3), 0.5 + y);
            if let Some(last) = previous {
                pen.fill(&Outline::limb(last, point, 0.018, 0.018), seam);
            }
            previous = Some(point);
        }
    }
    pen.fill(&Outline::limb(at(-0.48, 0.5), at(0.48, 0.5), 0.018, 0.018), seam);
    let gleam = Paint::flat(Colour([1.0; 3])).opacity(0.35);
    pen.fill(&Outline::ellipse(at(-0.18, 0.74), 0.12, 0.08, 0.6), gleam);
}

/// An apple with stem and leaf, 1 high.
pub fn draw_apple(pen: &mut Pen, look: &Look) {
    pen.ground_shadow(0.42);
    let skin =
        Paint::flat(look.colour.colour).round(0.6).textured(Texture::Blades { size: 0.5, strength: 0.12 });
    pen.fill(
        &Outline::smooth(&[
            at(0.0, 0.74),
            at(0.2, 0.83),
            at(0.42, 0.7),
            at(0.46, 0.42),
            at(0.3, 0.08),
            at(0.12, 0.01),
            at(0.0, 0.05),
            at(-0.12, 0.01),
            at(-0.3, 0.08),
            at(-0.46, 0.42),
            at(-0.42, 0.7),
            at(-0.2, 0.83),
        ]),
        skin,
    );
    pen.fill(&Outline::ellipse(at(0.0, 0.74), 0.12, 0.04, 0.0), Paint::flat(look.colour.colour.scaled(0.55)));
    pen.fill(&Outline::limb(at(0.0, 0.72), at(0.06, 0.96), 0.025, 0.03), Paint::flat(Colour::hex(0x5a_3c20)));
    let leaf = [at(0.05, 0.86), at(0.2, 0.98), at(0.4, 0.95), at(0.24, 0.84)];
    pen.fill(&Outline::smooth(&leaf), Paint::flat(Colour::hex(0x4c_9a34)));
    pen.fill(&Outline::ellipse(at(-0.2, 0.6), 0.09, 0.13, 0.4), Paint::flat(Colour([1.0; 3])).opacity(0.4));
}

/// A pizza seen from obliquely above, 0.7 high and 1.3 wide, one slice cut in odd variants.
pub fn draw_pizza(pen: &mut Pen, look: &Look) {
    let (rx, ry) = (0.66, 0.36);
    let centre = at(0.0, 0.38);
    let plate = Paint::flat(Colour::hex(0xea_eaee)).shaded(0.25);
    pen.ground_shadow(0.75);
    pen.fill(&Outline::ellipse(at(0.0, 0.35), rx * 1.16, ry * 1.12, 0.0), plate);
    let crust = Paint::flat(Colour::hex(0xc8_8a44)).textured(Texture::Grain { size: 0.15, strength: 0.25 });
    let cheese = Paint::flat(Colour::hex(0xf2_c452)).textured(Texture::Grain { size: 0.12, strength: 0.16 });
    let sauce = Paint::flat(Colour::hex(0xc8_4a24));
    pen.fill(&Outline::ellipse(centre, rx, ry, 0.0), crust);
    pen.fill(&Outline::ellipse(centre, rx * 0.88, ry * 0.86, 0.0), sauce);
    pen.fill(&Outline::ellipse(centre, rx * 0.84, ry * 0.81, 0.0), cheese);
    let topping = Paint::flat(Colour::hex(0xae_2c22)).round(0.2);
    let olive = Paint::flat(Colour::hex(0x3c_5424));
    for piece in 0..11_usize {
        let turn = TAU * (piece as f32 * 0.381_966 + look.variant as f32 * 0.1);
        let out = 0.25 + 0.5 * ((piece * 5 % 11) as f32 / 11.0);
        let p = at(centre.x + rx * out * turn.cos(), centre.y + ry * out * turn.sin());
        if piece % 3 == 2 {
            pen.fill(&Outline::ellipse(p, 0.055, 0.034, turn), olive);
        } else {
            pen.fill(&Outline::ellipse(p, 0.1, 0.058, 0.0), topping);
        }
    }
    let cut = Paint::flat(Colour::hex(0x9a_5a2a));
    for slice in 0..4 {
        let turn = TAU * (slice as f32 / 8.0 + 0.03);
        let (dx, dy) = (rx * 0.97 * turn.cos(), ry * 0.97 * turn.sin());
        let line =
            Outline::limb(at(centre.x - dx, centre.y - dy), at(centre.x + dx, centre.y + dy), 0.008, 0.008);
        pen.fill(&line, cut);
    }
    if look.variant % 2 == 1 {
        pen.fill(&Outline::sector(centre, rx * 1.03, ry * 1.03, 0.78, 0.905), plate);
    }
}

/// A round wall clock, 1 high, with ticks and hands.
pub fn draw_clock(pen: &mut Pen, look: &Look) {
    let centre = at(0.0, 0.5);
    pen.fill(&Outline::circle(centre, 0.5), Paint::flat(look.colour.colour).round(0.4));
    pen.fill(&Outline::circle(centre, 0.42), Paint::flat(Colour::hex(0xf6_f4ec)));
    let ink = Paint::flat(INK);
    for hour in 0..12 {
        let (sin, cos) = (TAU * hour as f32 / 12.0).sin_cos();
        let inner = if hour % 3 == 0 { 0.3 } else { 0.345 };
        let width = if hour % 3 == 0 { 0.022 } else { 0.012 };
        let tick = Outline::limb(
            at(inner * sin, 0.5 + inner * cos),
            at(0.385 * sin, 0.5 + 0.385 * cos),
            width,
            width,
        );
        pen.fill(&tick, ink);
    }
    for (turn, length, width) in
        [(look.variant as f32 * 0.23 + 0.15, 0.2, 0.026), (look.variant as f32 * 0.41 + 0.62, 0.31, 0.018)]
    {
        let (sin, cos) = (TAU * turn).sin_cos();
        pen.fill(&Outline::limb(centre, at(length * sin, 0.5 + length * cos), width, width * 0.6), ink);
    }
    pen.fill(&Outline::circle(centre, 0.03), Paint::flat(Colour::hex(0xb0_2020)));
}

/// A stop sign on its pole, 1 high.
pub fn draw_stop_sign(pen: &mut Pen, _look: &Look) {
    pen.ground_shadow(0.12);
    pen.fill(&Outline::rectangle(at(-0.022, 0.0), at(0.022, 0.62)), Paint::flat(STEEL).shaded(0.3));
    let centre = at(0.0, 0.74);
    pen.fill(&Outline::regular(centre, 0.275, 8), Paint::flat(Colour::hex(0xf4_f2ee)));
    pen.fill(&Outline::regular(centre, 0.25, 8), Paint::flat(Colour::hex(0xbe_1e22)).shaded(0.12));
    write(pen, "STOP", 0.0, 0.74, 0.14, Paint::flat(Colour::hex(0xf8_f6f2)));
}

/// An open umbrella on a pole, 1 high and 1 wide.
pub fn draw_umbrella(pen: &mut Pen, look: &Look) {
    pen.ground_shadow(0.35);
    pen.fill(&Outline::rectangle(at(-0.012, 0.0), at(0.012, 0.96)), Paint::flat(WOOD));
    let tip = at(0.0, 0.98);
    let other = look.colour.colour.mixed(Colour([1.0; 3]), 0.6);
    for panel in 0..6 {
        let edge = |step: usize| {
            let angle = std::f32::consts::PI * (1.0 - step as f32 / 6.0);
            at(0.52 * angle.cos(), 0.62 + 0.04 * angle.sin())
        };
        let (a, b) = (edge(panel), edge(panel + 1));
        let dip = at((a.x + b.x) / 2.0, (a.y + b.y) / 2.0 + 0.035);
        let bow = |p: super::super::geometry::Point| at(p.x * 0.72, 0.87 + (p.y - 0.62) * 0.5);
        let colour = if panel % 2 == 0 { look.colour.colour } else { other };
        let outline = Outline::polygon([a, bow(a), tip, bow(b), b, dip]);
        pen.fill(&outline, Paint::flat(colour).shaded(0.3));
    }
    pen.fill(&Outline::limb(tip, at(0.0, 1.03), 0.012, 0.008), Paint::flat(WOOD));
}

/// A wooden chair, obliquely from the front, 1 high.
pub fn draw_chair(pen: &mut Pen, look: &Look) {
    let wood =
        Paint::flat(look.colour.colour).textured(Texture::Blades { size: 0.2, strength: 0.15 }).shaded(0.2);
    let far = Paint::flat(look.colour.colour.scaled(0.68));
    pen.ground_shadow(0.36);
    for x in [-0.16, 0.3] {
        pen.fill(&Outline::rectangle(at(x, 0.1), at(x + 0.05, 0.5)), far);
    }
    for x in [-0.16, 0.3] {
        pen.fill(&Outline::rectangle(at(x, 0.46), at(x + 0.055, 1.0)), wood);
    }
    for y in [0.62, 0.74, 0.88] {
        pen.fill(&Outline::rounded(at(-0.14, y), at(0.34, y + 0.075), 0.02), wood);
    }
    pen.fill(&Outline::polygon([at(-0.34, 0.42), at(0.2, 0.42), at(0.36, 0.53), at(-0.16, 0.53)]), wood);
    pen.fill(&Outline::rectangle(at(-0.34, 0.36), at(0.2, 0.42)), far);
    for x in [-0.34, 0.145] {
        pen.fill(&Outline::rectangle(at(x, 0.0), at(x + 0.055, 0.38)), wood);
    }
}

/// A bed from the side, 0.75 high and 2 long, with pillow and coloured blanket.
pub fn draw_bed(pen: &mut Pen, look: &Look) {
    let wood = Paint::flat(WOOD).textured(Texture::Blades { size: 0.3, strength: 0.15 }).shaded(0.2);
    let sheet = Paint::flat(Colour::hex(0xf2_f0ea)).shaded(0.2);
    pen.ground_shadow(1.05);
    pen.fill(&Outline::rounded(at(-1.04, 0.0), at(-0.94, 0.78), 0.04), wood);
    pen.fill(&Outline::rounded(at(0.94, 0.0), at(1.03, 0.5), 0.04), wood);
    pen.fill(&Outline::rectangle(at(-0.98, 0.12), at(0.98, 0.26)), wood);
    pen.fill(&Outline::rounded(at(-0.95, 0.24), at(0.95, 0.42), 0.06), sheet);
    pen.fill(&Outline::smooth(&[at(-0.92, 0.4), at(-0.88, 0.54), at(-0.55, 0.56), at(-0.48, 0.42)]), sheet);
    let blanket =
        Paint::flat(look.colour.colour).shaded(0.35).textured(Texture::Grain { size: 0.25, strength: 0.15 });
    let cover = [
        at(-0.45, 0.45),
        at(0.2, 0.48),
        at(0.97, 0.44),
        at(0.97, 0.14),
        at(0.5, 0.17),
        at(0.0, 0.13),
        at(-0.48, 0.17),
    ];
    pen.fill(&Outline::smooth(&cover), blanket);
}
