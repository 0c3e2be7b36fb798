//! The things that scenes show: one drawing each, in a frame of height about 1.

mod animals;
mod look;
mod objects;
mod person;
mod vehicles;

pub use look::Look;

use super::colour::{APPLE_SKIN, FUR, NamedColour, PLUMAGE, VIVID};
use super::pen::Pen;

/// A thing of COCO's vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Thing {
    Person,
    Portrait,
    Dog,
    Cat,
    Bird,
    Car,
    Bus,
    Boat,
    Airplane,
    StopSign,
    Umbrella,
    Ball,
    Apple,
    Pizza,
    Chair,
    Bed,
    Clock,
}

impl Thing {
    /// Every thing that can be drawn.
    pub const ALL: [Self; 17] = [
        Self::Person,
        Self::Portrait,
        Self::Dog,
        Self::Cat,
        Self::Bird,
        Self::Car,
        Self::Bus,
        Self::Boat,
        Self::Airplane,
        Self::StopSign,
        Self::Umbrella,
        Self::Ball,
        Self::Apple,
        Self::Pizza,
        Self::Chair,
        Self::Bed,
        Self::Clock,
    ];

    /// COCO category id and name; a portrait is a person seen from near.
    pub fn category(self) -> (u32, &'static str) {
        match self {
            Self::Person | Self::Portrait => (1, "person"),
            Self::Car => (3, "car"),
            Self::Airplane => (5, "airplane"),
            Self::Bus => (6, "bus"),
            Self::Boat => (9, "boat"),
            Self::StopSign => (13, "stop sign"),
            Self::Bird => (16, "bird"),
            Self::Cat => (17, "cat"),
            Self::Dog => (18, "dog"),
            Self::Umbrella => (28, "umbrella"),
            Self::Ball => (37, "sports ball"),
            Self::Apple => (53, "apple"),
            Self::Pizza => (59, "pizza"),
            Self::Chair => (62, "chair"),
            Self::Bed => (65, "bed"),
            Self::Clock => (85, "clock"),
        }
    }

    /// The colours it comes in; empty where its colour is not worth a word.
    pub fn colours(self) -> &'static [NamedColour] {
        match self {
            Self::Dog | Self::Cat => FUR,
            Self::Bird => PLUMAGE,
            Self::Apple => APPLE_SKIN,
            _ => VIVID,
        }
    }

    /// Whether captions mention the colour of this thing.
    pub fn is_named_with_colour(self) -> bool {
        !matches!(self, Self::Pizza | Self::StopSign | Self::Airplane)
    }

    /// Half the width of the frame, in units of its height.
    pub fn half_width(self) -> f32 {
        match self {
            Self::Person => 0.24,
            Self::Portrait => 0.56,
            Self::Dog => 0.75,
            Self::Cat => 0.45,
            Self::Bird => 0.7,
            Self::Car => 1.26,
            Self::Bus => 1.2,
            Self::Boat => 0.62,
            Self::Airplane => 1.08,
            Self::StopSign => 0.28,
            Self::Umbrella | Self::Ball => 0.52,
            Self::Apple => 0.46,
            Self::Pizza => 0.77,
            Self::Chair => 0.36,
            Self::Bed => 1.04,
            Self::Clock => 0.5,
        }
    }

    /// Draws the thing with the pen's frame.
    pub fn draw(self, pen: &mut Pen, look: &Look) {
        match self {
            Self::Person => person::draw(pen, look),
            Self::Portrait => person::draw_portrait(pen, look),
            Self::Dog => animals::draw_dog(pen, look),
            Self::Cat => animals::draw_cat(pen, look),
            Self::Bird => animals::draw_bird(pen, look),
            Self::Car => vehicles::draw_car(pen, look),
            Self::Bus => vehicles::draw_bus(pen, look),
            Self::Boat => vehicles::draw_boat(pen, look),
            Self::Airplane => vehicles::draw_airplane(pen, look),
            Self::StopSign => objects::draw_stop_sign(pen, look),
            Self::Umbrella => objects::draw_umbrella(pen, look),
            Self::Ball => objects::draw_ball(pen, look),
            Self::Apple => objects::draw_apple(pen, look),
            Self::Pizza => objects::draw_pizza(pen, look),
            Self::Chair => objects::draw_chair(pen, look),
            Self::Bed => objects::draw_bed(pen, look),
            Self::Clock => objects::draw_clock(pen, look),
        }
    }
}
