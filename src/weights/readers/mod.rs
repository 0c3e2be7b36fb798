//! Readers of foreign weight files. They parse; they never execute anything a file says.
