//! The phantom: a synthetic subject in NSD's own files whose brain is known.
pub mod scenes;
