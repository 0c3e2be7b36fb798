//! Steps of optimisers on tensors.

pub mod adamw;
