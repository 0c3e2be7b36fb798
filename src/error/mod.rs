//! What errors have in common: whose they are, what is wrong with a setting, what is wrong with a file.
//!
//! Every error type of the crate is [`Classified`]: it says for each of its cases whether the user can put it right, whether
//! the work failed, or whether it was stopped on request. Commands and pipelines return [`Error`], into which only classified
//! errors turn, so a type that nobody classified does not compile at the first `?`.

mod classified;
mod failure;
mod file;
pub mod limits;
mod one_line;
mod ranges;
mod setting;
mod toml_reason;

pub use classified::{Classified, ErrorClass};
pub use failure::{Context, Error, Result};
pub use file::{Fault, FileError};
pub use one_line::{one_cause, one_line, printable};
pub use ranges::{above_to, all_in_range, between, count_in_range, in_range};
pub use setting::SettingError;
pub use toml_reason::toml_reason;
