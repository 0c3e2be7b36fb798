//! The second condition branch that our networks have and most published ones have not.

/// What becomes of the second condition branch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecondHead {
    /// As the file has it.
    #[default]
    AsStored,
    /// A copy of the first; a file that has a second branch of its own is refused (docs/spec/open-questions.md OQ-31).
    Duplicate,
    /// A copy of the first, whatever the file has: the published code's forced map.
    Overwrite,
}
