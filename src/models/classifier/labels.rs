//! Which of a classifier's categories a picture shows.

use super::config::ClassKind;

/// Categories by kind, in the order of the outputs; none where nobody annotated that kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownClasses {
    /// Things.
    pub things: Option<Vec<bool>>,
    /// Stuff.
    pub stuff: Option<Vec<bool>>,
}

impl ShownClasses {
    /// The categories of a kind.
    pub fn of(&self, kind: ClassKind) -> Option<&[bool]> {
        match kind {
            ClassKind::Thing => self.things.as_deref(),
            ClassKind::Stuff => self.stuff.as_deref(),
        }
    }
}
