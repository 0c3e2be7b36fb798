//! Penalties on gradients, which need gradients of gradients.

pub mod path_length;
pub mod r1;
pub mod second_order;
