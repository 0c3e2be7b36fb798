//! The places in which things stand, and the COCO 'stuff' each is made of.

/// A kind of surrounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Place {
    Meadow,
    Beach,
    Sea,
    Snowfield,
    Street,
    Sky,
    BrickYard,
    LivingRoom,
    Kitchen,
    Bedroom,
}

/// One kind of stuff: COCO-Stuff category id and name.
pub type Stuff = (u32, &'static str);

const SKY: Stuff = (157, "sky-other");
const CLOUDS: Stuff = (106, "clouds");

impl Place {
    /// Every place.
    pub const ALL: [Self; 10] = [
        Self::Meadow,
        Self::Beach,
        Self::Sea,
        Self::Snowfield,
        Self::Street,
        Self::Sky,
        Self::BrickYard,
        Self::LivingRoom,
        Self::Kitchen,
        Self::Bedroom,
    ];

    /// The stuff that it may contain; region numbers count along this list.
    pub fn stuff(self) -> &'static [Stuff] {
        match self {
            Self::Meadow => &[SKY, CLOUDS, (169, "tree"), (124, "grass")],
            Self::Beach => &[SKY, CLOUDS, (155, "sea"), (154, "sand")],
            Self::Sea => &[SKY, CLOUDS, (155, "sea")],
            Self::Snowfield => &[SKY, CLOUDS, (135, "mountain"), (159, "snow"), (169, "tree")],
            Self::Street => &[SKY, CLOUDS, (96, "building-other"), (140, "pavement"), (149, "road")],
            Self::Sky => &[SKY, CLOUDS],
            Self::BrickYard => &[(171, "wall-brick"), (140, "pavement")],
            Self::LivingRoom => &[(172, "wall-concrete"), (181, "window-other"), (118, "floor-wood")],
            Self::Kitchen => &[(176, "wall-tile"), (165, "table")],
            Self::Bedroom => &[(173, "wall-other"), (181, "window-other"), (101, "carpet")],
        }
    }

    /// Where the ground begins, as a share of the height from the top: the range to draw from.
    pub fn horizon_range(self) -> (f32, f32) {
        match self {
            Self::Meadow | Self::Snowfield => (0.42, 0.62),
            Self::Beach => (0.34, 0.48),
            Self::Sea => (0.4, 0.6),
            Self::Street => (0.5, 0.62),
            // Below any picture: nothing but sky.
            Self::Sky => (2.0, 2.0),
            Self::BrickYard => (0.62, 0.76),
            Self::LivingRoom | Self::Bedroom => (0.58, 0.7),
            Self::Kitchen => (0.48, 0.6),
        }
    }

    /// Whether it lies under the sky.
    pub fn is_outdoor(self) -> bool {
        !matches!(self, Self::LivingRoom | Self::Kitchen | Self::Bedroom)
    }
}
