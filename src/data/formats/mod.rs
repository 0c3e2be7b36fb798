//! Readers and writers that know a file format and nothing of NSD.
