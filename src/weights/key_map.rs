//! What a table of foreign names says of one parameter, and of tensors that no parameter needs.

use super::foreign::ForeignTensor;

/// The foreign tensors of one of our parameters: joined along their first axis, then perhaps transposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignTensors {
    /// Their names in order.
    pub names: Vec<String>,
    /// How the joined tensor becomes ours.
    pub orientation: Orientation,
}

/// How a foreign tensor becomes ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// Same order of values, same shape; a scalar is a vector of one here.
    AsStored,
    /// Seen as `[first axis, everything else]`; rows become columns.
    Transposed,
}

/// What becomes of a tensor that no parameter needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// The table does not know it: an error.
    Unknown,
    /// Not needed, for this reason.
    Needless(&'static str),
    /// Known, but its values would change what the network computes.
    Wrong {
        /// What the tensor must hold for our network to compute the same.
        expected: String,
        /// What it holds.
        found: String,
    },
}

/// Which foreign tensors fill which of our parameters.
pub trait KeyTable {
    /// The foreign tensors behind our parameter `path`; none for a path that the network does not have.
    fn foreign_tensors(&self, path: &str) -> Option<ForeignTensors>;

    /// What becomes of a foreign tensor that no parameter asked for.
    fn leftover(&self, name: &str, tensor: &ForeignTensor) -> Leftover;
}

impl ForeignTensors {
    /// One tensor as it is stored.
    pub fn as_stored(name: impl Into<String>) -> Self {
        Self { names: vec![name.into()], orientation: Orientation::AsStored }
    }

    /// One tensor whose rows become our columns.
    pub fn transposed(name: impl Into<String>) -> Self {
        Self { names: vec![name.into()], orientation: Orientation::Transposed }
    }
}
