//! Readers of foreign weight files. They parse; they never execute anything a file says.

mod budget;
mod detect;
mod file;
mod safetensors;

pub use file::{parse_foreign, read_foreign};
