//! Dog, cat and bird.

use super::super::colour::Colour;
use super::super::geometry::{Outline, Point, at};
use super::super::pen::{Paint, Pen};
use super::super::texture::Texture;
use super::look::Look;

const DARK: Colour = Colour::hex(0x20_1a18);

fn fur(look: &Look) -> Paint {
    Paint::flat(look.colour.colour).shaded(0.25).textured(Texture::Blades { size: 0.12, strength: 0.22 })
}

/// A dog from the side: long muzzle, hanging ear, tail up.
pub fn draw_dog(pen: &mut Pen, look: &Look) {
    let coat = fur(look);
    let far_coat = Paint::flat(look.colour.colour.scaled(0.7));
    pen.ground_shadow(0.55);
    for (x, foot) in [(-0.36, -0.4), (0.2, 0.17)] {
        pen.fill(&Outline::limb(at(x, 0.45), at(foot, 0.05), 0.075, 0.05), far_coat);
    }
    let wag = if look.variant.is_multiple_of(2) { 0.16 } else { -0.02 };
    pen.fill(&Outline::limb(at(-0.47, 0.6), at(-0.68, 0.78 + wag), 0.055, 0.025), coat);
    pen.fill(
        &Outline::smooth(&[
            at(-0.52, 0.6),
            at(-0.38, 0.71),
            at(-0.05, 0.68),
            at(0.2, 0.72),
            at(0.36, 0.84),
            at(0.5, 0.72),
            at(0.42, 0.45),
            at(0.25, 0.33),
            at(0.0, 0.4),
            at(-0.25, 0.42),
            at(-0.45, 0.4),
        ]),
        coat,
    );
    for (x, foot) in [(-0.42, -0.46), (0.33, 0.34)] {
        pen.fill(&Outline::limb(at(x, 0.5), at(foot, 0.06), 0.1, 0.05), coat);
        pen.fill(&Outline::ellipse(at(foot + 0.04, 0.035), 0.085, 0.038, 0.0), coat);
    }
    pen.fill(&Outline::ellipse(at(0.46, 0.9), 0.17, 0.155, 0.0), coat);
    pen.fill(&Outline::limb(at(0.52, 0.86), at(0.74, 0.81), 0.105, 0.07), coat);
    pen.fill(&Outline::ellipse(at(0.8, 0.845), 0.045, 0.036, 0.0), Paint::flat(DARK));
    pen.fill(&Outline::limb(at(0.6, 0.775), at(0.76, 0.765), 0.008, 0.012), Paint::flat(DARK));
    if look.variant.is_multiple_of(3) {
        pen.fill(
            &Outline::limb(at(0.7, 0.755), at(0.71, 0.68), 0.03, 0.035),
            Paint::flat(Colour::hex(0xd8_5a6a)),
        );
    }
    let ear = [at(0.36, 1.0), at(0.43, 0.98), at(0.43, 0.82), at(0.37, 0.7), at(0.29, 0.74), at(0.29, 0.9)];
    pen.fill(&Outline::smooth(&ear), Paint::flat(look.colour.colour.scaled(0.6)).shaded(0.2));
    eye(pen, at(0.545, 0.94), 0.026);
    pen.fill(&Outline::limb(at(0.3, 0.74), at(0.44, 0.68), 0.03, 0.03), Paint::flat(Colour::hex(0xc0_2c28)));
}

/// A cat sitting, seen from the front: pointed ears, whiskers, curled tail.
pub fn draw_cat(pen: &mut Pen, look: &Look) {
    let coat = fur(look);
    let belly = Paint::flat(look.colour.colour.mixed(Colour::hex(0xf6_f0e6), 0.55));
    pen.ground_shadow(0.36);
    let tail = [(0.22, 0.1, 0.45, 0.08), (0.45, 0.08, 0.52, 0.25), (0.52, 0.25, 0.43, 0.42)];
    for (x0, y0, x1, y1) in tail {
        pen.fill(&Outline::limb(at(x0, y0), at(x1, y1), 0.055, 0.05), coat);
    }
    pen.fill(
        &Outline::smooth(&[
            at(0.0, 0.62),
            at(0.17, 0.52),
            at(0.27, 0.25),
            at(0.25, 0.05),
            at(0.0, 0.0),
            at(-0.25, 0.05),
            at(-0.27, 0.25),
            at(-0.17, 0.52),
        ]),
        coat,
    );
    pen.fill(&Outline::ellipse(at(0.0, 0.32), 0.11, 0.2, 0.0), belly);
    for side in [-1.0, 1.0] {
        pen.fill(&Outline::limb(at(0.09 * side, 0.35), at(0.09 * side, 0.05), 0.06, 0.055), coat);
        pen.fill(&Outline::ellipse(at(0.095 * side, 0.035), 0.075, 0.04, 0.0), belly);
        let ear = [at(0.05 * side, 0.88), at(0.24 * side, 1.06), at(0.26 * side, 0.76)];
        pen.fill(&Outline::polygon(ear), coat);
        let inner = [at(0.1 * side, 0.88), at(0.215 * side, 0.99), at(0.22 * side, 0.82)];
        pen.fill(&Outline::polygon(inner), Paint::flat(Colour::hex(0xe0_9a94)));
    }
    pen.fill(&Outline::ellipse(at(0.0, 0.74), 0.27, 0.21, 0.0), coat);
    pen.fill(&Outline::ellipse(at(0.0, 0.665), 0.13, 0.085, 0.0), belly);
    for side in [-1.0, 1.0] {
        let iris = Paint::flat(Colour::hex(0x9c_c43c));
        pen.fill(&Outline::ellipse(at(0.115 * side, 0.775), 0.062, 0.052, 0.0), iris);
        pen.fill(&Outline::ellipse(at(0.115 * side, 0.775), 0.02, 0.048, 0.0), Paint::flat(DARK));
        for rise in [-0.03, 0.01, 0.05] {
            let whisker = Outline::limb(at(0.09 * side, 0.67), at(0.36 * side, 0.65 + rise), 0.005, 0.003);
            pen.fill(&whisker, Paint::flat(Colour::hex(0xf4_f0ea)));
        }
        pen.fill(&Outline::limb(at(0.0, 0.665), at(0.06 * side, 0.625), 0.008, 0.006), Paint::flat(DARK));
    }
    let nose = [at(-0.035, 0.705), at(0.035, 0.705), at(0.0, 0.67)];
    pen.fill(&Outline::polygon(nose), Paint::flat(Colour::hex(0xd0_7078)));
}

/// A bird: flying with wings spread (even variants) or standing (odd ones).
pub fn draw_bird(pen: &mut Pen, look: &Look) {
    let plumage =
        Paint::flat(look.colour.colour).round(0.3).textured(Texture::Grain { size: 0.08, strength: 0.15 });
    let wing = Paint::flat(look.colour.colour.scaled(0.68)).shaded(0.3);
    let beak = Paint::flat(Colour::hex(0xe8_9a20));
    if look.variant.is_multiple_of(2) {
        let far = [at(0.02, 0.52), at(-0.05, 0.8), at(-0.32, 1.06), at(-0.28, 0.75), at(-0.2, 0.5)];
        pen.fill(&Outline::smooth(&far), wing);
        pen.fill(&Outline::polygon([at(-0.35, 0.47), at(-0.75, 0.53), at(-0.68, 0.4), at(-0.7, 0.3)]), wing);
        pen.fill(&Outline::ellipse(at(0.0, 0.45), 0.42, 0.16, 0.08), plumage);
        pen.fill(&Outline::circle(at(0.4, 0.54), 0.14), plumage);
        pen.fill(&Outline::polygon([at(0.51, 0.58), at(0.7, 0.51), at(0.51, 0.48)]), beak);
        let near = [at(0.16, 0.5), at(0.22, 0.82), at(0.05, 1.12), at(-0.02, 0.88), at(-0.18, 0.48)];
        pen.fill(&Outline::smooth(&near), wing);
        eye(pen, at(0.44, 0.58), 0.03);
    } else {
        pen.ground_shadow(0.3);
        for x in [-0.05, 0.08] {
            pen.fill(&Outline::limb(at(x, 0.3), at(x + 0.02, 0.03), 0.018, 0.016), beak);
            pen.fill(&Outline::limb(at(x - 0.02, 0.02), at(x + 0.1, 0.02), 0.018, 0.014), beak);
        }
        pen.fill(&Outline::polygon([at(-0.25, 0.5), at(-0.66, 0.3), at(-0.58, 0.2), at(-0.2, 0.32)]), wing);
        pen.fill(&Outline::ellipse(at(0.0, 0.47), 0.34, 0.23, 0.35), plumage);
        pen.fill(&Outline::circle(at(0.27, 0.78), 0.165), plumage);
        pen.fill(&Outline::polygon([at(0.4, 0.83), at(0.62, 0.76), at(0.4, 0.71)]), beak);
        let folded = [at(0.14, 0.58), at(-0.02, 0.62), at(-0.4, 0.34), at(-0.1, 0.36)];
        pen.fill(&Outline::smooth(&folded), wing);
        eye(pen, at(0.32, 0.82), 0.032);
    }
}

fn eye(pen: &mut Pen, at_point: Point, radius: f32) {
    pen.fill(&Outline::circle(at_point, radius * 1.35), Paint::flat(Colour::hex(0xf4_f0ea)));
    pen.fill(&Outline::circle(at_point, radius), Paint::flat(DARK));
}
