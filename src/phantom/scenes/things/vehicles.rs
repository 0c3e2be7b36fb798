//! Car, bus, boat and airplane, seen from the side.

use super::super::colour::Colour;
use super::super::geometry::{Outline, at};
use super::super::letters::{SIGN_WORDS, write};
use super::super::pen::{Paint, Pen};
use super::super::texture::Texture;
use super::look::Look;

const TYRE: Colour = Colour::hex(0x1e_1e20);
const GLASS: Colour = Colour::hex(0x9c_bccc);
const CHROME: Colour = Colour::hex(0xc4_c6c8);

fn wheel(pen: &mut Pen, x: f32, r: f32) {
    pen.fill(&Outline::circle(at(x, r), r), Paint::flat(TYRE));
    pen.fill(&Outline::circle(at(x, r), r * 0.58), Paint::flat(CHROME).round(0.3));
    pen.fill(&Outline::circle(at(x, r), r * 0.2), Paint::flat(TYRE));
}

/// A car: 1 high, about 2.5 long.
pub fn draw_car(pen: &mut Pen, look: &Look) {
    let body = Paint::flat(look.colour.colour).shaded(0.45);
    pen.ground_shadow(1.25);
    pen.fill(
        &Outline::smooth(&[
            at(-0.8, 0.55),
            at(-0.62, 0.88),
            at(-0.4, 1.0),
            at(0.15, 1.0),
            at(0.4, 0.88),
            at(0.68, 0.56),
            at(0.0, 0.42),
        ]),
        body,
    );
    pen.fill(
        &Outline::smooth(&[
            at(-1.24, 0.3),
            at(-1.2, 0.56),
            at(-0.8, 0.64),
            at(0.0, 0.62),
            at(0.7, 0.62),
            at(1.12, 0.52),
            at(1.26, 0.36),
            at(1.2, 0.19),
            at(0.0, 0.17),
            at(-1.18, 0.19),
        ]),
        body,
    );
    let glass = Paint::flat(GLASS).shaded(0.35);
    pen.fill(&Outline::polygon([at(-0.66, 0.62), at(-0.52, 0.86), at(-0.14, 0.93), at(-0.14, 0.62)]), glass);
    pen.fill(&Outline::polygon([at(-0.07, 0.62), at(-0.07, 0.93), at(0.14, 0.92), at(0.52, 0.62)]), glass);
    let seam = Paint::flat(look.colour.colour.scaled(0.55));
    pen.fill(&Outline::rectangle(at(-0.115, 0.24), at(-0.095, 0.62)), seam);
    pen.fill(&Outline::rounded(at(-0.3, 0.51), at(-0.17, 0.54), 0.02), Paint::flat(CHROME));
    pen.fill(&Outline::ellipse(at(1.13, 0.42), 0.08, 0.055, -0.3), Paint::flat(Colour::hex(0xff_f3c0)));
    pen.fill(&Outline::ellipse(at(-1.18, 0.45), 0.045, 0.06, 0.0), Paint::flat(Colour::hex(0xb0_1818)));
    pen.fill(&Outline::rectangle(at(-1.2, 0.2), at(1.22, 0.25)), Paint::flat(Colour::hex(0x44_4446)));
    for x in [-0.72, 0.74] {
        pen.fill(&Outline::circle(at(x, 0.24), 0.275), Paint::flat(Colour::hex(0x16_1616)));
        wheel(pen, x, 0.225);
    }
}

/// A bus: 1 high, about 2.4 long, with a word on its side.
pub fn draw_bus(pen: &mut Pen, look: &Look) {
    let body = Paint::flat(look.colour.colour).shaded(0.3);
    pen.ground_shadow(1.2);
    pen.fill(&Outline::rounded(at(-1.2, 0.12), at(1.2, 1.0), 0.1), body);
    pen.fill(&Outline::rectangle(at(-1.2, 0.3), at(1.2, 0.34)), Paint::flat(look.colour.colour.scaled(0.6)));
    pen.fill(&Outline::rounded(at(-1.12, 0.92), at(1.12, 1.03), 0.04), Paint::flat(Colour::hex(0xe6_e6e2)));
    let glass = Paint::flat(GLASS.scaled(0.85)).shaded(0.35);
    for window in 0..5 {
        let x = -1.1 + window as f32 * 0.36;
        pen.fill(&Outline::rounded(at(x, 0.58), at(x + 0.3, 0.86), 0.03), glass);
    }
    pen.fill(&Outline::rounded(at(0.74, 0.18), at(1.0, 0.86), 0.03), glass);
    pen.fill(&Outline::rectangle(at(0.862, 0.18), at(0.878, 0.86)), Paint::flat(Colour::hex(0x30_3438)));
    pen.fill(&Outline::rounded(at(1.05, 0.5), at(1.19, 0.86), 0.03), glass);
    pen.fill(&Outline::circle(at(1.14, 0.26), 0.045), Paint::flat(Colour::hex(0xff_f3c0)));
    let word = SIGN_WORDS[look.variant % SIGN_WORDS.len()];
    let ink = if look.colour.name == "white" || look.colour.name == "yellow" { 0x20_2430 } else { 0xf6_f6f2 };
    write(pen, word, -0.25, 0.44, 0.17, Paint::flat(Colour::hex(ink)));
    for x in [-0.72, 0.55] {
        pen.fill(&Outline::circle(at(x, 0.16), 0.205), Paint::flat(Colour::hex(0x16_1616)));
        wheel(pen, x, 0.165);
    }
}

/// A boat on the water: a sailing boat (even variants) or a small motor boat (odd ones).
pub fn draw_boat(pen: &mut Pen, look: &Look) {
    let hull = Paint::flat(look.colour.colour).shaded(0.4);
    let hull_outline = [at(-0.52, 0.22), at(0.62, 0.24), at(0.42, 0.02), at(-0.4, 0.0)];
    let deck = Paint::flat(Colour::hex(0xf0_ece2));
    if look.variant.is_multiple_of(2) {
        let wood = Paint::flat(Colour::hex(0x6a_4a2c));
        pen.fill(&Outline::rectangle(at(-0.03, 0.2), at(0.01, 1.04)), wood);
        let canvas =
            Paint::flat(Colour::hex(0xf7_f5ef)).shaded(0.15).textured(Texture::Stripes { width: 0.1 });
        pen.fill(&Outline::polygon([at(-0.05, 1.0), at(-0.05, 0.3), at(-0.46, 0.3)]), canvas);
        pen.fill(&Outline::polygon([at(0.03, 0.96), at(0.03, 0.28), at(0.52, 0.28)]), canvas);
        pen.fill(&Outline::polygon([at(0.0, 1.04), at(0.0, 1.1), at(-0.12, 1.07)]), hull);
    } else {
        pen.fill(
            &Outline::polygon([at(-0.3, 0.2), at(-0.26, 0.5), at(0.12, 0.5), at(0.26, 0.2)]),
            deck.shaded(0.2),
        );
        let glass = Paint::flat(GLASS.scaled(0.8));
        pen.fill(&Outline::polygon([at(-0.2, 0.28), at(-0.18, 0.44), at(0.08, 0.44), at(0.16, 0.28)]), glass);
        pen.fill(
            &Outline::limb(at(-0.1, 0.5), at(-0.1, 0.78), 0.012, 0.01),
            Paint::flat(Colour::hex(0x4c_4c50)),
        );
    }
    pen.fill(&Outline::polygon(hull_outline), hull);
    pen.fill(&Outline::polygon([at(-0.53, 0.25), at(0.65, 0.27), at(0.6, 0.21), at(-0.51, 0.2)]), deck);
    let foam = Paint::flat(Colour::hex(0xf4_f8fa)).opacity(0.75);
    pen.fill_part(&Outline::ellipse(at(0.0, 0.0), 0.52, 0.03, 0.0), foam, super::super::pen::Part::Shadow);
}

/// A passenger airplane in flight: 0.8 high, 2 long.
pub fn draw_airplane(pen: &mut Pen, look: &Look) {
    let skin = Paint::flat(Colour::hex(0xee_f0f2)).shaded(0.4);
    let accent = Paint::flat(look.colour.colour).shaded(0.2);
    let far_wing = [at(-0.05, 0.5), at(0.25, 0.52), at(-0.02, 0.88), at(-0.16, 0.88)];
    pen.fill(&Outline::polygon(far_wing), Paint::flat(Colour::hex(0xb8_bec4)));
    pen.fill(&Outline::polygon([at(-0.92, 0.52), at(-0.62, 0.54), at(-0.86, 0.98), at(-1.04, 0.98)]), accent);
    pen.fill(
        &Outline::smooth(&[
            at(-1.02, 0.52),
            at(-0.7, 0.58),
            at(0.0, 0.59),
            at(0.65, 0.58),
            at(0.92, 0.5),
            at(1.02, 0.41),
            at(0.88, 0.34),
            at(0.5, 0.31),
            at(-0.3, 0.31),
            at(-0.75, 0.4),
        ]),
        skin,
    );
    pen.fill(&Outline::rectangle(at(-0.78, 0.395), at(0.92, 0.425)), accent);
    let glass = Paint::flat(Colour::hex(0x3c_5068));
    for window in 0..12 {
        pen.fill(&Outline::circle(at(-0.55 + window as f32 * 0.1, 0.49), 0.024), glass);
    }
    pen.fill(&Outline::polygon([at(0.78, 0.48), at(0.82, 0.53), at(0.9, 0.5), at(0.93, 0.46)]), glass);
    pen.fill(&Outline::polygon([at(-0.95, 0.47), at(-0.72, 0.47), at(-1.0, 0.28), at(-1.12, 0.28)]), accent);
    let near_wing = [at(-0.15, 0.42), at(0.3, 0.42), at(-0.28, -0.02), at(-0.44, -0.02)];
    pen.fill(
        &Outline::rounded(at(-0.02, 0.15), at(0.26, 0.27), 0.06),
        Paint::flat(Colour::hex(0x9a_a0a8)).shaded(0.4),
    );
    pen.fill(&Outline::polygon(near_wing), Paint::flat(Colour::hex(0xd2_d6da)).shaded(0.3));
}
