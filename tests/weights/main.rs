//! Readers of foreign weights, against files of the real libraries and against hostile ones.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]

mod assembler;
mod hostile;
mod memory;
mod mutations;
#[path = "../formats/python.rs"]
mod python;
mod roundtrip;
mod small_files;
