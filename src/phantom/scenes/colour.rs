//! Colours (sRGB, each channel 0..1) and the names that captions use.

/// Red, green, blue in 0..1, gamma-encoded as in an image file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colour(pub [f32; 3]);

impl Colour {
    /// The colour of a code `0xRRGGBB`, channels scaled to 0..1.
    pub const fn hex(code: u32) -> Self {
        Self([
            ((code >> 16) & 255) as f32 / 255.0,
            ((code >> 8) & 255) as f32 / 255.0,
            (code & 255) as f32 / 255.0,
        ])
    }

    /// Every channel multiplied; above 1 it brightens.
    pub fn scaled(self, factor: f32) -> Self {
        Self(self.0.map(|channel| (channel * factor).clamp(0.0, 1.0)))
    }

    /// Mixture: 0 gives `self`, 1 gives `other`.
    pub fn mixed(self, other: Self, share: f32) -> Self {
        let mut mixture = self.0;
        for (channel, target) in mixture.iter_mut().zip(other.0) {
            *channel += (target - *channel) * share;
        }
        Self(mixture)
    }
}

/// A colour with the word for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NamedColour {
    /// The word that captions use.
    pub name: &'static str,
    /// The colour that is painted.
    pub colour: Colour,
}

const fn named(name: &'static str, code: u32) -> NamedColour {
    NamedColour { name, colour: Colour::hex(code) }
}

/// Painted and dyed objects: vehicles, clothes, balls, umbrellas, furniture.
pub const VIVID: &[NamedColour] = &[
    named("red", 0xc8_2a26),
    named("blue", 0x24_58b8),
    named("green", 0x2f_8f3e),
    named("yellow", 0xf0_c62a),
    named("orange", 0xea_7a1e),
    named("purple", 0x7a_3f9c),
    named("white", 0xee_eeea),
    named("black", 0x2a_2a2e),
    named("pink", 0xe8_7fa8),
];

/// Coats of dogs and cats.
pub const FUR: &[NamedColour] = &[
    named("brown", 0x8a_5a32),
    named("black", 0x30_2c2c),
    named("white", 0xe9_e4da),
    named("golden", 0xd2_9a4a),
    named("gray", 0x84_8488),
];

/// Birds.
pub const PLUMAGE: &[NamedColour] = &[
    named("red", 0xc2_3428),
    named("blue", 0x3a_70c0),
    named("yellow", 0xe6_c034),
    named("black", 0x2c_2c32),
    named("white", 0xee_ecea),
];

/// Apples.
pub const APPLE_SKIN: &[NamedColour] =
    &[named("red", 0xc4_2028), named("green", 0x7c_b43a), named("yellow", 0xe0_c040)];

/// Human skin.
pub const SKIN: &[Colour] =
    &[Colour::hex(0xf2_c8a8), Colour::hex(0xe0_ac84), Colour::hex(0xb4_7c54), Colour::hex(0x7c_5236)];

/// Human hair.
pub const HAIR: &[Colour] =
    &[Colour::hex(0x2a_201c), Colour::hex(0x5c_3a22), Colour::hex(0xb8_8a48), Colour::hex(0x8c_8a88)];
