//! A person: standing, waving, or a portrait of head and shoulders.

use super::super::colour::Colour;
use super::super::geometry::{Outline, at};
use super::super::pen::{Paint, Part, Pen};
use super::super::texture::Texture;
use super::look::Look;

const TROUSERS: &[Colour] = &[Colour::hex(0x2b_3a5c), Colour::hex(0x3c_3c40), Colour::hex(0x8a_7a5c)];

/// Standing or waving, 1 high.
pub fn draw(pen: &mut Pen, look: &Look) {
    let shirt =
        Paint::flat(look.colour.colour).shaded(0.25).textured(Texture::Grain { size: 0.05, strength: 0.08 });
    let trousers = Paint::flat(TROUSERS[look.variant % TROUSERS.len()]).shaded(0.2);
    let skin = Paint::flat(look.skin).round(0.15);
    let shoe = Paint::flat(Colour::hex(0x26_2222));
    pen.ground_shadow(0.2);
    for side in [-1.0, 1.0] {
        pen.fill(&Outline::limb(at(0.055 * side, 0.45), at(0.075 * side, 0.06), 0.062, 0.04), trousers);
        pen.fill(&Outline::ellipse(at(0.085 * side + 0.02, 0.03), 0.06, 0.03, 0.0), shoe);
    }
    let waving = look.variant % 2 == 1;
    let (elbow, hand) =
        if waving { (at(0.22, 0.72), at(0.25, 0.92)) } else { (at(0.19, 0.58), at(0.2, 0.44)) };
    for (shoulder, elbow, hand) in
        [(at(0.12, 0.73), elbow, hand), (at(-0.12, 0.73), at(-0.19, 0.58), at(-0.19, 0.44))]
    {
        pen.fill(&Outline::limb(shoulder, elbow, 0.045, 0.036), shirt);
        pen.fill(&Outline::limb(elbow, hand, 0.034, 0.026), skin);
        pen.fill(&Outline::circle(hand, 0.034), skin);
    }
    pen.fill(
        &Outline::smooth(&[
            at(-0.12, 0.77),
            at(0.0, 0.79),
            at(0.12, 0.77),
            at(0.135, 0.66),
            at(0.11, 0.53),
            at(0.115, 0.43),
            at(0.0, 0.415),
            at(-0.115, 0.43),
            at(-0.11, 0.53),
            at(-0.135, 0.66),
        ]),
        shirt,
    );
    pen.fill(&Outline::rectangle(at(-0.035, 0.75), at(0.035, 0.83)), skin.shaded(0.3));
    head(pen, look, at(0.0, 0.89), 0.105);
}

/// Head and shoulders, 1 high and 1 wide, cut off at the bottom.
pub fn draw_portrait(pen: &mut Pen, look: &Look) {
    let shirt =
        Paint::flat(look.colour.colour).shaded(0.25).textured(Texture::Grain { size: 0.08, strength: 0.08 });
    pen.fill(
        &Outline::smooth(&[
            at(-0.56, -0.25),
            at(-0.5, 0.12),
            at(-0.34, 0.27),
            at(-0.1, 0.33),
            at(0.1, 0.33),
            at(0.34, 0.27),
            at(0.5, 0.12),
            at(0.56, -0.25),
        ]),
        shirt,
    );
    let skin = Paint::flat(look.skin);
    pen.fill(&Outline::rounded(at(-0.11, 0.24), at(0.11, 0.5), 0.05), skin.shaded(0.45));
    head(pen, look, at(0.0, 0.66), 0.3);
}

/// Head with hair and face, `r` half its width, in frame units.
fn head(pen: &mut Pen, look: &Look, c: super::super::geometry::Point, r: f32) {
    let skin = Paint::flat(look.skin).round(0.22);
    let hair = Paint::flat(look.hair).textured(Texture::Blades { size: r * 0.6, strength: 0.25 });
    let long_hair = look.variant.is_multiple_of(3);
    let p = |x: f32, y: f32| at(c.x + x * r, c.y + y * r);
    if long_hair {
        pen.fill(&Outline::ellipse(p(0.0, -0.1), r * 1.08, r * 1.3, 0.0), hair);
    }
    for side in [-1.0, 1.0] {
        pen.fill(&Outline::ellipse(p(0.86 * side, -0.05), r * 0.14, r * 0.22, 0.0), skin);
    }
    pen.fill_part(&Outline::ellipse(p(0.0, 0.0), r * 0.86, r * 1.1, 0.0), skin, Part::Face);
    pen.fill(
        &Outline::smooth(&[
            p(-0.92, 0.05),
            p(-0.86, 0.75),
            p(-0.3, 1.2),
            p(0.35, 1.2),
            p(0.88, 0.75),
            p(0.92, 0.05),
            p(0.72, 0.5),
            p(0.2, 0.66),
            p(-0.4, 0.62),
            p(-0.74, 0.45),
        ]),
        hair,
    );
    let white = Paint::flat(Colour::hex(0xfa_f8f4));
    let dark = Paint::flat(Colour::hex(0x22_1a18));
    for side in [-1.0, 1.0] {
        pen.fill_part(&Outline::ellipse(p(0.34 * side, 0.14), r * 0.19, r * 0.13, 0.0), white, Part::Face);
        pen.fill_part(&Outline::circle(p(0.34 * side, 0.13), r * 0.105), dark, Part::Face);
        let brow = Outline::limb(p(0.17 * side, 0.39), p(0.52 * side, 0.4), r * 0.045, r * 0.03);
        pen.fill_part(&brow, Paint::flat(look.hair), Part::Face);
    }
    let shadow = Paint::flat(look.skin.scaled(0.76));
    pen.fill_part(&Outline::limb(p(0.0, 0.1), p(0.05, -0.2), r * 0.035, r * 0.09), shadow, Part::Face);
    let lips = Paint::flat(Colour::hex(0xb0_4848));
    let mouth = [p(-0.34, -0.48), p(0.0, -0.56), p(0.34, -0.48), p(0.0, -0.74)];
    pen.fill_part(&Outline::smooth(&mouth), lips, Part::Face);
}
