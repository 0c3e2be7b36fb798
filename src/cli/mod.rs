//! What the user types: arguments, settings, terminal, exit codes.
//!
//! Parse ([`args`]), add up ([`layers`]), run ([`dispatch`]), say how far it is ([`terminal`], [`logging`]), show ([`render`]).

pub mod args;
pub mod dispatch;
pub mod exit_code;
pub mod layers;
pub mod logging;
pub mod render;
pub mod terminal;
pub mod usage_error;
