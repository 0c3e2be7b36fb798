//! InfoNCE in both directions.
