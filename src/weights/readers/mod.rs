//! Readers of foreign weight files. They parse; they never execute anything a file says.

mod budget;
mod detect;
mod file;
mod layout;
mod network_pickle;
mod pickle;
mod safetensors;
mod shards;
mod storage;
mod tensor;
mod torch_legacy;
mod torch_zip;
mod view;
mod zip_bytes;

pub use file::{Networks, parse_foreign, read_foreign};
