//! Outputs that appear whole or not at all: written under a temporary name beside the target, synced, renamed.

mod atomic;
mod parent_folder;
mod pending;

pub use atomic::{AtomicFile, write_atomic, write_through};
pub use pending::PendingFile;
