//! What the user types: arguments, settings, terminal, exit codes.
//!
//! Parse ([`args`]), add up ([`layers`]), run ([`dispatch`]), show ([`render`]).

pub mod args;
pub mod dispatch;
pub mod exit_code;
pub mod layers;
pub mod render;
pub mod usage_error;
