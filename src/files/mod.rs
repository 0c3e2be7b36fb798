//! Outputs that appear whole or not at all: written under a temporary name beside the target, synced, renamed.

mod atomic;
mod folder_lock;
mod parent_folder;
mod pending;
mod said;
mod temporary;

pub use atomic::{AtomicFile, write_atomic, write_through};
pub use folder_lock::FolderLock;
pub use pending::PendingFile;
pub use said::{SAID, say_used, warn_once};
pub use temporary::{folder_in as temporary_folder_in, is_temporary};
