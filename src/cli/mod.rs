//! What the user types: arguments, settings, terminal, exit codes.
//!
//! Parse ([`args`]), add up ([`layers`]), run ([`dispatch`]), say how far it is ([`terminal`], [`logging`]), show ([`render`]).

#[cfg(test)]
mod absurd_settings;
pub mod args;
pub mod dispatch;
pub mod environment;
mod every_subject;
pub mod exit_code;
mod flag_names;
mod given_command;
pub mod layers;
pub mod logging;
mod picture_commands;
pub mod render;
pub mod settings_file;
mod settings_text;
pub mod stopping;
pub mod terminal;
pub mod usage_error;
