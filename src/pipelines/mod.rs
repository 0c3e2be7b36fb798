//! Compositions that several commands share.
