//! Outputs that appear whole or not at all: written under a temporary name beside the target, synced, renamed.

mod atomic;
mod folder_lock;
mod home;
mod parent_folder;
mod pending;
mod presence;
mod said;
mod temporary;
mod text;

pub use atomic::{AtomicFile, write_atomic, write_through};
pub use folder_lock::FolderLock;
pub use home::path_from_home;
pub use pending::PendingFile;
pub use presence::{file_is_there, folder_is_there};
pub use said::{SAID, say_used, warn_once};
pub use temporary::{folder_in as temporary_folder_in, is_temporary};
pub use text::{skip_mark, without_mark};
