//! How one specimen of a thing looks.

use super::super::colour::{Colour, NamedColour};

/// What distinguishes one specimen from the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// The colour that captions name: coat, plumage, paint, shirt.
    pub colour: NamedColour,
    /// Skin of persons.
    pub skin: Colour,
    /// Hair of persons.
    pub hair: Colour,
    /// Pose, word, hands of the clock: any number.
    pub variant: usize,
}
