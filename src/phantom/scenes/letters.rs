//! A stroke alphabet for signs: capital letters on a grid 2 wide and 4 high.

use super::geometry::{Outline, at};
use super::pen::{Paint, Part, Pen};

/// Words that signs may carry.
pub const SIGN_WORDS: &[&str] = &["BUS", "CITY", "EXPO", "SHOP", "CAFE", "OPEN", "TAXI"];

fn strokes(letter: char) -> &'static [&'static [(f32, f32)]] {
    match letter {
        'A' => &[&[(0., 0.), (1., 4.), (2., 0.)], &[(0.5, 1.5), (1.5, 1.5)]],
        'B' => &[
            &[(0., 0.), (0., 4.), (1.5, 4.), (2., 3.3), (1.5, 2.2), (0., 2.2)],
            &[(1.5, 2.2), (2., 1.2), (1.5, 0.), (0., 0.)],
        ],
        'C' => &[&[(2., 3.4), (1.3, 4.), (0.6, 4.), (0., 3.2), (0., 0.8), (0.6, 0.), (1.3, 0.), (2., 0.6)]],
        'E' => &[&[(2., 4.), (0., 4.), (0., 0.), (2., 0.)], &[(0., 2.), (1.5, 2.)]],
        'F' => &[&[(2., 4.), (0., 4.), (0., 0.)], &[(0., 2.), (1.5, 2.)]],
        'H' => &[&[(0., 0.), (0., 4.)], &[(2., 0.), (2., 4.)], &[(0., 2.), (2., 2.)]],
        'I' => &[&[(1., 0.), (1., 4.)]],
        'N' => &[&[(0., 0.), (0., 4.), (2., 0.), (2., 4.)]],
        'O' => &[&[
            (0.6, 0.),
            (0., 0.8),
            (0., 3.2),
            (0.6, 4.),
            (1.4, 4.),
            (2., 3.2),
            (2., 0.8),
            (1.4, 0.),
            (0.6, 0.),
        ]],
        'P' => &[&[(0., 0.), (0., 4.), (1.5, 4.), (2., 3.3), (2., 2.7), (1.5, 2.), (0., 2.)]],
        'S' => &[&[
            (2., 3.4),
            (1.4, 4.),
            (0.6, 4.),
            (0., 3.4),
            (0., 2.6),
            (0.6, 2.1),
            (1.4, 1.9),
            (2., 1.4),
            (2., 0.6),
            (1.4, 0.),
            (0.6, 0.),
            (0., 0.6),
        ]],
        'T' => &[&[(1., 0.), (1., 4.)], &[(0., 4.), (2., 4.)]],
        'U' => &[&[(0., 4.), (0., 0.8), (0.6, 0.), (1.4, 0.), (2., 0.8), (2., 4.)]],
        'X' => &[&[(0., 0.), (2., 4.)], &[(0., 4.), (2., 0.)]],
        'Y' => &[&[(0., 4.), (1., 2.), (2., 4.)], &[(1., 2.), (1., 0.)]],
        _ => &[],
    }
}

/// Writes `word` centred on `(x, y)` (frame units) with letters of the given height; always readable from the
/// left, also on mirrored things.
pub fn write(pen: &mut Pen, word: &str, x: f32, y: f32, height: f32, paint: Paint) {
    let unit = height / 4.0;
    let advance = 2.9 * unit;
    let count = word.chars().count() as f32;
    let start = -(count * advance - 0.9 * unit) / 2.0;
    // A mirrored frame would mirror the letters: undo it around the word's own centre.
    let facing = pen.facing;
    for (index, letter) in word.chars().enumerate() {
        for stroke in strokes(letter) {
            for pair in stroke.windows(2) {
                let place = |(px, py): (f32, f32)| {
                    let along = start + index as f32 * advance + px * unit;
                    at(x + along * facing, y + (py - 2.0) * unit)
                };
                let outline = Outline::limb(place(pair[0]), place(pair[1]), 0.34 * unit, 0.34 * unit);
                pen.fill_part(&outline, paint, Part::Letters);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sign_word_can_be_written() {
        for word in SIGN_WORDS.iter().chain(&["STOP"]) {
            for letter in word.chars() {
                assert!(!strokes(letter).is_empty(), "`{letter}` of {word}");
            }
        }
    }
}
