//! Pickles as trees of inert values: nothing that a pickle names is looked up, called or imported
//! (docs/spec/checkpoints.md §2.4 and §2.5).
//!
//! Burn's own PyTorch reader is not used: it knows neither persistent objects nor TorchScript.

mod cursor;
mod machine;
mod opcode;
mod tree;

pub(super) use machine::parse;
pub(super) use tree::{Id, MadeBy, Tree, Value};
