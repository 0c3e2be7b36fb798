//! Import of foreign weights: the only place that knows foreign keys.

pub mod clip;
pub mod foreign;
pub mod inception;
#[cfg(test)]
mod parameter_shapes;
pub mod readers;
pub mod resnet50;
