//! Import of foreign weights: the only place that knows foreign keys.

pub mod choice;
pub mod clip;
pub mod door;
pub mod error;
pub mod feature_networks;
pub mod foreign;
pub mod import;
pub mod import_error;
pub mod inception;
pub mod inspect;
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
