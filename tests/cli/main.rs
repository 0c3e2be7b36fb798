//! The binary as users meet it: messages, exit codes, nothing half-written, interruption.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod absurd;
mod bad_input;
mod chain;
mod fetch_weights;
#[cfg(unix)]
mod full_disk;
mod hostile_formats;
mod inputs;
mod interrupt;
mod kill;
mod logs;
mod mapper_input;
mod output;
mod own_data;
mod phantom;
mod runs;
mod settings_file;
mod stopping;
mod usage;
