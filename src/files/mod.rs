//! Inputs enter through one door; outputs appear whole or not at all: written under a temporary name beside the target, synced,
//! renamed.

mod atomic;
mod folder_lock;
mod home;
mod input;
mod parent_folder;
mod pending;
mod pending_folder;
mod presence;
mod said;
mod scratch;
mod temporary;
mod text;
mod unfinished;

pub use atomic::{AtomicFile, write_atomic, write_through};
pub use folder_lock::FolderLock;
pub use home::path_from_home;
pub use input::{InputKind, open_input, read_input, read_text};
pub use pending::PendingFile;
pub use pending_folder::{PendingFolder, ReplacedFolder};
pub use presence::{file_is_there, folder_is_there};
pub use said::{SAID, say_used, warn_once};
pub use scratch::ScratchFolder;
pub use temporary::is_temporary;
pub use text::{skip_mark, without_mark};
pub use unfinished::{Unfinished, remove_unfinished};
