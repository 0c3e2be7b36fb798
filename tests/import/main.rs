//! `import-weights` and `weights` on files of the libraries that publish networks, and on files that must be refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
#![allow(missing_docs)]

mod arrived;
mod clip;
mod features;
mod gan;
mod made;
mod mapper;
#[path = "../formats/python.rs"]
mod python;
mod refusals;
mod second_head;
