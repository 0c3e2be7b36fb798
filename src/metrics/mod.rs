//! Features and numbers in, numbers out.

pub mod bootstrap;
pub mod retrieval;
