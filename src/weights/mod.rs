//! Import of foreign weights: the only place that knows foreign keys.
//!
//! Containers, names and shapes are described in docs/spec/checkpoints.md. A file is read whole, whatever its container, and
//! nothing in it is executed:
//!
//! ```
//! use mindreader::weights::readers::read_foreign;
//!
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("network.safetensors");
//! # let header = br#"{"fc.weight":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}}"#;
//! # let one_and_two = [0x00, 0x3c, 0x00, 0x40];
//! # std::fs::write(&path, [&(header.len() as u64).to_le_bytes()[..], header, &one_and_two].concat())?;
//! let file = read_foreign(&path)?;
//! let tensor = &file.networks[""].tensors["fc.weight"];
//! assert_eq!(tensor.shape, [1, 2]);
//! assert_eq!(tensor.to_f32(), [1.0, 2.0]);
//!
//! // Text is not a network.
//! let notes = folder.path().join("notes.txt");
//! std::fs::write(&notes, "weights, perhaps")?;
//! assert!(read_foreign(&notes).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod choice;
pub mod clip;
pub mod door;
pub mod feature_networks;
pub mod foreign;
pub mod import;
pub mod import_error;
pub mod inception;
pub mod inspect;
mod json_beside;
pub mod key_map;
pub mod kind;
pub mod mapper;
#[cfg(test)]
mod parameter_shapes;
pub mod readers;
pub mod report;
pub mod resnet50;
pub mod sizes;
pub mod stylegan2;
